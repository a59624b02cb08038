/** What somebody plays into a MIDI input, collected to be a prompt. */

import { partOf } from "../core/channels";
import type { Bar, Played, Prompt } from "../core/contract";
import { TICKS_PER_QUARTER } from "../core/wire";

/** Notes that are kept: the latest. A prompt of so many is well below what a server takes. */
const KEPT = 1024;

interface Touch {
  readonly part: number;
  readonly pitch: number;
  readonly velocity: number;
  /** Milliseconds of the page's clock; `off` null: it is held. */
  readonly on: number;
  off: number | null;
}

/** The music on whose beats it was played, as far as there was any. Times are the page's. */
export interface Beat {
  readonly bar: Pick<Bar, "metre" | "tempo" | "programs">;
  /** When its bar line sounded. */
  readonly line: number;
}

const SILENCE: Beat = {
  bar: { metre: "4/4", tempo: 500_000, programs: [0, 0, 0, 0, 0, 0, 0, 0] },
  line: Number.NaN,
};

export class Collector {
  #touches: Touch[] = [];

  /** A MIDI message, at so many milliseconds of the page's clock; whether it changed anything. */
  take(bytes: ArrayLike<number>, time: number): boolean {
    const [status = 0, pitch = 0, velocity = 0] = Array.from(bytes);
    const part = partOf(status & 0x0f);
    const isOn = (status & 0xf0) === 0x90 && velocity > 0;
    const isOff = (status & 0xf0) === 0x80 || ((status & 0xf0) === 0x90 && velocity === 0);
    if (!isOn && !isOff) return false;
    const held = this.#touches.find(
      (touch) => touch.off === null && touch.part === part && touch.pitch === pitch,
    );
    if (held) held.off = time;
    if (isOn) {
      const touch = { part, pitch, velocity, on: time, off: null };
      this.#touches = [...this.#touches.slice(1 - KEPT), touch];
    }
    return isOn || held !== undefined;
  }

  clear(): void {
    this.#touches = [];
  }

  get played(): Played {
    const first = this.#touches[0]?.on ?? 0;
    const ends = this.#touches.map((touch) => touch.off ?? touch.on);
    return {
      notes: this.#touches.length,
      seconds: this.#touches.length ? (Math.max(...ends) - first) / 1000 : 0,
      held: this.#touches.filter(({ off }) => off === null).map(({ pitch }) => pitch),
    };
  }

  /** As a prompt on the beats of the music that played; where none did, the first note begins the
   * first bar. Held notes end at `now`. */
  prompt(now: number, beat: Beat | null): Prompt | null {
    const first = this.#touches[0]?.on;
    if (first === undefined) return null;
    const { bar, line } = beat ?? SILENCE;
    const tick = bar.tempo / TICKS_PER_QUARTER / 1000;
    const [beats = 4, unit = 4] = bar.metre.split("/").map(Number);
    const barTicks = (beats * 4 * TICKS_PER_QUARTER) / unit;
    const origin = Number.isNaN(line) ? first : line + lowest(first - line, barTicks * tick);
    const notes = this.#touches.map(({ part, pitch, velocity, on, off }) => {
      const at = Math.max(0, Math.round((on - origin) / tick));
      const length = Math.max(1, Math.round(((off ?? now) - on) / tick));
      return [part, pitch, velocity, at, length] as const;
    });
    return { notes, metre: bar.metre, tempo: bar.tempo, programs: bar.programs };
  }
}

/** The multiple of `step` that is nearest below `value`. */
const lowest = (value: number, step: number): number => Math.floor(value / step) * step;
