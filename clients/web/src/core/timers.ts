/**
 * Timers that keep time in a hidden tab: browsers slow the page's own ones down to one a second or
 * a minute there, but not those of workers.
 */

export type Cancel = () => void;

export interface Timers {
  /** Milliseconds of `performance.now()`. */
  now(): number;
  after(milliseconds: number, then: () => void): Cancel;
}

/** What the worker is asked: to answer with this number after so long. */
export interface TimerRequest {
  readonly number: number;
  readonly milliseconds: number;
}

export class WorkerTimers implements Timers {
  readonly #worker = new Worker(new URL("./timer_worker.ts", import.meta.url), { type: "module" });
  readonly #waiting = new Map<number, () => void>();
  #last = 0;

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<number>) => {
      const then = this.#waiting.get(data);
      this.#waiting.delete(data);
      then?.();
    };
  }

  now(): number {
    return performance.now();
  }

  after(milliseconds: number, then: () => void): Cancel {
    this.#last += 1;
    const number = this.#last;
    this.#waiting.set(number, then);
    this.#worker.postMessage({ number, milliseconds } satisfies TimerRequest);
    return () => this.#waiting.delete(number);
  }

  close(): void {
    this.#waiting.clear();
    this.#worker.terminate();
  }
}

/** Again and again, until it is cancelled. */
export function every(timers: Timers, milliseconds: number, then: () => void): Cancel {
  let cancel = timers.after(milliseconds, again);
  function again(): void {
    cancel = timers.after(milliseconds, again);
    then();
  }
  return () => cancel();
}
