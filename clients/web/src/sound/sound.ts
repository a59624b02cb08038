/** Sound in the browser: the page's synthesizer, or where that cannot be, the server's stream. */

import { Cell } from "../core/cell";
import type { ServerClock } from "../core/clock";
import type {
  Bar,
  PartMix,
  Sound as SoundContract,
  SoundState,
  StreamState,
} from "../core/contract";
import type { Outputs } from "../core/session";
import type { Timers } from "../core/timers";
import { type Kept, keep, recall } from "./kept";
import type { Mixing } from "./orders";
import { Radio } from "./radio";
import { type Figures, Synthesizer } from "./synthesizer";

const SILENT: Figures = { notes: 0, missed: 0, worstLateness: 0, sounding: 0 };

export interface SoundParts {
  readonly timers: Timers;
  readonly clock: ServerClock;
  readonly storage: Pick<Storage, "getItem" | "setItem"> | null;
  /** The address of a path of the server. */
  address(path: string): string;
  /** The stream that is shown. */
  stream(): StreamState | null;
  /** Path of the server's audio stream of a station; null: there is none. */
  streamOf(station: string): string | null;
  /** Tell an output all that is planned. */
  bring(output: Outputs): void;
}

/** Whether this browser lets the page play by itself, and if not, why. */
export function abilityOf(scope: {
  readonly isSecureContext: boolean;
  readonly AudioWorkletNode?: unknown;
}): SoundContract["ability"] {
  if (scope.isSecureContext && scope.AudioWorkletNode) return { synthesizer: true, why: "" };
  const why = scope.isSecureContext
    ? "This browser has no AudioWorklet, so the page cannot play by itself"
    : "Browsers let a page play by itself (AudioWorklet) only if it comes over https or from" +
      " this very machine, and this one came over plain http";
  return { synthesizer: false, why };
}

export class Sound implements SoundContract, Outputs {
  readonly state = new Cell<SoundState>({ kind: "off" });
  readonly ability = abilityOf(globalThis);
  readonly volume: Cell<number>;
  readonly reverb: Cell<number>;
  readonly mix: Cell<readonly PartMix[]>;
  readonly #parts: SoundParts;
  #synthesizer: Synthesizer | null = null;
  #radio: Radio | null = null;
  /** Why the page does not play by itself. */
  #why = "";

  constructor(parts: SoundParts) {
    this.#parts = parts;
    const kept = recall(parts.storage);
    this.volume = new Cell(kept.volume);
    this.reverb = new Cell(kept.reverb);
    this.mix = new Cell(kept.mix);
  }

  // -- beginning and ending --------------------------------------------------------------------------

  async start(): Promise<void> {
    const { kind } = this.state.value;
    if (kind === "loading" || kind === "playing") return;
    if (kind === "blocked" && this.#synthesizer) return this.#synthesizer.resume();
    this.#end();
    if (this.ability.synthesizer) await this.#startSynthesizer();
    else this.#startRadio(this.ability.why);
  }

  stop(): void {
    this.#end();
    this.state.set({ kind: "off" });
  }

  async #startSynthesizer(): Promise<void> {
    letItSoundThoughMuted();
    this.state.set({ kind: "loading", loaded: 0, total: null });
    const synthesizer = this.#makeSynthesizer();
    this.#synthesizer = synthesizer;
    try {
      await synthesizer.load();
    } catch (error) {
      if (this.#synthesizer !== synthesizer) return; // stopped meanwhile
      this.#end();
      return this.#startRadio(error instanceof Error ? error.message : String(error));
    }
    if (this.#synthesizer !== synthesizer) return;
    this.#applyMix();
    this.#tellRunning(synthesizer.isRunning);
  }

  #makeSynthesizer(): Synthesizer {
    const { timers, clock } = this.#parts;
    const made: Synthesizer = new Synthesizer({
      timers,
      clock,
      soundfont: this.#parts.address("soundfont.sf2"),
      running: (running) => {
        if (this.state.value.kind !== "loading") this.#tellRunning(running);
      },
      hungry: () => this.#parts.bring(made),
      progress: (loaded, total) => {
        if (this.#synthesizer === made) this.state.set({ kind: "loading", loaded, total });
      },
      failed: (why) => {
        this.#end();
        this.state.set({ kind: "failed", why: `${why}. Try again.` });
      },
    });
    made.setVolume(this.volume.value);
    return made;
  }

  #tellRunning(running: boolean): void {
    const why = "The browser holds the sound back until you click once more.";
    this.state.set(running ? { kind: "playing", by: "page", why: "" } : { kind: "blocked", why });
  }

  /** The server's stream instead, and why. */
  #startRadio(why: string): void {
    this.#why = why;
    this.state.set({ kind: "loading", loaded: 0, total: null });
    const radio = new Radio({
      playing: () => {
        const words = `${why}. The server's audio stream plays instead.`;
        this.state.set({ kind: "playing", by: "server", why: words });
      },
      blocked: () => {
        const words = `${why}. The server's audio stream waits for another click.`;
        this.state.set({ kind: "blocked", why: words });
      },
      failed: (reason) => this.#fail(reason),
    });
    this.#radio = radio;
    radio.setVolume(this.volume.value);
    this.#tune();
  }

