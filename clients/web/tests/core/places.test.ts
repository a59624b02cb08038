import { describe, expect, test } from "vitest";
import type { Place, StreamState } from "../../src/core/contract";
import { placeOf, readPlace, same, writePlace } from "../../src/core/places";
import type { Capabilities } from "../../src/core/protocol";
import { welcome } from "../fakes";

const own = (more: object = {}): Place => ({
  kind: "own",
  seed: null,
  preset: null,
  controls: {},
  model: null,
  ...more,
});

describe("a link", () => {
  test.each<[string, Place]>([
    ["station", { kind: "station", station: "night & day" }],
    ["seed", own({ seed: 0 })],
    ["largest seed", own({ seed: Number.MAX_SAFE_INTEGER })],
    ["preset", own({ preset: "calm" })],
    ["anything", own()],
    [
      "settings of every kind",
      own({
        seed: 7,
        preset: "calm",
        model: "other",
        controls: {
          density: 3.5,
          key: "F# dorian",
          chords: "I vi IV V",
          style: { folk: 0.25, "x&y": 1 },
          parts: [1, 2, 8],
          tempo: null,
          odd: "7",
          odder: "null",
          oddest: '"',
          swing: 0,
        },
      }),
    ],
  ])("brings back what it was made of: %s", (_, place) => {
    expect(readPlace(writePlace(place))).toEqual(place);
  });

  test("can be read by people", () => {
    const place = own({ seed: 7, preset: "ambient", controls: { density: 3, key: "D minor" } });
    expect(writePlace(place)).toBe("#seed=7&preset=ambient&density=3&key=D+minor");
  });

  test.each(["", "#", "#nothing", "#density=3"])("%j names no place", (hash) => {
    expect(readPlace(hash)).toBeNull();
  });

  test.each(["-1", "1.5", "x", "99999999999999999", ""])("a seed of %j is any", (seed) => {
    expect(readPlace(`#seed=${seed}&preset=calm`)).toEqual(own({ preset: "calm" }));
  });
});

describe("the place of a stream", () => {
  const { capabilities } = welcome() as unknown as { capabilities: Capabilities };
  const stream = (more: Partial<StreamState>): StreamState => ({
    name: "own-1",
    title: "own-1",
    station: false,
    state: "playing",
    epoch: 0,
    seed: 9,
    model: "default",
    styles: [],
    preset: "calm",
    controls: { density: 2, key: "C major", style: null, tempo: 60 },
    steerable: true,
    reason: "",
    ...more,
  });

  test("is its station", () => {
    const place = placeOf(stream({ station: true, name: "study" }), capabilities, "default");
    expect(place).toEqual({ kind: "station", station: "study" });
  });

  test("names only what is not as the preset or the default has it", () => {
    expect(placeOf(stream({}), capabilities, "default")).toEqual(own({ seed: 9, preset: "calm" }));
    const controls = { density: null, key: "C major", style: { folk: 1 }, tempo: 60 };
    expect(placeOf(stream({ controls, model: "other" }), capabilities, "default")).toEqual(
      own({
        seed: 9,
        preset: "calm",
        model: "other",
        controls: { density: null, style: { folk: 1 } },
      }),
    );
  });
});

test("values are the same whatever the order of their keys", () => {
  expect(same({ a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1 })).toBe(true);
  for (const [one, other] of [
    [{ a: 1 }, { a: 1, b: 2 }],
    [
      [1, 2],
      [2, 1],
    ],
    [[], {}],
    [null, {}],
    [1, "1"],
    [{ a: undefined }, { b: undefined }],
  ]) {
    expect(same(one, other)).toBe(false);
  }
});
