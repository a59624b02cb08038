import { describe, expect, it } from "vitest";
import { layOut, percussionRows, Scale, sameRows } from "../../src/ui/roll/layout";
import { appearanceOf, FixedSince } from "../../src/ui/roll/transitions";
import { eased, extent, fittedPitches, fittedScale, zoomedPitches } from "../../src/ui/roll/view";
import { Zoom } from "../../src/ui/roll/zoom";
import { bar, note } from "./bars";

const SIZES = [
  [360, 300],
  [1440, 468],
  [1920, 1000],
] as const;

describe("places", () => {
  it.each(SIZES)("are found again on a roll of %i × %i", (width, height) => {
    const scale = new Scale(layOut(width, height, 3), 7e6, 60, { low: 40, high: 80 });
    for (const time of [0, 7e6, 1.2345e7]) expect(scale.time(scale.x(time))).toBeCloseTo(time, 3);
    for (const pitch of [40, 60.5, 80]) {
      expect(scale.pitch(scale.y(pitch))).toBeCloseTo(pitch + 1, 6);
    }
  });

  it.each(SIZES)("of all lanes lie below each other on %i × %i", (width, height) => {
    for (const drums of [0, 1, 12]) {
      const layout = layOut(width, height, drums);
      expect(layout.chordsY).toBeGreaterThan(0);
      expect(layout.notesY).toBeGreaterThan(layout.chordsY);
      expect(layout.drumsY).toBeCloseTo(layout.notesY + layout.notesHeight, 6);
      expect(layout.drumsY + layout.drumsHeight).toBe(height);
      expect(layout.drumsHeight > 0).toBe(drums > 0);
      expect(layout.notesHeight).toBeGreaterThan(height / 2);
    }
  });

  it("show what is now at the now line, and more ahead than behind", () => {
    const scale = new Scale(layOut(1000, 400, 0), 5e6, 100, { low: 40, high: 80 });
    expect(scale.x(5e6)).toBe(scale.layout.nowX);
    expect(scale.until - 5e6).toBeGreaterThan(5e6 - scale.from);
  });

  it("have larger labels where there is more room", () => {
    const sizes = SIZES.map(([width, height]) => layOut(width, height, 0).text);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
    expect(sizes[0]).toBeGreaterThanOrEqual(11);
    expect(sizes[2]).toBeGreaterThanOrEqual(28);
  });
});

describe("fitting", () => {
  it("shows every planned bar on a wide roll and some of them on a phone", () => {
    const bars = (ahead: number, seconds: number, text: number) =>
      ahead / fittedScale(ahead, seconds, text) / seconds;
    expect(bars(1000, 3, 17)).toBeGreaterThanOrEqual(4);
    expect(bars(270, 3, 11)).toBeGreaterThanOrEqual(1.6);
    expect(bars(270, 3, 11)).toBeLessThan(4);
  });

  it("takes in all pitches with room to spare, percussion aside", () => {
    const found = extent([bar(0, [note(40), note(90), note(127, 8)]), bar(1)]);
    expect(found).toEqual({ low: 40, high: 90 });
    const shown = fittedPitches({ low: 48, high: 84 }, { low: 40, high: 90 });
    expect(shown.low).toBeLessThan(40);
    expect(shown.high).toBeGreaterThan(90);
    expect(extent([bar(0, [note(38, 8)])])).toBeNull();
  });

  it("stays as it is while everything is in sight", () => {
    const shown = fittedPitches({ low: 0, high: 0 }, { low: 50, high: 70 });
    expect(fittedPitches(shown, { low: 52, high: 71 })).toBe(shown);
  });

  it("comes closer once there is much room for nothing", () => {
    const shown = fittedPitches({ low: 20, high: 110 }, { low: 60, high: 72 });
    expect(shown.high - shown.low).toBeLessThan(40);
  });

  it("never leaves what pitches there are", () => {
    for (const extent of [
      { low: 0, high: 3 },
      { low: 125, high: 127 },
      { low: 0, high: 127 },
    ]) {
      const shown = fittedPitches({ low: 60, high: 61 }, extent);
      expect(shown.low).toBeGreaterThanOrEqual(0);
      expect(shown.high).toBeLessThanOrEqual(127);
    }
  });
});

