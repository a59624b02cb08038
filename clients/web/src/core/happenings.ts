/** What happened, in sentences: the page's log. */

import { Cell } from "./cell";
import type { Happening } from "./contract";
import type { BarMessage, Change, Steered, Turned } from "./wire";

const KEPT = 500;

const UNTOLD = { bar: null, due: null, by: "", mine: false, controls: {} } as const;

export class Happenings {
  readonly list = new Cell<readonly Happening[]>([]);
  #last = 0;
  /** Public name of this client. */
  you = "";

  constructor(private readonly wall: () => number) {}

  tell(kind: Happening["kind"], text: string, more: Partial<Happening> = {}): void {
    this.#last += 1;
    const happening = { ...UNTOLD, ...more, number: this.#last, kind, at: this.wall(), text };
    this.list.set([...this.list.value.slice(1 - KEPT), happening]);
  }

  steered(change: Change | Steered): void {
    const { bar, due, by, controls } = change;
    const what = [
      ...Object.keys(controls),
      ...(Object.keys(change.plan).length ? ["the plan"] : []),
    ];
    const mine = by === this.you;
    const text = `${what.map(spoken).join(", ")}: from bar ${bar} on`;
    this.tell("steered", text, { bar, due, by, mine, controls });
  }

  turned({ reason, state }: Turned): void {
    this.tell("turned", reason || `The stream is ${state}`);
  }

  late({ bar, due }: BarMessage): void {
    const text = `Bar ${bar.index} was not composed in time: a stand-in plays`;
    this.tell("late", text, { bar: bar.index, due });
  }
}

const spoken = (name: string): string => name.replaceAll("_", " ");
