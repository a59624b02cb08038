/**
 * What the visible half of the page (`src/ui`) may use of the rest: types and interfaces only.
 *
 * `createPerpetuo()` of `src/core/perpetuo.ts` makes the one object `Perpetuo`; it connects at
 * once and makes no sound before `sound.start()` was called in a click. Nothing here touches the
 * document. Everything that changes is `Observable`, or has a `watch`; whoever draws sixty times a
 * second reads values and calls `clock.now()`, `plan.bars()` and `sound.level()` in each frame,
 * which costs next to nothing.
 *
 * Times: `ServerTime` is microseconds of the server's monotonic clock. What sounds at `clock.now()`
 * leaves the loudspeaker now; drawing needs no further correction. Requests answer with a promise
 * that rejects with `RequestError`, whose message is a sentence for people.
 */

import type {
  PostponedMessage,
  PresetRow,
  PromptMusic,
  State,
  StationRow,
  Steer,
  Transport,
  Welcome,
} from "./protocol";

export type { ControlRow, PresetRow, StationRow } from "./protocol";

/** Microseconds of the server's monotonic clock. */
export type ServerTime = number;
/** Any JSON: what a control may be set to. `null` is its default (often: "auto"). */
export type ControlValue = unknown;
export type Controls = Readonly<Record<string, ControlValue>>;
export type Unwatch = () => void;

/** A value that changes; `watch` gives every later one (not the present one). */
export interface Observable<T> {
  readonly value: T;
  watch(listener: (value: T) => void): Unwatch;
}

// -- music --------------------------------------------------------------------------------------

/** One note, or the piece of it that lies in its bar. */
export interface Note {
  /** From 1; the last part, 8, is percussion. */
  readonly part: number;
  readonly pitch: number;
  readonly velocity: number;
  /** Microseconds after the bar line (may be a little before it: negative), swing included. */
  readonly onset: number;
  /** Microseconds after the bar line; of a note that goes on in the next bar, the bar's end. */
  readonly end: number;
  /** It goes on in the next bar: draw it up to the bar line, without an end. */
  readonly goesOn: boolean;
  /** It began in the bar before: draw it without a beginning. */
  readonly goesOnFromBefore: boolean;
  /** Ticks since the bar line, and its length in ticks, as they are written: 24 a quarter. */
  readonly tick: number;
  readonly length: number;
}

/** When the sustain pedal of a part is down; it is up at every bar line. */
export interface Pedal {
  readonly part: number;
  /** Microseconds after the bar line. */
  readonly down: number;
  readonly up: number;
  /** Ticks since the bar line, and its length in ticks. */
  readonly tick: number;
  readonly length: number;
}

/** A controller of a part stands at a value throughout a bar: 7 level, 10 place (64 is the middle),
 * 73 attack, 91 reverb. */
export interface Controller {
  readonly part: number;
  readonly number: number;
  readonly value: number;
}

/** A bar as it is planned. Immutable: whatever changes comes as another object. */
export interface Bar {
  /** Unlike that of any other bar, the same for all its revisions. */
  readonly id: string;
  readonly epoch: number;
  readonly index: number;
  readonly revision: number;
  /** When its bar line sounds. */
  readonly due: ServerTime;
  /** When the next bar line sounds. */
  readonly end: ServerTime;
  readonly tick: number;
  readonly ticks: number;
  readonly metre: string;
  /** Microseconds a quarter. */
  readonly tempo: number;
  readonly key: string;
  /** Of its halves; "" where none is planned. */
  readonly chords: readonly string[];
  readonly section: string;
  /** Index of the bar that it takes up again, -1: none. */
  readonly echo: number;
  readonly programs: readonly number[];
  readonly notes: readonly Note[];
  readonly pedals: readonly Pedal[];
  readonly controllers: readonly Controller[];
  /** A stand-in of the server, because the composed bar was not there in time. */
  readonly late: boolean;
  /** When this revision came, in milliseconds of `performance.now()`. */
  readonly arrived: number;
  /** What this revision replaced (without its own `previous`), null at the first. */
  readonly previous: Bar | null;
}

/** Past: over. Sounding: now. Committed: will not change any more. Open: a change may revise it. */
export type BarStatus = "past" | "sounding" | "committed" | "open";

export type PlanUpdate =
  | { readonly kind: "bar"; readonly bar: Bar }
  /** Bars from this index on are due later. */
  | { readonly kind: "moved"; readonly index: number; readonly later: number }
  /** A new beginning: bars that had not begun are gone. */
  | { readonly kind: "begun"; readonly epoch: number }
  /** Another stream, or one that must be told anew: nothing is known. */
  | { readonly kind: "emptied" };

