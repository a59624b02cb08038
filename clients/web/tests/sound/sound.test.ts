import { describe, expect, test } from "vitest";
import { AudioClock } from "../../src/sound/audio_clock";
import { Leveller } from "../../src/sound/leveller";
import { abilityOf, heardMix } from "../../src/sound/sound";
import { DEFAULTS, defaultMix, loadSettings, saveSettings } from "../../src/sound/sound_settings";
import { seededRandom } from "../fakes";

describe("the mix", () => {
  const heard = (...changes: [number, object][]) => {
    const mix = defaultMix().map((row) => ({
      ...row,
      ...changes.find(([part]) => part === row.part)?.[1],
    }));
    const { heard } = heardMix(mix, 0.5);
    return heard.flatMap((is, index) => (is ? [index + 1] : []));
  };

  test("plays what is not muted, or if any is solo what is", () => {
    expect(heard()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(heard([2, { muted: true }])).toEqual([1, 3, 4, 5, 6, 7, 8]);
    expect(heard([3, { solo: true }], [4, { solo: true }])).toEqual([3, 4]);
    expect(heard([3, { solo: true, muted: true }])).toEqual([]);
  });

  test("is kept from one visit to the next, and what cannot be read is as usual", () => {
    const store = new Map<string, string>();
    const storage = {
      getItem: (key: string) => store.get(key) ?? null,
      setItem: (key: string, value: string) => void store.set(key, value),
    };
    const mix = defaultMix().map((row) =>
      row.part === 2 ? { ...row, muted: true, program: 33 } : row,
    );
    saveSettings(storage, { volume: 0.25, reverb: 0, mix });
    expect(loadSettings(storage)).toEqual({ volume: 0.25, reverb: 0, mix });
    const defaults = { ...DEFAULTS, mix: defaultMix() };
    expect(loadSettings(null)).toEqual(defaults);
    for (const broken of [
      "",
      "no",
      "[]",
      '{"volume":7,"reverb":"x","mix":[{"part":1,"program":200}]}',
    ]) {
      expect(loadSettings({ getItem: () => broken })).toEqual(defaults);
    }
  });
});

describe("whether the page can play by itself", () => {
  test("is told, with the reason if not", () => {
    expect(abilityOf({ isSecureContext: true, AudioWorkletNode: class {} })).toEqual({
      synthesizer: true,
      why: "",
    });
    for (const scope of [{}, { AudioWorkletNode: class {} }]) {
      expect(abilityOf({ isSecureContext: false, ...scope })).toMatchObject({
        synthesizer: false,
        why: expect.stringContaining("plain http"),
      });
    }
    expect(abilityOf({ isSecureContext: true }).why).toContain("no AudioWorklet");
  });
});

describe("where the audio clock stands", () => {
  test("is known although every look is a little wrong", () => {
    const random = seededRandom(5);
    const clock = new AudioClock();
    expect(clock.difference).toBeNull();
    for (let i = 0; i < 40; i += 1) clock.add(i * 250, i * 250 + 800 + (random() - 0.5) * 6);
    expect(Math.abs((clock.difference ?? 0) - 800)).toBeLessThan(1.5);
  });

  test("wild looks change nothing, several alike in a row do", () => {
    const clock = new AudioClock();
    for (let i = 0; i < 20; i += 1) clock.add(i * 250, i * 250 + 800);
    for (const wild of [9000, 9900, 5000, 9000]) clock.add(5000, wild);
    expect(clock.difference).toBe(800);
    for (let i = 0; i < 3; i += 1) clock.add(6000 + i, 6900 + i);
    expect(clock.difference).toBe(900);
  });

  test("clocks that drift apart are followed", () => {
    const clock = new AudioClock();
    for (let i = 0; i < 4000; i += 1) clock.add(i * 250, i * 250 * 1.0001);
    expect(Math.abs((clock.difference ?? 0) - 4000 * 250 * 0.0001)).toBeLessThan(0.5);
  });
});

describe("loudness", () => {
  /** Root mean square and peak of the last second of so many seconds of a tone. */
  const levelled = (seconds: number, size: (second: number) => number) => {
    const leveller = new Leveller(48_000);
    let sum = 0;
    let peak = 0;
    let steepest = 0;
    let last = 0;
    for (let block = 0; block < seconds * 375; block += 1) {
      const left = new Float32Array(128);
      for (let i = 0; i < 128; i += 1) {
        left[i] = size((block * 128 + i) / 48_000) * Math.sin((block * 128 + i) * 0.02);
      }
      const right = left.slice();
      leveller.apply(left, right);
      for (const sample of left) {
        peak = Math.max(peak, Math.abs(sample));
        steepest = Math.max(steepest, Math.abs(sample - last));
        last = sample;
        if (block >= (seconds - 1) * 375) sum += sample * sample;
      }
    }
    return { level: 20 * Math.log10(Math.sqrt(sum / 48_000)), peak, steepest };
  };

  test.each([0.02, 0.1, 0.14])("of a tone of %d comes to the same", (size) => {
    expect(levelled(30, () => size).level).toBeCloseTo(-20, 0);
  });

  test("never clips, nor clicks, however suddenly it gets loud", () => {
    const { peak, steepest } = levelled(8, (second) =>
      Math.min(Math.max(0.01, (second - 5) * 50), 1),
    );
    expect(peak).toBeLessThanOrEqual(1);
    expect(steepest).toBeLessThan(0.3); // an unbounded tone would step by 0.02 times twelve
  });

  test("pauses are not made loud", () => {
    const { level } = levelled(30, (second) => (second > 5 ? 1e-4 : 0.1));
    expect(level).toBeLessThan(-60);
  });
});
