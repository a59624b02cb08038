import { expect, test } from "vitest";
import type { Bar } from "../../src/core/api";
import { barOf } from "../../src/core/bars";
import type { WireBar } from "../../src/core/protocol";
import { recording } from "../../src/core/recording";
import { barMessage } from "../fakes";

const bar = (index: number, more: Partial<WireBar> = {}, outer: object = {}): Bar =>
  barOf(barMessage(index, more, { ...outer }), `${index}`, 0);

/** The events of each track as "tick: bytes in hexadecimal". */
function tracks(bytes: Uint8Array): string[][] {
  const view = new DataView(bytes.buffer);
  const text = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  expect(text(0)).toBe("MThd");
  expect([4, 8, 12].map((at) => (at === 4 ? view.getUint32(at) : view.getUint16(at)))).toEqual([
    6, 1, 480,
  ]);
  const found: string[][] = [];
  let at = 14;
  for (let track = 0; track < view.getUint16(10); track += 1) {
    expect(text(at)).toBe("MTrk");
    const end = at + 8 + view.getUint32(at + 4);
    at += 8;
    const events: string[] = [];
    let tick = 0;
    const varying = () => {
      let number = 0;
      for (;;) {
        const byte = bytes[at++] ?? 0;
        number = number * 128 + (byte & 127);
        if (byte < 128) return number;
      }
    };
    while (at < end) {
      tick += varying();
      const from = at;
      const status = bytes[at++] ?? 0;
      if (status === 0xff) {
        at += 1;
        const length = varying();
        at += length;
      } else at += (status & 0xf0) === 0xc0 ? 1 : 2;
      events.push(
        `${tick}: ${[...bytes.subarray(from, at)].map((b) => b.toString(16).padStart(2, "0")).join(" ")}`,
      );
    }
    expect(at).toBe(end);
    expect(events.at(-1)).toMatch(/ff 2f 00$/);
    found.push(events.slice(0, -1));
  }
  expect(at).toBe(bytes.length);
  return found;
}

test("a file of one note, byte for byte", () => {
  const bytes = recording([bar(0, { notes: [[1, 60, 80, 0, 24, 0, 0]], section: "" })]);
  const expected = [
    "4d546864 00000006 0001 0002 01e0",
    "4d54726b 00000013 00ff5804 04021808 00ff5103 07a120 00ff2f00",
    "4d54726b 0000001a 00ff0306 706172742031 00c000 00903c50 8360803c40 00ff2f00",
  ]
    .join("")
    .replaceAll(" ", "");
  expect([...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")).toBe(expected);
});

test("notes over bar lines are one; shifts are kept; each part has its channel and name", () => {
  const [conductor, one, drums] = tracks(
    recording([
      bar(4, {
        notes: [
          [1, 60, 80, 48, 48, 5_000, 1],
          [8, 36, 99, 0, 6, -2_000, 0],
        ],
      }),
      bar(5, { notes: [[1, 60, 1, 0, 12, 5_000, 2]], tempo: 400_000, section: "B" }),
    ]),
  );
  expect(conductor).toEqual([
    "0: ff 06 01 41",
    "0: ff 58 04 04 02 18 08",
    "0: ff 51 03 07 a1 20",
    "1920: ff 06 01 42",
    "1920: ff 51 03 06 1a 80",
  ]);
  expect(one?.slice(2)).toEqual(["965: 90 3c 50", "2160: 80 3c 40"]);
  expect(drums?.slice(2)).toEqual(["0: 99 24 63", "120: 89 24 40"]);
});

test("programs are told where they change", () => {
  const notes = [[2, 60, 80, 0, 24, 0, 0]] as const;
  const programs = (second: number) => [0, second, 0, 0, 0, 0, 0, 0];
  const bars = [1, 1, 7].map((second, i) =>
    bar(i, { notes: [...notes], programs: programs(second) }),
  );
  const [, part] = tracks(recording(bars));
  expect(part?.filter((event) => / c1 /.test(event))).toEqual(["0: c1 01", "3840: c1 07"]);
});

test("bars that are missing leave room; what began anew follows at once", () => {
  const note = { notes: [[1, 60, 80, 0, 24, 0, 0]] as WireBar["notes"][number][] };
  const [, part] = tracks(
    recording([bar(0, note), bar(2, note), bar(0, note, { epoch: 1 }), bar(1, note, { epoch: 1 })]),
  );
  const begun = part?.filter((event) => / 90 /.test(event)).map((event) => event.split(":")[0]);
  expect(begun).toEqual(["0", "3840", "5760", "7680"]);
});

test("a pitch that is struck again ends first", () => {
  const [, part] = tracks(
    recording([
      bar(0, {
        notes: [
          [1, 60, 80, 0, 90, 0, 0],
          [1, 60, 70, 24, 24, 0, 0],
        ],
      }),
    ]),
  );
  expect(part?.slice(2)).toEqual([
    "0: 90 3c 50",
    "480: 80 3c 40",
    "480: 90 3c 46",
    "960: 80 3c 40",
  ]);
});

test("pedals are in the track of their part, up before what the next bar strikes", () => {
  const note = [2, 60, 80, 0, 24, 0, 0] as const;
  const pedals = [
    [2, 6, 90],
    [1, 0, 96],
  ] as const;
  const bars = [0, 1].map((i) => bar(i, { notes: [note], pedals: i === 0 ? pedals : [] }));
  const [, part] = tracks(recording(bars));
  expect(part?.slice(2)).toEqual([
    ...["0: 91 3c 50", "120: b1 40 7f", "480: 81 3c 40"],
    ...["1920: b1 40 00", "1920: 91 3c 50", "2400: 81 3c 40"],
  ]);
});

test("controllers are in the track of their part, at the beginning and where they change", () => {
  const note = [1, 60, 80, 0, 24, 0, 0] as const;
  const asked = [
    [1, 7, 110],
    [2, 10, 32],
  ] as const;
  const bars = [0, 1].map((i) => bar(i, { notes: [note], controllers: i === 0 ? asked : [] }));
  const [, part] = tracks(recording(bars));
  const turned = part?.filter((event) => event.includes(": b"));
  expect(turned).toEqual(["0: b0 07 6e", "1920: b0 07 64"]);
});