/** The bars of the stream that is shown: those of the last ten minutes, now, and ahead. */
export interface Plan {
  /** Rises with every change. */
  readonly version: number;
  /** In the order in which they sound. The same array until something changes. */
  bars(): readonly Bar[];
  /** The bar that sounds at that time. */
  at(time: ServerTime): Bar | null;
  statusOf(bar: Bar, now: ServerTime): BarStatus;
  watch(listener: (change: PlanUpdate) => void): Unwatch;
}

// -- connection ---------------------------------------------------------------------------------

export type ConnectionState =
  | { readonly state: "connecting" }
  /** `resumed`: came back without losing anything. */
  | { readonly state: "open"; readonly resumed: boolean }
  /** Lost; the next attempt at `retryAt` of `performance.now()`. What is planned plays on. */
  | { readonly state: "lost"; readonly why: string; readonly retryAt: number }
  /** Over for good, until `session.reconnect()`: wrong token, taken over by another tab, version. */
  | { readonly state: "refused"; readonly code: string; readonly why: string };

export interface Clock {
  /** Whether the server's clock is known; `now` is of no use before. */
  readonly isSet: boolean;
  now(): ServerTime;
  /** Milliseconds of `performance.now()` at which the server's clock shows `time`. */
  toPage(time: ServerTime): number;
  /** Microseconds of the best round trip; the error of `now` is at most half of it. */
  readonly roundTrip: number;
}

// -- the stream that is shown --------------------------------------------------------------------

/** What is known of the stream that is shown. */
export interface StreamState {
  readonly name: string;
  /** As it is shown to people. */
  readonly title: string;
  readonly station: boolean;
  readonly state: State["state"];
  readonly epoch: number;
  readonly seed: number;
  readonly model: string;
  readonly styles: readonly string[];
  readonly preset: string | null;
  /** All controls, in force for what is composed from now on. */
  readonly controls: Controls;
  /** Controls that its model does not follow, each with a sentence why. */
  readonly unfollowed: Readonly<Record<string, string>>;
  /** Whether this client may change it. */
  readonly steerable: boolean;
  /** Why the state is what it is; "" if nothing was told. */
  readonly reason: string;
}

/** From where on a change is heard: "bar 42". */
export interface ChangeAnnounced {
  readonly bar: number | null;
  readonly due: ServerTime | null;
  /** Number of the change, which `ChangePostponed` names; null: it has none. */
  readonly change: number | null;
  /** Whether the server has it on disk; if not, it is lost if the server dies now. null: of an own
   * stream nothing is kept. */
  readonly saved: boolean | null;
}

/** A change is heard later than was told: from this bar on. */
export type ChangePostponed = Pick<PostponedMessage, "change" | "bar" | "due">;

/** A refusal of the server (`code` as in docs/protocol.md), or "cut", "unanswered", "closed". */
export interface RequestFailure extends Error {
  readonly code: string;
}

/** Which music is shown: what a link holds. */
export type StreamChoice =
  | { readonly kind: "station"; readonly station: string }
  | {
      readonly kind: "own";
      /** null: any; once the stream plays, links hold the one that was drawn. */
      readonly seed: number | null;
      readonly preset: string | null;
      /** On top of the preset. */
      readonly controls: Controls;
      /** null: the server's own. */
      readonly model: string | null;
    };

export type Prompt = Required<PromptMusic>;
export type TransportAction = Transport["action"];

export interface SessionApi {
  readonly connection: Observable<ConnectionState>;
  /** What the server has and can: controls, presets, styles, models, stations. null: not yet told. */
  readonly welcome: Observable<Welcome | null>;
  /** null: none yet. */
  readonly stream: Observable<StreamState | null>;
  /** The own stream of this session that could be returned to, though a station is shown. */
  readonly own: Observable<string | null>;
  /** The last change of the stream that is shown which was postponed. */
  readonly postponed: Observable<ChangePostponed | null>;

  /** Show another station, or begin an own stream. The stream that was shown is left; an own one
   * ends a minute after it was left, unless it is returned to. */
  go(choice: StreamChoice): Promise<ChangeAnnounced>;
  /** Return to the own stream that plays already. */
  returnToOwn(): Promise<ChangeAnnounced>;
  /** An own stream that begins with this music in mind; on an own stream: it begins anew so. */
  goWithPrompt(prompt: Prompt): Promise<ChangeAnnounced>;

  steer(controls: Controls): Promise<ChangeAnnounced>;
  /** Values of the plan by bar, such as `{ 48: { chord: 9 } }`. */
  steerPlan(plan: NonNullable<Steer["plan"]>): Promise<ChangeAnnounced>;
  preset(name: string): Promise<ChangeAnnounced>;
  seed(seed: number): Promise<ChangeAnnounced>;
  model(name: string): Promise<ChangeAnnounced>;
  transport(action: TransportAction): Promise<ChangeAnnounced>;
  /** Stations as they are now; `welcome` has those of the beginning. */
  stations(): Promise<readonly StationRow[]>;
  presets(): Promise<readonly PresetRow[]>;
  /** Try again at once. */
  reconnect(): void;
}

