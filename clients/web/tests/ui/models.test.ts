import { describe, expect, it } from "vitest";
import type { ChangeAnnounced, PartMix } from "../../src/core/api";
import { ChangeSender } from "../../src/ui/controls/change_sender";
import { stepOf, typed } from "../../src/ui/controls/number_field";
import { fieldsOf, withField } from "../../src/ui/controls/per_field";
import { arranged, isSameMix, mixAt, pointOf, shares } from "../../src/ui/controls/style_mix";
import { chordsOf, degrees, keyOf } from "../../src/ui/controls/tonality";
import { FAMILIES, programName } from "../../src/ui/instruments";
import { dimmedParts, silentParts } from "../../src/ui/panels/mixer";
import { flagged } from "../../src/ui/roll/change_flags";
import {
  brief,
  changesInBrief,
  connectionWords,
  pitchName,
  printed,
  soundWords,
} from "../../src/ui/words";

describe("the field of styles", () => {
  const styles = ["baroque", "classical", "romantic", "folk", "klezmer", "noise"];
  const points = arranged(styles);

  it("has a place of its own for every style, known or not", () => {
    expect([...points.keys()].sort()).toEqual([...styles].sort());
    const taken = new Set([...points.values()].map(({ x, y }) => `${x} ${y}`));
    expect(taken.size).toBe(styles.length);
    for (const { x, y } of points.values()) {
      expect(Math.min(x, y)).toBeGreaterThan(0);
      expect(Math.max(x, y)).toBeLessThan(1);
    }
  });

  it("is one style alone upon its point", () => {
    for (const [style, place] of points) expect(mixAt(place, points)).toEqual({ [style]: 1 });
  });

  it("mixes by nearness, in shares of one", () => {
    const baroque = points.get("baroque") ?? { x: 0, y: 0 };
    const mix = mixAt({ x: baroque.x + 0.06, y: baroque.y }, points);
    const heaviest = Object.entries(mix).sort(([, a], [, b]) => b - a)[0]?.[0];
    expect(heaviest).toBe("baroque");
    const whole = Object.values(mix).reduce((sum, share) => sum + share, 0);
    expect(whole).toBeCloseTo(1, 1);
    expect(Math.min(...Object.values(mix))).toBeGreaterThan(0.03);
  });

  it("puts a mix from elsewhere between its styles", () => {
    const [a, b] = [points.get("baroque"), points.get("folk")];
    const middle = pointOf({ baroque: 2, folk: 2 }, points);
    expect(middle.x).toBeCloseTo(((a?.x ?? 0) + (b?.x ?? 0)) / 2, 6);
    expect(pointOf({ polka: 1 }, points)).toEqual({ x: 0.5, y: 0.5 });
  });

  it("knows equal mixes by their shares", () => {
    expect(isSameMix({ folk: 2, baroque: 2 }, { baroque: 0.5, folk: 0.5 })).toBe(true);
    expect(isSameMix({ folk: 1 }, { baroque: 1 })).toBe(false);
    expect(shares({ folk: 0 })).toEqual({});
  });
});

describe("numbers", () => {
  it("are stepped finely enough, from where the range begins", () => {
    expect(stepOf({ kind: "number", low: 20, high: 300 })).toBe(1);
    expect(stepOf({ kind: "number", low: 0, high: 1 })).toBe(0.01);
    expect(stepOf({ kind: "number", low: 0.25, high: 16 })).toBe(0.05);
    expect(stepOf({ kind: "integer", low: 0, high: 127 })).toBe(1);
  });

  it("are read as people write them", () => {
    expect(typed(" 0,5 ")).toBe(0.5);
    expect(typed("auto")).toBeNull();
    expect(typed("")).toBeNull();
    expect(typed("fast")).toBeUndefined();
  });

  it("by field are known from the words of the table", () => {
    const accepts = "a number, also by event field (fields: part, pitch, delta)";
    expect(fieldsOf({ accepts })).toEqual(["part", "pitch", "delta"]);
    expect(fieldsOf({ accepts: "a number" })).toEqual([]);
    expect(withField({ all: 1, pitch: 2 }, "pitch", null)).toEqual({ all: 1 });
    expect(withField({ all: 1 }, "part", 0.5)).toEqual({ all: 1, part: 0.5 });
  });
});

describe("keys and chords", () => {
  it("are read as the server spells them, and as others do", () => {
    expect(keyOf("F# minor")).toEqual({ tonic: "F#", mode: "minor" });
    expect(keyOf("Db")).toEqual({ tonic: "C#", mode: "major" });
    expect(keyOf("A harmonic minor").mode).toBe("harmonic minor");
  });

  it("are offered by degree", () => {
    expect(degrees("dorian")[0]).toBe("i");
    expect(degrees("lydian")[0]).toBe("I");
    expect(chordsOf(" I  vi, IV | V ")).toEqual(["I", "vi", "IV", "V"]);
  });
});

