/**
 * How a bar comes to look as it does: what is new fades in, what was revised is washed over, what
 * becomes fixed turns from pencil to ink. Pure: from milliseconds to shares of 0 … 1.
 */

import type { Bar, BarStatus } from "../../core/api";
import { clamp } from "./view";

const WASH = 800; // milliseconds
const TINT = 2400;
const INK = 320;
const APPEAR = 450;

export interface Appearance {
  /** How much of the ink version covers the pencil one. */
  readonly ink: number;
  /** How far the bar has come to be seen. */
  readonly presence: number;
  /** How far the new revision has been drawn over the former one, from left to right; 1: wholly. */
  readonly wash: number;
  /** How strongly the bar is tinted as one that was revised. */
  readonly tint: number;
}

const SETTLED: Appearance = { ink: 1, presence: 1, wash: 1, tint: 0 };

/** `fixedSince`: milliseconds of `performance.now()` since which it is fixed, null: it is open. */
export function appearanceOf(
  bar: Bar,
  fixedSince: number | null,
  now: number,
  still: boolean,
): Appearance {
  const age = now - bar.arrived;
  if (age > TINT && fixedSince !== null && now - fixedSince > INK) return SETTLED;
  const ink = fixedSince === null ? 0 : still ? 1 : smooth((now - fixedSince) / INK);
  if (!bar.previous) {
    return { ink, presence: still ? 1 : smooth(age / APPEAR), wash: 1, tint: 0 };
  }
  const wash = still ? 1 : smooth(age / WASH);
  const tint = still ? Number(age < TINT) : 1 - smooth(age / TINT);
  return { ink, presence: 1, wash, tint };
}

export function smooth(share: number): number {
  const t = clamp(share, 0, 1);
  return t * t * (3 - 2 * t);
}

/** Since when bars are fixed. */
export class FixedSince {
  private readonly since = new Map<string, number>();

  /** In milliseconds of `performance.now()`, null: it is open. Call it once a frame. */
  at(bar: Bar, status: BarStatus, now: number): number | null {
    if (status === "open") {
      this.since.delete(bar.id);
      return null;
    }
    const known = this.since.get(bar.id);
    if (known !== undefined) return known;
    const since = status === "past" ? now - INK : now;
    this.since.set(bar.id, since);
    return since;
  }

  /** Forgets bars that are not among these. */
  keepOnly(bars: readonly Bar[]): void {
    if (this.since.size <= 2 * bars.length + 16) return;
    const ids = new Set(bars.map((bar) => bar.id));
    for (const id of this.since.keys()) if (!ids.has(id)) this.since.delete(id);
  }
}
