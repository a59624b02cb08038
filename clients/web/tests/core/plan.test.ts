import { expect, test } from "vitest";
import type { PlanUpdate } from "../../src/core/api";
import { PlanStore } from "../../src/core/plan";
import { BAR, barMessage, dueOf } from "../fakes";

const NOW = dueOf(0) - 500_000;

function planned(count: number): PlanStore {
  const plan = new PlanStore();
  for (let index = 0; index < count; index += 1) plan.put(barMessage(index), NOW, 1);
  return plan;
}

const numbers = (plan: PlanStore) => plan.bars().map((bar) => `${bar.index}.${bar.revision}`);

test("bars stand in the order in which they sound, whatever the order in which they came", () => {
  const plan = new PlanStore();
  for (const index of [2, 0, 1]) plan.put(barMessage(index), NOW, 1);
  expect(numbers(plan)).toEqual(["0.0", "1.0", "2.0"]);
  expect(plan.bars()).toBe(plan.bars());
  expect(plan.at(dueOf(1))?.index).toBe(1);
  expect(plan.at(dueOf(1) - 1)?.index).toBe(0);
  expect(plan.at(dueOf(3))).toBeNull();
});

test("a higher revision replaces a lower one and remembers it; an older one is passed over", () => {
  const plan = planned(2);
  const updates: PlanUpdate[] = [];
  plan.watch((update) => updates.push(update));
  const bar = plan.put(barMessage(1, { revision: 2, notes: [[1, 60, 80, 0, 24, 0, 0]] }), NOW, 7);
  expect(bar).toMatchObject({ revision: 2, arrived: 7, previous: { revision: 0, previous: null } });
  expect(plan.put(barMessage(1, { revision: 1 }), NOW, 8)).toBeNull();
  expect(plan.put(barMessage(1, { revision: 2 }), NOW, 9)).toBeNull();
  expect(numbers(plan)).toEqual(["0.0", "1.2"]);
  expect(updates).toEqual([{ kind: "bar", bar }]);
  expect(bar?.id).toBe(bar?.previous?.id);
});

test("what is past, sounds, is committed and open is told apart", () => {
  const plan = planned(3);
  plan.horizon = 400e3;
  const at = (now: number) => plan.bars().map((bar) => plan.statusOf(bar, now));
  expect(at(dueOf(1))).toEqual(["past", "sounding", "open"]);
  expect(at(dueOf(2) - 400e3 - 1)).toEqual(["past", "sounding", "open"]);
  expect(at(dueOf(2) - 400e3)).toEqual(["past", "sounding", "committed"]);
});

test("bars that moved are others than before, with all their revisions", () => {
  const plan = planned(3);
  const moved = plan.move(1, 700);
  expect(moved.map(({ index, due, end }) => [index, due, end])).toEqual([
    [1, dueOf(1) + 700, dueOf(2) + 700],
    [2, dueOf(2) + 700, dueOf(3) + 700],
  ]);
  expect(plan.bars().map(({ due }) => due)).toEqual([dueOf(0), dueOf(1) + 700, dueOf(2) + 700]);
});

test("a new beginning voids what has not begun; bars of the last epoch do not come back", () => {
  const plan = planned(4);
  plan.begin(1, dueOf(1) + 5);
  expect(numbers(plan)).toEqual(["0.0", "1.0"]);
  expect(plan.put(barMessage(2, { revision: 9 }), dueOf(1), 1)).toBeNull();
  plan.put(barMessage(2, {}, { epoch: 1 }), dueOf(1), 1);
  expect(numbers(plan)).toEqual(["0.0", "1.0", "2.0"]);
});

test("a bar of a higher epoch is a new beginning by itself", () => {
  const plan = planned(4);
  plan.put(barMessage(1, {}, { epoch: 3 }), dueOf(0) + 5, 1);
  expect(plan.epoch).toBe(3);
  expect(plan.bars().map(({ epoch, index }) => [epoch, index])).toEqual([
    [0, 0],
    [3, 1],
  ]);
});

test("told anew, what is not named any more is void, and what is named is given again", () => {
  const plan = planned(5);
  const now = dueOf(1) + 5;
  plan.expect(3, 0, now);
  const again = [1, 2].map((index) => plan.put(barMessage(index), now, 2));
  const other = plan.put(barMessage(3, { revision: 0 }, { due: dueOf(3) + 9 }), now, 2);
  expect(again.map((bar) => bar?.arrived)).toEqual([1, 1]);
  expect(other?.due).toBe(dueOf(3) + 9);
  expect(numbers(plan)).toEqual(["0.0", "1.0", "2.0", "3.0"]);
  expect(plan.put(barMessage(1), now, 3)).toBeNull();
});

test("told anew that nothing is planned, nothing is", () => {
  const plan = planned(3);
  plan.expect(0, 0, dueOf(1) + 5);
  expect(numbers(plan)).toEqual(["0.0"]);
});

test("bars are kept for ten minutes after they sounded", () => {
  const plan = new PlanStore();
  for (let index = 0; index < 1000; index += 1) plan.put(barMessage(index), dueOf(index), 1);
  expect(plan.bars().length).toBe(600e6 / BAR + 2);
});

test("bars of another stream have other names, though their numbers are the same", () => {
  const plan = planned(1);
  const before = plan.bars()[0]?.id;
  plan.empty(0);
  expect(plan.bars()).toEqual([]);
  plan.put(barMessage(0), NOW, 1);
  expect(plan.bars()[0]?.id).not.toBe(before);
});
