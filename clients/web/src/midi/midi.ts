/** Web MIDI: out to a device or DAW, in to prime a stream with what is played. */

import type { Bar, MidiApi, MidiPort, MidiState, Plan, Played, Prompt } from "../core/api";
import type { ServerClock } from "../core/clock";
import { ObservableValue } from "../core/observable";
import type { MusicOutput } from "../core/session";
import type { Timers } from "../core/timers";
import { InputRecorder, type ReferenceBar } from "./input_recorder";
import { MidiOut } from "./out";

const REFUSALS: ReadonlySet<string> = new Set(["NotAllowedError", "SecurityError"]);

export interface MidiDependencies {
  readonly timers: Timers;
  readonly clock: ServerClock;
  readonly plan: Plan;
  sendPlan(output: MusicOutput): void;
}

export class Midi implements MidiApi, MusicOutput {
  readonly state = new ObservableValue<MidiState>({ kind: "unasked" });
  readonly played: ObservableValue<Played>;
  readonly #dependencies: MidiDependencies;
  readonly #recorder = new InputRecorder();
  #access: MIDIAccess | null = null;
  #out: MidiOut | null = null;
  #output: string | null = null;
  #input: string | null = null;

  constructor(dependencies: MidiDependencies) {
    this.#dependencies = dependencies;
    this.played = new ObservableValue(this.#recorder.played);
  }

  async ask(): Promise<void> {
    if (this.#access) return;
    if (typeof navigator.requestMIDIAccess !== "function") {
      const why = globalThis.isSecureContext
        ? "This browser has no Web MIDI."
        : "Browsers give Web MIDI only to pages that come over https or from this very machine.";
      return this.state.set({ kind: "unavailable", why });
    }
    try {
      this.#access = await navigator.requestMIDIAccess();
      this.#access.onstatechange = () => this.#update();
      this.#update();
    } catch (error) {
      const isRefused = error instanceof DOMException && REFUSALS.has(error.name);
      const why = isRefused
        ? "The browser was told to give this page no MIDI."
        : "The browser cannot reach MIDI on this computer.";
      this.state.set({ kind: "unavailable", why });
    }
  }

  chooseOutput(id: string | null): void {
    this.#out?.close();
    const port = id === null ? undefined : this.#access?.outputs.get(id);
    this.#output = port?.id ?? null;
    this.#out = port
      ? new MidiOut(port, this.#dependencies.clock, this.#dependencies.timers)
      : null;
    if (this.#out) this.#dependencies.sendPlan(this.#out);
    this.#update();
  }

  chooseInput(id: string | null): void {
    const before = this.#input === null ? undefined : this.#access?.inputs.get(this.#input);
    if (before) before.onmidimessage = null;
    const port = id === null ? undefined : this.#access?.inputs.get(id);
    this.#input = port?.id ?? null;
    if (port) port.onmidimessage = ({ data, timeStamp }) => this.#receive(data, timeStamp);
    this.#update();
  }

  #receive(data: Uint8Array | null, time: number): void {
    if (data && this.#recorder.take(data, time)) this.played.set(this.#recorder.played);
  }

  /** Ports come and go; one that is gone was unplugged, and is chosen no longer. */
  #update(): void {
    const access = this.#access;
    if (!access) return;
    const isThere = (port: MIDIPort | undefined) => port?.state === "connected";
    if (this.#output !== null && !isThere(access.outputs.get(this.#output))) {
      this.#out?.close();
      this.#out = this.#output = null;
    }
    if (this.#input !== null && !isThere(access.inputs.get(this.#input))) this.#input = null;
    this.state.set({
      kind: "ready",
      outputs: named(access.outputs.values()),
      inputs: named(access.inputs.values()),
      output: this.#output,
      input: this.#input,
    });
  }

  clear(): void {
    this.#out?.clear();
  }

  forget(): void {
    this.#recorder.clear();
    this.played.set(this.#recorder.played);
  }

  prompt(): Prompt | null {
    return this.#recorder.prompt(this.#dependencies.timers.now(), this.#soundingBar());
  }

  #soundingBar(): ReferenceBar | null {
    const { clock, plan } = this.#dependencies;
    const bar = clock.isSet ? plan.at(clock.now()) : null;
    return bar && { bar, startedAt: clock.toPage(bar.due) };
  }

  close(): void {
    this.chooseInput(null);
    this.chooseOutput(null);
  }

  put(bar: Bar): void {
    this.#out?.put(bar);
  }

  drop(): void {
    this.#out?.drop();
  }

  pause(): void {
    this.#out?.pause();
  }

  resume(): void {
    this.#out?.resume();
  }

  silence(): void {
    this.#out?.silence();
  }
}

function named(ports: Iterable<MIDIPort>): MidiPort[] {
  return [...ports]
    .filter(({ state }) => state === "connected")
    .map(({ id, name }) => ({ id, name: name ?? "a port without a name" }));
}
