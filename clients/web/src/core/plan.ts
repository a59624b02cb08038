/** The bars of one stream as far as they are known: what was heard, what sounds, what is planned. */

import { barOf } from "./bars";
import { Bell } from "./cell";
import type { Bar, Plan, PlanChange, ServerTime, Standing, Unwatch } from "./contract";
import type { BarMessage } from "./protocol";

/** How long bars are kept after they sounded, in microseconds. */
const KEPT = 600e6;

export class PlanStore implements Plan {
  /** How much nearer than this to sounding the server changes no bar, in microseconds: told in the
   * welcome. */
  horizon = 0;
  readonly #bell = new Bell<PlanChange>();
  readonly #bars = new Map<string, Bar>();
  #ordered: readonly Bar[] | null = [];
  #version = 0;
  #epoch = 0;
  /** Tells bars of one stream or session from those of the next, whose numbers are the same. */
  #generation = 0;
  /** Planned bars of which the server, telling all anew, has not spoken yet. */
  #doubted: Set<string> | null = null;
  #expected = 0;

  get version(): number {
    return this.#version;
  }

  get epoch(): number {
    return this.#epoch;
  }

  bars(): readonly Bar[] {
    this.#ordered ??= [...this.#bars.values()].sort((a, b) => a.due - b.due);
    return this.#ordered;
  }

  at(time: ServerTime): Bar | null {
    return this.bars().findLast((bar) => bar.due <= time && time < bar.end) ?? null;
  }

  standing(bar: Bar, now: ServerTime): Standing {
    if (bar.end <= now) return "past";
    if (bar.due <= now) return "sounding";
    return bar.due - this.horizon <= now ? "committed" : "open";
  }

  watch(told: (change: PlanChange) => void): Unwatch {
    return this.#bell.listen(told);
  }

  /** Another stream, or another session: nothing is known any more. */
  empty(epoch: number): void {
    this.#bars.clear();
    this.#generation += 1;
    this.#epoch = epoch;
    this.#doubted = null;
    this.#tell({ kind: "emptied" });
  }

  /** The server tells the same stream anew: so many bars follow, and what they do not name of what
   * is not over yet is void. */
  expect(bars: number, epoch: number, now: ServerTime): void {
    if (epoch < this.#epoch) return this.empty(epoch);
    if (epoch > this.#epoch) this.begin(epoch, now);
    const planned = this.bars().filter((bar) => bar.end > now);
    this.#doubted = new Set(planned.map((bar) => bar.id));
    this.#expected = bars;
    if (!bars) this.#dropDoubted();
  }

  /** A bar. It is given back if it is news, or if the server was asked to tell all anew; older ones
   * than those known are passed over. */
  put(message: BarMessage, now: ServerTime, arrived: number): Bar | null {
    if (message.epoch > this.#epoch) this.begin(message.epoch, now);
    if (message.epoch < this.#epoch) return null;
    const id = this.#id(message);
    const known = this.#bars.get(id);
    const doubted = this.#doubted?.delete(id) ?? false;
    const outdated = known && !doubted && message.bar.revision <= known.revision;
    const isSame = known?.revision === message.bar.revision && known.due === message.due;
    let bar = doubted && known ? known : null;
    if (!outdated && !isSame) {
      const previous = known ? { ...known, previous: null } : null;
      bar = { ...barOf(message, id, arrived), previous };
      this.#bars.set(id, bar);
      this.#forget(now - KEPT);
      this.#tell({ kind: "bar", bar });
    }
    this.#countDown();
    return bar;
  }

  #countDown(): void {
    if (!this.#doubted) return;
    this.#expected -= 1;
    if (this.#expected <= 0) this.#dropDoubted();
  }

  /** Bars from this index on are due later; those that are. */
  move(index: number, later: number): readonly Bar[] {
    const moved: Bar[] = [];
    for (const bar of this.#bars.values()) {
      if (bar.epoch !== this.#epoch || bar.index < index) continue;
      const there = { ...bar, due: bar.due + later, end: bar.end + later };
      this.#bars.set(bar.id, there);
      moved.push(there);
    }
    this.#tell({ kind: "moved", index, later });
    return moved;
  }

  /** A new beginning: what has not begun to sound is void. */
  begin(epoch: number, now: ServerTime): void {
    this.#epoch = epoch;
    for (const bar of this.#bars.values()) if (bar.due > now) this.#bars.delete(bar.id);
    this.#doubted = null;
    this.#tell({ kind: "begun", epoch });
  }

  #id({ epoch, bar }: BarMessage): string {
    return `${this.#generation}.${epoch}.${bar.index}`;
  }

  #dropDoubted(): void {
    for (const id of this.#doubted ?? []) this.#bars.delete(id);
    const dropped = this.#doubted?.size ?? 0;
    this.#doubted = null;
    if (dropped) this.#tell({ kind: "begun", epoch: this.#epoch });
  }

  #forget(before: ServerTime): void {
    for (const bar of this.#bars.values()) if (bar.end < before) this.#bars.delete(bar.id);
  }

  #tell(change: PlanChange): void {
    this.#ordered = null;
    this.#version += 1;
    this.#bell.ring(change);
  }
}