// -- what happened --------------------------------------------------------------------------------

export type LogEntryKind =
  | "steered"
  | "turned"
  | "moved"
  | "late"
  | "panic"
  | "connection"
  | "error"
  | "note";

/** Immutable: of a change that is postponed another one takes the place, with the same number. */
export interface LogEntry {
  /** Rises from 1. */
  readonly number: number;
  readonly kind: LogEntryKind;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** A sentence for people. */
  readonly text: string;
  /** From which bar on it is heard, and when, where that is known. */
  readonly bar: number | null;
  readonly due: ServerTime | null;
  /** Public name of who did it, "" where that is not known. */
  readonly by: string;
  readonly mine: boolean;
  /** Of `steered`. */
  readonly controls: Controls;
  readonly change: number | null;
}

// -- sound ------------------------------------------------------------------------------------------

export type SoundState =
  | { readonly kind: "off" }
  /** `total` null: not told by the server. Bytes. */
  | { readonly kind: "loading"; readonly loaded: number; readonly total: number | null }
  /** By the synthesizer of the page; or the server's audio stream, and `why` says why that. */
  | { readonly kind: "playing"; readonly by: "page" | "server"; readonly why: string }
  /** The browser wants another click before it lets anything sound. */
  | { readonly kind: "blocked"; readonly why: string }
  | { readonly kind: "failed"; readonly why: string };

export interface PartMix {
  /** From 1. */
  readonly part: number;
  readonly muted: boolean;
  readonly solo: boolean;
  /** General MIDI program from 0 that this page plays instead of the composed one; null: that.
   * Of percussion: the number of the kit. */
  readonly program: number | null;
}

/** Counted since the sound began; for tests and the curious. */
export interface SoundFigures {
  readonly notes: number;
  /** Note-ons that came too late and were left out. */
  readonly missed: number;
  /** Microseconds by which the latest note-on was late. */
  readonly worstLateness: number;
  /** Notes that sound now. */
  readonly sounding: number;
}

export interface SoundApi {
  readonly state: Observable<SoundState>;
  /** Call it in a click. Never rejects: what went wrong is in `state`. */
  start(): Promise<void>;
  stop(): void;
  /** Whether `start` will use the page's synthesizer; if not, `why` is a sentence. */
  readonly ability: { readonly synthesizer: boolean; readonly why: string };
  /** 0 … 1; kept in the browser, as are reverb and the mix. */
  readonly volume: Observable<number>;
  setVolume(volume: number): void;
  /** 0 … 1. Has no effect on the server's stream, nor has the mix. */
  readonly reverb: Observable<number>;
  setReverb(reverb: number): void;
  readonly mix: Observable<readonly PartMix[]>;
  setPart(part: number, change: Partial<Omit<PartMix, "part">>): void;
  /** How loud it is, root mean square of the last 43 ms: 0 … 1. */
  level(): number;
  figures(): SoundFigures;
  /** The last node before the loudspeaker, for measuring; null while there is none. */
  readonly output: AudioNode | null;
}

// -- MIDI -------------------------------------------------------------------------------------------

export interface MidiPort {
  readonly id: string;
  readonly name: string;
}

export type MidiState =
  /** Nobody asked yet: `midi.ask()` in a click. */
  | { readonly kind: "unasked" }
  | { readonly kind: "unavailable"; readonly why: string }
  | {
      readonly kind: "ready";
      readonly outputs: readonly MidiPort[];
      readonly inputs: readonly MidiPort[];
      /** Ids; null: none is chosen. */
      readonly output: string | null;
      readonly input: string | null;
    };

/** What was played into the chosen input. */
export interface Played {
  readonly notes: number;
  /** Seconds from the first onset to the last end. */
  readonly seconds: number;
  /** Notes held right now. */
  readonly held: readonly number[];
}

export interface MidiApi {
  readonly state: Observable<MidiState>;
  ask(): Promise<void>;
  chooseOutput(id: string | null): void;
  chooseInput(id: string | null): void;
  readonly played: Observable<Played>;
  /** Forget what was played. */
  forget(): void;
  /** What was played, as a prompt for `session.goWithPrompt`; null: nothing yet. It is laid on
   * ticks at the tempo of the bar that sounds. */
  prompt(): Prompt | null;
}

// -- all of it ----------------------------------------------------------------------------------------

export interface Perpetuo {
  readonly session: SessionApi;
  readonly clock: Clock;
  readonly plan: Plan;
  readonly sound: SoundApi;
  readonly midi: MidiApi;
  /** What happened, oldest first; at most 500. */
  readonly log: Observable<readonly LogEntry[]>;
  /** The link that brings back this music. The address bar is kept at it. */
  readonly link: Observable<string>;
  /** The music of the last minutes (at most ten) as a MIDI file; null: nothing has sounded yet. */
  save(minutes: number): { readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> } | null;
  /** Ends notes and the session: for tests. */
  close(): void;
}
