/** Bars as tests of the visible page need them. */

import type { Bar, Note } from "../../src/core/api";

export function note(pitch: number, part = 1, onset = 0, end = 500_000): Note {
  return {
    part,
    pitch,
    velocity: 80,
    onset,
    end,
    goesOn: false,
    goesOnFromBefore: false,
    tick: 0,
    length: 24,
  };
}

export function bar(index: number, notes: readonly Note[] = [], change: Partial<Bar> = {}): Bar {
  return {
    id: `0.${index}`,
    epoch: 0,
    index,
    revision: 0,
    due: index * 2_000_000,
    end: (index + 1) * 2_000_000,
    tick: index * 96,
    ticks: 96,
    metre: "4/4",
    tempo: 500_000,
    key: "C major",
    chords: ["C", "C"],
    section: "A",
    echo: -1,
    programs: [0, 0, 0, 0, 0, 0, 0, 0],
    controllers: [],
    notes,
    pedals: [],
    late: false,
    arrived: 0,
    previous: null,
    ...change,
  };
}
