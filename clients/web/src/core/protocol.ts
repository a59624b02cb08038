// Made of docs/protocol.schema.json by `make protocol`: change nothing here.
// biome-ignore-all format: lines are as a program writes them

export type FromClient = Hello | Listen | Unlisten | Open | Close | Steer | ChoosePreset | Transport | Reseed | LoadModel | GivePrompt | Get | Ping;

export type FromServer = Welcome | State | BarMessage | SteeredMessage | PostponedMessage | MovedMessage | TurnedMessage | PanicMessage | Ack | Pong | Stations | Presets | ErrorMessage | Bye;

/** The first message of a connection; answered by `welcome`. */
export interface Hello {
  readonly type: "hello";
  /** Version that the client speaks: 1. */
  readonly protocol: number;
  /** The secret, if the server asks. */
  readonly token?: string;
  readonly resume?: Resume | null;
}

/** Where a client was when its connection was cut. */
export interface Resume {
  /** As `welcome` gave it. */
  readonly session: string;
  /** Number of the last message that arrived, 0: none. */
  readonly event: number;
}

/** Hear a stream: `ack`, then its `state`, its planned bars, and whatever happens to it. */
export interface Listen {
  readonly type: "listen";
  /** Chosen by the client; the one `ack` or `error` that answers repeats it. */
  readonly id?: number | null;
  /** Name of a station or of an own stream. */
  readonly stream: string;
  /** Bars before the sounding one that are sent too. */
  readonly past?: number;
}

/** Hear a stream no longer. An own stream to which nobody listens ends after a while. */
export interface Unlisten {
  readonly type: "unlisten";
  /** Chosen by the client; the one `ack` or `error` that answers repeats it. */
  readonly id?: number | null;
  /** Name of a station or of an own stream. */
  readonly stream: string;
}

/** Begin an own stream and listen to it; `ack` tells its name. */
export interface Open {
  readonly type: "open";
  /** Chosen by the client; the one `ack` or `error` that answers repeats it. */
  readonly id?: number | null;
  readonly preset?: string | null;
  /** Which music; null: any. */
  readonly seed?: number | null;
  /** Values by name, see controls.md. */
  readonly controls?: Readonly<Record<string, unknown>>;
  readonly prompt?: PromptMusic | null;
}

/** Music that a stream begins with in mind; it is not played. */
export interface PromptMusic {
  /** Part, pitch, velocity, tick of the onset, length in ticks. */
  readonly notes: ReadonlyArray<readonly [part: number, pitch: number, velocity: number, tick: number, length: number]>;
  readonly metre?: string;
  /** Microseconds a quarter. */
  readonly tempo?: number;
  /** General MIDI programs by part, from 0. */
  readonly programs?: ReadonlyArray<number>;
}

/** End an own stream. */
export interface Close {
  readonly type: "close";
  /** Chosen by the client; the one `ack` or `error` that answers repeats it. */
  readonly id?: number | null;
  /** Name of a station or of an own stream. */
  readonly stream: string;
}

