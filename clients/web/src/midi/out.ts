/** Music into a MIDI device or DAW, each message with its exact time. */

import type { Bar } from "../core/api";
import { channelOf } from "../core/channels";
import type { ServerClock } from "../core/clock";
import { PARTS } from "../core/messages";
import { type Action, Scheduler } from "../core/scheduler";
import type { MusicOutput } from "../core/session";
import { SUSTAIN } from "../core/smf";
import { type Cancel, every, type Timers } from "../core/timers";

/** Milliseconds by which messages are handed to the browser before their time: a revision that
 * comes later than that is not heard. */
const AHEAD = 120;
const SEND_EVERY = 20;
const ALL_SOUND_OFF = 120;
const ALL_NOTES_OFF = 123;

/** As much of a MIDIOutput as is used; times are those of `performance.now()`. */
export interface Port {
  send(bytes: number[], time?: number): void;
}

export class MidiOut implements MusicOutput {
  readonly #scheduler = new Scheduler();
  readonly #cancelSending: Cancel;

  constructor(
    private readonly port: Port,
    private readonly clock: ServerClock,
    private readonly timers: Timers,
  ) {
    this.#cancelSending = every(timers, SEND_EVERY, () => this.#sendDue());
  }

  /** End what sounds, for good. */
  close(): void {
    this.#cancelSending();
    this.clear();
  }

  #sendDue(): void {
    const now = this.clock.now();
    this.#send(this.#scheduler.take(now + AHEAD * 1000, now));
  }

  #send(actions: readonly Action[]): void {
    for (const action of actions) this.port.send(bytesOf(action), this.#when(action.time));
  }

  /** Never before now, or else the browser would put it before what it sent already. */
  #when(time: number): number {
    return Math.max(this.clock.toPage(time), this.timers.now());
  }

  /** Note-offs of ours, and for those that know better the controllers that end everything. */
  #end(offs: readonly Action[]): void {
    this.#send(offs);
    const last = this.timers.now() + AHEAD;
    for (let part = 1; part <= PARTS; part += 1) {
      for (const controller of [SUSTAIN, ALL_NOTES_OFF, ALL_SOUND_OFF]) {
        this.port.send([0xb0 | channelOf(part), controller, 0], last);
      }
    }
  }

  put(bar: Bar): void {
    this.#scheduler.put(bar, this.clock.now());
  }

  drop(): void {
    this.#scheduler.drop();
  }

  pause(): void {
    this.#end(this.#scheduler.pause());
  }

  resume(): void {
    this.#scheduler.resume();
  }

  silence(): void {
    this.#end(this.#scheduler.silence());
  }

  clear(): void {
    this.#end(this.#scheduler.clear());
  }
}

function bytesOf(action: Action): number[] {
  const channel = channelOf(action.part);
  if (action.kind === "on") return [0x90 | channel, action.pitch, action.velocity];
  if (action.kind === "off") return [0x80 | channel, action.pitch, 64];
  if (action.kind === "sustain") return [0xb0 | channel, SUSTAIN, action.down ? 127 : 0];
  if (action.kind === "controller") return [0xb0 | channel, action.number, action.value];
  return [0xc0 | channel, action.program];
}
