/**
 * The messages of the WebSocket protocol, version 1 (docs/protocol.md), as types; reading what
 * comes, writing what goes.
 *
 * What the server sends is checked as far as the page relies on it; unknown types are passed over
 * (`decode` gives null), and unknown fields stay unread.
 */

export const PROTOCOL = 1;
export const TICKS_PER_QUARTER = 24;
export const PARTS = 8;
/** The part that is percussion. */
export const PERCUSSION = 8;
/** Flags of a note's last number. */
export const GOES_ON = 1;
export const GOES_ON_FROM_BEFORE = 2;

export class WireError extends Error {}

// -- from the client ------------------------------------------------------------------------------

export interface PromptMusic {
  notes: readonly (readonly [number, number, number, number, number])[];
  metre?: string;
  tempo?: number;
  programs?: readonly number[];
}

type Values = Readonly<Record<string, unknown>>;

/** Requests by type, without their id. */
export interface Requests {
  listen: { stream: string; past?: number };
  unlisten: { stream: string };
  open: { preset?: string | null; seed?: number | null; controls?: Values; prompt?: PromptMusic };
  close: { stream: string };
  steer: {
    stream: string;
    controls?: Values;
    plan?: Readonly<Record<number, Readonly<Record<string, number>>>>;
  };
  preset: { stream: string; name: string };
  transport: { stream: string; action: "start" | "stop" | "continue" | "panic" };
  seed: { stream: string; seed: number };
  load: { stream: string; model: string };
  prompt: { stream: string; prompt: PromptMusic };
  get: { what: "stations" | "presets" | "state"; stream?: string };
}

export type RequestType = keyof Requests;
export type Request = {
  [Type in RequestType]: { type: Type; id?: number } & Requests[Type];
}[RequestType];

export interface Hello {
  type: "hello";
  protocol: number;
  token?: string;
  resume?: { session: string; event: number };
}

export interface Ping {
  type: "ping";
  t: number;
  event?: number;
}

export type ClientMessage = Hello | Ping | Request;

export function encode(message: ClientMessage): string {
  return JSON.stringify(message);
}

// -- from the server -------------------------------------------------------------------------------

export type WireNote = readonly [
  part: number,
  pitch: number,
  velocity: number,
  tick: number,
  length: number,
  shift: number,
  tie: number,
];

export interface WireBar {
  readonly index: number;
  readonly revision: number;
  readonly tick: number;
  readonly ticks: number;
  readonly metre: string;
  readonly tempo: number;
  readonly key: string;
  readonly chords: readonly string[];
  readonly section: string;
  readonly echo: number;
  readonly programs: readonly number[];
  readonly notes: readonly WireNote[];
  readonly late?: boolean;
}

export interface ControlRow {
  readonly name: string;
  readonly kind: string;
  readonly role: string;
  readonly group: string;
  readonly default: unknown;
  readonly open: boolean;
  readonly low: number | null;
  readonly high: number | null;
  readonly unit: string;
  readonly choices: readonly (string | number)[];
  readonly per: string | null;
  readonly accepts: string;
  readonly help: string;
}

export interface StationRow {
  readonly name: string;
  readonly title: string;
  readonly state: string;
  readonly preset: string | null;
  readonly seed: number;
  readonly model: string;
  readonly listeners: number;
  /** Paths of its sound over HTTP, by form: mp3, opus, hls. */
  readonly streams?: Readonly<Record<string, string>>;
}

export interface PresetRow {
  readonly name: string;
  readonly title: string;
  readonly help: string;
  readonly controls: Values;
}

export interface Limits {
  readonly message: number;
  readonly rate: number;
  readonly own_streams: number;
  readonly grace: number;
}

export interface Capabilities {
  readonly controls: readonly ControlRow[];
  readonly roles: Readonly<Record<string, string>>;
  readonly parts: number;
  readonly ticks: number;
  readonly styles: readonly string[];
  readonly models: readonly string[];
  readonly stations: readonly StationRow[];
  readonly presets: readonly PresetRow[];
  readonly may_steer_stations: boolean;
  /** How much nearer than this to its bar line, in microseconds, a bar is not changed any more. */
  readonly horizon: number;
  readonly limits: Limits;
}

