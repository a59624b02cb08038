import { describe, expect, test } from "vitest";
import { RequestError, ServerConnection } from "../../src/core/connection";
import type { FromServer, Welcome } from "../../src/core/protocol";
import { FakeSocket, FakeTimers, state, welcome } from "../fakes";

function connected() {
  const timers = new FakeTimers();
  const sockets: FakeSocket[] = [];
  const heard: FromServer[] = [];
  const welcomes: Welcome[] = [];
  const troubles: string[] = [];
  let jumps = 0;
  const connection = new ServerConnection(
    {
      timers,
      token: "",
      random: () => 1,
      open: () => {
        sockets.push(new FakeSocket());
        return sockets.at(-1) as FakeSocket;
      },
    },
    {
      received: (message) => heard.push(message),
      welcomed: (message) => welcomes.push(message),
      clockJumped: () => {
        jumps += 1;
      },
      unreadable: ({ message }) => troubles.push(message),
    },
  );
  const socket = () => sockets.at(-1) as FakeSocket;
  const greet = (more: Record<string, unknown> = {}) => {
    socket().onopen?.();
    socket().deliver(welcome(more));
  };
  connection.connect();
  return {
    connection,
    timers,
    sockets,
    socket,
    greet,
    heard,
    welcomes,
    troubles,
    jumps: () => jumps,
  };
}

const panic = (event: number) => ({ type: "panic", stream: "study", event });

test("says hello, and is open when it is welcome", () => {
  const { connection, socket, greet } = connected();
  expect(connection.state.value).toEqual({ state: "connecting" });
  greet();
  expect(socket().sent[0]).toEqual({ type: "hello", protocol: 1 });
  expect(connection.state.value).toEqual({ state: "open", resumed: false });
  expect(connection.clock.isSet).toBe(true);
});

test("pings sixteen times at once, then again and again, and confirms what arrived", () => {
  const { socket, greet, timers } = connected();
  greet();
  socket().deliver(panic(1));
  const pings = () => socket().sent.filter(({ type }) => type === "ping").length;
  timers.pass(16 * 50);
  expect(pings()).toBe(16);
  for (let second = 0; second < 60; second += 1) {
    timers.pass(1000);
    socket().deliver({ type: "pong", t: timers.now() * 1000, time: 6e6 + timers.now() * 1000 });
  }
  expect(pings()).toBeGreaterThan(40);
  expect(socket().sent.at(-1)).toMatchObject({ type: "ping", event: 1 });
});

describe("requests", () => {
  test("are answered by their number", async () => {
    const { connection, socket, greet } = connected();
    greet();
    const first = connection.ask("steer", { stream: "study", controls: { density: 3 } });
    const second = connection.ask("seed", { stream: "study", seed: 1 });
    const refused = expect(second).rejects.toMatchObject({ code: "refused", message: "No." });
    expect(socket().last).toMatchObject({ type: "seed", id: 2, seed: 1 });
    socket().deliver({ type: "error", id: 2, code: "refused", message: "No.", event: 1 });
    socket().deliver({ type: "ack", id: 1, stream: "study", bar: 42, due: 9, event: 2 });
    expect(await first).toMatchObject({ bar: 42, due: 9 });
    await refused;
  });

  test("without a connection are refused at once", async () => {
    const { connection } = connected();
    await expect(connection.ask("get", { what: "stations" })).rejects.toMatchObject({
      code: "cut",
    });
  });

  test("that are never answered are given up", async () => {
    const { connection, greet, timers, socket } = connected();
    greet();
    const asked = expect(connection.ask("get", { what: "stations" })).rejects.toBeInstanceOf(
      RequestError,
    );
    for (let second = 0; second < 10; second += 1) {
      timers.pass(1000);
      socket().deliver({ type: "pong", t: 1, time: 1 });
    }
    await asked;
  });
});

