/** Bars that were heard, as a MIDI file: tempo map, metres, sections, one track and channel a part. */

import type { Bar, Note } from "./api";
import { durationOf } from "./bars";
import { channelOf } from "./channels";
import { TurnedControllers } from "./controllers";
import { PERCUSSION, TICKS_PER_QUARTER } from "./messages";
import * as smf from "./smf";

const PER_TICK = smf.DIVISION / TICKS_PER_QUARTER;

interface PlacedBar {
  readonly bar: Bar;
  /** Ticks of the stream from the beginning of the file. */
  readonly at: number;
}

interface FileNote {
  readonly part: number;
  readonly pitch: number;
  readonly velocity: number;
  readonly start: number;
  end: number;
}

/** The bars in the order in which they sounded. Where some are missing the file keeps their room if
 * the stream is still the same; one that began anew follows at once. */
export function recording(bars: readonly Bar[]): Uint8Array<ArrayBuffer> {
  const placed = place(bars);
  const notes = joined(placed);
  const parts = [...new Set(notes.map((fileNote) => fileNote.part))].sort((a, b) => a - b);
  const tracks = parts.map((part) => [
    smf.name(part === PERCUSSION ? "drums" : `part ${part}`),
    ...programs(placed, part),
    ...controllers(placed, part),
    ...notes
      .filter((fileNote) => fileNote.part === part)
      .flatMap((fileNote) =>
        smf.note(fileNote.start, fileNote.end, channelOf(part), fileNote.pitch, fileNote.velocity),
      ),
    ...pedals(placed, part),
  ]);
  return smf.midiFile([conductor(placed), ...tracks]);
}

function place(bars: readonly Bar[]): PlacedBar[] {
  let end = 0;
  let origin = 0;
  let epoch: number | null = null;
  return bars.map((bar) => {
    if (bar.epoch !== epoch || bar.tick + origin < end) {
      epoch = bar.epoch;
      origin = end - bar.tick;
    }
    const at = bar.tick + origin;
    end = at + bar.ticks;
    return { bar, at };
  });
}

/** All notes, those that go on over bar lines in one, each pitch of a part once at a time. */
function joined(placed: readonly PlacedBar[]): FileNote[] {
  const notes: FileNote[] = [];
  let held = new Map<number, FileNote>();
  let lastBarEnd = 0;
  for (const { bar, at } of placed) {
    const before = at === lastBarEnd ? held : new Map<number, FileNote>();
    held = new Map();
    lastBarEnd = at + bar.ticks;
    for (const note of bar.notes) {
      const key = note.part * 128 + note.pitch;
      const fileNote = (note.goesOnFromBefore && before.get(key)) || begun(note, bar, at);
      if (!fileNote.end) notes.push(fileNote);
      fileNote.end = Math.max(endOf(note, bar, at, fileNote), fileNote.start + 1);
      if (note.goesOn) held.set(key, fileNote);
    }
  }
  return withoutOverlaps(notes);
}

function begun({ part, pitch, velocity, tick, onset }: Note, bar: Bar, at: number): FileNote {
  const shift = onset - durationOf(tick, bar.tempo);
  const start = (at + tick) * PER_TICK + Math.round((shift * smf.DIVISION) / bar.tempo);
  return { part, pitch, velocity, start: Math.max(start, 0), end: 0 };
}

function endOf(note: Note, bar: Bar, at: number, fileNote: FileNote): number {
  if (note.goesOn) return (at + bar.ticks) * PER_TICK;
  const written = (at + note.tick) * PER_TICK;
  const shift = note.goesOnFromBefore ? 0 : fileNote.start - written;
  return written + note.length * PER_TICK + shift;
}

function withoutOverlaps(notes: FileNote[]): FileNote[] {
  notes.sort((a, b) => a.part - b.part || a.pitch - b.pitch || a.start - b.start);
  notes.forEach((fileNote, index) => {
    const next = notes[index + 1];
    if (next?.part === fileNote.part && next.pitch === fileNote.pitch)
      fileNote.end = Math.min(fileNote.end, next.start);
  });
  return notes.filter((fileNote) => fileNote.end > fileNote.start);
}

function conductor(placed: readonly PlacedBar[]): smf.FileEvent[] {
  const events: smf.FileEvent[] = [];
  let last: Bar | null = null;
  for (const { bar, at } of placed) {
    const tick = at * PER_TICK;
    if (bar.metre !== last?.metre) events.push(smf.metre(tick, bar.metre));
    if (bar.tempo !== last?.tempo) events.push(smf.tempo(tick, bar.tempo));
    if (bar.section && bar.section !== last?.section) events.push(smf.marker(tick, bar.section));
    last = bar;
  }
  return events;
}

function pedals(placed: readonly PlacedBar[], part: number): smf.FileEvent[] {
  return placed.flatMap(({ bar, at }) =>
    bar.pedals
      .filter((pedal) => pedal.part === part)
      .flatMap(({ tick, length }) =>
        smf.sustain((at + tick) * PER_TICK, (at + tick + length) * PER_TICK, channelOf(part)),
      ),
  );
}

/** At the beginning and wherever they change. */
function controllers(placed: readonly PlacedBar[], part: number): smf.FileEvent[] {
  const turned = new TurnedControllers();
  return placed.flatMap(({ bar, at }) =>
    turned
      .changes(bar.controllers.filter((controller) => controller.part === part))
      .map(({ number, value }) => smf.controller(at * PER_TICK, channelOf(part), number, value)),
  );
}

/** At the beginning and wherever the part changes its instrument. */
function programs(placed: readonly PlacedBar[], part: number): smf.FileEvent[] {
  const events: smf.FileEvent[] = [];
  let known = -1;
  for (const { bar, at } of placed) {
    const program = bar.programs[part - 1] ?? 0;
    if (program !== known) events.push(smf.program(at * PER_TICK, channelOf(part), program));
    known = program;
  }
  return events;
}
