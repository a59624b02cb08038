import { describe, expect, test } from "vitest";
import type { StreamChoice } from "../../src/core/api";
import { Session } from "../../src/core/session";
import {
  barMessage,
  dueOf,
  FakeSocket,
  FakeTimers,
  RecordingOutput,
  state,
  welcome,
} from "../fakes";
import { POSTPONEMENTS } from "./vectors";

const OWN: StreamChoice = {
  kind: "own",
  seed: 3,
  preset: "calm",
  controls: { density: 9 },
  model: null,
};

function begun(choice: StreamChoice | null = null) {
  const timers = new FakeTimers();
  const sockets: FakeSocket[] = [];
  const output = new RecordingOutput();
  const open = () => {
    sockets.push(new FakeSocket());
    return sockets.at(-1) as FakeSocket;
  };
  const dependencies = { timers, token: "", random: () => 1, wallClock: () => 0, open };
  const session = new Session(dependencies, output, choice);
  session.server.connect();
  const socket = () => sockets.at(-1) as FakeSocket;
  let event = 0;
  const deliver = (message: Record<string, unknown>) => {
    event += 1;
    socket().deliver({ ...message, event });
  };
  /** The server's clock shows two seconds before bar 0 when a test begins. */
  const greet = (more: Record<string, unknown> = {}) => {
    if (more.session) event = 0;
    socket().onopen?.();
    const time = dueOf(0) - 2e6 + (timers.now() - 1000) * 1000;
    socket().deliver(welcome({ time, ...more }));
  };
  const ack = (stream: string, more: Record<string, unknown> = {}) =>
    deliver({ type: "ack", id: socket().last.id, stream, bar: null, due: null, ...more });
  const cut = () => {
    socket().cut();
    timers.pass(100);
  };
  return { session, output, timers, socket, deliver, greet, ack, cut };
}

/** A session that listens to a station with so many bars planned. */
function listening(bars = 2) {
  const all = begun();
  all.greet();
  all.ack("study");
  all.deliver(state({ bars }));
  for (let index = 0; index < bars; index += 1) all.deliver(barMessage(index));
  return all;
}

const settle = () => new Promise((resolve) => setTimeout(resolve));

describe("at first", () => {
  test("the first station is listened to", () => {
    const { session, socket, output } = listening();
    expect(socket().requests[1]).toMatchObject({ type: "listen", stream: "study" });
    expect(session.stream.value).toMatchObject({ name: "study", steerable: true });
    expect(session.choice.value).toEqual({ kind: "station", station: "study" });
    expect(session.plan.bars().length).toBe(2);
    expect(output.calls).toEqual([
      "clear",
      "drop",
      "resume",
      `put 0.0@${dueOf(0)}`,
      `put 1.0@${dueOf(1)}`,
    ]);
  });

  test("a link's own stream is opened with its seed and settings", () => {
    const { socket, greet, session, ack, deliver } = begun(OWN);
    greet();
    expect(socket().last).toMatchObject({ seed: 3, preset: "calm", controls: { density: 9 } });
    ack("own-1");
    const controls = { density: 9, key: "C major", style: null, tempo: 60 };
    deliver(state({ stream: "own-1", station: false, seed: 3, preset: "calm", controls }));
    expect(session.own.value).toBe("own-1");
    expect(session.choice.value).toEqual(OWN);
  });

  test("where a link leads nowhere, the first station is listened to, and the log says why", async () => {
    const { socket, greet, deliver, session } = begun({ kind: "station", station: "gone" });
    greet();
    deliver({ type: "error", id: 1, code: "unknown_stream", message: "There is no 'gone'." });
    await settle();
    expect(socket().last).toMatchObject({ type: "listen", stream: "study" });
    expect(session.log.entries.value.map(({ text }) => text)).toContain("There is no 'gone'.");
  });
});

