/** Everything but what is seen, put together; see `Perpetuo` of the contract. */

import { Midi } from "../midi/midi";
import { Sound } from "../sound/sound";
import { Cell } from "./cell";
import type { Bar, Perpetuo } from "./contract";
import type { Socket } from "./link";
import { readPlace, same, writePlace } from "./places";
import { recording } from "./recording";
import { type Outputs, Session } from "./session";
import { every, WorkerTimers } from "./timers";

const SECOND = 1000;
/** Milliseconds without a tick, of which there is one a second even in a hidden tab, after which
 * it is taken that the computer slept. */
const SLEPT = 15_000;

/** Several outputs as one. */
class Choir implements Outputs {
  readonly #voices: Outputs[] = [];

  add(voice: Outputs): void {
    this.#voices.push(voice);
  }

  put(bar: Bar): void {
    for (const voice of this.#voices) voice.put(bar);
  }

  drop(): void {
    for (const voice of this.#voices) voice.drop();
  }

  pause(): void {
    for (const voice of this.#voices) voice.pause();
  }

  go(): void {
    for (const voice of this.#voices) voice.go();
  }

  silence(): void {
    for (const voice of this.#voices) voice.silence();
  }

  clear(): void {
    for (const voice of this.#voices) voice.clear();
  }
}

/** Connects at once, to the server from which the page came. */
export function createPerpetuo(): Perpetuo {
  const timers = new WorkerTimers();
  const choir = new Choir();
  const token = new URLSearchParams(location.search).get("token") ?? "";
  const address = (path: string) => withToken(new URL(path, document.baseURI), token);
  const socketAddress = address("ws").replace(/^http/, "ws");
  const session = new Session(
    {
      timers,
      token,
      chance: Math.random,
      wall: Date.now,
      open: () => new WebSocket(socketAddress) as unknown as Socket,
    },
    choir,
    readPlace(location.hash),
  );
  const { plan, link } = session;
  const { clock } = link;

  /** Tell an output that comes in the middle all that is planned. */
  const bring = (output: Outputs): void => {
    output.clear();
    if (session.stream.value?.state === "playing") output.go();
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
    bring,
  });
  const midi = new Midi({ timers, clock, plan, bring });
  choir.add(sound);
  choir.add(midi);
  session.stream.watch(() => sound.streamChanged());

  const linked = new Cell(linkTo(location.hash));
  session.place.watch((place) => {
    if (place) linked.set(linkTo(writePlace(place)));
  });
  const unmind = mindTheAddress(session, linked, timers);
  const unwatch = watchForSleep(timers, () => session.slept());
  const back = () => session.connection.value.state === "lost" && session.reconnect();
  addEventListener("online", back);

  const close = () => {
    unmind();
    unwatch();
    removeEventListener("online", back);
    removeEventListener("pagehide", leave);
    midi.close();
    sound.stop();
    link.close();
    timers.close();
  };
  /** The page goes, perhaps to come back: what sounds on a device must not go on. */
  const leave = (event: PageTransitionEvent) => {
    midi.close();
    if (!event.persisted) link.close();
  };
  addEventListener("pagehide", leave);
  link.connect();

  return {
    session,
    clock,
    plan,
    sound,
    midi,
    happenings: session.happenings.list,
    link: linked,
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
  const now = session.link.clock.now();
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
function mindTheAddress(session: Session, linked: Cell<string>, timers: WorkerTimers): () => void {
  let written = location.hash;
  let waits = false;
  const write = () => {
    waits = false;
    const { hash } = new URL(linked.value);
    if (hash !== written) history.replaceState(null, "", hash);
    written = hash;
  };
  const unwatch = linked.watch(() => {
    if (!waits) timers.after(SECOND, write);
    waits = true;
  });
  const go = () => {
    const place = readPlace(location.hash);
    if (!place || location.hash === written || same(place, session.place.value)) return;
    written = location.hash;
    session.go(place).catch((error: Error) => session.happenings.tell("error", error.message));
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
