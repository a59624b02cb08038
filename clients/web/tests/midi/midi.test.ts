import { describe, expect, test } from "vitest";
import { barOf } from "../../src/core/bars";
import { ServerClock } from "../../src/core/clock";
import type { WireController, WireNote, WirePedal } from "../../src/core/protocol";
import { InputRecorder } from "../../src/midi/input_recorder";
import { MidiOut } from "../../src/midi/out";
import { barMessage, dueOf, FakeTimers } from "../fakes";

/** A port at the server's time two seconds before bar 0; what it was sent, with page times. */
function opened() {
  const timers = new FakeTimers();
  const clock = new ServerClock(() => timers.now());
  const now = timers.now() * 1000;
  clock.add({ sent: now, server: dueOf(0) - 2e6, received: now });
  const sent: { bytes: number[]; at: number; handed: number }[] = [];
  const port = {
    send: (bytes: number[], at = timers.now()) => sent.push({ bytes, at, handed: timers.now() }),
  };
  const out = new MidiOut(port, clock, timers);
  const put = (index: number, notes: WireNote[], revision = 0, pedals: WirePedal[] = []) =>
    out.put(barOf(barMessage(index, { notes, revision, pedals }), `${index}`, 0));
  const notes = () => sent.filter(({ bytes }) => ((bytes[0] ?? 0) & 0xf0) === 0x90);
  return { timers, clock, out, put, sent, notes };
}

describe("out", () => {
  test("each message has its exact time, and is handed over ahead of it", () => {
    const { timers, clock, put, notes } = opened();
    put(0, [
      [1, 60, 80, 0, 24, 1234, 0],
      [8, 36, 90, 48, 6, 0, 0],
    ]);
    timers.pass(5000);
    expect(notes().map(({ bytes }) => bytes)).toEqual([
      [0x90, 60, 80],
      [0x99, 36, 90],
    ]);
    expect(notes().map(({ at }) => Math.round(clock.toServer(at)) - dueOf(0))).toEqual([
      1234, 1_000_000,
    ]);
    for (const { at, handed } of notes()) expect(at - handed).toBeGreaterThanOrEqual(60);
  });

  test("a pedal is controller 64, each change at its exact time", () => {
    const { timers, clock, put, sent } = opened();
    put(0, [[1, 60, 80, 0, 24, 0, 0]], 0, [[1, 24, 72]]);
    timers.pass(5000);
    const pedals = sent.filter(({ bytes }) => bytes[0] === 0xb0);
    expect(pedals.map(({ bytes }) => bytes)).toEqual([
      [0xb0, 64, 127],
      [0xb0, 64, 0],
    ]);
    expect(pedals.map(({ at }) => Math.round(clock.toServer(at)) - dueOf(0))).toEqual([
      500_000, 2_000_000,
    ]);
  });

  test("level and place are controllers 7 and 10, before the notes and once they change", () => {
    const { timers, out, sent } = opened();
    const notes: WireNote[] = [[2, 60, 80, 0, 24, 0, 0]];
    const asked: WireController[][] = [
      [
        [2, 7, 110],
        [2, 10, 32],
      ],
      [[2, 10, 32]],
    ];
    asked.forEach((controllers, i) => {
      out.put(barOf(barMessage(i, { notes, controllers }), `${i}`, 0));
    });
    timers.pass(9000);
    const bytes = sent.map((message) => message.bytes);
    expect(bytes.filter(([status]) => status === 0xb1)).toEqual([
      ...[
        [0xb1, 7, 110],
        [0xb1, 10, 32],
        [0xb1, 7, 100],
      ],
    ]);
    const first = bytes.findIndex(([status]) => status === 0x91);
    expect(bytes.findIndex(([status]) => status === 0xb1)).toBeLessThan(first);
  });

  test("a revision that comes before that is what is played", () => {
    const { timers, put, notes } = opened();
    put(0, [[1, 60, 80, 0, 24, 0, 0]]);
    timers.pass(1850);
    put(0, [[1, 72, 80, 0, 24, 0, 0]], 1);
    timers.pass(3000);
    expect(notes().map(({ bytes }) => bytes[1])).toEqual([72]);
  });

  test.each(["pause", "silence", "clear", "close"] as const)(
    "%s ends what was begun, after it was begun",
    (end) => {
      const { timers, out, put, sent } = opened();
      put(0, [[1, 60, 80, 0, 96, 0, 0]]);
      timers.pass(1950); // handed over, but not yet due
      out[end]();
      const on = sent.findIndex(({ bytes }) => bytes[0] === 0x90);
      const off = sent.findIndex(({ bytes }) => bytes[0] === 0x80 && bytes[1] === 60);
      expect(off).toBeGreaterThan(on);
      expect(sent[off]?.at).toBeGreaterThanOrEqual(sent[on]?.at ?? Number.POSITIVE_INFINITY);
      const controllers = sent.filter(({ bytes }) => ((bytes[0] ?? 0) & 0xf0) === 0xb0);
      expect(new Set(controllers.map(({ bytes }) => bytes[1]))).toEqual(new Set([64, 120, 123]));
      for (const { at } of controllers) expect(at).toBeGreaterThanOrEqual(sent[on]?.at ?? 0);
    },
  );
});

describe("in", () => {
  const SOUNDING = {
    bar: { metre: "4/4", tempo: 480_000, programs: [5, 0, 0, 0, 0, 0, 0, 0] },
    startedAt: 10_000,
  };

  test("notes are collected with their lengths, percussion in its part", () => {
    const recorder = new InputRecorder();
    expect(recorder.take([0x90, 60, 80], 1000)).toBe(true);
    expect(recorder.take([0x99, 36, 99], 1010)).toBe(true);
    expect(recorder.played).toEqual({ notes: 2, seconds: 0.01, held: [60, 36] });
    expect(recorder.take([0x90, 60, 0], 1500)).toBe(true);
    expect(recorder.take([0x89, 36, 64], 1520)).toBe(true);
    expect(recorder.take([0xf8], 1521)).toBe(false);
    expect(recorder.take([0x80, 61, 0], 1522)).toBe(false);
    expect(recorder.played).toEqual({ notes: 2, seconds: 0.52, held: [] });
    expect(recorder.prompt(2000, null)).toEqual({
      notes: [
        [1, 60, 80, 0, 24],
        [8, 36, 99, 0, 24],
      ],
      metre: "4/4",
      tempo: 500_000,
      programs: [0, 0, 0, 0, 0, 0, 0, 0],
    });
    recorder.clear();
    expect(recorder.prompt(2000, null)).toBeNull();
  });

  test("they keep their place in the bar of the music that played", () => {
    const recorder = new InputRecorder();
    recorder.take([0x90, 60, 80], 10_000 - 1920 + 480); // the second beat of the bar before
    recorder.take([0x80, 60, 0], 10_000 - 1920 + 960);
    recorder.take([0x90, 62, 80], 10_000 + 240);
    const prompt = recorder.prompt(10_480, SOUNDING);
    expect(prompt).toMatchObject({ tempo: 480_000, programs: SOUNDING.bar.programs });
    expect(prompt?.notes).toEqual([
      [1, 60, 80, 24, 24],
      [1, 62, 80, 108, 12],
    ]);
  });

  test("only the latest are kept", () => {
    const recorder = new InputRecorder();
    for (let i = 0; i < 3000; i += 1) {
      recorder.take([0x90, 60, 80], i);
      recorder.take([0x80, 60, 80], i + 0.5);
    }
    expect(recorder.played.notes).toBe(1024);
  });
});
