/**
 * From bars to what is struck and ended, and when: every note-on finds its note-off.
 *
 * Pure: it knows no clock, no synthesizer and no port, and runs in the page (for MIDI) and on the
 * audio thread (for sound) alike. Feed it bars as they are told, and take what is due by some time.
 * Until something was taken, a higher revision of its bar replaces it; nothing is taken twice.
 * Times are microseconds of the server's clock.
 */

/** A note-on later than this is left out: better a missing note than a burst. */
export const STALE = 30_000;
/** By which two bars may miss each other and still be neighbours, or overlap and still be two. */
const SLACK = 2_000;

/** What of a note counts here, see `Note` of the contract. */
export interface Strike {
  readonly part: number;
  readonly pitch: number;
  readonly velocity: number;
  readonly onset: number;
  readonly end: number;
  readonly goesOn: boolean;
  readonly goesOnFromBefore: boolean;
}

/** What of a bar counts here, see `Bar` of the contract. */
export interface Passage {
  readonly id: string;
  readonly due: number;
  readonly end: number;
  readonly programs: readonly number[];
  readonly notes: readonly Strike[];
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
    };

/** What a bar has happen at one instant, in this order. What ends does so between lines, which may
 * let it go on, and the rest. */
const LINE = 0;
const PROGRAMS = 1;
const BEGIN = 2;

interface Step {
  readonly time: number;
  readonly order: typeof LINE | typeof PROGRAMS | typeof BEGIN;
  readonly note: Strike | null;
}

interface Held {
  readonly passage: Passage;
  readonly steps: readonly Step[];
  next: number;
}

interface Voice {
  readonly part: number;
  readonly pitch: number;
  end: number;
  /** It is to go on in the bar that begins at `end`. */
  goesOn: boolean;
}

const keyOf = (part: number, pitch: number): number => part * 128 + pitch;

function stepsOf(passage: Passage): Step[] {
  const steps: Step[] = [{ time: passage.due - SLACK / 2, order: LINE, note: null }];
  let first = passage.due;
  for (const note of passage.notes) {
    if (note.goesOnFromBefore) continue;
    const time = passage.due + note.onset;
    first = Math.min(first, time);
    steps.push({ time, order: BEGIN, note });
  }
  steps.push({ time: first, order: PROGRAMS, note: null });
  return steps.sort((a, b) => a.time - b.time || a.order - b.order);
}

export class Scheduler {
  #held: Held[] = [];
  readonly #voices = new Map<number, Voice>();
  readonly #programs = new Map<number, number>();
  /** Everything up to here was taken. */
  #taken = Number.NEGATIVE_INFINITY;
  /** Where the last bar ends whose line was passed. */
  #reaches = Number.NEGATIVE_INFINITY;
  #paused = false;
  #missed = 0;

  /** Notes that sound. */
  get sounding(): number {
    return this.#voices.size;
  }

  /** Note-ons that were left out because they came too late. */
  get missed(): number {
    return this.#missed;
  }

  /** Bars that are not over yet. */
  get bars(): number {
    return this.#held.length;
  }

