import { describe, expect, test } from "vitest";
import type { StreamChoice, StreamState } from "../../src/core/api";
import type { Capabilities } from "../../src/core/protocol";
import { choiceOf, readLink, same, writeLink } from "../../src/core/stream_link";
import { welcome } from "../fakes";

const own = (more: object = {}): StreamChoice => ({
  kind: "own",
  seed: null,
  preset: null,
  controls: {},
  model: null,
  ...more,
});

describe("a link", () => {
  test.each<[string, StreamChoice]>([
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
  ])("brings back what it was made of: %s", (_, choice) => {
    expect(readLink(writeLink(choice))).toEqual(choice);
  });

  test("can be read by people", () => {
    const choice = own({ seed: 7, preset: "ambient", controls: { density: 3, key: "D minor" } });
    expect(writeLink(choice)).toBe("#seed=7&preset=ambient&density=3&key=D+minor");
  });

  test.each(["", "#", "#nothing", "#density=3"])("%j names no choice", (hash) => {
    expect(readLink(hash)).toBeNull();
  });

  test.each(["-1", "1.5", "x", "99999999999999999", ""])("a seed of %j is any", (seed) => {
    expect(readLink(`#seed=${seed}&preset=calm`)).toEqual(own({ preset: "calm" }));
  });
});

describe("the choice of a stream", () => {
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
    unfollowed: {},
    steerable: true,
    reason: "",
    ...more,
  });

  test("is its station", () => {
    const choice = choiceOf(stream({ station: true, name: "study" }), capabilities, "default");
    expect(choice).toEqual({ kind: "station", station: "study" });
  });

  test("names only what is not as the preset or the default has it", () => {
    expect(choiceOf(stream({}), capabilities, "default")).toEqual(own({ seed: 9, preset: "calm" }));
    const controls = { density: null, key: "C major", style: { folk: 1 }, tempo: 60 };
    expect(choiceOf(stream({ controls, model: "other" }), capabilities, "default")).toEqual(
      own({
        seed: 9,
        preset: "calm",
        model: "other",
        controls: { density: null, style: { folk: 1 } },
      }),
    );
  });

  test("names what the seed has chosen, for another seed of the preset chooses otherwise", () => {
    const presets = capabilities.presets.map((row) => ({ ...row, by_seed: ["key"] }));
    const choice = choiceOf(stream({}), { ...capabilities, presets }, "default");
    expect(choice).toEqual(own({ seed: 9, preset: "calm", controls: { key: "C major" } }));
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