describe("going elsewhere", () => {
  test("the old stream is left when the new one has begun, and its late bars are passed over", async () => {
    const { session, socket, ack, deliver, output } = listening();
    const going = session.go({ kind: "station", station: "dance" });
    deliver(barMessage(2));
    expect(session.plan.bars().length).toBe(3);
    ack("dance");
    await going;
    deliver(barMessage(3));
    expect(session.plan.bars()).toEqual([]);
    expect(socket().last).toMatchObject({ type: "unlisten", stream: "study" });
    expect(output.calls.at(-1)).toBe("clear");
  });

  test("when it is refused everything stays as it is", async () => {
    const { session, deliver, socket } = listening();
    const going = expect(session.go({ kind: "station", station: "x" })).rejects.toThrow("None.");
    deliver({ type: "error", id: socket().last.id, code: "unknown_stream", message: "None." });
    await going;
    expect(session.stream.value?.name).toBe("study");
    expect(session.plan.bars().length).toBe(2);
  });

  test("one own stream makes room for the next", async () => {
    const { session, ack, deliver, socket, greet } = begun(OWN);
    greet();
    ack("own-1");
    deliver(state({ stream: "own-1", station: false }));
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
    const { session, ack, deliver } = listening();
    const steering = session.steer({ density: 3 });
    deliver({
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
    expect(session.log.entries.value.at(-1)).toMatchObject({ bar: 42, mine: true });
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
      if (message.type !== "ack") all.deliver(message);
      else {
        all.ack("study", { ...message, id: all.socket().last.id });
        expect(await steering).toEqual(answer);
      }
    }
    const log = all.session.log.entries.value.filter(({ kind }) => kind === "steered");
    for (const { change, bar, due } of told) {
      const meant = log.filter((entry) => entry.change === change);
      expect(meant.length).toBeGreaterThan(0);
      for (const entry of meant) {
        expect(entry).toMatchObject({ bar, due });
        expect(entry.text).toContain(`from bar ${bar} on`);
      }
    }
  });

  test("what was told of another server's changes stays as it was", async () => {
    const { session, greet, cut, deliver, ack } = listening();
    const steered = { type: "steered", stream: "study", plan: {}, due: 7, by: "web-2" };
    deliver({ ...steered, controls: { density: 3 }, bar: 42, change: 1 });
    cut();
    greet({ session: "another" });
    ack("study");
    deliver(state());
    deliver({ ...steered, controls: { tempo: 60 }, bar: 5, change: 1 });
    deliver({ type: "postponed", stream: "study", change: 1, bar: 6, due: 8 });
    const log = session.log.entries.value.filter(({ kind }) => kind === "steered");
    expect(log.map(({ bar }) => bar)).toEqual([42, 6]);
  });

  test("a change that was postponed while too much was missed is told where it is heard", () => {
    const { session, greet, cut, deliver } = listening();
    const change = { controls: { density: 3 }, plan: {}, bar: 42, due: 7, by: "web-2", change: 1 };
    deliver({ type: "steered", stream: "study", ...change });
    cut();
    greet({ listening: ["study"] });
    deliver(state({ history: [{ ...change, bar: 43, due: 9 }] }));
    const log = session.log.entries.value.filter(({ kind }) => kind === "steered");
    expect(log.map(({ bar, due }) => [bar, due])).toEqual([[43, 9]]);
  });

  test("stop, and continue from the beginning of the bar", () => {
    const { deliver, output } = listening();
    output.calls.length = 0;
    const turned = { ...state(), type: "turned", reason: "by you" };
    deliver({ ...turned, state: "stopped" });
    deliver({ type: "moved", stream: "study", bar: 1, later: 500 });
    deliver(turned);
    expect(output.calls).toEqual(["pause", `put 1.0@${dueOf(1) + 500}`, "resume"]);
  });

  test("a new beginning voids what has not begun", () => {
    const { session, deliver, output } = listening();
    deliver({ ...state(), type: "turned", reason: "seed 8", epoch: 1, seed: 8 });
    expect(output.calls.slice(-2)).toEqual(["drop", "resume"]);
    expect(session.plan.bars()).toEqual([]);
    expect(session.stream.value?.seed).toBe(8);
  });

  test("panic ends what sounds", () => {
    const { deliver, output } = listening();
    deliver({ type: "panic", stream: "study" });
    expect(output.calls.at(-1)).toBe("silence");
  });
});

describe("after a cut", () => {
  test("a session that is resumed goes on as if nothing had been", () => {
    const { session, greet, cut, deliver, output, socket } = listening();
    output.calls.length = 0;
    cut();
    greet({ resumed: true, listening: ["study"] });
    deliver(barMessage(2));
    expect(output.calls).toEqual([`put 2.0@${dueOf(2)}`]);
    expect(session.plan.bars().length).toBe(3);
    expect(socket().requests.map(({ type }) => type)).toEqual(["hello"]);
  });

  test("when too much was missed, all is sent anew and nothing is lost or stale", () => {
    const { session, greet, cut, deliver, output, timers } = listening(3);
    timers.pass(2100); // bar 0 sounds
    cut();
    output.calls.length = 0;
    greet({ resumed: false, listening: ["study"] });
    deliver(state({ bars: 2 }));
    deliver(barMessage(0));
    deliver(barMessage(1, { revision: 1 }));
    expect(output.calls).toEqual(["drop", "resume", `put 0.0@${dueOf(0)}`, `put 1.1@${dueOf(1)}`]);
    expect(session.plan.bars().map(({ index, revision }) => [index, revision])).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });

  test("in another session the same station is listened to; what sounds is not cut off", async () => {
    const { greet, cut, ack, socket, output } = listening();
    output.calls.length = 0;
    cut();
    greet({ session: "another" });
    expect(socket().last).toMatchObject({ type: "listen", stream: "study" });
    ack("study");
    await settle();
    expect(output.calls).toEqual(["drop"]);
  });

  test("in another session an own stream begins anew, with its seed and settings", () => {
    const { greet, ack, deliver, cut, socket } = begun(OWN);
    greet();
    ack("own-1");
    const controls = { density: 5, key: "C major", style: null, tempo: 60 };
    deliver(state({ stream: "own-1", station: false, seed: 3, preset: "calm", controls }));
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
    const { session, greet, output, timers, socket } = listening(3);
    const before = socket();
    output.calls.length = 0;
    timers.pass(5000); // bars 0 and most of 1 went by
    session.slept();
    expect(output.calls).toEqual(["clear"]);
    expect(before.closedWith).toBe(4000);
    greet({ resumed: true, listening: ["study"] });
    expect(output.calls.slice(1)).toEqual(["clear", `put 1.0@${dueOf(1)}`, `put 2.0@${dueOf(2)}`]);
  });
});

test("the server's horizon is the plan's", () => {
  expect(listening().session.plan.horizon).toBe(150_000);
});
