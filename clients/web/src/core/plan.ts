/** The bars of one stream as far as they are known: what was heard, what sounds, what is planned. */

import type { Bar, BarStatus, Plan, PlanUpdate, ServerTime, Unwatch } from "./api";
import { barOf } from "./bars";
import { Listeners } from "./observable";
import type { BarMessage } from "./protocol";

/** How long bars are kept after they sounded, in microseconds. */
const REMEMBERED = 600e6;

export class PlanStore implements Plan {
  /** How much nearer than this to sounding the server changes no bar, in microseconds: told in the
   * welcome. */
  horizon = 0;
  readonly #listeners = new Listeners<PlanUpdate>();
  readonly #bars = new Map<string, Bar>();
  #ordered: readonly Bar[] | null = [];
  #version = 0;
  #epoch = 0;
  /** Tells bars of one stream or session from those of the next, whose numbers are the same. */
  #generation = 0;
  /** Planned bars of which the server, sending all anew, has not sent yet. */
  #unconfirmed: Set<string> | null = null;
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

  statusOf(bar: Bar, now: ServerTime): BarStatus {
    if (bar.end <= now) return "past";
    if (bar.due <= now) return "sounding";
    return bar.due - this.horizon <= now ? "committed" : "open";
  }

  watch(listener: (change: PlanUpdate) => void): Unwatch {
    return this.#listeners.add(listener);
  }

  /** Another stream, or another session: nothing is known any more. */
  empty(epoch: number): void {
    this.#bars.clear();
    this.#generation += 1;
    this.#epoch = epoch;
    this.#unconfirmed = null;
    this.#notify({ kind: "emptied" });
  }

  /** The server sends the same stream anew: so many bars follow, and what they do not name of what
   * is not over yet is void. */
  expect(bars: number, epoch: number, now: ServerTime): void {
    if (epoch < this.#epoch) return this.empty(epoch);
    if (epoch > this.#epoch) this.begin(epoch, now);
    const planned = this.bars().filter((bar) => bar.end > now);
    this.#unconfirmed = new Set(planned.map((bar) => bar.id));
    this.#expected = bars;
    if (!bars) this.#dropUnconfirmed();
  }

  /** A bar. It is given back if it is news, or if the server was asked to send all anew; older ones
   * than those known are passed over. */
  put(message: BarMessage, now: ServerTime, arrived: number): Bar | null {
    if (message.epoch > this.#epoch) this.begin(message.epoch, now);
    if (message.epoch < this.#epoch) return null;
    const id = this.#id(message);
    const known = this.#bars.get(id);
    const unconfirmed = this.#unconfirmed?.delete(id) ?? false;
    const outdated = known && !unconfirmed && message.bar.revision <= known.revision;
    const isSame = known?.revision === message.bar.revision && known.due === message.due;
    let bar = unconfirmed && known ? known : null;
    if (!outdated && !isSame) {
      const previous = known ? { ...known, previous: null } : null;
      bar = { ...barOf(message, id, arrived), previous };
      this.#bars.set(id, bar);
      this.#forget(now - REMEMBERED);
      this.#notify({ kind: "bar", bar });
    }
    this.#countDown();
    return bar;
  }

  #countDown(): void {
    if (!this.#unconfirmed) return;
    this.#expected -= 1;
    if (this.#expected <= 0) this.#dropUnconfirmed();
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
    this.#notify({ kind: "moved", index, later });
    return moved;
  }

  /** A new beginning: what has not begun to sound is void. */
  begin(epoch: number, now: ServerTime): void {
    this.#epoch = epoch;
    for (const bar of this.#bars.values()) if (bar.due > now) this.#bars.delete(bar.id);
    this.#unconfirmed = null;
    this.#notify({ kind: "begun", epoch });
  }

  #id({ epoch, bar }: BarMessage): string {
    return `${this.#generation}.${epoch}.${bar.index}`;
  }

  #dropUnconfirmed(): void {
    for (const id of this.#unconfirmed ?? []) this.#bars.delete(id);
    const dropped = this.#unconfirmed?.size ?? 0;
    this.#unconfirmed = null;
    if (dropped) this.#notify({ kind: "begun", epoch: this.#epoch });
  }

  #forget(before: ServerTime): void {
    for (const bar of this.#bars.values()) if (bar.end < before) this.#bars.delete(bar.id);
  }

  #notify(update: PlanUpdate): void {
    this.#ordered = null;
    this.#version += 1;
    this.#listeners.notify(update);
  }
}
