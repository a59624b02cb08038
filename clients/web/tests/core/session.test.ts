import { describe, expect, test } from "vitest";
import type { Place } from "../../src/core/contract";
import { Session } from "../../src/core/session";
import {
  barMessage,
  dueOf,
  FakeSocket,
  FakeTimers,
  RecordingOutputs,
  state,
  welcome,
} from "../fakes";
import { POSTPONEMENTS } from "./vectors";

const OWN: Place = { kind: "own", seed: 3, preset: "calm", controls: { density: 9 }, model: null };

function begun(place: Place | null = null) {
  const timers = new FakeTimers();
  const sockets: FakeSocket[] = [];
  const outputs = new RecordingOutputs();
  const open = () => {
    sockets.push(new FakeSocket());
    return sockets.at(-1) as FakeSocket;
  };
  const parts = { timers, token: "", chance: () => 1, wall: () => 0, open };
  const session = new Session(parts, outputs, place);
  session.link.connect();
  const socket = () => sockets.at(-1) as FakeSocket;
  let event = 0;
  const tell = (message: Record<string, unknown>) => {
    event += 1;
    socket().tell({ ...message, event });
  };
  /** The server's clock shows two seconds before bar 0 when a test begins. */
  const greet = (more: Record<string, unknown> = {}) => {
    if (more.session) event = 0;
    socket().onopen?.();
    const time = dueOf(0) - 2e6 + (timers.now() - 1000) * 1000;
    socket().tell(welcome({ time, ...more }));
  };
  const ack = (stream: string, more: Record<string, unknown> = {}) =>
    tell({ type: "ack", id: socket().last.id, stream, bar: null, due: null, ...more });
  const cut = () => {
    socket().cut();
    timers.pass(100);
  };
  return { session, outputs, timers, socket, tell, greet, ack, cut };
}

/** A session that listens to a station with so many bars planned. */
function listening(bars = 2) {
  const all = begun();
  all.greet();
  all.ack("study");
  all.tell(state({ bars }));
  for (let index = 0; index < bars; index += 1) all.tell(barMessage(index));
  return all;
}

const settle = () => new Promise((resolve) => setTimeout(resolve));

describe("at first", () => {
  test("the first station is listened to", () => {
    const { session, socket, outputs } = listening();
    expect(socket().requests[1]).toMatchObject({ type: "listen", stream: "study" });
    expect(session.stream.value).toMatchObject({ name: "study", steerable: true });
    expect(session.place.value).toEqual({ kind: "station", station: "study" });
    expect(session.plan.bars().length).toBe(2);
    expect(outputs.told).toEqual([
      "clear",
      "drop",
      "go",
      `put 0.0@${dueOf(0)}`,
      `put 1.0@${dueOf(1)}`,
    ]);
  });

  test("a link's own stream is opened with its seed and settings", () => {
    const { socket, greet, session, ack, tell } = begun(OWN);
    greet();
    expect(socket().last).toMatchObject({ seed: 3, preset: "calm", controls: { density: 9 } });
    ack("own-1");
    const controls = { density: 9, key: "C major", style: null, tempo: 60 };
    tell(state({ stream: "own-1", station: false, seed: 3, preset: "calm", controls }));
    expect(session.own.value).toBe("own-1");
    expect(session.place.value).toEqual(OWN);
  });

  test("where a link leads nowhere, the first station is listened to, and the log says why", async () => {
    const { socket, greet, tell, session } = begun({ kind: "station", station: "gone" });
    greet();
    tell({ type: "error", id: 1, code: "unknown_stream", message: "There is no 'gone'." });
    await settle();
    expect(socket().last).toMatchObject({ type: "listen", stream: "study" });
    expect(session.happenings.list.value.map(({ text }) => text)).toContain("There is no 'gone'.");
  });
});

