import { describe, expect, test } from "vitest";
import { best, offsetOf, ServerClock } from "../../src/core/clock";
import { seededRandom } from "../fakes";
import { CLOCK } from "./vectors";

describe("the shared cases", () => {
  test.each(CLOCK)("$name", ({ samples, best: index, offset }) => {
    const pings = samples.map(([sent, server, received]) => ({ sent, server, received }));
    const found = best(pings, Number.NEGATIVE_INFINITY); // as if all were equally fresh
    expect(found).toBe(pings[index]);
    expect(found && offsetOf(found)).toBe(offset);
  });
});

test("the error is at most half of the round trip, whatever way is the longer one", () => {
  const random = seededRandom(1);
  for (let trial = 0; trial < 200; trial += 1) {
    const offset = Math.round((random() - 0.5) * 1e12);
    let page = random() * 1e6;
    const clock = new ServerClock(() => page / 1000);
    for (let ping = 0; ping < 16; ping += 1) {
      const there = random() ** 4 * 200_000;
      const back = random() ** 4 * 200_000;
      clock.add({ sent: page, server: page + there + offset, received: page + there + back });
      page += there + back + 50_000;
    }
    expect(Math.abs(clock.now() - (page + offset))).toBeLessThanOrEqual(clock.roundTrip / 2 + 1);
  }
});

test("clocks that drift apart are followed", () => {
  let page = 0;
  let worst = 0;
  const clock = new ServerClock(() => page / 1000);
  const server = () => page * (1 + 40e-6); // 144 ms an hour
  for (let second = 0; second < 3600; second += 4) {
    page = second * 1e6;
    clock.add({ sent: page - 300, server: server(), received: page + 300 });
    worst = Math.max(worst, Math.abs(clock.now() - server()));
  }
  expect(worst).toBeLessThan(700);
});

test("a ping that contradicts what is known tells of another clock", () => {
  const clock = new ServerClock(() => 10);
  expect(clock.isSet).toBe(false);
  expect(clock.add({ sent: 0, server: 1_000_000, received: 1000 })).toBe(false);
  expect(clock.add({ sent: 5000, server: 1_005_700, received: 6000 })).toBe(false);
  expect(clock.add({ sent: 9000, server: 77_000_000, received: 10_000 })).toBe(true);
  expect(clock.now()).toBe(77_000_500);
  expect(clock.toPage(clock.toServer(123))).toBe(123);
});
