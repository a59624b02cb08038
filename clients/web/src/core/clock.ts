/**
 * What the server's clock shows, estimated from pings. Knows no clock and no socket itself.
 *
 * Microseconds throughout; the page's own clock is `performance.now()` times a thousand.
 */

/** Pings that are remembered: about four minutes of them. */
const REMEMBERED = 64;
/** How far two good clocks may drift apart, as a share of the time that passes. */
const DRIFT = 50e-6;

export interface Ping {
  readonly sent: number;
  /** What the server's clock showed in between. */
  readonly server: number;
  readonly received: number;
}

export const roundTrip = (ping: Ping): number => ping.received - ping.sent;

/** By how much the server's clock is ahead, if the way there took as long as the way back. */
export const offsetOf = (ping: Ping): number => ping.server - (ping.sent + ping.received) / 2;

/** The most that `offsetOf` can be wrong at the time `now`. */
export const uncertainty = (ping: Ping, now: number): number =>
  roundTrip(ping) / 2 + DRIFT * Math.max(0, now - ping.received) + 1;

/** The ping that tells most at the time `now`: of equal ones the first. */
export function best(pings: readonly Ping[], now: number): Ping | null {
  let found: Ping | null = null;
  for (const ping of pings)
    if (!found || uncertainty(ping, now) < uncertainty(found, now)) found = ping;
  return found;
}

export class ServerClock {
  #pings: Ping[] = [];
  #best: Ping | null = null;

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
  add(ping: Ping): boolean {
    const known = this.#best;
    const now = ping.received;
    const isAnother =
      known !== null &&
      Math.abs(offsetOf(ping) - offsetOf(known)) > uncertainty(ping, now) + uncertainty(known, now);
    this.#pings = isAnother ? [ping] : [...this.#pings.slice(1 - REMEMBERED), ping];
    this.#best = best(this.#pings, now);
    return isAnother;
  }

  forget(): void {
    this.#pings = [];
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
