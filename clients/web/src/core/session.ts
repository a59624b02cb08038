/**
 * The stream that is shown: which one, what is planned of it, how it is steered, and what becomes
 * of it when the connection is cut.
 */

import { Cell } from "./cell";
import type {
  Bar,
  Controls,
  Heard,
  Place,
  Postponed,
  Prompt,
  Session as SessionContract,
  StreamState,
  TransportAction,
} from "./contract";
import { Happenings } from "./happenings";
import { Link, type LinkEars, type LinkParts, RequestError } from "./link";
import { placeOf } from "./places";
import { PlanStore } from "./plan";
import type {
  Ack,
  BarMessage,
  FromServer,
  PresetRow,
  State,
  StationRow,
  Steer,
  SteeredMessage,
  TurnedMessage,
  Welcome,
} from "./protocol";
import type { Requests, RequestType, WireError } from "./wire";

/** Bars before the one that sounds that are asked for, to be seen. */
const PAST = 16;
/** Earlier changes that are told when a stream is first heard. */
const TOLD_OF_HISTORY = 8;

/** Whoever makes the music heard. Nothing here may fail. */
export interface Outputs {
  /** A bar that is new, revised or moved. */
  put(bar: Bar): void;
  /** Void the bars that have not begun. */
  drop(): void;
  /** End what sounds, and play nothing until `go`. */
  pause(): void;
  go(): void;
  /** End what sounds; the music goes on with the next note. */
  silence(): void;
  /** End what sounds and forget all bars. */
  clear(): void;
}

/** Changes that were postponed and are remembered: the answer to a request may come after it. */
const KEPT = 64;
const NOWHERE: Heard = { bar: null, due: null, change: null, saved: null };

export class Session implements SessionContract, LinkEars {
  readonly link: Link;
  readonly plan = new PlanStore();
  readonly happenings: Happenings;
  readonly welcome = new Cell<Welcome | null>(null);
  readonly stream = new Cell<StreamState | null>(null);
  readonly own = new Cell<string | null>(null);
  readonly postponed = new Cell<Postponed | null>(null);
  readonly place: Cell<Place | null>;
  readonly #outputs: Outputs;
  readonly #now: () => number;
  /** Model with which the own stream began. */
  #usualModel = "";
  readonly #later = new Map<number, Postponed>();
  /** Name of the stream that is shown, though its state may be yet to come. */
  #shown = "";
  #mustReplay = false;

  /** `place` is where to go at first; null: to the first station. */
  constructor(
    parts: LinkParts & { readonly wall: () => number },
    outputs: Outputs,
    place: Place | null,
  ) {
    this.place = new Cell(place);
    this.happenings = new Happenings(parts.wall);
    this.#outputs = outputs;
    this.#now = () => parts.timers.now();
    this.link = new Link(parts, this);
    let wasOpen = false;
    this.connection.watch((connection) => {
      if (connection.state === "refused" || (connection.state === "lost" && wasOpen)) {
        this.happenings.tell("connection", `The connection is lost: ${connection.why}`);
      }
      wasOpen = connection.state === "open";
    });
  }

  get connection(): Link["connection"] {
    return this.link.connection;
  }

  reconnect(): void {
    this.link.connect();
  }

  // -- where to listen -------------------------------------------------------------------------------

  go(place: Place): Promise<Heard> {
    if (place.kind === "station") return this.#listen(place.station);
    const { seed, preset, controls } = place;
    return this.#open({ seed, preset, controls }, place.model);
  }

