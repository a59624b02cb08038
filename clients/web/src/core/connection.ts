/**
 * The connection to a server: greeting, requests and their answers, pings, coming back.
 *
 * One session over as many connections as it takes. Sockets, timers and random numbers are given from
 * outside, so that tests can be the server and the time.
 */

import type { ConnectionState, RequestFailure } from "./api";
import { ServerClock } from "./clock";
import {
  decode,
  encode,
  PROTOCOL,
  ProtocolError,
  type Requests,
  type RequestType,
} from "./messages";
import { ObservableValue } from "./observable";
import type { FromServer, Welcome } from "./protocol";
import type { Cancel, Timers } from "./timers";

/** Pings come in a quick burst at first, then, as the page may have been busy with its beginning,
 * less quickly, then for as long as the connection holds. Each: so many, so many milliseconds apart. */
const FIRST_PINGS = [16, 50] as const;
const MORE_PINGS = [24, 500] as const;
const PING_EVERY = 4000;
/** Milliseconds without a word of the server, though it was pinged, after which it is given up. */
const DEAD_AFTER = 12_000;
const ANSWER_WITHIN = 10_000;
const SHORTEST_DELAY = 100;
const LONGEST_DELAY = 10_000;
/** Close code that leaves the session resumable; with 1000 the server would end it. */
const COMING_BACK = 4000;
const OVER = 1000;
/** Ends after which another attempt would fare no better. */
const FINAL: ReadonlySet<string> = new Set(["taken_over", "version", "unauthorised"]);
const FINAL_CODES: Readonly<Record<number, string>> = {
  4001: "taken_over",
  4002: "version",
  4003: "unauthorised",
};

/** As much of a WebSocket as is used. */
export interface Socket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: string }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  send(text: string): void;
  close(code: number): void;
}

export interface ConnectionDependencies {
  open(): Socket;
  readonly timers: Timers;
  readonly token: string;
  /** From 0 to 1. */
  random(): number;
}

/** What the connection tells. Nothing here may fail. */
export interface ConnectionListener {
  /** Every message but pongs, once and in order. */
  received(message: FromServer): void;
  welcomed(welcome: Welcome): void;
  /** The server's clock is another one than it was. */
  clockJumped(): void;
  /** What came cannot be read, and is passed over. */
  unreadable(error: ProtocolError): void;
}

export class RequestError extends Error implements RequestFailure {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

type Answer = Extract<FromServer, { id?: number | null }>;

interface PendingRequest {
  readonly answered: (answer: Answer) => void;
  readonly failed: (error: RequestError) => void;
  readonly cancel: Cancel;
}

export class ServerConnection {
  readonly state = new ObservableValue<ConnectionState>({ state: "connecting" });
  readonly clock: ServerClock;
  readonly #dependencies: ConnectionDependencies;
  readonly #listener: ConnectionListener;
  readonly #pending = new Map<number, PendingRequest>();
  #socket: Socket | null = null;
  #greeted = false;
  #session = "";
  #event = 0;
  #lastId = 0;
  #delay = SHORTEST_DELAY;
  #bye: { code: string; reason: string } | null = null;
  #helloSent = 0;
  #lastReceived = 0;
  #pings = 0;
  #ping: Cancel = () => {};
  #retry: Cancel = () => {};

  constructor(dependencies: ConnectionDependencies, listener: ConnectionListener) {
    this.#dependencies = dependencies;
    this.#listener = listener;
    this.clock = new ServerClock(() => dependencies.timers.now());
  }

  /** Connect, now. */
  connect(): void {
    this.#leave(COMING_BACK);
    this.state.set({ state: "connecting" });
    this.#bye = null;
    this.#lastReceived = this.#dependencies.timers.now();
    const socket = this.#dependencies.open();
    this.#socket = socket;
    socket.onopen = () => this.#greet(socket);
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
    // A connection that never opens is given up like one that fell silent.
    this.#ping = this.#dependencies.timers.after(DEAD_AFTER, () => this.#giveUp());
  }

  /** End the session and its own streams. */
  close(): void {
    this.#leave(OVER);
    this.#failAll(new RequestError("closed", "The page has left the server."));
  }

