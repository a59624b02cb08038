/** What somebody plays into a MIDI input, recorded to be a prompt. */

import type { Bar, Played, Prompt } from "../core/api";
import { partOf } from "../core/channels";
import { TICKS_PER_QUARTER } from "../core/messages";

/** Notes that are kept: the latest. A prompt of so many is well below what a server takes. */
const MOST_NOTES = 1024;

interface PlayedNote {
  readonly part: number;
  readonly pitch: number;
  readonly velocity: number;
  /** Milliseconds of the page's clock; `off` null: it is held. */
  readonly on: number;
  off: number | null;
}

/** The music on whose beats it was played, as far as there was any. Times are the page's. */
export interface ReferenceBar {
  readonly bar: Pick<Bar, "metre" | "tempo" | "programs">;
  /** When its bar line sounded. */
  readonly startedAt: number;
}

const NO_MUSIC: ReferenceBar = {
  bar: { metre: "4/4", tempo: 500_000, programs: [0, 0, 0, 0, 0, 0, 0, 0] },
  startedAt: Number.NaN,
};

export class InputRecorder {
  #notes: PlayedNote[] = [];

  /** A MIDI message, at so many milliseconds of the page's clock; whether it changed anything. */
  take(bytes: ArrayLike<number>, time: number): boolean {
    const [status = 0, pitch = 0, velocity = 0] = Array.from(bytes);
    const part = partOf(status & 0x0f);
    const isOn = (status & 0xf0) === 0x90 && velocity > 0;
    const isOff = (status & 0xf0) === 0x80 || ((status & 0xf0) === 0x90 && velocity === 0);
    if (!isOn && !isOff) return false;
    const held = this.#notes.find(
      (note) => note.off === null && note.part === part && note.pitch === pitch,
    );
    if (held) held.off = time;
    if (isOn) {
      const note = { part, pitch, velocity, on: time, off: null };
      this.#notes = [...this.#notes.slice(1 - MOST_NOTES), note];
    }
    return isOn || held !== undefined;
  }

  clear(): void {
    this.#notes = [];
  }

  get played(): Played {
    const first = this.#notes[0]?.on ?? 0;
    const ends = this.#notes.map((note) => note.off ?? note.on);
    return {
      notes: this.#notes.length,
      seconds: this.#notes.length ? (Math.max(...ends) - first) / 1000 : 0,
      held: this.#notes.filter(({ off }) => off === null).map(({ pitch }) => pitch),
    };
  }

  /** As a prompt on the beats of the music that played; where none did, the first note begins the
   * first bar. Held notes end at `now`. */
  prompt(now: number, reference: ReferenceBar | null): Prompt | null {
    const first = this.#notes[0]?.on;
    if (first === undefined) return null;
    const { bar, startedAt } = reference ?? NO_MUSIC;
    const tick = bar.tempo / TICKS_PER_QUARTER / 1000;
    const [beats = 4, unit = 4] = bar.metre.split("/").map(Number);
    const barTicks = (beats * 4 * TICKS_PER_QUARTER) / unit;
    const origin = Number.isNaN(startedAt)
      ? first
      : startedAt + lowest(first - startedAt, barTicks * tick);
    const notes = this.#notes.map(({ part, pitch, velocity, on, off }) => {
      const at = Math.max(0, Math.round((on - origin) / tick));
      const length = Math.max(1, Math.round(((off ?? now) - on) / tick));
      return [part, pitch, velocity, at, length] as const;
    });
    return { notes, metre: bar.metre, tempo: bar.tempo, programs: bar.programs };
  }
}

/** The multiple of `step` that is nearest below `value`. */
const lowest = (value: number, step: number): number => Math.floor(value / step) * step;
