/**
 * The stream that is shown: which one, what is planned of it, how it is steered, and what becomes
 * of it when the connection is cut.
 */

import type {
  Bar,
  ChangeAnnounced,
  ChangePostponed,
  Controls,
  Prompt,
  SessionApi,
  StreamChoice,
  StreamState,
  TransportAction,
} from "./api";
import {
  type ConnectionDependencies,
  type ConnectionListener,
  RequestError,
  ServerConnection,
} from "./connection";
import { Log } from "./log";
import type { ProtocolError, Requests, RequestType } from "./messages";
import { ObservableValue } from "./observable";
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
import { choiceOf } from "./stream_link";

/** Bars before the one that sounds that are asked for, to be seen. */
const PAST = 16;
/** Earlier changes that are logged when a stream is first heard. */
const LOGGED_OF_HISTORY = 8;

/** What makes the music heard: synthesizer, MIDI. Nothing here may fail. */
export interface MusicOutput {
  /** A bar that is new, revised or moved. */
  put(bar: Bar): void;
  /** Void the bars that have not begun. */
  drop(): void;
  /** End what sounds, and play nothing until `resume`. */
  pause(): void;
  resume(): void;
  /** End what sounds; the music goes on with the next note. */
  silence(): void;
  /** End what sounds and forget all bars. */
  clear(): void;
}

/** Changes that were postponed and are remembered: the answer to a request may come after it. */
const MOST_POSTPONEMENTS = 64;
const NO_CHANGE: ChangeAnnounced = { bar: null, due: null, change: null, saved: null };

export class Session implements SessionApi, ConnectionListener {
  readonly server: ServerConnection;
  readonly plan = new PlanStore();
  readonly log: Log;
  readonly welcome = new ObservableValue<Welcome | null>(null);
  readonly stream = new ObservableValue<StreamState | null>(null);
  readonly own = new ObservableValue<string | null>(null);
  readonly postponed = new ObservableValue<ChangePostponed | null>(null);
  readonly choice: ObservableValue<StreamChoice | null>;
  readonly #output: MusicOutput;
  readonly #now: () => number;
  /** Model with which the own stream began. */
  #defaultModel = "";
  readonly #postponements = new Map<number, ChangePostponed>();
  /** Name of the stream that is shown, though its state may be yet to come. */
  #shownName = "";
  #mustReplay = false;

  /** `choice` is where to go at first; null: to the first station. */
  constructor(
    dependencies: ConnectionDependencies & { readonly wallClock: () => number },
    output: MusicOutput,
    choice: StreamChoice | null,
  ) {
    this.choice = new ObservableValue(choice);
    this.log = new Log(dependencies.wallClock);
    this.#output = output;
    this.#now = () => dependencies.timers.now();
    this.server = new ServerConnection(dependencies, this);
    let wasOpen = false;
    this.connection.watch((connection) => {
      if (connection.state === "refused" || (connection.state === "lost" && wasOpen)) {
        this.log.add("connection", `The connection is lost: ${connection.why}`);
      }
      wasOpen = connection.state === "open";
    });
  }

  get connection(): ServerConnection["state"] {
    return this.server.state;
  }

  reconnect(): void {
    this.server.connect();
  }

  // -- where to listen -------------------------------------------------------------------------------

  go(choice: StreamChoice): Promise<ChangeAnnounced> {
    if (choice.kind === "station") return this.#listen(choice.station);
    const { seed, preset, controls } = choice;
    return this.#open({ seed, preset, controls }, choice.model);
  }