  #tune(): void {
    const stream = this.#parts.stream();
    const path = stream?.station ? this.#parts.streamOf(stream.name) : null;
    if (path) this.#radio?.play(this.#parts.address(path));
    else if (stream?.station) this.#fail("the server offers no audio stream of this station");
    else this.#fail("the server's audio streams are those of its stations: choose one");
  }

  #fail(reason: string): void {
    this.#end();
    this.state.set({ kind: "failed", why: `${this.#why}; and ${reason}.` });
  }

  /** Another stream is shown. */
  streamChanged(): void {
    if (this.#radio && this.#parts.stream()) this.#tune();
  }

  #end(): void {
    this.#synthesizer?.close();
    this.#radio?.close();
    this.#synthesizer = this.#radio = null;
  }

  // -- how it sounds ---------------------------------------------------------------------------------

  setVolume(volume: number): void {
    this.volume.set(clamp(volume));
    this.#synthesizer?.setVolume(this.volume.value);
    this.#radio?.setVolume(this.volume.value);
    this.#keep();
  }

  setReverb(reverb: number): void {
    this.reverb.set(clamp(reverb));
    this.#applyMix();
    this.#keep();
  }

  setPart(part: number, change: Partial<Omit<PartMix, "part">>): void {
    this.mix.set(this.mix.value.map((row) => (row.part === part ? { ...row, ...change } : row)));
    this.#applyMix();
    this.#keep();
  }

  #applyMix(): void {
    this.#synthesizer?.mix(mixingOf(this.mix.value, this.reverb.value));
  }

  #keep(): void {
    const kept: Kept = {
      volume: this.volume.value,
      reverb: this.reverb.value,
      mix: this.mix.value,
    };
    keep(this.#parts.storage, kept);
  }

  level(): number {
    return this.#synthesizer?.level() ?? 0;
  }

  figures(): Figures {
    return this.#synthesizer?.figures ?? SILENT;
  }

  get output(): AudioNode | null {
    return this.#synthesizer?.output ?? null;
  }

  // -- what is played --------------------------------------------------------------------------------

  put(bar: Bar): void {
    this.#synthesizer?.put(bar);
  }

  drop(): void {
    this.#synthesizer?.drop();
  }

  pause(): void {
    this.#synthesizer?.pause();
  }

  go(): void {
    this.#synthesizer?.go();
  }

  silence(): void {
    this.#synthesizer?.silence();
  }

  clear(): void {
    this.#synthesizer?.clear();
  }
}

/** What is heard: if any part is solo, those that are; else all that are not muted. */
export function mixingOf(mix: readonly PartMix[], reverb: number): Mixing {
  const anySolo = mix.some(({ solo }) => solo);
  return {
    heard: mix.map(({ muted, solo }) => !muted && (solo || !anySolo)),
    programs: mix.map(({ program }) => program),
    reverb,
  };
}

const clamp = (value: number): number => Math.min(Math.max(value, 0), 1);

/** iPhones keep pages quiet while their ring switch is off, unless they say that they play music. */
function letItSoundThoughMuted(): void {
  const session = (navigator as { audioSession?: { type: string } }).audioSession;
  if (session) session.type = "playback";
}
