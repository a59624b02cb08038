/** The server, the time and the outputs, as tests have them. */

import type { Bar } from "../src/core/api";
import type { Socket } from "../src/core/connection";
import type { FromServer, WireBar, WireNote } from "../src/core/protocol";
import type { ScheduledBar, ScheduledNote } from "../src/core/scheduler";
import type { MusicOutput } from "../src/core/session";
import type { Cancel, Timers } from "../src/core/timers";

/** Time that passes when told to. */
export class FakeTimers implements Timers {
  #now = 1000;
  #waiting: { at: number; then: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, then: () => void): Cancel {
    const entry = { at: this.#now + milliseconds, then };
    this.#waiting.push(entry);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== entry);
    };
  }

  pass(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = this.#waiting.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#waiting = this.#waiting.filter((other) => other !== next);
      this.#now = next.at;
      next.then();
    }
    this.#now = end;
  }
}

/** One connection, seen from the server. */
export class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  readonly sent: Record<string, unknown>[] = [];
  closedWith: number | null = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(code: number): void {
    this.closedWith = code;
  }

  /** What was sent, pings aside. */
  get requests(): Record<string, unknown>[] {
    return this.sent.filter(({ type }) => type !== "ping");
  }

  get last(): Record<string, unknown> {
    return this.requests.at(-1) ?? {};
  }

  deliver(message: FromServer | Record<string, unknown>): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  cut(code = 1006, reason = ""): void {
    this.onclose?.({ code, reason });
  }
}

export function welcome(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    type: "welcome",
    protocol: 1,
    server: "0.1.0",
    session: "secret",
    you: "web-1",
    resumed: false,
    listening: [],
    own: [],
    time: 5_000_000,
    capabilities: {
      controls: [
        control("density", null),
        control("key", "C major"),
        control("style", null),
        control("tempo", null),
      ],
      roles: {},
      parts: 8,
      ticks: 24,
      styles: ["folk"],
      models: ["default", "other"],
      stations: [station("study"), station("dance")],
      presets: [{ name: "calm", title: "Calm", help: "", controls: { density: 2, tempo: 60 } }],
      may_steer_stations: true,
      horizon: 150_000,
      limits: { message: 65536, rate: 50, own_streams: 8, grace: 60 },
    },
    ...more,
  };
}

const control = (name: string, byDefault: unknown) => ({
  name,
  kind: "number",
  role: "conditioning",
  group: "Texture",
  default: byDefault,
  open: true,
  low: null,
  high: null,
  unit: "",
  choices: [],
  per: null,
  accepts: "",
  help: "",
});

const station = (name: string) => ({
  name,
  title: `${name[0]?.toUpperCase()}${name.slice(1)}`,
  state: "playing",
  preset: null,
  seed: 7,
  model: "default",
  listeners: 0,
});

export function state(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    type: "state",
    stream: "study",
    title: "Study",
    station: true,
    epoch: 0,
    state: "playing",
    seed: 7,
    model: "default",
    styles: ["folk"],
    preset: null,
    controls: { density: null, key: "C major", style: null, tempo: null },
    bar: 0,
    bars: 0,
    late_bars: 0,
    history: [],
    ...more,
  };
}

/** A bar of two seconds: 4/4 at 120. Index 0 is due at ten seconds of the server's clock. */
export function wireBar(
  index: number,
  notes: WireNote[] = [],
  more: Partial<WireBar> = {},
): WireBar {
  return {
    index,
    revision: 0,
    tick: index * 96,
    ticks: 96,
    metre: "4/4",
    tempo: 500_000,
    key: "C major",
    chords: ["C", ""],
    section: "A",
    echo: -1,
    programs: [0, 0, 0, 0, 0, 0, 0, 0],
    notes,
    late: false,
    ...more,
  };
}

export const BAR = 2_000_000;
export const dueOf = (index: number): number => 10_000_000 + index * BAR;

export function barMessage(
  index: number,
  more: Partial<WireBar> = {},
  outer: Record<string, unknown> = {},
) {
  const bar = wireBar(index, more.notes as WireNote[] | undefined, more);
  return { type: "bar" as const, stream: "study", epoch: 0, due: dueOf(index), bar, ...outer };
}

/** Onset and end are microseconds after the bar line. */
export function scheduledNote(
  part: number,
  pitch: number,
  onset: number,
  end: number,
  tie = "",
): ScheduledNote {
  const goesOn = tie.includes(">");
  const goesOnFromBefore = tie.includes("<");
  return { part, pitch, velocity: 80, onset, end, goesOn, goesOnFromBefore };
}

export function scheduledBar(
  index: number,
  notes: ScheduledNote[],
  more: Partial<ScheduledBar> = {},
): ScheduledBar {
  const due = dueOf(index);
  return {
    id: `${index}`,
    due,
    end: due + BAR,
    programs: [],
    controllers: [],
    notes,
    pedals: [],
    ...more,
  };
}

/** Records what it was asked to do. */
export class RecordingOutput implements MusicOutput {
  readonly calls: string[] = [];

  put(bar: Bar): void {
    this.calls.push(`put ${bar.index}.${bar.revision}@${bar.due}`);
  }
  drop(): void {
    this.calls.push("drop");
  }
  pause(): void {
    this.calls.push("pause");
  }
  resume(): void {
    this.calls.push("resume");
  }
  silence(): void {
    this.calls.push("silence");
  }
  clear(): void {
    this.calls.push("clear");
  }
}

/** Numbers from 0 to 1, the same ones for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
