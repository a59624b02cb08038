import { describe, expect, test } from "vitest";
import { barOf } from "../../src/core/bars";
import { decode, encode, ProtocolError } from "../../src/core/messages";
import type { BarMessage, FromClient } from "../../src/core/protocol";
import { Scheduler } from "../../src/core/scheduler";
import { CLIENT, SERVER } from "./vectors";

const heard = SERVER.filter(({ sounds }) => sounds);

describe("messages of the server", () => {
  test.each(SERVER)("$name", ({ text, meaning }) => {
    expect(decode(text)).toMatchObject({ ...meaning });
  });

  test("types and fields that are not known are passed over", () => {
    expect(decode('{"type":"tomorrow","x":1}')).toBeNull();
    expect(decode('{"type":"toString"}')).toBeNull();
    expect(decode('{"type":"pong","t":1,"time":2,"more":[3]}')).toMatchObject({ t: 1, time: 2 });
  });

  test("a bar of a server of before pedals has none; one that is none is refused", () => {
    const message = JSON.parse(heard[0]?.text ?? "") as { bar: { pedals?: unknown } };
    message.bar.pedals = [[1, 5]];
    expect(() => decode(JSON.stringify(message))).toThrow(ProtocolError);
    delete message.bar.pedals;
    expect(barOf(decode(JSON.stringify(message)) as BarMessage, "x", 0).pedals).toEqual([]);
  });

  test.each(["", "x", "1", "null", "[]", "{}", '{"type":1}'])("%j is none", (text) => {
    expect(() => decode(text)).toThrow(ProtocolError);
  });

  test.each(SERVER)("without any of its fields it is refused or optional: $name", (example) => {
    const optional = ["id", "event", "preset", "late_bars", "late", "unfollowed"];
    const message = JSON.parse(example.text) as Record<string, unknown>;
    for (const field of Object.keys(message)) {
      if (field === "type" || (optional.includes(field) && field !== "preset")) continue;
      const isLater = message.type === "steered" ? ["preset", "change"] : ["change", "saved"];
      if (message.type !== "postponed" && isLater.includes(field)) continue;
      const { [field]: _, ...rest } = message;
      expect(() => decode(JSON.stringify(rest)), field).toThrow(ProtocolError);
    }
  });
});

describe("notes sound when they should", () => {
  test.each(heard)("$name", ({ text, ends, sounds, pressed }) => {
    const bar = barOf(decode(text) as BarMessage, "x", 0);
    expect(bar.end).toBe(ends);
    const scheduler = new Scheduler();
    scheduler.put(bar, bar.due - 1_000_000);
    const actions = scheduler.take(bar.end + 10_000_000, bar.due - 1_000_000);
    expect(bar.pedals.map(({ part, down, up }) => [part, bar.due + down, bar.due + up])).toEqual(
      pressed,
    );
    for (const [part, pitch, velocity, on, off] of sounds ?? []) {
      const of = (kind: string) =>
        actions.find(
          (a) => a.kind === kind && a.part === part && "pitch" in a && a.pitch === pitch,
        );
      // One from before is struck where listening begins; one that goes on ends on the bar line
      // as long as no bar goes on with it.
      expect(of("on")).toMatchObject({ time: on ?? bar.due, velocity });
      expect(of("off")).toMatchObject({ time: off ?? bar.end });
    }
  });
});

// What is left out means this.
const DEFAULTS: Record<string, Record<string, unknown>> = {
  hello: { token: "", resume: null },
  listen: { id: null, past: 0 },
  unlisten: { id: null },
  open: { id: null, preset: null, seed: null, controls: {}, prompt: null },
  close: { id: null },
  steer: { id: null, controls: {}, plan: {} },
  preset: { id: null },
  transport: { id: null },
  seed: { id: null },
  load: { id: null },
  prompt: { id: null },
  get: { id: null, stream: "" },
  ping: { event: 0 },
};

describe("messages of clients", () => {
  const good = CLIENT.filter(({ meaning }) => meaning);

  test("every type is among the shared cases", () => {
    expect(new Set(good.map(({ meaning }) => meaning?.type))).toEqual(
      new Set(Object.keys(DEFAULTS)),
    );
  });

  test.each(good)("$name", ({ text, meaning }) => {
    const message = JSON.parse(text) as FromClient;
    const said = JSON.parse(encode(message)) as Record<string, unknown>;
    const meant = { ...DEFAULTS[message.type], ...said };
    const prompt = meant.prompt as object | undefined;
    if (prompt) {
      meant.prompt = {
        metre: "4/4",
        tempo: 500_000,
        programs: [0, 0, 0, 0, 0, 0, 0, 0],
        ...prompt,
      };
    }
    expect(meant).toEqual(meaning);
  });
});
