/**
 * From bars to what is struck and ended, and when: every note-on finds its note-off,
 * every pedal that goes down comes up.
 *
 * Pure: it knows no clock, no synthesizer and no port, and runs in the page (for MIDI) and on the
 * audio thread (for sound) alike. Feed it bars as they come, and take what is due by some time.
 * Until something was taken, a higher revision of its bar replaces it; nothing is taken twice.
 * Times are microseconds of the server's clock.
 */

import type { Bar, Controller, Note, Pedal } from "./api";
import { TurnedControllers } from "./controllers";

/** A note-on later than this is left out: better a missing note than a burst. */
export const STALE = 30_000;
/** By which two bars may miss each other and still be neighbours, or overlap and still be two. */
const SLACK = 2_000;

/** As much of a note as counts here. */
export type ScheduledNote = Pick<
  Note,
  "part" | "pitch" | "velocity" | "onset" | "end" | "goesOn" | "goesOnFromBefore"
>;

export type ScheduledPedal = Pick<Pedal, "part" | "down" | "up">;

/** As much of a bar as counts here. */
export interface ScheduledBar extends Pick<Bar, "id" | "due" | "end" | "programs" | "controllers"> {
  readonly notes: readonly ScheduledNote[];
  readonly pedals: readonly ScheduledPedal[];
}

export type Action =
  | {
      readonly kind: "on";
      readonly time: number;
      readonly part: number;
      readonly pitch: number;
      readonly velocity: number;
    }
  | { readonly kind: "off"; readonly time: number; readonly part: number; readonly pitch: number }
  | {
      readonly kind: "program";
      readonly time: number;
      readonly part: number;
      readonly program: number;
    }
  | ({ readonly kind: "controller"; readonly time: number } & Controller)
  | {
      readonly kind: "sustain";
      readonly time: number;
      readonly part: number;
      readonly down: boolean;
    };

/** What a bar has happen at one instant, in this order. What ends does so between bar lines, which
 * may let it go on, and the rest. */
const BAR_LINE = 0;
const PROGRAMS = 1;
const BEGIN = 2;
const PRESS = 3;

interface Step {
  readonly time: number;
  readonly order: typeof BAR_LINE | typeof PROGRAMS | typeof BEGIN | typeof PRESS;
  readonly note?: ScheduledNote;
  readonly pedal?: ScheduledPedal;
}

interface QueuedBar {
  readonly bar: ScheduledBar;
  readonly steps: readonly Step[];
  next: number;
}

interface SoundingNote {
  readonly part: number;
  readonly pitch: number;
  end: number;
  /** It is to go on in the bar that begins at `end`. */
  goesOn: boolean;
}

interface PressedPedal {
  readonly part: number;
  readonly end: number;
}

const keyOf = (part: number, pitch: number): number => part * 128 + pitch;

function stepsOf(bar: ScheduledBar): Step[] {
  const steps: Step[] = [{ time: bar.due - SLACK / 2, order: BAR_LINE }];
  let first = bar.due;
  for (const note of bar.notes) {
    if (note.goesOnFromBefore) continue;
    const time = bar.due + note.onset;
    first = Math.min(first, time);
    steps.push({ time, order: BEGIN, note });
  }
  steps.push({ time: first, order: PROGRAMS });
  for (const pedal of bar.pedals) steps.push({ time: bar.due + pedal.down, order: PRESS, pedal });
  return steps.sort((a, b) => a.time - b.time || a.order - b.order);
}

export class Scheduler {
  #queue: QueuedBar[] = [];
  readonly #sounding = new Map<number, SoundingNote>();
  /** Pedals that are down, by part. */
  readonly #pressed = new Map<number, PressedPedal>();
  readonly #programs = new Map<number, number>();
  readonly #controllers = new TurnedControllers();
  /** Everything up to here was taken. */
  #taken = Number.NEGATIVE_INFINITY;
  /** Where the last bar ends whose line was passed. */
  #lastBarEnd = Number.NEGATIVE_INFINITY;
  #paused = false;
  #missed = 0;

  /** Notes that sound. */
  get sounding(): number {
    return this.#sounding.size;
  }