describe("going elsewhere", () => {
  test("the old stream is left when the new one has begun, and its late bars are passed over", async () => {
    const { session, socket, ack, tell, outputs } = listening();
    const going = session.go({ kind: "station", station: "dance" });
    tell(barMessage(2));
    expect(session.plan.bars().length).toBe(3);
    ack("dance");
    await going;
    tell(barMessage(3));
    expect(session.plan.bars()).toEqual([]);
    expect(socket().last).toMatchObject({ type: "unlisten", stream: "study" });
    expect(outputs.told.at(-1)).toBe("clear");
  });

  test("when it is refused everything stays as it is", async () => {
    const { session, tell, socket } = listening();
    const going = expect(session.go({ kind: "station", station: "x" })).rejects.toThrow("None.");
    tell({ type: "error", id: socket().last.id, code: "unknown_stream", message: "None." });
    await going;
    expect(session.stream.value?.name).toBe("study");
    expect(session.plan.bars().length).toBe(2);
  });

  test("one own stream makes room for the next", async () => {
    const { session, ack, tell, socket, greet } = begun(OWN);
    greet();
    ack("own-1");
    tell(state({ stream: "own-1", station: false }));
    const going = session.go(OWN);
    ack("own-2");
    await going;
    expect(
      socket()
        .requests.slice(-2)
        .map(({ type, stream }) => [type, stream]),
    ).toEqual([
      ["open", undefined],
      ["close", "own-1"],
    ]);
  });
});

describe("what happens to the stream", () => {
  test("a change is told with the bar from which it is heard", async () => {
    const { session, ack, tell } = listening();
    const steering = session.steer({ density: 3 });
    tell({
      type: "steered",
      stream: "study",
      controls: { density: 3 },
      plan: {},
      bar: 42,
      due: 7,
      by: "web-1",
      preset: null,
    });
    ack("study", { bar: 42, due: 7 });
    expect(await steering).toEqual({ bar: 42, due: 7, change: null, saved: null });
    expect(session.stream.value?.controls.density).toBe(3);
    expect(session.happenings.list.value.at(-1)).toMatchObject({ bar: 42, mine: true });
  });

  test.each(POSTPONEMENTS)("a change that is postponed: $name", async (example) => {
    const { messages, answer, told } = example;
    const all = messages[0]?.type === "state" ? begun() : listening();
    if (messages[0]?.type === "state") {
      all.greet();
      all.ack("study");
    }
    const steering = answer && all.session.steer({ density: 6 });
    for (const message of messages) {
      if (message.type !== "ack") all.tell(message);
      else {
        all.ack("study", { ...message, id: all.socket().last.id });
        expect(await steering).toEqual(answer);
      }
    }
    const log = all.session.happenings.list.value.filter(({ kind }) => kind === "steered");
    for (const { change, bar, due } of told) {
      const meant = log.filter((happening) => happening.change === change);
      expect(meant.length).toBeGreaterThan(0);
      for (const happening of meant) {
        expect(happening).toMatchObject({ bar, due });
        expect(happening.text).toContain(`from bar ${bar} on`);
      }
    }
  });

  test("what was told of another server's changes stays as it was", async () => {
    const { session, greet, cut, tell, ack } = listening();
    const steered = { type: "steered", stream: "study", plan: {}, due: 7, by: "web-2" };
    tell({ ...steered, controls: { density: 3 }, bar: 42, change: 1 });
    cut();
    greet({ session: "another" });
    ack("study");
    tell(state());
    tell({ ...steered, controls: { tempo: 60 }, bar: 5, change: 1 });
    tell({ type: "postponed", stream: "study", change: 1, bar: 6, due: 8 });
    const log = session.happenings.list.value.filter(({ kind }) => kind === "steered");
    expect(log.map(({ bar }) => bar)).toEqual([42, 6]);
  });

  test("a change that was postponed while too much was missed is told where it is heard", () => {
    const { session, greet, cut, tell } = listening();
    const change = { controls: { density: 3 }, plan: {}, bar: 42, due: 7, by: "web-2", change: 1 };
    tell({ type: "steered", stream: "study", ...change });
    cut();
    greet({ listening: ["study"] });
    tell(state({ history: [{ ...change, bar: 43, due: 9 }] }));
    const log = session.happenings.list.value.filter(({ kind }) => kind === "steered");
    expect(log.map(({ bar, due }) => [bar, due])).toEqual([[43, 9]]);
  });

  test("stop, and continue from the beginning of the bar", () => {
    const { tell, outputs } = listening();
    outputs.told.length = 0;
    const turned = { ...state(), type: "turned", reason: "by you" };
    tell({ ...turned, state: "stopped" });
    tell({ type: "moved", stream: "study", bar: 1, later: 500 });
    tell(turned);
    expect(outputs.told).toEqual(["pause", `put 1.0@${dueOf(1) + 500}`, "go"]);
  });

  test("a new beginning voids what has not begun", () => {
    const { session, tell, outputs } = listening();
    tell({ ...state(), type: "turned", reason: "seed 8", epoch: 1, seed: 8 });
    expect(outputs.told.slice(-2)).toEqual(["drop", "go"]);
    expect(session.plan.bars()).toEqual([]);
    expect(session.stream.value?.seed).toBe(8);
  });

  test("panic ends what sounds", () => {
    const { tell, outputs } = listening();
    tell({ type: "panic", stream: "study" });
    expect(outputs.told.at(-1)).toBe("silence");
  });
});