  returnToOwn(): Promise<ChangeAnnounced> {
    const name = this.own.value;
    if (!name) return Promise.reject(new RequestError("unknown_stream", "There is no own stream."));
    return this.#listen(name).catch((error: unknown) => {
      if (error instanceof RequestError && error.code === "unknown_stream") this.own.set(null);
      throw error;
    });
  }

  async goWithPrompt(prompt: Prompt): Promise<ChangeAnnounced> {
    const stream = this.stream.value;
    if (stream && !stream.station && stream.state !== "ended")
      return this.#ask("prompt", { prompt });
    const { preset = null, controls = {} } = stream ?? {};
    return this.#open({ preset, controls, prompt }, null);
  }

  async #listen(name: string): Promise<ChangeAnnounced> {
    if (this.stream.value?.name === name && this.stream.value.state !== "ended") return NO_CHANGE;
    await this.server.ask("listen", { stream: name, past: PAST }, () => {
      // The same one in another session: what sounds may go on.
      if (name === this.#shownName) this.#output.drop();
      else this.#output.clear();
      this.#show(name);
    });
    return NO_CHANGE;
  }

  async #open(opening: Requests["open"], model: string | null): Promise<ChangeAnnounced> {
    const before = this.own.value;
    let name = "";
    await this.server.ask("open", opening, (answer) => {
      name = (answer as Ack).stream;
      this.own.set(name);
      this.#defaultModel = "";
      this.#output.clear();
      this.#show(name);
    });
    if (before) this.server.ask("close", { stream: before }).catch(() => {}); // it may have ended by now
    if (model && this.welcome.value?.capabilities.models.includes(model)) {
      await this.server.ask("load", { stream: name, model });
    }
    return NO_CHANGE;
  }

  /** From now on this stream is shown; its state and bars follow. */
  #show(name: string): void {
    const left = this.stream.value;
    this.plan.empty(0);
    this.stream.set(null);
    this.#shownName = name;
    this.#resetChangeNumbers();
    const isLeft = left && left.name !== name && left.state !== "ended";
    // An own stream that makes room for another is closed instead.
    if (isLeft && (left.station || this.own.value === left.name)) {
      this.server.ask("unlisten", { stream: left.name }).catch(() => {}); // heard or not: it is not shown
    }
  }

  /** Changes of another stream, or of a server that was started again, have other numbers. */
  #resetChangeNumbers(): void {
    this.#postponements.clear();
    this.log.resetChangeNumbers();
  }

  // -- steering --------------------------------------------------------------------------------------

  steer(controls: Controls): Promise<ChangeAnnounced> {
    return this.#ask("steer", { controls });
  }

  steerPlan(plan: NonNullable<Steer["plan"]>): Promise<ChangeAnnounced> {
    return this.#ask("steer", { plan });
  }

  preset(name: string): Promise<ChangeAnnounced> {
    return this.#ask("preset", { name });
  }

  seed(seed: number): Promise<ChangeAnnounced> {
    return this.#ask("seed", { seed });
  }

  model(name: string): Promise<ChangeAnnounced> {
    return this.#ask("load", { model: name });
  }

  transport(action: TransportAction): Promise<ChangeAnnounced> {
    return this.#ask("transport", { action });
  }

  async #ask<Type extends RequestType>(
    type: Type,
    fields: Omit<Requests[Type], "stream">,
  ): Promise<ChangeAnnounced> {
    const stream = this.#shownName;
    if (!stream) throw new RequestError("unknown_stream", "No stream is shown yet.");
    const request = { stream, ...fields } as unknown as Requests[Type];
    const ack = (await this.server.ask(type, request)) as Ack;
    const { bar, due, change = null, saved = null } = ack;
    return { bar, due, change, saved, ...this.#postponementOf(ack) };
  }

  /** Where a change is heard that was postponed before it was acknowledged. */
  #postponementOf({ stream, change, bar }: Ack): Pick<ChangeAnnounced, "bar" | "due"> | undefined {
    const postponed = stream === this.#shownName ? this.#postponements.get(change ?? 0) : undefined;
    return postponed && postponed.bar > (bar ?? 0)
      ? { bar: postponed.bar, due: postponed.due }
      : undefined;
  }

  async stations(): Promise<readonly StationRow[]> {
    const answer = await this.server.ask("get", { what: "stations" });
    return answer.type === "stations" ? answer.stations : [];
  }

  async presets(): Promise<readonly PresetRow[]> {
    const answer = await this.server.ask("get", { what: "presets" });
    return answer.type === "presets" ? answer.presets : [];
  }

  // -- what the connection tells --------------------------------------------------------------------

  welcomed(welcome: Welcome): void {
    const before = this.welcome.value;
    this.log.you = welcome.you;
    this.welcome.set(welcome);
    this.plan.horizon = welcome.capabilities.horizon;
    if (this.#mustReplay) this.replay();
    if (welcome.resumed) return this.log.add("connection", "The connection is back");
    this.log.add("connection", `Connected to perpetuo ${welcome.server}`);
    // The same session, of which too much was missed: states and bars follow by themselves.
    if (before?.session === welcome.session && welcome.listening.includes(this.#shownName)) return;
    this.own.set(null);
    void this.#begin(welcome);
  }

  /** A new session listens to nothing: go where the page was, or where its link leads. */
  async #begin({ capabilities }: Welcome): Promise<void> {
    this.stream.set(null);
    const first = capabilities.stations[0];
    const anywhere: StreamChoice = first
      ? { kind: "station", station: first.name }
      : { kind: "own", seed: null, preset: null, controls: {}, model: null };
    const choice = this.choice.value ?? anywhere;
    try {
      await this.go(choice);
    } catch (error) {
      if (!(error instanceof RequestError) || error.code === "cut") return;
      this.log.add("error", error.message);
      if (choice !== anywhere) await this.go(anywhere).catch(() => {}); // the log has told why
    }
  }

  clockJumped(): void {
    this.replay();
  }

  /** The machine slept: end what sounds, and come back as after a cut. What was missed is left out. */
  slept(): void {
    this.#output.clear();
    this.#mustReplay = true;
    this.log.add("connection", "This computer slept");
    this.server.startOver();
  }

  /** End what sounds and have what is planned from now on played. */
  replay(): void {
    this.#mustReplay = false;
    this.#output.clear();
    for (const bar of this.plan.bars())
      if (bar.end > this.server.clock.now()) this.#output.put(bar);
  }

  unreadable(error: ProtocolError): void {
    this.log.add("error", error.message);
  }

  received(message: FromServer): void {
    if (message.type === "error" && !message.id) this.log.add("error", message.message);
    if (!("stream" in message) || message.stream !== this.#shownName) return;
    if (message.type === "state" && !message.id) this.#takeState(message);
    else if (message.type === "bar") this.#takeBar(message);
    else if (message.type === "steered") this.#changeAnnounced(message);
    else if (message.type === "postponed") this.#changePostponed(message);
    else if (message.type === "moved") this.#barsMoved(message.bar, message.later);
    else if (message.type === "turned") this.#stateTurned(message);
    else if (message.type === "panic") this.#endAllNotes();
  }

  #takeState(state: State): void {
    const isNews = this.stream.value === null;
    this.#output.drop();
    this.plan.expect(state.bars, state.epoch, this.server.clock.now());
    this.#describe(state, state.station, "");
    this.#resumeOrPause(state.state);
    for (const change of state.history.slice(-LOGGED_OF_HISTORY))
      if (isNews) this.log.changeAnnounced(change);
      else if (change.change) this.#changePostponed({ ...change, change: change.change });
  }

  #describe(message: State | TurnedMessage, station: boolean, reason: string): void {
    const { stream: name, state, epoch, seed, model, styles, preset, controls } = message;
    const unfollowed = message.unfollowed ?? {};
    const steerable = !station || (this.welcome.value?.capabilities.may_steer_stations ?? false);
    if (!station) this.#defaultModel ||= model;
    const title = "title" in message ? message.title : (this.stream.value?.title ?? name);
    const described = { name, title, station, state, epoch, seed, model, styles, preset, controls };
    this.#set({ ...described, unfollowed, steerable, reason });
  }

  #set(stream: StreamState): void {
    this.stream.set(stream);
    const capabilities = this.welcome.value?.capabilities;
    if (capabilities) this.choice.set(choiceOf(stream, capabilities, this.#defaultModel));
  }

  #resumeOrPause(state: StreamState["state"]): void {
    if (state === "playing") this.#output.resume();
    else this.#output.pause();
  }

  #takeBar(message: BarMessage): void {
    const arrived = this.#now();
    const bar = this.plan.put(message, this.server.clock.now(), arrived);
    if (!bar) return;
    this.#output.put(bar);
    if (bar.late && bar.arrived === arrived) this.log.barLate(message);
  }

  #changeAnnounced(message: SteeredMessage): void {
    const stream = this.stream.value;
    if (!stream) return;
    const controls = { ...stream.controls, ...message.controls };
    const preset = message.preset === undefined ? stream.preset : message.preset;
    this.#set({ ...stream, controls, preset });
    this.log.changeAnnounced(message);
  }

  /** A change is heard in this bar, at the earliest. */
  #changePostponed({ change, bar, due }: ChangePostponed): void {
    const postponed = { change, bar, due };
    this.#postponements.delete(change);
    this.#postponements.set(change, postponed);
    for (const oldest of this.#postponements.keys()) {
      if (this.#postponements.size <= MOST_POSTPONEMENTS) break;
      this.#postponements.delete(oldest);
    }
    this.log.changePostponed(postponed);
    this.postponed.set(postponed);
  }

  #barsMoved(index: number, later: number): void {
    for (const bar of this.plan.move(index, later)) this.#output.put(bar);
    this.log.add("moved", `Bars from ${index} on come later`, { bar: index });
  }

  #stateTurned(message: TurnedMessage): void {
    const stream = this.stream.value;
    if (!stream) return;
    if (message.epoch > stream.epoch) {
      this.plan.begin(message.epoch, this.server.clock.now());
      this.#output.drop();
    }
    this.#describe(message, stream.station, message.reason);
    this.#resumeOrPause(message.state);
    this.log.stateTurned(message);
    if (message.state === "ended" && message.stream === this.own.value) this.own.set(null);
  }

  #endAllNotes(): void {
    this.#output.silence();
    this.log.add("panic", "Everything that sounded was ended");
  }
}