describe("zooming", () => {
  it("keeps the pitch under the pointer in its place", () => {
    const shown = { low: 40, high: 79 };
    const closer = zoomedPitches(shown, 2, 50);
    const share = (pitches: typeof shown) => (50 - pitches.low) / (pitches.high - pitches.low + 1);
    expect(share(closer)).toBeCloseTo(share(shown), 6);
    expect(closer.high - closer.low + 1).toBeCloseTo(20, 6);
  });

  it("goes no further than there is something to see", () => {
    let shown = { low: 40, high: 79 };
    for (let i = 0; i < 20; i++) shown = zoomedPitches(shown, 2, 60);
    expect(shown.high - shown.low).toBeGreaterThan(8);
    for (let i = 0; i < 20; i++) shown = zoomedPitches(shown, 0.5, 60);
    expect(shown).toEqual({ low: 0, high: 127 });
  });

  it("by hand ends fitting, and a reset brings it back", () => {
    const zoom = new Zoom();
    const layout = layOut(1000, 400, 0);
    const bars = [bar(0, [note(60)]), bar(1, [note(64)])];
    zoom.step(layout, bars, 0, Infinity);
    const fitted = { scale: zoom.perSecond, pitches: zoom.pitches };
    zoom.time(2);
    zoom.pitch(2);
    zoom.look(-5e6);
    zoom.step(layout, bars, 0, Infinity);
    expect(zoom.perSecond).toBeCloseTo(2 * fitted.scale, 6);
    expect(zoom.pitches).not.toEqual(fitted.pitches);
    zoom.reset();
    zoom.step(layout, bars, 0, Infinity);
    expect(zoom.perSecond).toBeCloseTo(fitted.scale, 6);
    expect(zoom.offset).toBe(0);
  });

  it("arrives, however long the frames are", () => {
    for (const elapsed of [1, 16.7, 100, Infinity]) {
      let value = 10;
      for (let i = 0; i < 5000; i++) value = eased(value, 80, elapsed);
      expect(value).toBe(80);
    }
  });
});

describe("the look of bars", () => {
  const fresh = bar(1, [], { arrived: 1000 });

  it("is pencil while open, and turns to ink when fixed", () => {
    expect(appearanceOf(fresh, null, 5000, false).ink).toBe(0);
    expect(appearanceOf(fresh, 5000, 5000, false).ink).toBe(0);
    expect(appearanceOf(fresh, 5000, 5150, false).ink).toBeGreaterThan(0);
    expect(appearanceOf(fresh, 5000, 6000, false).ink).toBe(1);
  });

  it("of a new bar fades in, of a revised one washes over the former", () => {
    expect(appearanceOf(fresh, null, 1000, false)).toMatchObject({ presence: 0, wash: 1, tint: 0 });
    expect(appearanceOf(fresh, null, 2000, false).presence).toBe(1);
    const revised = bar(1, [], { arrived: 1000, revision: 1, previous: fresh });
    expect(appearanceOf(revised, null, 1000, false)).toMatchObject({
      presence: 1,
      wash: 0,
      tint: 1,
    });
    const later = appearanceOf(revised, null, 1400, false);
    expect(later.wash).toBeGreaterThan(0);
    expect(later.wash).toBeLessThan(1);
    expect(appearanceOf(revised, null, 9000, false)).toMatchObject({ wash: 1, tint: 0 });
  });

  it("does not move where little motion is asked for, but still marks what is new", () => {
    const revised = bar(1, [], { arrived: 1000, revision: 1, previous: fresh });
    expect(appearanceOf(revised, null, 1000, true)).toMatchObject({
      presence: 1,
      wash: 1,
      tint: 1,
    });
    expect(appearanceOf(revised, 1000, 1000, true).ink).toBe(1);
    expect(appearanceOf(revised, null, 9000, true).tint).toBe(0);
  });

  it("remembers since when bars are fixed, and forgets them with the bars", () => {
    const fixedSince = new FixedSince();
    expect(fixedSince.at(fresh, "open", 1000)).toBeNull();
    expect(fixedSince.at(fresh, "committed", 2000)).toBe(2000);
    expect(fixedSince.at(fresh, "sounding", 3000)).toBe(2000);
    for (let i = 0; i < 100; i++) fixedSince.at(bar(100 + i), "committed", 2500);
    fixedSince.keepOnly([bar(500)]);
    expect(fixedSince.at(fresh, "sounding", 4000)).toBe(4000);
  });

  it("of a bar that was over when it came is ink at once", () => {
    const since = new FixedSince().at(fresh, "past", 5000);
    expect(appearanceOf(fresh, since, 5000, false).ink).toBe(1);
  });
});

describe("percussion", () => {
  it("has a row for each instrument, the bass drum below and cymbals above", () => {
    const rows = percussionRows([bar(0, [note(49, 8), note(36, 8), note(38, 8), note(60, 1)])]);
    expect([...rows]).toEqual([
      [36, 0],
      [38, 1],
      [49, 2],
    ]);
  });

  it("keeps its rows while the same is struck", () => {
    const a = percussionRows([bar(0, [note(36, 8), note(42, 8)])]);
    const b = percussionRows([bar(1, [note(42, 8), note(36, 8), note(36, 8)])]);
    expect(sameRows(a, b)).toBe(true);
    expect(sameRows(a, percussionRows([bar(2, [note(36, 8)])]))).toBe(false);
  });
});
