/** What the page and its audio thread say to each other. */

import type { Passage } from "../core/scheduler";

/** Where the audio clock stands on the server's: at the frame `frame`, it is `server` microseconds. */
export interface Reading {
  readonly frame: number;
  readonly server: number;
}

export interface Mixing {
  /** By part, from 1 at index 0: whether it is heard. */
  readonly heard: readonly boolean[];
  /** By part: the program to play instead of the composed one; null: that. */
  readonly programs: readonly (number | null)[];
  /** 0 … 1 */
  readonly reverb: number;
}

export type Order =
  | { readonly kind: "soundfont"; readonly bytes: ArrayBuffer }
  | { readonly kind: "time"; readonly reading: Reading }
  | { readonly kind: "put"; readonly passage: Passage }
  | { readonly kind: "mix"; readonly mixing: Mixing }
  | { readonly kind: "drop" | "pause" | "go" | "silence" | "clear" };

export type Report =
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly why: string }
  /** Time jumped: everything was ended and forgotten, tell it the time and the bars again. */
  | { readonly kind: "jumped" }
  | {
      readonly kind: "figures";
      readonly notes: number;
      readonly missed: number;
      readonly worstLateness: number;
      readonly sounding: number;
    };
