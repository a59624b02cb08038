/** What the page and its audio thread say to each other. */

import type { SoundFigures } from "../core/api";
import type { ScheduledBar } from "../core/scheduler";

/** Where the audio clock stands on the server's: at the frame `frame`, it is `server` microseconds. */
export interface ClockReading {
  readonly frame: number;
  readonly server: number;
}

export interface HeardMix {
  /** By part, from 1 at index 0: whether it is heard. */
  readonly heard: readonly boolean[];
  /** By part: the program to play instead of the composed one; null: that. */
  readonly programs: readonly (number | null)[];
  /** 0 … 1 */
  readonly reverb: number;
}

export type WorkletCommand =
  | { readonly kind: "soundfont"; readonly bytes: ArrayBuffer }
  | { readonly kind: "time"; readonly reading: ClockReading }
  | { readonly kind: "put"; readonly bar: ScheduledBar }
  | { readonly kind: "mix"; readonly mix: HeardMix }
  | { readonly kind: "drop" | "pause" | "resume" | "silence" | "clear" };

export type WorkletReport =
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly why: string }
  /** Time jumped: everything was ended and forgotten, tell it the time and the bars again. */
  | { readonly kind: "jumped" }
  | ({ readonly kind: "figures" } & SoundFigures);
