/**
 * What the server's clock shows, estimated from pings. Knows no clock and no socket itself.
 *
 * Microseconds throughout; the page's own clock is `performance.now()` times a thousand.
 */

/** Samples that are remembered: about four minutes of them. */
const REMEMBERED = 64;
/** How far two good clocks may drift apart, as a share of the time that passes. */
const DRIFT = 50e-6;

/** What an answered ping tells of both clocks. */
export interface ClockSample {
  readonly sent: number;
  /** What the server's clock showed in between. */
  readonly server: number;
  readonly received: number;
}

export const roundTrip = (sample: ClockSample): number => sample.received - sample.sent;

/** By how much the server's clock is ahead, if the way there took as long as the way back. */
export const offsetOf = (sample: ClockSample): number =>
  sample.server - (sample.sent + sample.received) / 2;

/** The most that `offsetOf` can be wrong at the time `now`. */
export const uncertainty = (sample: ClockSample, now: number): number =>
  roundTrip(sample) / 2 + DRIFT * Math.max(0, now - sample.received) + 1;

/** The sample that tells most at the time `now`: of equal ones the first. */
export function best(samples: readonly ClockSample[], now: number): ClockSample | null {
  let found: ClockSample | null = null;
  for (const sample of samples)
    if (!found || uncertainty(sample, now) < uncertainty(found, now)) found = sample;
  return found;
}

export class ServerClock {
  #samples: ClockSample[] = [];
  #best: ClockSample | null = null;

  /** `page` tells the page's time in milliseconds. */
  constructor(private readonly page: () => number) {}

  get isSet(): boolean {
    return this.#best !== null;
  }

  get offset(): number {
    return this.#best ? offsetOf(this.#best) : 0;
  }

  get roundTrip(): number {
    return this.#best ? roundTrip(this.#best) : 0;
  }

  /** Learn from an answered ping; whether it tells of another clock than the one that was known:
   * the server was started on another machine, or one of the machines slept. What is older is then
   * forgotten. */
  add(sample: ClockSample): boolean {
    const known = this.#best;
    const now = sample.received;
    const isAnother =
      known !== null &&
      Math.abs(offsetOf(sample) - offsetOf(known)) >
        uncertainty(sample, now) + uncertainty(known, now);
    this.#samples = isAnother ? [sample] : [...this.#samples.slice(1 - REMEMBERED), sample];
    this.#best = best(this.#samples, now);
    return isAnother;
  }

  forget(): void {
    this.#samples = [];
  }

  now(): number {
    return this.toServer(this.page());
  }

  toServer(page: number): number {
    return page * 1000 + this.offset;
  }

  toPage(server: number): number {
    return (server - this.offset) / 1000;
  }
}