  returnToOwn(): Promise<Heard> {
    const name = this.own.value;
    if (!name) return Promise.reject(new RequestError("unknown_stream", "There is no own stream."));
    return this.#listen(name).catch((error: unknown) => {
      if (error instanceof RequestError && error.code === "unknown_stream") this.own.set(null);
      throw error;
    });
  }

  async goWithPrompt(prompt: Prompt): Promise<Heard> {
    const stream = this.stream.value;
    if (stream && !stream.station && stream.state !== "ended")
      return this.#ask("prompt", { prompt });
    const { preset = null, controls = {} } = stream ?? {};
    return this.#open({ preset, controls, prompt }, null);
  }

  async #listen(name: string): Promise<Heard> {
    if (this.stream.value?.name === name && this.stream.value.state !== "ended") return NOWHERE;
    await this.link.ask("listen", { stream: name, past: PAST }, () => {
      // The same one in another session: what sounds may go on.
      if (name === this.#shown) this.#outputs.drop();
      else this.#outputs.clear();
      this.#show(name);
    });
    return NOWHERE;
  }

  async #open(opening: Requests["open"], model: string | null): Promise<Heard> {
    const before = this.own.value;
    let name = "";
    await this.link.ask("open", opening, (answer) => {
      name = (answer as Ack).stream;
      this.own.set(name);
      this.#usualModel = "";
      this.#outputs.clear();
      this.#show(name);
    });
    if (before) this.link.ask("close", { stream: before }).catch(() => {}); // it may have ended by now
    if (model && this.welcome.value?.capabilities.models.includes(model)) {
      await this.link.ask("load", { stream: name, model });
    }
    return NOWHERE;
  }

  /** From now on this stream is shown; its state and bars follow. */
  #show(name: string): void {
    const left = this.stream.value;
    this.plan.empty(0);
    this.stream.set(null);
    this.#shown = name;
    this.#countAnew();
    const isLeft = left && left.name !== name && left.state !== "ended";
    // An own stream that makes room for another is closed instead.
    if (isLeft && (left.station || this.own.value === left.name)) {
      this.link.ask("unlisten", { stream: left.name }).catch(() => {}); // heard or not: it is not shown
    }
  }

  /** Changes of another stream, or of a server that was started again, have other numbers. */
  #countAnew(): void {
    this.#later.clear();
    this.happenings.countAnew();
  }

  // -- steering --------------------------------------------------------------------------------------

  steer(controls: Controls): Promise<Heard> {
    return this.#ask("steer", { controls });
  }

  steerPlan(plan: NonNullable<Steer["plan"]>): Promise<Heard> {
    return this.#ask("steer", { plan });
  }

  preset(name: string): Promise<Heard> {
    return this.#ask("preset", { name });
  }

  seed(seed: number): Promise<Heard> {
    return this.#ask("seed", { seed });
  }

  model(name: string): Promise<Heard> {
    return this.#ask("load", { model: name });
  }

  transport(action: TransportAction): Promise<Heard> {
    return this.#ask("transport", { action });
  }

  async #ask<Type extends RequestType>(
    type: Type,
    fields: Omit<Requests[Type], "stream">,
  ): Promise<Heard> {
    const stream = this.#shown;
    if (!stream) throw new RequestError("unknown_stream", "No stream is shown yet.");
    const request = { stream, ...fields } as unknown as Requests[Type];
    const ack = (await this.link.ask(type, request)) as Ack;
    const { bar, due, change = null, saved = null } = ack;
    return { bar, due, change, saved, ...this.#laterThan(ack) };
  }

  /** Where a change is heard that was postponed before it was acknowledged. */
  #laterThan({ stream, change, bar }: Ack): Pick<Heard, "bar" | "due"> | undefined {
    const later = stream === this.#shown ? this.#later.get(change ?? 0) : undefined;
    return later && later.bar > (bar ?? 0) ? { bar: later.bar, due: later.due } : undefined;
  }

  async stations(): Promise<readonly StationRow[]> {
    const answer = await this.link.ask("get", { what: "stations" });
    return answer.type === "stations" ? answer.stations : [];
  }

  async presets(): Promise<readonly PresetRow[]> {
    const answer = await this.link.ask("get", { what: "presets" });
    return answer.type === "presets" ? answer.presets : [];
  }

  // -- what the link tells ---------------------------------------------------------------------------

  welcomed(welcome: Welcome): void {
    const before = this.welcome.value;
    this.happenings.you = welcome.you;
    this.welcome.set(welcome);
    this.plan.horizon = welcome.capabilities.horizon;
    if (this.#mustReplay) this.replay();
    if (welcome.resumed) return this.happenings.tell("connection", "The connection is back");
    this.happenings.tell("connection", `Connected to perpetuo ${welcome.server}`);
    // The same session, of which too much was missed: states and bars follow by themselves.
    if (before?.session === welcome.session && welcome.listening.includes(this.#shown)) return;
    this.own.set(null);
    void this.#begin(welcome);
  }

  /** A new session listens to nothing: go where the page was, or where its link leads. */
  async #begin({ capabilities }: Welcome): Promise<void> {
    this.stream.set(null);
    const first = capabilities.stations[0];
    const anywhere: Place = first
      ? { kind: "station", station: first.name }
      : { kind: "own", seed: null, preset: null, controls: {}, model: null };
    const place = this.place.value ?? anywhere;
    try {
      await this.go(place);
    } catch (error) {
      if (!(error instanceof RequestError) || error.code === "cut") return;
      this.happenings.tell("error", error.message);
      if (place !== anywhere) await this.go(anywhere).catch(() => {}); // the log has told why
    }
  }

  clockJumped(): void {
    this.replay();
  }

  /** The machine slept: end what sounds, and come back as after a cut. What was missed is left out. */
  slept(): void {
    this.#outputs.clear();
    this.#mustReplay = true;
    this.happenings.tell("connection", "This computer slept");
    this.link.startOver();
  }

  /** End what sounds and have what is planned from now on played. */
  replay(): void {
    this.#mustReplay = false;
    this.#outputs.clear();
    for (const bar of this.plan.bars()) if (bar.end > this.link.clock.now()) this.#outputs.put(bar);
  }

  garbled(error: WireError): void {
    this.happenings.tell("error", error.message);
  }

  hear(message: FromServer): void {
    if (message.type === "error" && !message.id) this.happenings.tell("error", message.message);
    if (!("stream" in message) || message.stream !== this.#shown) return;
    if (message.type === "state" && !message.id) this.#stand(message);
    else if (message.type === "bar") this.#put(message);
    else if (message.type === "steered") this.#steered(message);
    else if (message.type === "postponed") this.#postpone(message);
    else if (message.type === "moved") this.#moved(message.bar, message.later);
    else if (message.type === "turned") this.#turned(message);
    else if (message.type === "panic") this.#panic();
  }

  #stand(state: State): void {
    const isNews = this.stream.value === null;
    this.#outputs.drop();
    this.plan.expect(state.bars, state.epoch, this.link.clock.now());
    this.#describe(state, state.station, "");
    this.#playOrPause(state.state);
    for (const change of state.history.slice(-TOLD_OF_HISTORY))
      if (isNews) this.happenings.steered(change);
      else if (change.change) this.#postpone({ ...change, change: change.change });
  }

  #describe(told: State | TurnedMessage, station: boolean, reason: string): void {
    const { stream: name, state, epoch, seed, model, styles, preset, controls } = told;
    const steerable = !station || (this.welcome.value?.capabilities.may_steer_stations ?? false);
    if (!station) this.#usualModel ||= model;
    const title = "title" in told ? told.title : (this.stream.value?.title ?? name);
    const described = { name, title, station, state, epoch, seed, model, styles, preset, controls };
    this.#set({ ...described, steerable, reason });
  }

  #set(stream: StreamState): void {
    this.stream.set(stream);
    const capabilities = this.welcome.value?.capabilities;
    if (capabilities) this.place.set(placeOf(stream, capabilities, this.#usualModel));
  }

  #playOrPause(state: StreamState["state"]): void {
    if (state === "playing") this.#outputs.go();
    else this.#outputs.pause();
  }

  #put(message: BarMessage): void {
    const arrived = this.#now();
    const bar = this.plan.put(message, this.link.clock.now(), arrived);
    if (!bar) return;
    this.#outputs.put(bar);
    if (bar.late && bar.arrived === arrived) this.happenings.late(message);
  }

  #steered(message: SteeredMessage): void {
    const stream = this.stream.value;
    if (!stream) return;
    const controls = { ...stream.controls, ...message.controls };
    const preset = message.preset === undefined ? stream.preset : message.preset;
    this.#set({ ...stream, controls, preset });
    this.happenings.steered(message);
  }

  /** A change is heard in this bar, at the earliest. */
  #postpone({ change, bar, due }: Postponed): void {
    const postponed = { change, bar, due };
    this.#later.delete(change);
    this.#later.set(change, postponed);
    for (const oldest of this.#later.keys()) {
      if (this.#later.size <= KEPT) break;
      this.#later.delete(oldest);
    }
    this.happenings.postponed(postponed);
    this.postponed.set(postponed);
  }

  #moved(index: number, later: number): void {
    for (const bar of this.plan.move(index, later)) this.#outputs.put(bar);
    this.happenings.tell("moved", `Bars from ${index} on come later`, { bar: index });
  }

  #turned(message: TurnedMessage): void {
    const stream = this.stream.value;
    if (!stream) return;
    if (message.epoch > stream.epoch) {
      this.plan.begin(message.epoch, this.link.clock.now());
      this.#outputs.drop();
    }
    this.#describe(message, stream.station, message.reason);
    this.#playOrPause(message.state);
    this.happenings.turned(message);
    if (message.state === "ended" && message.stream === this.own.value) this.own.set(null);
  }

  #panic(): void {
    this.#outputs.silence();
    this.happenings.tell("panic", "Everything that sounded was ended");
  }
}
