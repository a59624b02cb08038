/**
 * Where the audio clock stands on the page's clock: what leaves the loudspeaker when.
 *
 * Browsers tell pairs of both, each a little wrong. The middle one of the last few is believed; when
 * several in a row disagree with it and agree among themselves, the sound has stalled, and they are.
 */

const MOST_DIFFERENCES = 15;
/** Milliseconds. */
const DISAGREES = 5;
const BELIEVED_AFTER = 3;

export class AudioClock {
  #differences: number[] = [];
  #outliers: number[] = [];

  /** `context` milliseconds of sound had left the loudspeaker at `page` milliseconds. */
  add(context: number, page: number): void {
    const difference = page - context;
    const known = this.difference;
    if (known === null || agree(difference, known)) {
      this.#outliers = [];
      this.#differences = [...this.#differences.slice(1 - MOST_DIFFERENCES), difference];
      return;
    }
    const alike = this.#outliers.filter((outlier) => agree(outlier, difference));
    this.#outliers = [...alike, difference];
    if (this.#outliers.length < BELIEVED_AFTER) return;
    this.#differences = this.#outliers;
    this.#outliers = [];
  }

  /** Milliseconds by which the page's clock is ahead of the sound; null: not known yet. */
  get difference(): number | null {
    const sorted = [...this.#differences].sort((a, b) => a - b);
    return sorted[sorted.length >> 1] ?? null;
  }

  forget(): void {
    this.#differences = [];
    this.#outliers = [];
  }
}

const agree = (one: number, other: number): boolean => Math.abs(one - other) <= DISAGREES;
