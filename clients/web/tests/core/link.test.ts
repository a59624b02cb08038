import { describe, expect, test } from "vitest";
import { Link, RequestError } from "../../src/core/link";
import type { FromServer, Welcome } from "../../src/core/protocol";
import { FakeSocket, FakeTimers, state, welcome } from "../fakes";

function linked() {
  const timers = new FakeTimers();
  const sockets: FakeSocket[] = [];
  const heard: FromServer[] = [];
  const welcomes: Welcome[] = [];
  const troubles: string[] = [];
  let jumps = 0;
  const link = new Link(
    {
      timers,
      token: "",
      chance: () => 1,
      open: () => {
        sockets.push(new FakeSocket());
        return sockets.at(-1) as FakeSocket;
      },
    },
    {
      hear: (message) => heard.push(message),
      welcomed: (message) => welcomes.push(message),
      clockJumped: () => {
        jumps += 1;
      },
      garbled: ({ message }) => troubles.push(message),
    },
  );
  const socket = () => sockets.at(-1) as FakeSocket;
  const greet = (more: Record<string, unknown> = {}) => {
    socket().onopen?.();
    socket().tell(welcome(more));
  };
  link.connect();
  return { link, timers, sockets, socket, greet, heard, welcomes, troubles, jumps: () => jumps };
}

const panic = (event: number) => ({ type: "panic", stream: "study", event });

test("says hello, and is open when it is welcome", () => {
  const { link, socket, greet } = linked();
  expect(link.connection.value).toEqual({ state: "connecting" });
  greet();
  expect(socket().said[0]).toEqual({ type: "hello", protocol: 1 });
  expect(link.connection.value).toEqual({ state: "open", resumed: false });
  expect(link.clock.isSet).toBe(true);
});

test("pings sixteen times at once, then again and again, and confirms what arrived", () => {
  const { socket, greet, timers } = linked();
  greet();
  socket().tell(panic(1));
  const pings = () => socket().said.filter(({ type }) => type === "ping").length;
  timers.pass(16 * 50);
  expect(pings()).toBe(16);
  for (let second = 0; second < 60; second += 1) {
    timers.pass(1000);
    socket().tell({ type: "pong", t: timers.now() * 1000, time: 6e6 + timers.now() * 1000 });
  }
  expect(pings()).toBeGreaterThan(40);
  expect(socket().said.at(-1)).toMatchObject({ type: "ping", event: 1 });
});

describe("requests", () => {
  test("are answered by their number", async () => {
    const { link, socket, greet } = linked();
    greet();
    const first = link.ask("steer", { stream: "study", controls: { density: 3 } });
    const second = link.ask("seed", { stream: "study", seed: 1 });
    const refused = expect(second).rejects.toMatchObject({ code: "refused", message: "No." });
    expect(socket().last).toMatchObject({ type: "seed", id: 2, seed: 1 });
    socket().tell({ type: "error", id: 2, code: "refused", message: "No.", event: 1 });
    socket().tell({ type: "ack", id: 1, stream: "study", bar: 42, due: 9, event: 2 });
    expect(await first).toMatchObject({ bar: 42, due: 9 });
    await refused;
  });

  test("without a connection are refused at once", async () => {
    const { link } = linked();
    await expect(link.ask("get", { what: "stations" })).rejects.toMatchObject({ code: "cut" });
  });

  test("that are never answered are given up", async () => {
    const { link, greet, timers, socket } = linked();
    greet();
    const asked = expect(link.ask("get", { what: "stations" })).rejects.toBeInstanceOf(
      RequestError,
    );
    for (let second = 0; second < 10; second += 1) {
      timers.pass(1000);
      socket().tell({ type: "pong", t: 1, time: 1 });
    }
    await asked;
  });
});