  /** Note-ons that were left out because they came too late. */
  get missed(): number {
    return this.#missed;
  }

  /** Bars that are not over yet. */
  get bars(): number {
    return this.#queue.length;
  }

  /** A bar that is new, revised or moved, at the time `now`. Of one that sounds already, the notes
   * yet to come. What it overlaps is void: no two bars sound at once. */
  put(bar: ScheduledBar, now: number): void {
    const others = this.#queue.filter(
      ({ bar: other }) => other.id !== bar.id && !overlap(other, bar),
    );
    const replaces = others.length < this.#queue.length;
    const follows = this.#isNext(bar);
    const steps = stepsOf(bar);
    // What was taken of an earlier revision is not played again, and who joins begins now; of a
    // bar that comes late, what was due a moment ago still is.
    const from = replaces ? this.#taken : Math.max(this.#taken, now) - (follows ? STALE : 0);
    let next = 0;
    for (const step of steps) {
      if (step.time > from) break;
      next += 1;
      if (step.order === BAR_LINE) this.#lastBarEnd = bar.end;
      if (step.order === BEGIN && !replaces && follows) this.#missed += 1;
    }
    this.#queue = [...others, { bar, steps, next }];
  }

  /** Whether it follows the last bar that was played. */
  #isNext(bar: ScheduledBar): boolean {
    return Math.abs(bar.due - this.#lastBarEnd) <= SLACK;
  }

  /** What is due up to and including `until`, in order. Ask with rising times; `now` is the time
   * from which lateness counts: what should have begun long before it is left out. */
  take(until: number, now: number): Action[] {
    if (this.#paused || until < this.#nextTime()) {
      if (!this.#paused) this.#taken = Math.max(this.#taken, until);
      return [];
    }
    const actions: Action[] = [];
    for (;;) {
      const queued = this.#earliestStep();
      const step = queued?.steps[queued.next];
      const ending = this.#earliestEnd();
      const stepTime = step?.time ?? Number.POSITIVE_INFINITY;
      const endTime = ending?.end ?? Number.POSITIVE_INFINITY;
      if (Math.min(stepTime, endTime) > until) break;
      const stepIsFirst = stepTime < endTime || (stepTime === endTime && step?.order === BAR_LINE);
      if (queued && step && stepIsFirst) {
        queued.next += 1;
        this.#step(queued.bar, step, now, actions);
      } else if (ending) {
        this.#finish(ending, ending.end, actions);
      }
    }
    this.#taken = Math.max(this.#taken, until);
    this.#queue = this.#queue.filter(
      ({ bar, steps, next }) => next < steps.length || bar.end > this.#taken,
    );
    return actions;
  }

  #nextTime(): number {
    const queued = this.#earliestStep();
    const step = queued?.steps[queued.next]?.time ?? Number.POSITIVE_INFINITY;
    return Math.min(step, this.#earliestEnd()?.end ?? Number.POSITIVE_INFINITY);
  }

  #earliestStep(): QueuedBar | null {
    let found: QueuedBar | null = null;
    let time = Number.POSITIVE_INFINITY;
    for (const queued of this.#queue) {
      const step = queued.steps[queued.next];
      if (step && step.time < time) {
        found = queued;
        time = step.time;
      }
    }
    return found;
  }

  #earliestEnd(): SoundingNote | PressedPedal | null {
    let found: SoundingNote | PressedPedal | null = null;
    for (const sounding of this.#sounding.values())
      if (!found || sounding.end < found.end) found = sounding;
    for (const pressed of this.#pressed.values())
      if (!found || pressed.end < found.end) found = pressed;
    return found;
  }

  #step(bar: ScheduledBar, step: Step, now: number, actions: Action[]): void {
    if (step.order === BAR_LINE) this.#passBarLine(bar, now, actions);
    else if (step.order === PROGRAMS) this.#setPrograms(bar, step.time, actions);
    else if (step.note) this.#begin(step.note, step.time, bar, now, actions);
    else if (step.pedal) this.#press(step.pedal, step.time, bar, now, actions);
  }

  /** Notes of the last bar go on; those that should but do not sound are struck, unless they were
   * left out or ended on purpose. */
  #passBarLine(bar: ScheduledBar, now: number, actions: Action[]): void {
    const follows = this.#isNext(bar);
    this.#lastBarEnd = bar.end;
    for (const note of bar.notes) {
      if (!note.goesOnFromBefore) continue;
      const sounding = this.#sounding.get(keyOf(note.part, note.pitch));
      if (sounding?.goesOn && Math.abs(sounding.end - bar.due) <= SLACK) {
        sounding.end = Math.max(bar.due + note.end, sounding.end + 1);
        sounding.goesOn = note.goesOn;
      } else if (!follows) {
        this.#begin(note, bar.due, bar, now, actions);
      }
    }
  }

  #setPrograms(bar: ScheduledBar, time: number, actions: Action[]): void {
    bar.programs.forEach((program, index) => {
      if (this.#programs.get(index + 1) === program) return;
      this.#programs.set(index + 1, program);
      actions.push({ kind: "program", time, part: index + 1, program });
    });
    for (const controller of this.#controllers.changes(bar.controllers))
      actions.push({ kind: "controller", time, ...controller });
  }

  #begin(
    note: ScheduledNote,
    time: number,
    bar: ScheduledBar,
    now: number,
    actions: Action[],
  ): void {
    if (time < now - STALE) {
      this.#missed += 1;
      return;
    }
    const { part, pitch, velocity } = note;
    const same = this.#sounding.get(keyOf(part, pitch));
    if (same) this.#end(same, time, actions);
    const end = Math.max(bar.due + note.end, time + 1);
    this.#sounding.set(keyOf(part, pitch), { part, pitch, end, goesOn: note.goesOn });
    actions.push({ kind: "on", time, part, pitch, velocity });
  }

  #press(
    { part, up }: ScheduledPedal,
    time: number,
    bar: ScheduledBar,
    now: number,
    actions: Action[],
  ): void {
    if (time < now - STALE) return;
    this.#release(part, time, actions);
    this.#pressed.set(part, { part, end: Math.max(bar.due + up, time + 1) });
    actions.push({ kind: "sustain", time, part, down: true });
  }

  #release(part: number, time: number, actions: Action[]): void {
    if (this.#pressed.delete(part)) actions.push({ kind: "sustain", time, part, down: false });
  }

  #finish(ending: SoundingNote | PressedPedal, time: number, actions: Action[]): void {
    if ("pitch" in ending) this.#end(ending, time, actions);
    else this.#release(ending.part, time, actions);
  }

  #end({ part, pitch }: SoundingNote, time: number, actions: Action[]): void {
    this.#sounding.delete(keyOf(part, pitch));
    actions.push({ kind: "off", time, part, pitch });
  }

  /** Void the bars that have not begun; the one that sounds is played to its end. */
  drop(): void {
    this.#queue = this.#queue.filter(({ bar }) => bar.due <= this.#taken);
  }

  /** End what sounds, after all that was taken. The music goes on with the next note. */
  silence(): Action[] {
    const actions: Action[] = [];
    const all = [...this.#sounding.values()];
    const time = Number.isFinite(this.#taken) ? this.#taken : 0;
    for (const sounding of all) this.#end(sounding, time, actions);
    for (const part of [...this.#pressed.keys()]) this.#release(part, time, actions);
    return actions;
  }

  /** End what sounds and take nothing until `resume`. Bars stay, and may be put anew. */
  pause(): Action[] {
    this.#paused = true;
    this.#lastBarEnd = Number.NEGATIVE_INFINITY;
    return this.silence();
  }

  resume(): void {
    this.#paused = false;
  }

  /** End what sounds and forget all bars: another stream, or a clock that jumped. */
  clear(): Action[] {
    const actions = this.silence();
    this.#queue = [];
    this.#programs.clear();
    this.#controllers.forget();
    this.#taken = Number.NEGATIVE_INFINITY;
    this.#lastBarEnd = Number.NEGATIVE_INFINITY;
    return actions;
  }
}

function overlap(one: ScheduledBar, other: ScheduledBar): boolean {
  return Math.min(one.end, other.end) - Math.max(one.due, other.due) > SLACK;
}
