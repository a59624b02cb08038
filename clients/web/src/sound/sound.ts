/** Sound in the browser: the page's synthesizer, or where that cannot be, the server's stream. */

import type { Bar, PartMix, SoundApi, SoundFigures, SoundState, StreamState } from "../core/api";
import type { ServerClock } from "../core/clock";
import { ObservableValue } from "../core/observable";
import type { MusicOutput } from "../core/session";
import type { Timers } from "../core/timers";
import { ServerAudio } from "./server_audio";
import { loadSettings, type SoundSettings, saveSettings } from "./sound_settings";
import { Synthesizer } from "./synthesizer";
import type { HeardMix } from "./worklet_messages";

const NO_FIGURES: SoundFigures = { notes: 0, missed: 0, worstLateness: 0, sounding: 0 };

export interface SoundDependencies {
  readonly timers: Timers;
  readonly clock: ServerClock;
  readonly storage: Pick<Storage, "getItem" | "setItem"> | null;
  /** The address of a path of the server. */
  address(path: string): string;
  /** The stream that is shown. */
  stream(): StreamState | null;
  /** Path of the server's audio stream of a station; null: there is none. */
  streamOf(station: string): string | null;
  /** Give an output all that is planned. */
  sendPlan(output: MusicOutput): void;
}

/** Whether this browser lets the page play by itself, and if not, why. */
export function abilityOf(scope: {
  readonly isSecureContext: boolean;
  readonly AudioWorkletNode?: unknown;
}): SoundApi["ability"] {
  if (scope.isSecureContext && scope.AudioWorkletNode) return { synthesizer: true, why: "" };
  const why = scope.isSecureContext
    ? "This browser has no AudioWorklet, so the page cannot play by itself"
    : "Browsers let a page play by itself (AudioWorklet) only if it comes over https or from" +
      " this very machine, and this one came over plain http";
  return { synthesizer: false, why };
}

export class Sound implements SoundApi, MusicOutput {
  readonly state = new ObservableValue<SoundState>({ kind: "off" });
  readonly ability = abilityOf(globalThis);
  readonly volume: ObservableValue<number>;
  readonly reverb: ObservableValue<number>;
  readonly mix: ObservableValue<readonly PartMix[]>;
  readonly #dependencies: SoundDependencies;
  #synthesizer: Synthesizer | null = null;
  #serverAudio: ServerAudio | null = null;
  /** Why the page does not play by itself. */
  #why = "";

  constructor(dependencies: SoundDependencies) {
    this.#dependencies = dependencies;
    const saved = loadSettings(dependencies.storage);
    this.volume = new ObservableValue(saved.volume);
    this.reverb = new ObservableValue(saved.reverb);
    this.mix = new ObservableValue(saved.mix);
  }

  // -- beginning and ending --------------------------------------------------------------------------

  async start(): Promise<void> {
    const { kind } = this.state.value;
    if (kind === "loading" || kind === "playing") return;
    if (kind === "blocked" && this.#synthesizer) return this.#synthesizer.resumeContext();
    this.#end();
    if (this.ability.synthesizer) await this.#startSynthesizer();
    else this.#startServerAudio(this.ability.why);
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
      return this.#startServerAudio(error instanceof Error ? error.message : String(error));
    }
    if (this.#synthesizer !== synthesizer) return;
    this.#applyMix();
    this.#showRunning(synthesizer.isRunning);
  }

  #makeSynthesizer(): Synthesizer {
    const { timers, clock } = this.#dependencies;
    const made: Synthesizer = new Synthesizer({
      timers,
      clock,
      soundfont: this.#dependencies.address("soundfont.sf2"),
      running: (running) => {
        if (this.state.value.kind !== "loading") this.#showRunning(running);
      },
      needsBars: () => this.#dependencies.sendPlan(made),
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

  #showRunning(running: boolean): void {
    const why = "The browser holds the sound back until you click once more.";
    this.state.set(running ? { kind: "playing", by: "page", why: "" } : { kind: "blocked", why });
  }

  /** The server's stream instead, and why. */
  #startServerAudio(why: string): void {
    this.#why = why;
    this.state.set({ kind: "loading", loaded: 0, total: null });
    const serverAudio = new ServerAudio({
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
    this.#serverAudio = serverAudio;
    serverAudio.setVolume(this.volume.value);
    this.#playStation();
  }

  #playStation(): void {
    const stream = this.#dependencies.stream();
    const path = stream?.station ? this.#dependencies.streamOf(stream.name) : null;
    if (path) this.#serverAudio?.play(this.#dependencies.address(path));
    else if (stream?.station) this.#fail("the server offers no audio stream of this station");
    else this.#fail("the server's audio streams are those of its stations: choose one");
  }

  #fail(reason: string): void {
    this.#end();
    this.state.set({ kind: "failed", why: `${this.#why}; and ${reason}.` });
  }

  /** Another stream is shown. */
  streamChanged(): void {
    if (this.#serverAudio && this.#dependencies.stream()) this.#playStation();
  }

  #end(): void {
    this.#synthesizer?.close();
    this.#serverAudio?.close();
    this.#synthesizer = this.#serverAudio = null;
  }

  // -- how it sounds ---------------------------------------------------------------------------------

  setVolume(volume: number): void {
    this.volume.set(clamp(volume));
    this.#synthesizer?.setVolume(this.volume.value);
    this.#serverAudio?.setVolume(this.volume.value);
    this.#save();
  }

  setReverb(reverb: number): void {
    this.reverb.set(clamp(reverb));
    this.#applyMix();
    this.#save();
  }

  setPart(part: number, change: Partial<Omit<PartMix, "part">>): void {
    this.mix.set(this.mix.value.map((row) => (row.part === part ? { ...row, ...change } : row)));
    this.#applyMix();
    this.#save();
  }

  #applyMix(): void {
    this.#synthesizer?.mix(heardMix(this.mix.value, this.reverb.value));
  }

  #save(): void {
    const settings: SoundSettings = {
      volume: this.volume.value,
      reverb: this.reverb.value,
      mix: this.mix.value,
    };
    saveSettings(this.#dependencies.storage, settings);
  }

  level(): number {
    return this.#synthesizer?.level() ?? 0;
  }

  figures(): SoundFigures {
    return this.#synthesizer?.figures ?? NO_FIGURES;
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

  resume(): void {
    this.#synthesizer?.resume();
  }

  silence(): void {
    this.#synthesizer?.silence();
  }

  clear(): void {
    this.#synthesizer?.clear();
  }
}

/** What is heard: if any part is solo, those that are; else all that are not muted. */
export function heardMix(mix: readonly PartMix[], reverb: number): HeardMix {
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
