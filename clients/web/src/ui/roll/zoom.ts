/** What the roll shows and what it is on the way to: by itself, or as it was zoomed. */

import type { Bar, ServerTime } from "../../core/api";
import type { Layout } from "./layout";
import {
  eased,
  extent,
  fittedPitches,
  fittedScale,
  NO_PITCHES,
  type Pitches,
  SECOND,
  zoomedPitches,
  zoomedScale,
} from "./view";

export class Zoom {
  /** Pixels a second, and pitches, as they are now. */
  perSecond = 0;
  pitches: Pitches = NO_PITCHES;
  /** Microseconds by which somebody has moved the view: before 0 is a look back. */
  offset = 0;
  /** Whether time and pitch are fitted to the music. */
  fitsTime = true;
  fitsPitch = true;
  private wantedScale = 0;
  private wantedPitches = NO_PITCHES;
  private isNew = true;

  /** One frame's way for these bars, those around now; `elapsed` milliseconds, Infinity: all of it at once. */
  step(layout: Layout, bars: readonly Bar[], now: ServerTime, elapsed: number): void {
    this.fit(layout, bars, now);
    if (this.isNew) elapsed = Infinity;
    if (bars.length) this.isNew = false;
    this.perSecond = eased(this.perSecond, this.wantedScale, elapsed);
    const { low, high } = this.wantedPitches;
    if (low === this.pitches.low && high === this.pitches.high) return;
    this.pitches = {
      low: eased(this.pitches.low, low, elapsed, 260),
      high: eased(this.pitches.high, high, elapsed, 260),
    };
  }

  private fit(layout: Layout, bars: readonly Bar[], now: ServerTime): void {
    if (this.fitsTime) {
      const bar = bars.find((bar) => bar.end > now) ?? bars.at(-1);
      const seconds = bar ? (bar.end - bar.due) / SECOND : 3;
      this.wantedScale = fittedScale(layout.width - layout.nowX, seconds, layout.text);
    }
    if (this.fitsPitch) {
      const found = extent(bars);
      if (found) this.wantedPitches = fittedPitches(this.wantedPitches, found);
    }
  }

  /** Closer (factor above 1) or wider in time. */
  time(factor: number): void {
    this.fitsTime = false;
    this.wantedScale = zoomedScale(this.wantedScale, factor);
  }

  /** Closer or wider in pitch, around a pitch that stays where it is. */
  pitch(factor: number, around?: number): void {
    this.fitsPitch = false;
    const { low, high } = this.wantedPitches;
    this.wantedPitches = zoomedPitches(this.wantedPitches, factor, around ?? (low + high + 1) / 2);
  }

  /** Moves the view in time, never beyond what could be there. */
  look(by: number): void {
    this.offset = Math.min(20 * SECOND, Math.max(-600 * SECOND, this.offset + by));
  }

  /** Back to now, all of it fitted. */
  reset(): void {
    this.offset = 0;
    this.fitsTime = true;
    this.fitsPitch = true;
  }
}
