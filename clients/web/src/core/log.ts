/** What happened, in sentences: the page's log. */

import type { ChangePostponed, LogEntry } from "./api";
import { ObservableValue } from "./observable";
import type { BarMessage, Change, SteeredMessage, TurnedMessage } from "./protocol";

const MOST_ENTRIES = 500;

const DEFAULTS = {
  bar: null,
  due: null,
  by: "",
  mine: false,
  controls: {},
  change: null,
} as const;

export class Log {
  readonly entries = new ObservableValue<readonly LogEntry[]>([]);
  #lastNumber = 0;
  /** Number of the last entry before changes were numbered anew. */
  #lastBeforeReset = 0;
  /** Public name of this client. */
  you = "";

  constructor(private readonly wallClock: () => number) {}

  add(kind: LogEntry["kind"], text: string, more: Partial<LogEntry> = {}): void {
    this.#lastNumber += 1;
    const number = this.#lastNumber;
    const entry = { ...DEFAULTS, ...more, number, kind, at: this.wallClock(), text };
    this.entries.set([...this.entries.value.slice(1 - MOST_ENTRIES), entry]);
  }

  changeAnnounced(message: Change | SteeredMessage): void {
    const { bar, due, by, controls, plan } = message;
    const what = [...Object.keys(controls), ...(Object.keys(plan).length ? ["the plan"] : [])];
    const mine = by === this.you;
    const change = message.change || null;
    const text = `${what.map(spoken).join(", ")}: ${fromBar(bar)}`;
    this.add("steered", text, { bar, due, by, mine, controls, change });
  }

  /** What was told of a change is told of a later bar. */
  changePostponed({ change, bar, due }: ChangePostponed): void {
    let isKnown = false;
    const entries = this.entries.value.map((entry) => {
      const { number, bar: before } = entry;
      const isMeant = entry.change === change && number > this.#lastBeforeReset;
      if (!isMeant || before === null || before >= bar) return entry;
      isKnown = true;
      const text = entry.text.replace(fromBar(before), fromBar(bar));
      return { ...entry, bar, due, text };
    });
    if (isKnown) this.entries.set(entries);
  }

  /** Another stream or another server: numbers of changes mean others from now on. */
  resetChangeNumbers(): void {
    this.#lastBeforeReset = this.#lastNumber;
  }

  stateTurned({ reason, state }: TurnedMessage): void {
    this.add("turned", reason || `The stream is ${state}`);
  }

  barLate({ bar, due }: BarMessage): void {
    const text = `Bar ${bar.index} was not composed in time: a stand-in plays`;
    this.add("late", text, { bar: bar.index, due });
  }
}

const fromBar = (bar: number): string => `from bar ${bar} on`;
const spoken = (name: string): string => name.replaceAll("_", " ");
