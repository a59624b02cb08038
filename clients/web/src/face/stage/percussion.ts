/** The rows of percussion: one for each instrument of the kit that is struck, low ones below. */

import type { Bar } from "../../core/contract";
import { PERCUSSION } from "../../core/wire";

// Keys of the General MIDI kit in the order of a drummer's staff, from the bass drum to cymbals.
const STAFF = [35, 36, 41, 43, 45, 47, 48, 50, 38, 40, 37, 39, 44, 42, 46, 51, 53, 59, 49, 57, 52];

/** Row from 0, the lowest, by pitch. */
export type Rows = ReadonlyMap<number, number>;

export function percussionRows(bars: readonly Bar[]): Rows {
  const struck = new Set<number>();
  for (const bar of bars) {
    for (const note of bar.notes) if (note.part === PERCUSSION) struck.add(note.pitch);
  }
  const ordered = [...struck].sort((a, b) => place(a) - place(b));
  return new Map(ordered.map((pitch, row) => [pitch, row]));
}

function place(pitch: number): number {
  const found = STAFF.indexOf(pitch);
  return found < 0 ? STAFF.length + pitch : found;
}

export function sameRows(a: Rows, b: Rows): boolean {
  return a.size === b.size && [...a].every(([pitch, row]) => b.get(pitch) === row);
}
