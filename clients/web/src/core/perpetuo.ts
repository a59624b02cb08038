/** Everything but what is seen, put together; see `Perpetuo` in api.ts. */

import { Midi } from "../midi/midi";
import { Sound } from "../sound/sound";
import type { Bar, Perpetuo } from "./api";
import type { Socket } from "./connection";
import { ObservableValue } from "./observable";
import { recording } from "./recording";
import { type MusicOutput, Session } from "./session";
import { readLink, same, writeLink } from "./stream_link";
import { every, WorkerTimers } from "./timers";

const SECOND = 1000;
/** Milliseconds without a tick, of which there is one a second even in a hidden tab, after which
 * it is taken that the computer slept. */
const SLEPT = 15_000;

/** Several outputs as one. */
class OutputGroup implements MusicOutput {
  readonly #outputs: MusicOutput[] = [];

  add(output: MusicOutput): void {
    this.#outputs.push(output);
  }

  put(bar: Bar): void {
    for (const output of this.#outputs) output.put(bar);
  }

  drop(): void {
    for (const output of this.#outputs) output.drop();
  }

  pause(): void {
    for (const output of this.#outputs) output.pause();
  }

  resume(): void {
    for (const output of this.#outputs) output.resume();
  }

  silence(): void {
    for (const output of this.#outputs) output.silence();
  }

  clear(): void {
    for (const output of this.#outputs) output.clear();
  }
}

/** Connects at once, to the server from which the page came. */
export function createPerpetuo(): Perpetuo {
  const timers = new WorkerTimers();
  const outputs = new OutputGroup();
  const token = new URLSearchParams(location.search).get("token") ?? "";
  const address = (path: string) => withToken(new URL(path, document.baseURI), token);
  const socketAddress = address("ws").replace(/^http/, "ws");
  const session = new Session(
    {
      timers,
      token,
      random: Math.random,
      wallClock: Date.now,
      open: () => new WebSocket(socketAddress) as unknown as Socket,
    },
    outputs,
    readLink(location.hash),
  );
  const { plan, server } = session;
  const { clock } = server;

  /** Give an output that comes in the middle all that is planned. */
  const sendPlan = (output: MusicOutput): void => {
    output.clear();
    if (session.stream.value?.state === "playing") output.resume();
    else output.pause();
    for (const bar of plan.bars()) if (bar.end > clock.now()) output.put(bar);
  };
  const sound = new Sound({
    timers,
    clock,
    storage: storage(),
    address,
    stream: () => session.stream.value,
    streamOf: (station) => streamOf(session, station),
    sendPlan,
  });
  const midi = new Midi({ timers, clock, plan, sendPlan });
  outputs.add(sound);
  outputs.add(midi);
  session.stream.watch(() => sound.streamChanged());

  const shareLink = new ObservableValue(linkTo(location.hash));
  session.choice.watch((choice) => {
    if (choice) shareLink.set(linkTo(writeLink(choice)));
  });
  const unfollow = followAddressBar(session, shareLink, timers);
  const unwatch = watchForSleep(timers, () => session.slept());
  const comeBack = () => session.connection.value.state === "lost" && session.reconnect();
  addEventListener("online", comeBack);

  const close = () => {
    unfollow();
    unwatch();
    removeEventListener("online", comeBack);
    removeEventListener("pagehide", leave);
    midi.close();
    sound.stop();
    server.close();
    timers.close();
  };
  /** The page goes, perhaps to come back: what sounds on a device must not go on. */
  const leave = (event: PageTransitionEvent) => {
    midi.close();
    if (!event.persisted) server.close();
  };
  addEventListener("pagehide", leave);
  server.connect();

  return {
    session,
    clock,
    plan,
    sound,
    midi,
    log: session.log.entries,
    link: shareLink,
    save: (minutes) => save(session, minutes),
    close,
  };
}

/** Path of the audio stream of a station, to be taken from where the page is. */
function streamOf(session: Session, station: string): string | null {
  const rows = session.welcome.value?.capabilities.stations ?? [];
  const path = rows.find(({ name }) => name === station)?.streams?.mp3;
  return path?.replace(/^\//, "") ?? null;
}

/** Bars that have sounded in the last minutes, as a file. */
function save(session: Session, minutes: number): ReturnType<Perpetuo["save"]> {
  const now = session.server.clock.now();
  const heard = session.plan
    .bars()
    .filter(({ due, end }) => due <= now && end > now - minutes * 60e6);
  if (!heard.length) return null;
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
  return {
    name: `${session.stream.value?.name ?? "perpetuo"}-${stamp}.mid`,
    bytes: recording(heard),
  };
}

/** Keep the address bar at the link, and go where somebody writes into it. Browsers allow about
 * three changes a second. */
function followAddressBar(
  session: Session,
  shareLink: ObservableValue<string>,
  timers: WorkerTimers,
): () => void {
  let written = location.hash;
  let waits = false;
  const write = () => {
    waits = false;
    const { hash } = new URL(shareLink.value);
    if (hash !== written) history.replaceState(null, "", hash);
    written = hash;
  };
  const unwatch = shareLink.watch(() => {
    if (!waits) timers.after(SECOND, write);
    waits = true;
  });
  const go = () => {
    const choice = readLink(location.hash);
    if (!choice || location.hash === written || same(choice, session.choice.value)) return;
    written = location.hash;
    session.go(choice).catch((error: Error) => session.log.add("error", error.message));
  };
  addEventListener("hashchange", go);
  return () => {
    unwatch();
    removeEventListener("hashchange", go);
  };
}

function watchForSleep(timers: WorkerTimers, slept: () => void): () => void {
  let last = Date.now();
  return every(timers, SECOND, () => {
    const now = Date.now();
    if (now - last > SLEPT) slept();
    last = now;
  });
}

/** The link for others: without the token, which is a secret. */
function linkTo(hash: string): string {
  const address = new URL(hash, location.href);
  address.searchParams.delete("token");
  return address.href;
}

function withToken(address: URL, token: string): string {
  if (token) address.searchParams.set("token", token);
  return address.href;
}

/** Browsers that keep nothing may refuse even to be asked. */
function storage(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}
