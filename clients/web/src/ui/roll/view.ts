/**
 * What part of the music the roll shows: how many pixels a second has, and which pitches there
 * are. Pure; the roll moves what it shows gently towards it.
 */

import type { Bar } from "../../core/api";
import { PERCUSSION } from "../../core/messages";

export interface Pitches {
  /** Lowest and highest pitch with a row of its own. */
  readonly low: number;
  readonly high: number;
}

export const SECOND = 1e6;
const SLOWEST = 8; // pixels a second
const FASTEST = 400;
const SMALLEST_SPAN = 11;
const FEWEST_FITTED = 24; // semitones that a fit shows at least
const MARGIN = 2;
const SLACK = 9; // semitones of nothing above or below that a fit puts up with

export const NO_PITCHES: Pitches = { low: 48, high: 84 };

/**
 * Pixels a second such that a comfortable number of bars has room ahead of the now line: as many as
 * are planned on a wide roll, two or so on a phone.
 */
export function fittedScale(ahead: number, barSeconds: number, labelSize: number): number {
  const bars = clamp(ahead / (labelSize * 9), 1.6, 4.5);
  const seconds = clamp(bars * barSeconds, 4, 18);
  return clamp(ahead / seconds, SLOWEST, 160);
}

/** The pitches of these bars, percussion aside; null if there are none. */
export function extent(bars: readonly Bar[]): Pitches | null {
  let low = 128;
  let high = -1;
  for (const bar of bars) {
    for (const note of bar.notes) {
      if (note.part === PERCUSSION) continue;
      low = Math.min(low, note.pitch);
      high = Math.max(high, note.pitch);
    }
  }
  return high < 0 ? null : { low, high };
}

/** What to show for an extent, given what is shown: it moves only when it must. */
export function fittedPitches(shown: Pitches, extent: Pitches): Pitches {
  const cut = extent.low < shown.low || extent.high > shown.high;
  const loose = extent.low - shown.low + shown.high - extent.high > 2 * (SLACK + MARGIN);
  if (!cut && !loose) return shown;
  return widened({ low: extent.low - MARGIN, high: extent.high + MARGIN }, FEWEST_FITTED);
}

function widened({ low, high }: Pitches, least: number): Pitches {
  const missing = Math.max(0, least - (high - low + 1));
  const below = Math.floor(missing / 2);
  return withinMidi({ low: low - below, high: high + missing - below });
}

/** Within the pitches that there are. */
function withinMidi({ low, high }: Pitches): Pitches {
  const span = Math.min(high - low, 127);
  const from = clamp(low, 0, 127 - span);
  return { low: from, high: from + span };
}

/** Wider (factor below 1) or closer, around a pitch that stays where it is. */
export function zoomedPitches(shown: Pitches, factor: number, around: number): Pitches {
  const span = shown.high - shown.low + 1;
  const wanted = clamp(span / factor, SMALLEST_SPAN, 128);
  const share = (around - shown.low) / span;
  const low = around - share * wanted;
  return withinMidi({ low, high: low + wanted - 1 });
}

export function zoomedScale(scale: number, factor: number): number {
  return clamp(scale * factor, SLOWEST, FASTEST);
}

/** One step towards where a value should be, `elapsed` milliseconds after the last. */
export function eased(value: number, target: number, elapsed: number, time = 140): number {
  const left = (value - target) * Math.exp(-elapsed / time);
  return Math.abs(left) < Math.abs(target) * 1e-3 ? target : target + left;
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
