/**
 * The audio thread: schedules, and renders with a SoundFont, split at the exact frame of each event.
 *
 * It holds the bars itself and asks nobody while it plays, so a page that is busy, hidden or slowed
 * down does not disturb it.
 */

import { type MIDIController, SoundBankLoader, SpessaSynthProcessor } from "spessasynth_core";
import { channelOf } from "../core/channels";
import { PARTS } from "../core/messages";
import { type Action, Scheduler } from "../core/scheduler";
import { SUSTAIN } from "../core/smf";
import { Leveller } from "./leveller";
import type { ClockReading, HeardMix, WorkletCommand, WorkletReport } from "./worklet_messages";

/** Frames between two reports. */
const REPORT_EVERY = 12_000;
/** Milliseconds by which the system's clock and the frames that were played may part before it is
 * taken that the machine slept. */
const JUMP = 2_000;
const VOICES = 128;

class SynthesizerProcessor extends AudioWorkletProcessor {
  readonly #scheduler = new Scheduler();
  readonly #synth = new SpessaSynthProcessor(sampleRate, {
    effectsEnabled: true,
    eventsEnabled: false,
  });
  readonly #leveller = new Leveller(sampleRate);
  #isReady = false;
  #reading: ClockReading | null = null;
  #heardMix: HeardMix | null = null;
  /** As they were composed, by part. */
  readonly #programs = Array.from({ length: PARTS }, () => 0);
  #notes = 0;
  #worstLateness = 0;
  #reported = 0;
  /** By how much the system's clock was ahead of the frames at the last block, in milliseconds. */
  #wallAhead = Number.NaN;

  constructor() {
    super();
    this.#synth.setSystemParameter("voiceCap", VOICES);
    this.#synth.setSystemParameter("chorusGain", 0);
    this.port.onmessage = ({ data }: MessageEvent<WorkletCommand>) => this.#carryOut(data);
  }

  #carryOut(command: WorkletCommand): void {
    switch (command.kind) {
      case "soundfont":
        return void this.#load(command.bytes);
      case "time":
        this.#reading = command.reading;
        return;
      case "put":
        if (this.#reading) this.#scheduler.put(command.bar, this.#timeAt(currentFrame));
        return;
      case "mix":
        return this.#mix(command.mix);
      case "drop":
        return this.#scheduler.drop();
      case "resume":
        return this.#scheduler.resume();
      case "pause":
      case "silence":
      case "clear":
        return this.#perform(this.#scheduler[command.kind]());
    }
  }

  async #load(bytes: ArrayBuffer): Promise<void> {
    try {
      await this.#synth.processorInitialized;
      this.#synth.soundBankManager.addSoundBank(SoundBankLoader.fromArrayBuffer(bytes), "main");
      this.#isReady = true;
      this.#setPrograms();
      this.#send({ kind: "ready" });
    } catch (error) {
      this.#send({ kind: "failed", why: error instanceof Error ? error.message : String(error) });
    }
  }

  #mix(mix: HeardMix): void {
    this.#heardMix = mix;
    this.#synth.setSystemParameter("reverbGain", mix.reverb);
    for (let part = 1; part <= PARTS; part += 1) {
      const heard = mix.heard[part - 1] ?? true;
      this.#channel(part)?.setSystemParameter("isMuted", !heard);
    }
    this.#setPrograms();
  }

  #channel(part: number): SpessaSynthProcessor["midiChannels"][number] | undefined {
    return this.#synth.midiChannels[channelOf(part)];
  }

  #setPrograms(): void {
    for (let part = 1; part <= PARTS; part += 1) this.#setProgram(part);
  }

  #setProgram(part: number): void {
    const program = this.#heardMix?.programs[part - 1] ?? this.#programs[part - 1] ?? 0;
    if (this.#isReady) this.#synth.programChange(channelOf(part), program);
  }

  // -- time ----------------------------------------------------------------------------------------

  #timeAt(frame: number): number {
    const { frame: known, server } = this.#reading ?? { frame: 0, server: 0 };
    return server + ((frame - known) * 1e6) / sampleRate;
  }

  #frameAt(time: number): number {
    const { frame, server } = this.#reading ?? { frame: 0, server: 0 };
    return Math.round(frame + ((time - server) * sampleRate) / 1e6);
  }

  /** While the machine slept, or the sound was taken away, no frames were played. */
  #noticeJumps(): void {
    const ahead = Date.now() - (currentFrame * 1000) / sampleRate;
    const jumped = Math.abs(ahead - this.#wallAhead) > JUMP;
    this.#wallAhead = ahead;
    if (!jumped) return;
    this.#perform(this.#scheduler.clear());
    this.#reading = null;
    this.#send({ kind: "jumped" });
  }

  // -- sound ---------------------------------------------------------------------------------------

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const [left, right] = outputs[0] ?? [];
    if (!left || !right || !this.#isReady) return true;
    this.#noticeJumps();
    const length = left.length;
    let done = 0;
    if (this.#reading) {
      const until = this.#timeAt(currentFrame + length) - 1;
      for (const action of this.#scheduler.take(until, this.#timeAt(currentFrame))) {
        const frame = this.#frameAt(action.time) - currentFrame;
        const at = Math.min(Math.max(frame, done), length);
        this.#render(left, right, done, at);
        done = at;
        this.#act(action);
        if (action.kind === "on") this.#count(frame);
      }
    }
    this.#render(left, right, done, length);
    this.#leveller.apply(left, right);
    if (currentFrame - this.#reported >= REPORT_EVERY) this.#report();
    return true;
  }

  #render(left: Float32Array, right: Float32Array, from: number, to: number): void {
    if (to > from) this.#synth.process(left, right, from, to - from);
  }

  #perform(actions: readonly Action[]): void {
    for (const action of actions) this.#act(action);
  }

  #act(action: Action): void {
    const channel = channelOf(action.part);
    if (action.kind === "on") this.#synth.noteOn(channel, action.pitch, action.velocity);
    else if (action.kind === "off") this.#synth.noteOff(channel, action.pitch);
    else if (action.kind === "sustain")
      this.#synth.controllerChange(channel, SUSTAIN, action.down ? 127 : 0);
    else if (action.kind === "controller")
      this.#synth.controllerChange(channel, action.number as MIDIController, action.value);
    else {
      this.#programs[action.part - 1] = action.program;
      this.#setProgram(action.part);
    }
  }

  /** A note-on that belonged so many frames after the beginning of this block. */
  #count(frame: number): void {
    this.#notes += 1;
    if (frame < 0) this.#worstLateness = Math.max(this.#worstLateness, (-frame * 1e6) / sampleRate);
  }

  #report(): void {
    this.#reported = currentFrame;
    const { missed, sounding } = this.#scheduler;
    const worstLateness = Math.round(this.#worstLateness);
    this.#send({ kind: "figures", notes: this.#notes, missed, worstLateness, sounding });
  }

  #send(report: WorkletReport): void {
    this.port.postMessage(report);
  }
}

registerProcessor("perpetuo", SynthesizerProcessor);
