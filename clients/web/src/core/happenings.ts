/** What happened, in sentences: the page's log. */

import { Cell } from "./cell";
import type { Happening, Postponed } from "./contract";
import type { BarMessage, Change, SteeredMessage, TurnedMessage } from "./protocol";

const KEPT = 500;

const UNTOLD = {
  bar: null,
  due: null,
  by: "",
  mine: false,
  controls: {},
  change: null,
} as const;

export class Happenings {
  readonly list = new Cell<readonly Happening[]>([]);
  #last = 0;
  /** Number of the last happening before changes were counted anew. */
  #counted = 0;
  /** Public name of this client. */
  you = "";

  constructor(private readonly wall: () => number) {}

  tell(kind: Happening["kind"], text: string, more: Partial<Happening> = {}): void {
    this.#last += 1;
    const happening = { ...UNTOLD, ...more, number: this.#last, kind, at: this.wall(), text };
    this.list.set([...this.list.value.slice(1 - KEPT), happening]);
  }

  steered(told: Change | SteeredMessage): void {
    const { bar, due, by, controls } = told;
    const what = [...Object.keys(controls), ...(Object.keys(told.plan).length ? ["the plan"] : [])];
    const mine = by === this.you;
    const change = told.change || null;
    const text = `${what.map(spoken).join(", ")}: ${fromBar(bar)}`;
    this.tell("steered", text, { bar, due, by, mine, controls, change });
  }

  /** What was told of a change is told of a later bar. */
  postponed({ change, bar, due }: Postponed): void {
    let isKnown = false;
    const list = this.list.value.map((happening) => {
      const { number, bar: before } = happening;
      const isMeant = happening.change === change && number > this.#counted;
      if (!isMeant || before === null || before >= bar) return happening;
      isKnown = true;
      const text = happening.text.replace(fromBar(before), fromBar(bar));
      return { ...happening, bar, due, text };
    });
    if (isKnown) this.list.set(list);
  }

  /** Another stream or another server: numbers of changes mean others from now on. */
  countAnew(): void {
    this.#counted = this.#last;
  }

  turned({ reason, state }: TurnedMessage): void {
    this.tell("turned", reason || `The stream is ${state}`);
  }

  late({ bar, due }: BarMessage): void {
    const text = `Bar ${bar.index} was not composed in time: a stand-in plays`;
    this.tell("late", text, { bar: bar.index, due });
  }
}

const fromBar = (bar: number): string => `from bar ${bar} on`;
const spoken = (name: string): string => name.replaceAll("_", " ");
