/**
 * Reading and writing the messages of the WebSocket protocol, version 1 (docs/protocol.md).
 *
 * Their types stand in `protocol.ts`. What the server sends is checked as far as the page relies on
 * it; unknown types are passed over (`decode` gives null), and unknown fields stay unread.
 */

import type {
  Capabilities,
  ControlRow,
  FromClient,
  FromServer,
  Hello,
  Ping,
  PresetRow,
  State,
  StationRow,
  TurnedMessage,
  WireBar,
} from "./protocol";

export const PROTOCOL = 1;
export const TICKS_PER_QUARTER = 24;
export const PARTS = 8;
/** The part that is percussion. */
export const PERCUSSION = 8;
/** Flags of a note's last number. */
export const GOES_ON = 1;
export const GOES_ON_FROM_BEFORE = 2;

export class ProtocolError extends Error {}

/** A message that the server answers, by one `ack` or `error` or by what was asked for. */
export type Request = Exclude<FromClient, Hello | Ping>;
export type RequestType = Request["type"];
/** Requests by type, without their id. */
export type Requests = {
  [Type in RequestType]: Omit<Extract<Request, { type: Type }>, "type" | "id">;
};

export function encode(message: FromClient): string {
  return JSON.stringify(message);
}

type Values = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;
/** What is checked of a message, or of a table in one. */
type Checks<Shape = Values> = { readonly [Field in keyof Shape]?: Check };

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
  <Shape>(fields: Checks<Shape>): Check =>
  (value) =>
    isTable(value) && !wrongField(value as Values, fields);

function wrongField(value: Values, fields: Checks): string | undefined {
  return Object.keys(fields).find((name) => !fields[name]?.(value[name]));
}

const isNote: Check = (value) => Array.isArray(value) && value.length >= 7 && value.every(isWhole);

/** Of a pedal or a controller. */
const isTriple: Check = (value) =>
  Array.isArray(value) && value.length >= 3 && value.every(isWhole);

const isBar = shaped<WireBar>({
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
  pedals: orAbsent(isListOf(isTriple)),
  controllers: orAbsent(isListOf(isTriple)),
});

const isStation = shaped<StationRow>({
  name: isText,
  title: isText,
  state: isText,
  seed: isWhole,
  streams: orAbsent(isTable),
});
const isPreset = shaped<PresetRow>({
  name: isText,
  title: isText,
  help: isText,
  controls: isTable,
  by_seed: orAbsent(isListOf(isText)),
});
const isControl = shaped<ControlRow>({ name: isText, kind: isText, group: isText, help: isText });

const isCapabilities = shaped<Capabilities>({
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
const description: Checks<State | TurnedMessage> = {
  stream: isText,
  epoch: isWhole,
  state: isPlayState,
  seed: isWhole,
  model: isText,
  styles: isListOf(isText),
  preset: orNull(isText),
  controls: isTable,
  unfollowed: orAbsent(isTable),
};

const FIELDS: {
  readonly [Type in FromServer["type"]]: Checks<Omit<Extract<FromServer, { type: Type }>, "type">>;
} = {
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

/** A message of a server; null if it is of a type that this version does not know. ProtocolError if
 * it is none, or is not what its type promises. */
export function decode(text: string): FromServer | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolError("The server sent what is no JSON.");
  }
  const type = isTable(value) ? (value as Values).type : undefined;
  if (typeof type !== "string") throw new ProtocolError("The server sent what is no message.");
  if (!Object.hasOwn(FIELDS, type)) return null;
  const wrong = wrongField(value as Values, FIELDS[type as FromServer["type"]]);
  if (wrong !== undefined) {
    throw new ProtocolError(`The server sent a message '${type}' whose '${wrong}' cannot be read.`);
  }
  return value as FromServer;
}