  /** A bar that is new, revised or moved, at the time `now`. Of one that sounds already, the notes
   * yet to come. What it overlaps is void: no two bars sound at once. */
  put(passage: Passage, now: number): void {
    const others = this.#held.filter(
      ({ passage: other }) => other.id !== passage.id && !overlap(other, passage),
    );
    const replaces = others.length < this.#held.length;
    const follows = this.#isNext(passage);
    const steps = stepsOf(passage);
    // What was taken of an earlier revision is not played again, and who joins begins now; of a
    // bar that comes late, what was due a moment ago still is.
    const from = replaces ? this.#taken : Math.max(this.#taken, now) - (follows ? STALE : 0);
    let next = 0;
    for (const step of steps) {
      if (step.time > from) break;
      next += 1;
      if (step.order === LINE) this.#reaches = passage.end;
      if (step.order === BEGIN && !replaces && follows) this.#missed += 1;
    }
    this.#held = [...others, { passage, steps, next }];
  }

  /** Whether it follows the last bar that was played. */
  #isNext(passage: Passage): boolean {
    return Math.abs(passage.due - this.#reaches) <= SLACK;
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
      const held = this.#earliestStep();
      const step = held?.steps[held.next];
      const voice = this.#earliestEnd();
      const stepTime = step?.time ?? Number.POSITIVE_INFINITY;
      const endTime = voice?.end ?? Number.POSITIVE_INFINITY;
      if (Math.min(stepTime, endTime) > until) break;
      const stepIsFirst = stepTime < endTime || (stepTime === endTime && step?.order === LINE);
      if (held && step && stepIsFirst) {
        held.next += 1;
        this.#step(held.passage, step, now, actions);
      } else if (voice) {
        this.#end(voice, voice.end, actions);
      }
    }
    this.#taken = Math.max(this.#taken, until);
    this.#held = this.#held.filter(
      ({ passage, steps, next }) => next < steps.length || passage.end > this.#taken,
    );
    return actions;
  }

  #nextTime(): number {
    const held = this.#earliestStep();
    const step = held?.steps[held.next]?.time ?? Number.POSITIVE_INFINITY;
    return Math.min(step, this.#earliestEnd()?.end ?? Number.POSITIVE_INFINITY);
  }

  #earliestStep(): Held | null {
    let found: Held | null = null;
    let time = Number.POSITIVE_INFINITY;
    for (const held of this.#held) {
      const step = held.steps[held.next];
      if (step && step.time < time) {
        found = held;
        time = step.time;
      }
    }
    return found;
  }

  #earliestEnd(): Voice | null {
    let found: Voice | null = null;
    for (const voice of this.#voices.values()) if (!found || voice.end < found.end) found = voice;
    return found;
  }

  #step(passage: Passage, step: Step, now: number, actions: Action[]): void {
    if (step.order === LINE) this.#passLine(passage, now, actions);
    else if (step.order === PROGRAMS) this.#setPrograms(passage, step.time, actions);
    else if (step.note) this.#begin(step.note, step.time, passage, now, actions);
  }

  /** Notes of the last bar go on; those that should but do not sound are struck, unless they were
   * left out or ended on purpose. */
  #passLine(passage: Passage, now: number, actions: Action[]): void {
    const joined = this.#isNext(passage);
    this.#reaches = passage.end;
    for (const note of passage.notes) {
      if (!note.goesOnFromBefore) continue;
      const voice = this.#voices.get(keyOf(note.part, note.pitch));
      if (voice?.goesOn && Math.abs(voice.end - passage.due) <= SLACK) {
        voice.end = Math.max(passage.due + note.end, voice.end + 1);
        voice.goesOn = note.goesOn;
      } else if (!joined) {
        this.#begin(note, passage.due, passage, now, actions);
      }
    }
  }

  #setPrograms(passage: Passage, time: number, actions: Action[]): void {
    passage.programs.forEach((program, index) => {
      if (this.#programs.get(index + 1) === program) return;
      this.#programs.set(index + 1, program);
      actions.push({ kind: "program", time, part: index + 1, program });
    });
  }

  #begin(note: Strike, time: number, passage: Passage, now: number, actions: Action[]): void {
    if (time < now - STALE) {
      this.#missed += 1;
      return;
    }
    const { part, pitch, velocity } = note;
    const same = this.#voices.get(keyOf(part, pitch));
    if (same) this.#end(same, time, actions);
    const end = Math.max(passage.due + note.end, time + 1);
    this.#voices.set(keyOf(part, pitch), { part, pitch, end, goesOn: note.goesOn });
    actions.push({ kind: "on", time, part, pitch, velocity });
  }

  #end({ part, pitch }: Voice, time: number, actions: Action[]): void {
    this.#voices.delete(keyOf(part, pitch));
    actions.push({ kind: "off", time, part, pitch });
  }

  /** Void the bars that have not begun; the one that sounds is played to its end. */
  drop(): void {
    this.#held = this.#held.filter(({ passage }) => passage.due <= this.#taken);
  }

  /** End what sounds, after all that was taken. The music goes on with the next note. */
  silence(): Action[] {
    const actions: Action[] = [];
    const voices = [...this.#voices.values()];
    const time = Number.isFinite(this.#taken) ? this.#taken : 0;
    for (const voice of voices) this.#end(voice, time, actions);
    return actions;
  }

  /** End what sounds and take nothing until `go`. Bars stay, and may be told anew. */
  pause(): Action[] {
    this.#paused = true;
    this.#reaches = Number.NEGATIVE_INFINITY;
    return this.silence();
  }

  go(): void {
    this.#paused = false;
  }

  /** End what sounds and forget all bars: another stream, or a clock that jumped. */
  clear(): Action[] {
    const actions = this.silence();
    this.#held = [];
    this.#programs.clear();
    this.#taken = Number.NEGATIVE_INFINITY;
    this.#reaches = Number.NEGATIVE_INFINITY;
    return actions;
  }
}

function overlap(one: Passage, other: Passage): boolean {
  return Math.min(one.end, other.end) - Math.max(one.due, other.due) > SLACK;
}