describe("after a cut", () => {
  test("it comes back, names the last message that arrived, and hears each message once", async () => {
    const { connection, sockets, socket, greet, heard, timers } = connected();
    greet();
    socket().deliver(panic(1));
    socket().deliver(panic(2));
    const asked = connection.ask("seed", { stream: "study", seed: 1 });
    socket().cut();
    expect(connection.state.value).toMatchObject({ state: "lost", retryAt: timers.now() + 100 });
    timers.pass(100);
    expect(sockets.length).toBe(2);
    socket().onopen?.();
    expect(socket().sent[0]).toMatchObject({ resume: { session: "secret", event: 2 } });
    socket().deliver(welcome({ resumed: true, listening: ["study"] }));
    for (const event of [2, 3]) socket().deliver(panic(event));
    socket().deliver({ type: "ack", id: 1, stream: "study", bar: null, due: null, event: 4 });
    await asked;
    expect(heard.map((message) => "event" in message && message.event)).toEqual([1, 2, 3, 4]);
    expect(connection.state.value).toEqual({ state: "open", resumed: true });
  });

  test("another session counts anew, and what was asked in the last one is lost", async () => {
    const { connection, socket, greet, heard, timers } = connected();
    greet();
    socket().deliver(panic(5));
    const asked = expect(
      connection.ask("seed", { stream: "study", seed: 1 }),
    ).rejects.toMatchObject({
      code: "cut",
    });
    socket().cut();
    timers.pass(100);
    greet({ session: "another" });
    await asked;
    socket().deliver(panic(1));
    expect(heard.length).toBe(2);
  });

  test("it tries less and less often, up to every ten seconds, for ever", () => {
    const { connection, socket, timers } = connected();
    const waits: number[] = [];
    for (let attempt = 0; attempt < 12; attempt += 1) {
      socket().cut();
      const { value } = connection.state;
      if (value.state !== "lost") throw new Error(value.state);
      waits.push(value.retryAt - timers.now());
      timers.pass(value.retryAt - timers.now());
    }
    expect(waits.slice(0, 4)).toEqual([100, 200, 400, 800]);
    expect(waits.slice(-3)).toEqual([10_000, 10_000, 10_000]);
  });

  test("who were cut off together do not all come back at once", () => {
    const afterCut = (chance: number) => {
      const timers = new FakeTimers();
      const socket = new FakeSocket();
      const listener = { received() {}, welcomed() {}, clockJumped() {}, unreadable() {} };
      const made = new ServerConnection(
        { timers, token: "", random: () => chance, open: () => socket },
        listener,
      );
      made.connect();
      socket.cut();
      return made.state.value;
    };
    expect(afterCut(0)).not.toEqual(afterCut(1));
  });

  test("a server that is silent is given up, without ending the session", () => {
    const { connection, sockets, greet, timers } = connected();
    greet();
    timers.pass(20_000);
    expect(sockets[0]?.closedWith).toBe(4000);
    expect(sockets.length).toBeGreaterThan(1);
    expect(connection.state.value.state).not.toBe("open");
  });

  test.each([
    ["taken_over", 4001],
    ["version", 4002],
    ["unauthorised", 4003],
  ])("%s is final", (code, close) => {
    const { connection, sockets, socket, timers } = connected();
    socket().onopen?.();
    socket().deliver({ type: "bye", code, reason: "So it is." });
    socket().cut(close);
    timers.pass(100_000);
    expect(connection.state.value).toEqual({ state: "refused", code, why: "So it is." });
    expect(sockets.length).toBe(1);
    connection.connect();
    expect(sockets.length).toBe(2);
  });
});

test("what cannot be read is told and passed over", () => {
  const { socket, greet, heard, troubles } = connected();
  greet();
  socket().onmessage?.({ data: "no" });
  socket().deliver({ type: "moved", stream: "study", bar: "x", later: 1, event: 1 });
  socket().deliver({ type: "tomorrow", event: 2 });
  socket().deliver(panic(2));
  expect(troubles.length).toBe(2);
  expect(heard.length).toBe(1);
});

test("a server whose clock is another one is noticed", () => {
  const { socket, greet, timers, jumps } = connected();
  greet();
  timers.pass(10);
  socket().deliver({ type: "pong", t: timers.now() * 1000, time: 77e9 });
  expect(jumps()).toBe(1);
});

test("leaving ends the session", () => {
  const { connection, socket, greet, timers, sockets } = connected();
  greet();
  socket().deliver(state());
  connection.close();
  expect(socket().closedWith).toBe(1000);
  timers.pass(100_000);
  expect(sockets.length).toBe(1);
});