export interface Welcome {
  readonly type: "welcome";
  readonly protocol: number;
  readonly server: string;
  readonly session: string;
  readonly you: string;
  readonly resumed: boolean;
  readonly listening: readonly string[];
  readonly own: readonly string[];
  readonly time: number;
  readonly capabilities: Capabilities;
}

export type PlayState = "playing" | "stopped" | "ended";

export interface Change {
  readonly controls: Values;
  readonly plan: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly bar: number;
  readonly due: number;
  readonly by: string;
  /** Its number, which `postponed` names; 0: it is never postponed. */
  readonly change?: number;
}

/** Numbered messages and answers: `event` is 0 where they have no number. */
interface Numbered {
  readonly event?: number;
}

interface Answer extends Numbered {
  readonly id?: number | null;
}

interface Description {
  readonly stream: string;
  readonly epoch: number;
  readonly state: PlayState;
  readonly seed: number;
  readonly model: string;
  readonly styles: readonly string[];
  readonly preset: string | null;
  readonly controls: Values;
}

export interface State extends Answer, Description {
  readonly type: "state";
  readonly title: string;
  readonly station: boolean;
  readonly bar: number | null;
  readonly bars: number;
  readonly late_bars: number;
  readonly history: readonly Change[];
}

export interface BarMessage extends Numbered {
  readonly type: "bar";
  readonly stream: string;
  readonly epoch: number;
  readonly due: number;
  readonly bar: WireBar;
}

export interface Steered extends Numbered, Change {
  readonly type: "steered";
  readonly stream: string;
  readonly preset?: string | null;
}

export interface Postponed extends Numbered {
  readonly type: "postponed";
  readonly stream: string;
  readonly change: number;
  readonly bar: number;
  readonly due: number;
}

export interface Moved extends Numbered {
  readonly type: "moved";
  readonly stream: string;
  readonly bar: number;
  readonly later: number;
}

export interface Turned extends Numbered, Description {
  readonly type: "turned";
  readonly reason: string;
}

export interface Panic extends Numbered {
  readonly type: "panic";
  readonly stream: string;
}

export interface Ack extends Answer {
  readonly type: "ack";
  readonly stream: string;
  readonly bar: number | null;
  readonly due: number | null;
  readonly change?: number | null;
  /** Whether it is on the server's disk; null: of an own stream nothing is. */
  readonly saved?: boolean | null;
}

export interface Pong {
  readonly type: "pong";
  readonly t: number;
  readonly time: number;
}

export interface Stations extends Answer {
  readonly type: "stations";
  readonly stations: readonly StationRow[];
}

export interface Presets extends Answer {
  readonly type: "presets";
  readonly presets: readonly PresetRow[];
}

export interface ErrorMessage extends Answer {
  readonly type: "error";
  readonly code: string;
  readonly message: string;
}

export interface Bye {
  readonly type: "bye";
  readonly code: string;
  readonly reason: string;
}

export type ServerMessage =
  | Welcome
  | State
  | BarMessage
  | Steered
  | Postponed
  | Moved
  | Turned
  | Panic
  | Ack
  | Pong
  | Stations
  | Presets
  | ErrorMessage
  | Bye;

type Check = (value: unknown) => boolean;

const isNumber: Check = (value) => typeof value === "number" && Number.isFinite(value);
const isWhole: Check = (value) => Number.isSafeInteger(value);
const isText: Check = (value) => typeof value === "string";
const isFlag: Check = (value) => typeof value === "boolean";
const isTable: Check = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isListOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const orAbsent =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const isPlayState: Check = (value) =>
  value === "playing" || value === "stopped" || value === "ended";
const shaped =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isTable(value) && !wrongField(value as Values, fields);