describe("after a cut", () => {
  test("a session that is resumed goes on as if nothing had been", () => {
    const { session, greet, cut, tell, outputs, socket } = listening();
    outputs.told.length = 0;
    cut();
    greet({ resumed: true, listening: ["study"] });
    tell(barMessage(2));
    expect(outputs.told).toEqual([`put 2.0@${dueOf(2)}`]);
    expect(session.plan.bars().length).toBe(3);
    expect(socket().requests.map(({ type }) => type)).toEqual(["hello"]);
  });

  test("when too much was missed, all is told anew and nothing is lost or stale", () => {
    const { session, greet, cut, tell, outputs, timers } = listening(3);
    timers.pass(2100); // bar 0 sounds
    cut();
    outputs.told.length = 0;
    greet({ resumed: false, listening: ["study"] });
    tell(state({ bars: 2 }));
    tell(barMessage(0));
    tell(barMessage(1, { revision: 1 }));
    expect(outputs.told).toEqual(["drop", "go", `put 0.0@${dueOf(0)}`, `put 1.1@${dueOf(1)}`]);
    expect(session.plan.bars().map(({ index, revision }) => [index, revision])).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });

  test("in another session the same station is listened to; what sounds is not cut off", async () => {
    const { greet, cut, ack, socket, outputs } = listening();
    outputs.told.length = 0;
    cut();
    greet({ session: "another" });
    expect(socket().last).toMatchObject({ type: "listen", stream: "study" });
    ack("study");
    await settle();
    expect(outputs.told).toEqual(["drop"]);
  });

  test("in another session an own stream begins anew, with its seed and settings", () => {
    const { greet, ack, tell, cut, socket } = begun(OWN);
    greet();
    ack("own-1");
    const controls = { density: 5, key: "C major", style: null, tempo: 60 };
    tell(state({ stream: "own-1", station: false, seed: 3, preset: "calm", controls }));
    cut();
    greet({ session: "another" });
    expect(socket().last).toMatchObject({
      type: "open",
      seed: 3,
      preset: "calm",
      controls: { density: 5 },
    });
  });

  test("after a sleep nothing of what was missed is played", () => {
    const { session, greet, outputs, timers, socket } = listening(3);
    const before = socket();
    outputs.told.length = 0;
    timers.pass(5000); // bars 0 and most of 1 went by
    session.slept();
    expect(outputs.told).toEqual(["clear"]);
    expect(before.closedWith).toBe(4000);
    greet({ resumed: true, listening: ["study"] });
    expect(outputs.told.slice(1)).toEqual(["clear", `put 1.0@${dueOf(1)}`, `put 2.0@${dueOf(2)}`]);
  });
});

test("the server's horizon is the plan's", () => {
  expect(listening().session.plan.horizon).toBe(150_000);
});
