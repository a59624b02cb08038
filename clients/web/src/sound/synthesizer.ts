/** The page's own synthesizer: an AudioContext with our worklet, fed with bars and the time. */

import type { ServerClock } from "../core/clock";
import type { Bar } from "../core/contract";
import type { Outputs } from "../core/session";
import type { Cancel, Timers } from "../core/timers";
import type { Mixing, Order, Report } from "./orders";
import { fetchSoundfont } from "./soundfont";
import { Timekeeper } from "./timekeeper";
import workletAddress from "./worklet.ts?worker&url";

/** Milliseconds between two looks at the clocks: often at first. */
const LOOK_EVERY = 250;
const FIRST_LOOKS = 12;
const FIRST_LOOK_EVERY = 30;

export type Figures = Omit<Extract<Report, { kind: "figures" }>, "kind">;

export interface SynthesizerParts {
  readonly timers: Timers;
  readonly clock: ServerClock;
  readonly soundfont: string;
  /** The browser stopped it, or lets it go on: `running` as in AudioContext.state. */
  running(running: boolean): void;
  /** It needs to be told all bars, as it does at the beginning. */
  hungry(): void;
  progress(loaded: number, total: number | null): void;
  failed(why: string): void;
}

export class Synthesizer implements Outputs {
  readonly #parts: SynthesizerParts;
  readonly #context: AudioContext;
  readonly #volume: GainNode;
  readonly #analyser: AnalyserNode;
  readonly #samples: Float32Array<ArrayBuffer>;
  readonly #keeper = new Timekeeper();
  readonly #abort = new AbortController();
  #node: AudioWorkletNode | null = null;
  #looking: Cancel = () => {};
  #figures: Figures = { notes: 0, missed: 0, worstLateness: 0, sounding: 0 };

  /** Call it in a click: browsers let nothing sound otherwise. */
  constructor(parts: SynthesizerParts) {
    this.#parts = parts;
    this.#context = new AudioContext({ latencyHint: "balanced" });
    this.#volume = this.#context.createGain();
    this.#analyser = this.#context.createAnalyser();
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#volume.connect(this.#analyser).connect(this.#context.destination);
    this.#context.onstatechange = () => parts.running(this.#context.state === "running");
    this.resume();
  }

  /** Load all that is needed; rejects with a sentence. */
  async load(): Promise<void> {
    const { soundfont, progress } = this.#parts;
    const [, bytes] = await Promise.all([
      this.#context.audioWorklet.addModule(workletAddress),
      fetchSoundfont(soundfont, progress, this.#abort.signal),
    ]);
    const node = new AudioWorkletNode(this.#context, "perpetuo", {
      numberOfInputs: 0,
      outputChannelCount: [2],
    });
    this.#node = node;
    node.onprocessorerror = () => this.#parts.failed("The synthesizer of this page broke down");
    const ready = new Promise<void>((resolve, reject) => {
      node.port.onmessage = ({ data }: MessageEvent<Report>) => {
        if (data.kind === "ready") resolve();
        else if (data.kind === "failed")
          reject(new Error(`The SoundFont cannot be used: ${data.why}`));
        else this.#hear(data);
      };
    });
    this.#order({ kind: "soundfont", bytes }, [bytes]);
    await ready;
    node.connect(this.#volume);
    this.#startLooking();
  }

  get isRunning(): boolean {
    return this.#context.state === "running";
  }

  resume(): void {
    this.#context.resume().catch(() => {}); // `running` tells whether it runs
  }

  close(): void {
    this.#abort.abort();
    this.#looking();
    this.#context.onstatechange = null;
    this.#node?.disconnect();
    this.#context.close().catch(() => {}); // it was closed already
  }

  get output(): AudioNode {
    return this.#analyser;
  }

  get figures(): Figures {
    return this.#figures;
  }

  setVolume(volume: number): void {
    // What ears take for half as loud is about a quarter of the level; 20 ms keep it from clicking.
    this.#volume.gain.setTargetAtTime(volume * volume, this.#context.currentTime, 0.02);
  }

  mix(mixing: Mixing): void {
    this.#order({ kind: "mix", mixing });
  }

  level(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    return Math.sqrt(sum / this.#samples.length);
  }

  // -- time ------------------------------------------------------------------------------------------

  #startLooking(): void {
    let readings = 0;
    const look = () => {
      if (this.#look()) readings += 1;
      if (readings === FIRST_LOOKS) this.#parts.hungry();
      const pause = readings < FIRST_LOOKS ? FIRST_LOOK_EVERY : LOOK_EVERY;
      this.#looking = this.#parts.timers.after(pause, look);
    };
    this.#looking();
    look();
  }

  /** Tell the audio thread what time it is; whether that is known. */
  #look(): boolean {
    const { contextTime = 0, performanceTime = 0 } = this.#context.getOutputTimestamp();
    if (!contextTime || !performanceTime || !this.isRunning) return false;
    this.#keeper.add(contextTime * 1000, performanceTime);
    const difference = this.#keeper.difference;
    if (difference === null || !this.#parts.clock.isSet) return false;
    const frame = contextTime * this.#context.sampleRate;
    const server = this.#parts.clock.toServer(contextTime * 1000 + difference);
    this.#order({ kind: "time", reading: { frame, server } });
    return true;
  }

  #hear(report: Report): void {
    if (report.kind === "figures") this.#figures = report;
    else if (report.kind === "jumped") {
      this.#keeper.forget();
      this.#startLooking();
    }
  }

  // -- music -----------------------------------------------------------------------------------------

  put({ id, due, end, programs, notes }: Bar): void {
    this.#order({ kind: "put", passage: { id, due, end, programs, notes } });
  }

  drop(): void {
    this.#order({ kind: "drop" });
  }

  pause(): void {
    this.#order({ kind: "pause" });
  }

  go(): void {
    this.#order({ kind: "go" });
  }

  silence(): void {
    this.#order({ kind: "silence" });
  }

  clear(): void {
    this.#order({ kind: "clear" });
  }

  #order(order: Order, transfer: Transferable[] = []): void {
    this.#node?.port.postMessage(order, transfer);
  }
}
