/** Where things stand on the roll, in CSS pixels. Pure. */

import type { Bar } from "../../core/api";
import { PERCUSSION } from "../../core/messages";
import type { Pitches } from "./view";
import { SECOND } from "./view";

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Of labels. */
  readonly text: number;
  /** The now line. */
  readonly nowX: number;
  /** Bar numbers and rehearsal marks from 0 on, chords from here on. */
  readonly chordsY: number;
  /** Notes, from here … */
  readonly notesY: number;
  readonly notesHeight: number;
  /** … and percussion below them; no height: there is none. */
  readonly drumsY: number;
  readonly drumsHeight: number;
}

const NOW = 0.3; // of the width
const NOW_NARROW = 0.24;

export function layOut(width: number, height: number, drums: number): Layout {
  // As large as there is room for: from a phone in the hand to a projector in a hall.
  const text = Math.round(Math.min(Math.max(11, height / 27), Math.max(12, width / 44), 32));
  const chordsY = Math.round(text * 1.75);
  const notesY = Math.round(chordsY + text * 2.1);
  const rest = height - notesY;
  const drumsHeight = drums ? Math.round(Math.min(rest * 0.24, drums * text * 0.9 + text)) : 0;
  return {
    width,
    height,
    text,
    nowX: Math.round(width * (width < 600 ? NOW_NARROW : NOW)),
    chordsY,
    notesY,
    notesHeight: rest - drumsHeight,
    drumsY: height - drumsHeight,
    drumsHeight,
  };
}

/** Time and pitch to places, at one moment. */
export class Scale {
  constructor(
    readonly layout: Layout,
    /** What time is at the now line, microseconds. */
    readonly now: number,
    /** Pixels a second. */
    readonly perSecond: number,
    readonly pitches: Pitches,
  ) {}

  x(time: number): number {
    return this.layout.nowX + ((time - this.now) / SECOND) * this.perSecond;
  }

  time(x: number): number {
    return this.now + ((x - this.layout.nowX) / this.perSecond) * SECOND;
  }

  get row(): number {
    return this.layout.notesHeight / (this.pitches.high - this.pitches.low + 1);
  }

  /** The upper edge of a pitch's row. */
  y(pitch: number): number {
    return this.layout.notesY + (this.pitches.high - pitch) * this.row;
  }

  pitch(y: number): number {
    return this.pitches.high + 1 - (y - this.layout.notesY) / this.row;
  }

  /** The first and last moment that can be seen. */
  get from(): number {
    return this.time(0);
  }

  get until(): number {
    return this.time(this.layout.width);
  }
}

// Keys of the General MIDI kit in the order of a drummer's staff, from the bass drum to cymbals.
const STAFF = [35, 36, 41, 43, 45, 47, 48, 50, 38, 40, 37, 39, 44, 42, 46, 51, 53, 59, 49, 57, 52];

/** Rows of percussion, from 0, the lowest, by pitch. */
export type Rows = ReadonlyMap<number, number>;

/** One for each instrument of the kit that is struck, low ones below. */
export function percussionRows(bars: readonly Bar[]): Rows {
  const struck = new Set<number>();
  for (const bar of bars) {
    for (const note of bar.notes) if (note.part === PERCUSSION) struck.add(note.pitch);
  }
  const ordered = [...struck].sort((a, b) => staffPlace(a) - staffPlace(b));
  return new Map(ordered.map((pitch, row) => [pitch, row]));
}

function staffPlace(pitch: number): number {
  const found = STAFF.indexOf(pitch);
  return found < 0 ? STAFF.length + pitch : found;
}

export function sameRows(a: Rows, b: Rows): boolean {
  return a.size === b.size && [...a].every(([pitch, row]) => b.get(pitch) === row);
}
