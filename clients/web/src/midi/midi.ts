/** Web MIDI: out to a device or DAW, in to prime a stream with what is played. */

import { Cell } from "../core/cell";
import type { ServerClock } from "../core/clock";
import type {
  Bar,
  Midi as MidiContract,
  MidiPort,
  MidiState,
  Plan,
  Played,
  Prompt,
} from "../core/contract";
import type { Outputs } from "../core/session";
import type { Timers } from "../core/timers";
import { MidiOut } from "./out";
import { type Beat, Collector } from "./played";

const REFUSALS: ReadonlySet<string> = new Set(["NotAllowedError", "SecurityError"]);

export interface MidiParts {
  readonly timers: Timers;
  readonly clock: ServerClock;
  readonly plan: Plan;
  bring(output: Outputs): void;
}

export class Midi implements MidiContract, Outputs {
  readonly state = new Cell<MidiState>({ kind: "unasked" });
  readonly played: Cell<Played>;
  readonly #parts: MidiParts;
  readonly #collector = new Collector();
  #access: MIDIAccess | null = null;
  #out: MidiOut | null = null;
  #output: string | null = null;
  #input: string | null = null;

  constructor(parts: MidiParts) {
    this.#parts = parts;
    this.played = new Cell(this.#collector.played);
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
      this.#access.onstatechange = () => this.#tell();
      this.#tell();
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
    this.#out = port ? new MidiOut(port, this.#parts.clock, this.#parts.timers) : null;
    if (this.#out) this.#parts.bring(this.#out);
    this.#tell();
  }

  chooseInput(id: string | null): void {
    const before = this.#input === null ? undefined : this.#access?.inputs.get(this.#input);
    if (before) before.onmidimessage = null;
    const port = id === null ? undefined : this.#access?.inputs.get(id);
    this.#input = port?.id ?? null;
    if (port) port.onmidimessage = ({ data, timeStamp }) => this.#hear(data, timeStamp);
    this.#tell();
  }

  #hear(data: Uint8Array | null, time: number): void {
    if (data && this.#collector.take(data, time)) this.played.set(this.#collector.played);
  }

  /** Ports come and go; one that is gone was unplugged, and is chosen no longer. */
  #tell(): void {
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
    this.#collector.clear();
    this.played.set(this.#collector.played);
  }

  prompt(): Prompt | null {
    return this.#collector.prompt(this.#parts.timers.now(), this.#beat());
  }

  #beat(): Beat | null {
    const { clock, plan } = this.#parts;
    const bar = clock.isSet ? plan.at(clock.now()) : null;
    return bar && { bar, line: clock.toPage(bar.due) };
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

  go(): void {
    this.#out?.go();
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
