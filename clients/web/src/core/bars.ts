/** Bars as the page has them: made of those of the wire, with times instead of ticks. */

import type { Bar, Note, Pedal } from "./api";
import { GOES_ON, GOES_ON_FROM_BEFORE, TICKS_PER_QUARTER } from "./messages";
import type { BarMessage, WireBar, WireNote, WirePedal } from "./protocol";

/** Microseconds of so many ticks. */
export const durationOf = (ticks: number, tempo: number): number =>
  Math.floor((ticks * tempo) / TICKS_PER_QUARTER);

function noteOf(wire: WireNote, bar: WireBar, length: number): Note {
  const [part, pitch, velocity, tick, ticks, shift, tie] = wire;
  const goesOn = (tie & GOES_ON) !== 0;
  const goesOnFromBefore = (tie & GOES_ON_FROM_BEFORE) !== 0;
  const onset = durationOf(tick, bar.tempo) + shift;
  const end = goesOn ? length : durationOf(tick + ticks, bar.tempo) + shift;
  return {
    part,
    pitch,
    velocity,
    onset,
    end: Math.max(end, onset + 1),
    goesOn,
    goesOnFromBefore,
    tick,
    length: ticks,
  };
}

function pedalOf([part, tick, length]: WirePedal, { tempo }: WireBar): Pedal {
  const down = durationOf(tick, tempo);
  return { part, down, up: Math.max(durationOf(tick + length, tempo), down + 1), tick, length };
}

/** `id` names it among all bars that the page has met; `arrived` is the page's time. */
export function barOf(message: BarMessage, id: string, arrived: number): Bar {
  const { bar, due, epoch } = message;
  const length = durationOf(bar.ticks, bar.tempo);
  return {
    id,
    epoch,
    index: bar.index,
    revision: bar.revision,
    due,
    end: due + length,
    tick: bar.tick,
    ticks: bar.ticks,
    metre: bar.metre,
    tempo: bar.tempo,
    key: bar.key,
    chords: bar.chords,
    section: bar.section,
    echo: bar.echo,
    programs: bar.programs,
    notes: bar.notes.map((note) => noteOf(note, bar, length)),
    controllers: (bar.controllers ?? []).map(([part, number, value]) => ({ part, number, value })),
    pedals: (bar.pedals ?? []).map((pedal) => pedalOf(pedal, bar)),
    late: bar.late ?? false,
    arrived,
    previous: null,
  };
}
