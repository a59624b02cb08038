/** The page's own synthesizer: an AudioContext with our worklet, fed with bars and the time. */

import type { Bar, SoundFigures } from "../core/api";
import type { ServerClock } from "../core/clock";
import type { MusicOutput } from "../core/session";
import type { Cancel, Timers } from "../core/timers";
import { AudioClock } from "./audio_clock";
import { fetchSoundfont } from "./soundfont";
import workletAddress from "./worklet.ts?worker&url";
import type { HeardMix, WorkletCommand, WorkletReport } from "./worklet_messages";

/** Milliseconds between two readings of the clocks: often at first. */
const READ_EVERY = 250;
const FIRST_READINGS = 12;
const FIRST_READ_EVERY = 30;

export interface SynthesizerDependencies {
  readonly timers: Timers;
  readonly clock: ServerClock;
  readonly soundfont: string;
  /** The browser stopped it, or lets it go on: `running` as in AudioContext.state. */
  running(running: boolean): void;
  /** It needs to be told all bars, as it does at the beginning. */
  needsBars(): void;
  progress(loaded: number, total: number | null): void;
  failed(why: string): void;
}

export class Synthesizer implements MusicOutput {
  readonly #dependencies: SynthesizerDependencies;
  readonly #context: AudioContext;
  readonly #volume: GainNode;
  readonly #analyser: AnalyserNode;
  readonly #samples: Float32Array<ArrayBuffer>;
  readonly #audioClock = new AudioClock();
  readonly #abort = new AbortController();
  #node: AudioWorkletNode | null = null;
  #cancelReading: Cancel = () => {};
  #figures: SoundFigures = { notes: 0, missed: 0, worstLateness: 0, sounding: 0 };

  /** Call it in a click: browsers let nothing sound otherwise. */
  constructor(dependencies: SynthesizerDependencies) {
    this.#dependencies = dependencies;
    this.#context = new AudioContext({ latencyHint: "balanced" });
    this.#volume = this.#context.createGain();
    this.#analyser = this.#context.createAnalyser();
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#volume.connect(this.#analyser).connect(this.#context.destination);
    this.#context.onstatechange = () => dependencies.running(this.#context.state === "running");
    this.resumeContext();
  }

  /** Load all that is needed; rejects with a sentence. */
  async load(): Promise<void> {
    const { soundfont, progress } = this.#dependencies;
    const [, bytes] = await Promise.all([
      this.#context.audioWorklet.addModule(workletAddress),
      fetchSoundfont(soundfont, progress, this.#abort.signal),
    ]);
    const node = new AudioWorkletNode(this.#context, "perpetuo", {
      numberOfInputs: 0,
      outputChannelCount: [2],
    });
    this.#node = node;
    node.onprocessorerror = () =>
      this.#dependencies.failed("The synthesizer of this page broke down");
    const ready = new Promise<void>((resolve, reject) => {
      node.port.onmessage = ({ data }: MessageEvent<WorkletReport>) => {
        if (data.kind === "ready") resolve();
        else if (data.kind === "failed")
          reject(new Error(`The SoundFont cannot be used: ${data.why}`));
        else this.#take(data);
      };
    });
    this.#send({ kind: "soundfont", bytes }, [bytes]);
    await ready;
    node.connect(this.#volume);
    this.#startClock();
  }

  get isRunning(): boolean {
    return this.#context.state === "running";
  }

  resumeContext(): void {
    this.#context.resume().catch(() => {}); // `running` tells whether it runs
  }

  close(): void {
    this.#abort.abort();
    this.#cancelReading();
    this.#context.onstatechange = null;
    this.#node?.disconnect();
    this.#context.close().catch(() => {}); // it was closed already
  }

  get output(): AudioNode {
    return this.#analyser;
  }

  get figures(): SoundFigures {
    return this.#figures;
  }

  setVolume(volume: number): void {
    // What ears take for half as loud is about a quarter of the level; 20 ms keep it from clicking.
    this.#volume.gain.setTargetAtTime(volume * volume, this.#context.currentTime, 0.02);
  }

  mix(mix: HeardMix): void {
    this.#send({ kind: "mix", mix });
  }

  level(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    return Math.sqrt(sum / this.#samples.length);
  }

  // -- time ------------------------------------------------------------------------------------------

  #startClock(): void {
    let readings = 0;
    const read = () => {
      if (this.#readClock()) readings += 1;
      if (readings === FIRST_READINGS) this.#dependencies.needsBars();
      const pause = readings < FIRST_READINGS ? FIRST_READ_EVERY : READ_EVERY;
      this.#cancelReading = this.#dependencies.timers.after(pause, read);
    };
    this.#cancelReading();
    read();
  }

  /** Tell the audio thread what time it is; whether that is known. */
  #readClock(): boolean {
    const { contextTime = 0, performanceTime = 0 } = this.#context.getOutputTimestamp();
    if (!contextTime || !performanceTime || !this.isRunning) return false;
    this.#audioClock.add(contextTime * 1000, performanceTime);
    const difference = this.#audioClock.difference;
    if (difference === null || !this.#dependencies.clock.isSet) return false;
    const frame = contextTime * this.#context.sampleRate;
    const server = this.#dependencies.clock.toServer(contextTime * 1000 + difference);
    this.#send({ kind: "time", reading: { frame, server } });
    return true;
  }

  #take(report: WorkletReport): void {
    if (report.kind === "figures") this.#figures = report;
    else if (report.kind === "jumped") {
      this.#audioClock.forget();
      this.#startClock();
    }
  }

  // -- music -----------------------------------------------------------------------------------------

  put({ id, due, end, programs, controllers, notes, pedals }: Bar): void {
    this.#send({ kind: "put", bar: { id, due, end, programs, controllers, notes, pedals } });
  }

  drop(): void {
    this.#send({ kind: "drop" });
  }

  pause(): void {
    this.#send({ kind: "pause" });
  }

  resume(): void {
    this.#send({ kind: "resume" });
  }

  silence(): void {
    this.#send({ kind: "silence" });
  }

  clear(): void {
    this.#send({ kind: "clear" });
  }

  #send(command: WorkletCommand, transfer: Transferable[] = []): void {
    this.#node?.port.postMessage(command, transfer);
  }
}