describe("after a cut", () => {
  test("it comes back, names the last message that arrived, and hears each message once", async () => {
    const { link, sockets, socket, greet, heard, timers } = linked();
    greet();
    socket().tell(panic(1));
    socket().tell(panic(2));
    const asked = link.ask("seed", { stream: "study", seed: 1 });
    socket().cut();
    expect(link.connection.value).toMatchObject({ state: "lost", retryAt: timers.now() + 100 });
    timers.pass(100);
    expect(sockets.length).toBe(2);
    socket().onopen?.();
    expect(socket().said[0]).toMatchObject({ resume: { session: "secret", event: 2 } });
    socket().tell(welcome({ resumed: true, listening: ["study"] }));
    for (const event of [2, 3]) socket().tell(panic(event));
    socket().tell({ type: "ack", id: 1, stream: "study", bar: null, due: null, event: 4 });
    await asked;
    expect(heard.map((message) => "event" in message && message.event)).toEqual([1, 2, 3, 4]);
    expect(link.connection.value).toEqual({ state: "open", resumed: true });
  });

  test("another session counts anew, and what was asked in the last one is lost", async () => {
    const { link, socket, greet, heard, timers } = linked();
    greet();
    socket().tell(panic(5));
    const asked = expect(link.ask("seed", { stream: "study", seed: 1 })).rejects.toMatchObject({
      code: "cut",
    });
    socket().cut();
    timers.pass(100);
    greet({ session: "another" });
    await asked;
    socket().tell(panic(1));
    expect(heard.length).toBe(2);
  });

  test("it tries less and less often, up to every ten seconds, for ever", () => {
    const { link, socket, timers } = linked();
    const waits: number[] = [];
    for (let attempt = 0; attempt < 12; attempt += 1) {
      socket().cut();
      const { value } = link.connection;
      if (value.state !== "lost") throw new Error(value.state);
      waits.push(value.retryAt - timers.now());
      timers.pass(value.retryAt - timers.now());
    }
    expect(waits.slice(0, 4)).toEqual([100, 200, 400, 800]);
    expect(waits.slice(-3)).toEqual([10_000, 10_000, 10_000]);
  });

  test("who were cut off together do not all come back at once", () => {
    const link = (chance: number) => {
      const timers = new FakeTimers();
      const socket = new FakeSocket();
      const ears = { hear() {}, welcomed() {}, clockJumped() {}, garbled() {} };
      const made = new Link({ timers, token: "", chance: () => chance, open: () => socket }, ears);
      made.connect();
      socket.cut();
      return made.connection.value;
    };
    expect(link(0)).not.toEqual(link(1));
  });

  test("a server that is silent is given up, without ending the session", () => {
    const { link, sockets, greet, timers } = linked();
    greet();
    timers.pass(20_000);
    expect(sockets[0]?.closedWith).toBe(4000);
    expect(sockets.length).toBeGreaterThan(1);
    expect(link.connection.value.state).not.toBe("open");
  });

  test.each([
    ["taken_over", 4001],
    ["version", 4002],
    ["unauthorised", 4003],
  ])("%s is final", (code, close) => {
    const { link, sockets, socket, timers } = linked();
    socket().onopen?.();
    socket().tell({ type: "bye", code, reason: "So it is." });
    socket().cut(close);
    timers.pass(100_000);
    expect(link.connection.value).toEqual({ state: "refused", code, why: "So it is." });
    expect(sockets.length).toBe(1);
    link.connect();
    expect(sockets.length).toBe(2);
  });
});

test("what cannot be read is told and passed over", () => {
  const { socket, greet, heard, troubles } = linked();
  greet();
  socket().onmessage?.({ data: "no" });
  socket().tell({ type: "moved", stream: "study", bar: "x", later: 1, event: 1 });
  socket().tell({ type: "tomorrow", event: 2 });
  socket().tell(panic(2));
  expect(troubles.length).toBe(2);
  expect(heard.length).toBe(1);
});

test("a server whose clock is another one is noticed", () => {
  const { socket, greet, timers, jumps } = linked();
  greet();
  timers.pass(10);
  socket().tell({ type: "pong", t: timers.now() * 1000, time: 77e9 });
  expect(jumps()).toBe(1);
});

test("leaving ends the session", () => {
  const { link, socket, greet, timers, sockets } = linked();
  greet();
  socket().tell(state());
  link.close();
  expect(socket().closedWith).toBe(1000);
  timers.pass(100_000);
  expect(sockets.length).toBe(1);
});