describe("words", () => {
  it("print accidentals and pitches", () => {
    expect(printed("Bb7")).toBe("B♭7");
    expect(printed("F# minor")).toBe("F♯ minor");
    expect(pitchName(60)).toBe("C4");
    expect(pitchName(0)).toBe("C-1");
  });

  it("put values in brief", () => {
    expect(brief(null)).toBe("auto");
    expect(brief({ all: 0.95, pitch: 1.1 })).toBe("0.95, pitch 1.1");
    expect(brief([1, 2])).toBe("1 2");
    expect(changesInBrief({ density: 6 })).toBe("density 6");
    expect(changesInBrief({ density: 6, key: "D dorian", tempo: 100 })).toBe("3 changes");
  });

  it("name all programs of General MIDI", () => {
    expect(FAMILIES.length).toBe(16);
    for (const [, names] of FAMILIES) expect(names.length).toBe(8);
    expect(programName(40)).toBe("Violin");
    expect(programName(127)).toBe("Gunshot");
  });

  it("say how connection and sound stand", () => {
    const lost = { state: "lost", why: "It was cut.", retryAt: 3500 } as const;
    expect(connectionWords(lost, 1000)).toBe(
      "Connection lost (It was cut). What is planned plays on; trying again in 3 s.",
    );
    expect(connectionWords(lost, 9000)).toContain("trying again now");
    expect(connectionWords({ state: "open", resumed: true }, 0)).toContain("nothing was lost");
    expect(connectionWords({ state: "refused", code: "x", why: "Why." }, 0)).toContain("Why.");
    expect(soundWords({ kind: "loading", loaded: 1, total: 4 })).toContain("25 %");
    expect(soundWords({ kind: "playing", by: "page", why: "" })).toBe("");
    expect(soundWords({ kind: "failed", why: "No sound." })).toBe("No sound.");
  });
});

describe("flags", () => {
  const change = (bar: number, controls: Record<string, unknown>) => {
    return { epoch: 0, bar, controls, number: 1 };
  };

  it("of a control that is turned on and on for one bar are one flag", () => {
    let flags = flagged([], change(8, { density: 3 }));
    flags = flagged(flags, change(8, { density: 4 }));
    flags = flagged(flags, change(8, { tempo: 90 }));
    flags = flagged(flags, change(9, { density: 5 }));
    expect(flags.map(({ bar, text }) => [bar, text])).toEqual([
      [8, "density 4"],
      [8, "tempo 90"],
      [9, "density 5"],
    ]);
  });
});

describe("the mixer", () => {
  const mix = (part: number, change: Partial<PartMix> = {}): PartMix => ({
    part,
    muted: false,
    solo: false,
    program: null,
    ...change,
  });

  it("silences what is muted, and all beside a solo", () => {
    expect([...silentParts([mix(1), mix(2, { muted: true })])]).toEqual([2]);
    expect([...silentParts([mix(1, { solo: true }), mix(2), mix(3)])]).toEqual([2, 3]);
  });

  it("puts the others aside while one is pointed at", () => {
    expect([...dimmedParts([mix(1), mix(2)], [1, 2], 2)]).toEqual([1]);
    expect([...dimmedParts([mix(1), mix(2)], [1, 2], null)]).toEqual([]);
  });
});

describe("changes", () => {
  function sending() {
    const sent: Record<string, unknown>[] = [];
    const answers: { done: (change: ChangeAnnounced) => void; fail: (error: Error) => void }[] = [];
    const calls: string[] = [];
    const sender = new ChangeSender(
      (controls) => {
        sent.push(controls);
        return new Promise((done, fail) => answers.push({ done, fail }));
      },
      {
        announced: (names, { bar }) => calls.push(`${names.join()} from ${bar}`),
        refused: (names, why) => calls.push(`${names.join()}: ${why}`),
        settled: (names) => calls.push(`${names.join()} settled`),
      },
    );
    return { sender, sent, answers, calls };
  }
  const rest = () => new Promise((done) => setTimeout(done, 0));
  const heard = { bar: 7, due: 0, change: 1, saved: null };

  it("sends the first change at once, and of those that follow meanwhile the last", async () => {
    const { sender, sent, answers, calls } = sending();
    sender.change("density", 1);
    for (const value of [2, 3, 4]) sender.change("density", value);
    sender.change("tempo", 90);
    expect(sent).toEqual([{ density: 1 }]);
    expect(sender.isPending("tempo")).toBe(true);
    answers[0]?.done(heard);
    while (sent.length < 2) await rest();
    expect(sent[1]).toEqual({ density: 4, tempo: 90 });
    expect(calls).toEqual(["density from 7", " settled"]);
    answers[1]?.done(heard);
    await rest();
    expect(sender.isPending("density")).toBe(false);
    expect(calls.at(-1)).toBe("density,tempo settled");
  });

  it("tells why something was refused, and goes on", async () => {
    const { sender, answers, calls, sent } = sending();
    sender.change("key", "H");
    answers[0]?.fail(new Error("There is no H."));
    await rest();
    expect(calls).toEqual(["key: There is no H.", "key settled"]);
    sender.change("key", "B");
    while (sent.length < 2) await rest();
    expect(sent[1]).toEqual({ key: "B" });
  });
});