/** Change controls, or the plan of coming bars; `ack` tells from which bar on it is heard. */
export interface Steer {
  readonly type: "steer";
  /** Chosen by the client; the one `ack` or `error` that answers repeats it. */
  readonly id?: number | null;
  /** Name of a station or of an own stream. */
  readonly stream: string;
  /** Values by name, see controls.md. */
  readonly controls?: Readonly<Record<string, unknown>>;
  /** Values of the plan by bar: what stands there is not planned by the server. */
  readonly plan?: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Set all controls as a preset has them. */
export interface ChoosePreset {
  readonly type: "preset";
  /** Chosen by the client; the one `ack` or `error` that answers repeats it. */
  readonly id?: number | null;
  /** Name of a station or of an own stream. */
  readonly stream: string;
  readonly name: string;
}

/** Begin anew with the same seed, pause, go on from the bar of the pause, or silence at once. */
export interface Transport {
  readonly type: "transport";
  /** Chosen by the client; the one `ack` or `error` that answers repeats it. */
  readonly id?: number | null;
  /** Name of a station or of an own stream. */
  readonly stream: string;
  readonly action: "continue" | "panic" | "start" | "stop";
}

/** Begin anew with another seed. */
export interface Reseed {
  readonly type: "seed";
  /** Chosen by the client; the one `ack` or `error` that answers repeats it. */
  readonly id?: number | null;
  /** Name of a station or of an own stream. */
  readonly stream: string;
  readonly seed: number;
}

/** Begin anew with another model, one of those that `welcome` lists. */
export interface LoadModel {
  readonly type: "load";
  /** Chosen by the client; the one `ack` or `error` that answers repeats it. */
  readonly id?: number | null;
  /** Name of a station or of an own stream. */
  readonly stream: string;
  readonly model: string;
}

/** Begin anew with this music in mind. */
export interface GivePrompt {
  readonly type: "prompt";
  /** Chosen by the client; the one `ack` or `error` that answers repeats it. */
  readonly id?: number | null;
  /** Name of a station or of an own stream. */
  readonly stream: string;
  readonly prompt: PromptMusic;
}

/** Ask without listening; answered by `stations`, `presets` or `state` instead of an `ack`. */
export interface Get {
  readonly type: "get";
  /** Chosen by the client; the one `ack` or `error` that answers repeats it. */
  readonly id?: number | null;
  readonly what: "presets" | "state" | "stations";
  /** Needed for `state` alone. */
  readonly stream?: string;
}

/** Ask for the server's time; answered by `pong` at once. */
export interface Ping {
  readonly type: "ping";
  /** The client's time; `pong` repeats it. */
  readonly t: number;
  /** Number of the last message that arrived: need not be kept any more. */
  readonly event?: number;
}

/** The answer to `hello`. Not numbered. */
export interface Welcome {
  readonly type: "welcome";
  readonly protocol: number;
  /** Version of the server. */
  readonly server: string;
  /** Secret name, needed to resume. */
  readonly session: string;
  /** Public name: the `by` of what this client changes. */
  readonly you: string;
  /** Whether what was missed follows; else every `state` comes anew. */
  readonly resumed: boolean;
  /** Streams that this session hears. */
  readonly listening: ReadonlyArray<string>;
  /** Own streams of this session. */
  readonly own: ReadonlyArray<string>;
  /** Microseconds of the server's monotonic clock. */
  readonly time: number;
  readonly capabilities: Capabilities;
}

/** What this server has and can. */
export interface Capabilities {
  readonly controls: ReadonlyArray<ControlRow>;
  /** What the roles of controls mean. */
  readonly roles: Readonly<Record<string, string>>;
  /** Number of parts; the last one is percussion. */
  readonly parts: number;
  /** Ticks of a quarter note. */
  readonly ticks: number;
  /** That the control `style` mixes. */
  readonly styles: ReadonlyArray<string>;
  readonly models: ReadonlyArray<string>;
  readonly stations: ReadonlyArray<StationRow>;
  readonly presets: ReadonlyArray<PresetRow>;
  readonly may_steer_stations: boolean;
  /** Microseconds before its bar line from which on a bar is not changed. */
  readonly horizon: number;
  readonly limits: Limits;
}

/** One control, as `perpetuo controls --json` has it. */
export interface ControlRow {
  readonly name: string;
  readonly kind: string;
  readonly role: string;
  readonly group: string;
  readonly default: unknown;
  /** Whether null leaves it to the model or the plan. */
  readonly open: boolean;
  readonly low: number | null;
  readonly high: number | null;
  readonly unit: string;
  readonly choices: ReadonlyArray<string | number>;
  /** May be given by model field, part or style. */
  readonly per: string | null;
  /** What may be given, in words. */
  readonly accepts: string;
  readonly help: string;
}

/** A station, in short. */
export interface StationRow {
  readonly name: string;
  /** As it is shown to people. */
  readonly title: string;
  readonly state: string;
  readonly preset: string | null;
  readonly seed: number;
  readonly model: string;
  readonly listeners: number;
  /** Paths of its sound over HTTP, by form: mp3, opus, hls. */
  readonly streams?: Readonly<Record<string, string>>;
}

/** A preset: what it does not name stands at its default. */
export interface PresetRow {
  readonly name: string;
  readonly title: string;
  readonly help: string;
  /** Values by name, see controls.md. */
  readonly controls: Readonly<Record<string, unknown>>;
  /** Controls that the seed chooses, which are not among `controls`. */
  readonly by_seed?: ReadonlyArray<string>;
}

/** What the server allows one client. */
export interface Limits {
  /** Bytes of the largest message. */
  readonly message: number;
  /** Messages a second. */
  readonly rate: number;
  /** Own streams from one network address. */
  readonly own_streams: number;
  /** Seconds in which a session can be resumed. */
  readonly grace: number;
}

/** All about a stream. After `listen`, `bars` messages `bar` follow it. */
export interface State {
  readonly type: "state";
  /** Chosen by the client; the one `ack` or `error` that answers repeats it. */
  readonly id?: number | null;
  readonly stream: string;
  /** As it is shown to people. */
  readonly title: string;
  readonly station: boolean;
  /** How often it began anew. */
  readonly epoch: number;
  readonly state: "ended" | "playing" | "stopped";
  readonly seed: number;
  readonly model: string;
  readonly styles: ReadonlyArray<string>;
  readonly preset: string | null;
  /** All of them, in force for new bars. */
  readonly controls: Readonly<Record<string, unknown>>;
  /** The one that sounds, null: none yet. */
  readonly bar: number | null;
  /** How many messages `bar` follow at once. */
  readonly bars: number;
  /** Bars so far that had to be bridged. */
  readonly late_bars: number;
  /** The latest changes, oldest first. */
  readonly history: ReadonlyArray<Change>;
  /** Controls that its model does not follow, each with a sentence why. */
  readonly unfollowed?: Readonly<Record<string, string>>;
  /** Number of this message in its session, rising by 1 from 1. */
  readonly event?: number;
}

/** A change of controls or plan, heard from `bar` on. */
export interface Change {
  /** Values by name, see controls.md. */
  readonly controls: Readonly<Record<string, unknown>>;
  /** Values of the plan by bar: what stands there is not planned by the server. */
  readonly plan: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly bar: number;
  /** Microseconds of the server's monotonic clock. */
  readonly due: number;
  /** Who did it. */
  readonly by: string;
  /** Its number, which `postponed` names. */
  readonly change?: number;
}

/** A bar, new or of a higher revision: it replaces what the client holds of this index. */
export interface BarMessage {
  readonly type: "bar";
  readonly stream: string;
  readonly epoch: number;
  /** When its bar line sounds. */
  readonly due: number;
  readonly bar: WireBar;
  /** Number of this message in its session, rising by 1 from 1. */
  readonly event?: number;
}

/** One composed bar, as it sounds; a higher revision replaces what a listener holds. */
export interface WireBar {
  /** From 0. */
  readonly index: number;
  readonly revision: number;
  /** Ticks of the stream at the bar line. */
  readonly tick: number;
  /** Its length. */
  readonly ticks: number;
  /** Such as 4/4. */
  readonly metre: string;
  /** Microseconds a quarter. */
  readonly tempo: number;
  /** As it sounds, such as A minor. */
  readonly key: string;
  /** Heard in its halves, such as Am; empty until the first one is heard. */
  readonly chords: ReadonlyArray<string>;
  /** Of the form, empty outside one. */
  readonly section: string;
  /** The bar that it takes up again, -1: none. */
  readonly echo: number;
  /** General MIDI programs by part, from 0. */
  readonly programs: ReadonlyArray<number>;
  readonly notes: ReadonlyArray<WireNote>;
  /** Made from bars before it, because the composed one was not there in time. */
  readonly late?: boolean;
  /** When the sustain pedal of a part is down. May be passed over. */
  readonly pedals?: ReadonlyArray<WirePedal>;
  /** What is asked for of level, place, attack and reverb of parts, before its first note. May be
   * passed over. */
  readonly controllers?: ReadonlyArray<WireController>;
}

/** A note, as an array of seven numbers. */
export type WireNote = readonly [part: number, pitch: number, velocity: number, tick: number, length: number, shift: number, tie: number];

/** The sustain pedal of a part is down, as an array of three numbers: controller 64 is sent as 127,
 * and as 0 at the end. It is up at every bar line. */
export type WirePedal = readonly [part: number, tick: number, length: number];

/** A controller of a part that stands at a value in this bar, as an array of three numbers. One
 * that is in no list any more goes back to what is usual: 7 to 100, 10 and 73 to 64, 91 to 40. */
export type WireController = readonly [part: number, number: number, value: number];

/** Somebody changed controls or the plan; heard from `bar` on. `preset` is the one that was chosen
 * last. */
export interface SteeredMessage {
  readonly type: "steered";
  readonly stream: string;
  /** Values by name, see controls.md. */
  readonly controls: Readonly<Record<string, unknown>>;
  /** Values of the plan by bar: what stands there is not planned by the server. */
  readonly plan: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly bar: number;
  /** Microseconds of the server's monotonic clock. */
  readonly due: number;
  readonly by: string;
  readonly preset?: string | null;
  /** Number of the change, which `postponed` names. */
  readonly change?: number;
  /** Number of this message in its session, rising by 1 from 1. */
  readonly event?: number;
}

/** A change is not heard in the bar that was announced, which could not be composed anew in time:
 * it is heard from `bar` on. */
export interface PostponedMessage {
  readonly type: "postponed";
  readonly stream: string;
  /** As `ack` and `steered` gave it. */
  readonly change: number;
  readonly bar: number;
  /** Microseconds of the server's monotonic clock. */
  readonly due: number;
  /** Number of this message in its session, rising by 1 from 1. */
  readonly event?: number;
}

/** All bars from `bar` on are due later by `later` microseconds. */
export interface MovedMessage {
  readonly type: "moved";
  readonly stream: string;
  readonly bar: number;
  readonly later: number;
  /** Number of this message in its session, rising by 1 from 1. */
  readonly event?: number;
}

/** The stream stopped, went on, began anew (a higher `epoch`), or ended. With a higher epoch, bars
 * of earlier ones that have not begun are void. */
export interface TurnedMessage {
  readonly type: "turned";
  readonly stream: string;
  readonly state: "ended" | "playing" | "stopped";
  readonly epoch: number;
  readonly reason: string;
  readonly seed: number;
  readonly model: string;
  readonly styles: ReadonlyArray<string>;
  readonly preset: string | null;
  readonly controls: Readonly<Record<string, unknown>>;
  /** Controls that its model does not follow, each with a sentence why. */
  readonly unfollowed?: Readonly<Record<string, string>>;
  /** Number of this message in its session, rising by 1 from 1. */
  readonly event?: number;
}

/** End everything of the stream that sounds now; the music goes on with the next note. */
export interface PanicMessage {
  readonly type: "panic";
  readonly stream: string;
  /** Number of this message in its session, rising by 1 from 1. */
  readonly event?: number;
}

/** The request was carried out. */
export interface Ack {
  readonly type: "ack";
  /** Chosen by the client; the one `ack` or `error` that answers repeats it. */
  readonly id?: number | null;
  readonly stream: string;
  /** From which it is heard, where that is known. */
  readonly bar: number | null;
  /** When that bar line sounds. */
  readonly due: number | null;
  /** Number of the change of controls, which `postponed` names. */
  readonly change?: number | null;
  /** Whether it is on disk; if not, it is lost if the server dies now. null: of an own stream
   * nothing is. */
  readonly saved?: boolean | null;
  /** Number of this message in its session, rising by 1 from 1. */
  readonly event?: number;
}

/** The answer to `ping`. Not numbered. */
export interface Pong {
  readonly type: "pong";
  readonly t: number;
  /** Microseconds of the server's monotonic clock. */
  readonly time: number;
}

/** The stations, in the order of the configuration. */
export interface Stations {
  readonly type: "stations";
  /** Chosen by the client; the one `ack` or `error` that answers repeats it. */
  readonly id?: number | null;
  readonly stations: ReadonlyArray<StationRow>;
  /** Number of this message in its session, rising by 1 from 1. */
  readonly event?: number;
}

/** The presets, by name. */
export interface Presets {
  readonly type: "presets";
  /** Chosen by the client; the one `ack` or `error` that answers repeats it. */
  readonly id?: number | null;
  readonly presets: ReadonlyArray<PresetRow>;
  /** Number of this message in its session, rising by 1 from 1. */
  readonly event?: number;
}

/** Something was not done; nothing else changed. Not numbered before `welcome`. */
export interface ErrorMessage {
  readonly type: "error";
  /** Chosen by the client; the one `ack` or `error` that answers repeats it. */
  readonly id?: number | null;
  /** One of the table of errors. */
  readonly code: string;
  /** A sentence for people. */
  readonly message: string;
  /** Number of this message in its session, rising by 1 from 1. */
  readonly event?: number;
}

/** The connection is closed after this. Not numbered. */
export interface Bye {
  readonly type: "bye";
  /** One of the table of ends. */
  readonly code: string;
  /** A sentence for people. */
  readonly reason: string;
}
