/** Controllers of parts: which of them are to be sent, so that what a bar asks for holds. */

import type { Controller } from "./api";

/** Where they go back to when they are asked for no longer. */
const USUAL: Readonly<Record<number, number>> = { 7: 100, 10: 64, 73: 64, 91: 40 };

/** Feed it bars in order. */
export class TurnedControllers {
  readonly #known = new Map<string, Controller>();

  changes(asked: readonly Controller[]): Controller[] {
    const wanted = new Map<string, Controller>();
    for (const [key, known] of this.#known)
      wanted.set(key, { ...known, value: USUAL[known.number] ?? 0 });
    for (const controller of asked)
      wanted.set(`${controller.part}/${controller.number}`, controller);
    const changed = [...wanted].filter(([key, { value }]) => this.#known.get(key)?.value !== value);
    for (const [key, controller] of changed) this.#known.set(key, controller);
    return changed
      .map(([, controller]) => controller)
      .sort((a, b) => a.part - b.part || a.number - b.number);
  }

  /** Some may not have been sent: all are told again. */
  forget(): void {
    for (const [key, known] of this.#known) this.#known.set(key, { ...known, value: -1 });
  }
}