function wrongField(value: Values, fields: Readonly<Record<string, Check>>): string | undefined {
  return Object.keys(fields).find((name) => !fields[name]?.(value[name]));
}

const isNote: Check = (value) => Array.isArray(value) && value.length >= 7 && value.every(isWhole);

const isBar = shaped({
  index: isWhole,
  revision: isWhole,
  tick: isWhole,
  ticks: isWhole,
  metre: isText,
  tempo: (value) => isWhole(value) && (value as number) > 0,
  key: isText,
  chords: isListOf(isText),
  section: isText,
  echo: isWhole,
  programs: isListOf(isWhole),
  notes: isListOf(isNote),
  late: orAbsent(isFlag),
});

const isStation = shaped({
  name: isText,
  title: isText,
  state: isText,
  seed: isWhole,
  streams: orAbsent(isTable),
});
const isPreset = shaped({ name: isText, title: isText, help: isText, controls: isTable });
const isControl = shaped({ name: isText, kind: isText, group: isText, help: isText });

const isCapabilities = shaped({
  controls: isListOf(isControl),
  styles: isListOf(isText),
  models: isListOf(isText),
  stations: isListOf(isStation),
  presets: isListOf(isPreset),
  may_steer_stations: isFlag,
  horizon: isWhole,
  limits: isTable,
});

const answer = { id: orAbsent(orNull(isWhole)), event: orAbsent(isWhole) };
const numbered = { event: orAbsent(isWhole) };
const description = {
  stream: isText,
  epoch: isWhole,
  state: isPlayState,
  seed: isWhole,
  model: isText,
  styles: isListOf(isText),
  preset: orNull(isText),
  controls: isTable,
};

const FIELDS: Readonly<Record<ServerMessage["type"], Readonly<Record<string, Check>>>> = {
  welcome: {
    protocol: isWhole,
    server: isText,
    session: isText,
    you: isText,
    resumed: isFlag,
    listening: isListOf(isText),
    own: isListOf(isText),
    time: isNumber,
    capabilities: isCapabilities,
  },
  state: {
    ...answer,
    ...description,
    title: isText,
    station: isFlag,
    bar: orNull(isWhole),
    bars: isWhole,
    history: isListOf(isTable),
  },
  bar: { ...numbered, stream: isText, epoch: isWhole, due: isWhole, bar: isBar },
  steered: {
    ...numbered,
    stream: isText,
    controls: isTable,
    plan: isTable,
    bar: isWhole,
    due: isWhole,
    by: isText,
    preset: orAbsent(orNull(isText)),
    change: orAbsent(isWhole),
  },
  postponed: { ...numbered, stream: isText, change: isWhole, bar: isWhole, due: isWhole },
  moved: { ...numbered, stream: isText, bar: isWhole, later: isWhole },
  turned: { ...numbered, ...description, reason: isText },
  panic: { ...numbered, stream: isText },
  ack: {
    ...answer,
    stream: isText,
    bar: orNull(isWhole),
    due: orNull(isWhole),
    change: orAbsent(orNull(isWhole)),
    saved: orAbsent(orNull(isFlag)),
  },
  pong: { t: isNumber, time: isNumber },
  stations: { ...answer, stations: isListOf(isStation) },
  presets: { ...answer, presets: isListOf(isPreset) },
  error: { ...answer, code: isText, message: isText },
  bye: { code: isText, reason: isText },
};

/** A message of a server; null if it is of a type that this version does not know. WireError if
 * it is none, or is not what its type promises. */
export function decode(text: string): ServerMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new WireError("The server sent what is no JSON.");
  }
  const type = isTable(value) ? (value as Values).type : undefined;
  if (typeof type !== "string") throw new WireError("The server sent what is no message.");
  if (!Object.hasOwn(FIELDS, type)) return null;
  const wrong = wrongField(value as Values, FIELDS[type as ServerMessage["type"]]);
  if (wrong !== undefined) {
    throw new WireError(`The server sent a message '${type}' whose '${wrong}' cannot be read.`);
  }
  return value as ServerMessage;
}