  /** Ask for something. `answered` is called in order with what is heard, before the promise is
   * kept. Rejects with RequestError. */
  ask<Type extends RequestType>(
    type: Type,
    fields: Requests[Type],
    answered: (answer: Answer) => void = () => {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (!this.#greeted || !this.#socket) {
        return reject(new RequestError("cut", "There is no connection: nothing was changed."));
      }
      this.#lastId += 1;
      const id = this.#lastId;
      const unanswered = () =>
        this.#settle(id)?.failed(
          new RequestError(
            "unanswered",
            `The server gave no answer within ${ANSWER_WITHIN / 1000} s.`,
          ),
        );
      this.#pending.set(id, {
        answered: (answer) => {
          answered(answer);
          resolve(answer);
        },
        failed: reject,
        cancel: this.#dependencies.timers.after(ANSWER_WITHIN, unanswered),
      });
      this.#socket.send(JSON.stringify({ type, id, ...fields }));
    });
  }

  /** The machine slept, or time is not what it seemed: connect again and learn the clock anew. */
  startOver(): void {
    if (this.state.value.state === "refused") return;
    this.clock.forget();
    this.connect();
  }

  // -- one connection ------------------------------------------------------------------------------

  #greet(socket: Socket): void {
    const { token, timers } = this.#dependencies;
    this.#helloSent = timers.now() * 1000;
    const resume = this.#session ? { session: this.#session, event: this.#event } : undefined;
    socket.send(
      encode({
        type: "hello",
        protocol: PROTOCOL,
        ...(token && { token }),
        ...(resume && { resume }),
      }),
    );
  }

  #receive(text: string): void {
    this.#lastReceived = this.#dependencies.timers.now();
    const message = this.#read(text);
    if (!message) return;
    if (message.type === "pong") return this.#addPing(message.t, message.time);
    if (message.type === "welcome") return this.#welcome(message);
    if (message.type === "bye") {
      this.#bye = message;
      return;
    }
    if (message.event) {
      if (message.event <= this.#event) return; // heard before the connection was cut
      this.#event = message.event;
    }
    this.#listener.received(message);
    if ("id" in message && message.id) this.#answer(message.id, message);
  }

  #read(text: string): FromServer | null {
    try {
      return decode(text);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#listener.unreadable(error);
      return null;
    }
  }

  #welcome(welcome: Welcome): void {
    this.#addPing(this.#helloSent, welcome.time);
    if (welcome.session !== this.#session) {
      this.#session = welcome.session;
      this.#event = 0;
    }
    if (!welcome.resumed) {
      this.#failAll(new RequestError("cut", "The connection was cut before the answer came."));
    }
    this.#delay = SHORTEST_DELAY;
    this.#pings = 0;
    this.#ping();
    this.#sendPing();
    this.#greeted = true;
    this.#listener.welcomed(welcome);
    this.state.set({ state: "open", resumed: welcome.resumed });
  }

  #answer(id: number, answer: Answer): void {
    const pending = this.#settle(id);
    if (answer.type === "error") pending?.failed(new RequestError(answer.code, answer.message));
    else pending?.answered(answer);
  }

  #settle(id: number): PendingRequest | undefined {
    const pending = this.#pending.get(id);
    pending?.cancel();
    this.#pending.delete(id);
    return pending;
  }

  #failAll(error: RequestError): void {
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.failed(error);
  }

  // -- time ----------------------------------------------------------------------------------------

  #sendPing(): void {
    const { timers } = this.#dependencies;
    if (timers.now() - this.#lastReceived > DEAD_AFTER) return this.#giveUp();
    this.#socket?.send(encode({ type: "ping", t: timers.now() * 1000, event: this.#event }));
    this.#pings += 1;
    this.#ping = timers.after(pauseAfter(this.#pings), () => this.#sendPing());
  }

  #addPing(sent: number, server: number): void {
    const received = this.#dependencies.timers.now() * 1000;
    if (this.clock.add({ sent, server, received })) this.#listener.clockJumped();
  }

  // -- coming back ---------------------------------------------------------------------------------

  #giveUp(): void {
    this.#leave(COMING_BACK);
    this.#lost(COMING_BACK, "the server is silent");
  }

  /** Let the connection go without being told of it again. */
  #leave(code: number): void {
    this.#ping();
    this.#retry();
    const socket = this.#socket;
    this.#socket = null;
    this.#greeted = false;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
  }

  #lost(code: number, reason: string): void {
    this.#ping();
    this.#socket = null;
    this.#greeted = false;
    const end = this.#bye?.code ?? FINAL_CODES[code] ?? "";
    const why = this.#bye?.reason || reason || "the connection was cut";
    if (FINAL.has(end)) {
      this.state.set({ state: "refused", code: end, why });
      return this.#failAll(new RequestError(end, why));
    }
    const { timers, random } = this.#dependencies;
    // Not all who were cut off together come back together.
    const wait = this.#delay * (0.5 + random() / 2);
    this.#delay = Math.min(this.#delay * 2, LONGEST_DELAY);
    this.state.set({ state: "lost", why, retryAt: timers.now() + wait });
    this.#retry = timers.after(wait, () => this.connect());
  }
}

function pauseAfter(pings: number): number {
  if (pings < FIRST_PINGS[0]) return FIRST_PINGS[1];
  return pings < FIRST_PINGS[0] + MORE_PINGS[0] ? MORE_PINGS[1] : PING_EVERY;
}
