import { describe, expect, test } from "vitest";
import {
  type Action,
  type ScheduledBar,
  type ScheduledNote,
  Scheduler,
  STALE,
} from "../../src/core/scheduler";
import { BAR, dueOf, scheduledBar, scheduledNote, seededRandom } from "../fakes";

const BEFORE = dueOf(0) - 1_000_000;
const FAR = dueOf(100);

/** What is played when it is asked every so often, from one time to another. */
function played(scheduler: Scheduler, from: number, to: number, step = 10_000): Action[] {
  const actions: Action[] = [];
  for (let time = from; time < to; time += step) actions.push(...scheduler.take(time, time - step));
  return [...actions, ...scheduler.take(to, to - step)];
}

/** As "on 60@0": pitch and microseconds since bar 0. */
function described(actions: readonly Action[]): string[] {
  return actions.map((action) => {
    if (action.kind === "sustain")
      return `${action.down ? "down" : "up"} ${action.part}@${action.time - dueOf(0)}`;
    if (action.kind === "controller")
      return `${action.part}/${action.number}=${action.value}@${action.time - dueOf(0)}`;
    const what = action.kind === "program" ? action.program : action.pitch;
    return `${action.kind} ${what}@${action.time - dueOf(0)}`;
  });
}

function scheduled(...bars: ScheduledBar[]): Scheduler {
  const scheduler = new Scheduler();
  for (const each of bars) scheduler.put(each, BEFORE);
  return scheduler;
}

/** Every note-on is followed by its own note-off, and no note sounds twice at once; every pedal that
 * goes down comes up before it goes down again. */
function expectPairs(actions: readonly Action[]): void {
  const sounding = new Set<string>();
  const pressed = new Set<number>();
  for (const action of actions) {
    if (action.kind === "program" || action.kind === "controller") continue;
    if (action.kind === "sustain") {
      expect(pressed.has(action.part)).toBe(!action.down);
      if (action.down) pressed.add(action.part);
      else pressed.delete(action.part);
      continue;
    }
    const key = `${action.part}/${action.pitch}`;
    expect(sounding.has(key), `${action.kind} ${key}`).toBe(action.kind === "off");
    if (action.kind === "on") sounding.add(key);
    else sounding.delete(key);
  }
  expect(sounding).toEqual(new Set());
  expect(pressed).toEqual(new Set());
}

describe("a bar", () => {
  test("sounds at its exact times, in order; what ends comes before what begins", () => {
    const notes = [
      scheduledNote(1, 60, 0, 500_000),
      scheduledNote(1, 60, 500_000, 1_000_000),
      scheduledNote(2, 64, -700, 1),
    ];
    const actions = scheduled(scheduledBar(0, notes)).take(FAR, BEFORE);
    expect(described(actions)).toEqual(
      ["on 64@-700", "off 64@1", "on 60@0", "off 60@500000", "on 60@500000", "off 60@1000000"].sort(
        (a, b) => Number(a.split("@")[1]) - Number(b.split("@")[1]),
      ),
    );
  });

  test("how often it is asked changes nothing", () => {
    const bars = [0, 1, 2].map((i) =>
      scheduledBar(i, [scheduledNote(1, 60, 0, BAR, "<>"), scheduledNote(2, 50 + i, 7, 90_007)]),
    );
    const whole = described(scheduled(...bars).take(FAR, BEFORE));
    for (const step of [1_000, 2_667, 333_333]) {
      expect(described(played(scheduled(...bars), BEFORE, dueOf(4), step))).toEqual(whole);
    }
  });

  test("sets programs that are others than before, before its first note", () => {
    const programs = (...values: number[]) => ({ programs: values });
    const scheduler = scheduled(
      scheduledBar(0, [scheduledNote(1, 60, -500, 9)], programs(4, 5)),
      scheduledBar(1, [], programs(4, 6)),
    );
    expect(described(scheduler.take(FAR, BEFORE)).filter((a) => a.startsWith("program"))).toEqual([
      "program 4@-500",
      "program 5@-500",
      `program 6@${BAR}`,
    ]);
  });
});

describe("notes over bar lines", () => {
  test("are one note", () => {
    const scheduler = scheduled(
      scheduledBar(0, [scheduledNote(1, 60, 100, BAR, ">")]),
      scheduledBar(1, [scheduledNote(1, 60, 0, BAR, "<>")]),
      scheduledBar(2, [scheduledNote(1, 60, 0, 5_000, "<")]),
    );
    expect(described(scheduler.take(FAR, BEFORE))).toEqual([
      "on 60@100",
      `off 60@${2 * BAR + 5_000}`,
    ]);
  });

  test("end on the bar line if the next bar does not go on with them", () => {
    const scheduler = scheduled(
      scheduledBar(0, [scheduledNote(1, 60, 100, BAR, ">")]),
      scheduledBar(1, []),
    );
    expect(described(scheduler.take(FAR, BEFORE))).toEqual(["on 60@100", `off 60@${BAR}`]);
  });

  test("that were ended on purpose do not begin again in the next bar", () => {
    const scheduler = scheduled(
      scheduledBar(0, [scheduledNote(1, 60, 0, BAR, ">")]),
      scheduledBar(1, [scheduledNote(1, 60, 0, 9, "<")]),
    );
    scheduler.take(dueOf(0) + 5, BEFORE);
    expect(described(scheduler.silence())).toEqual(["off 60@5"]);
    expect(scheduler.take(FAR, BEFORE)).toEqual([]);
  });

  test("whose beginning was not heard begin where listening begins", () => {
    const scheduler = scheduled(scheduledBar(1, [scheduledNote(1, 60, 0, 9_000, "<")]));
    expect(described(scheduler.take(FAR, BEFORE))).toEqual([
      `on 60@${BAR}`,
      `off 60@${BAR + 9_000}`,
    ]);
  });
});

describe("a revision", () => {
  test("replaces what was not taken yet, and nothing is taken twice", () => {
    const scheduler = scheduled(
      scheduledBar(0, [scheduledNote(1, 60, 0, 9), scheduledNote(1, 62, 1_000_000, 1_000_009)]),
    );
    expect(described(scheduler.take(dueOf(0) + 500_000, BEFORE))).toEqual(["on 60@0", "off 60@9"]);
    scheduler.put(
      scheduledBar(0, [scheduledNote(1, 70, 0, 9), scheduledNote(1, 72, 700_000, 700_009)]),
      dueOf(0) + 500_000,
    );
    expect(described(scheduler.take(FAR, BEFORE))).toEqual(["on 72@700000", "off 72@700009"]);
  });

  test("of a bar that was told under another name replaces it too", () => {
    const scheduler = scheduled(scheduledBar(0, [scheduledNote(1, 60, 500, 900)]));
    scheduler.put(scheduledBar(0, [scheduledNote(1, 60, 500, 900)], { id: "again" }), BEFORE);
    expect(described(scheduler.take(FAR, BEFORE))).toEqual(["on 60@500", "off 60@900"]);
  });

  test("of a bar that moved sounds at its new time", () => {
    const scheduler = scheduled(
      scheduledBar(0, [scheduledNote(1, 60, 0, 9), scheduledNote(1, 62, 1_000_000, 1_000_009)]),
    );
    scheduler.take(dueOf(0) + 400_000, BEFORE);
    expect(scheduler.pause()).toEqual([]);
    expect(scheduler.take(FAR, FAR)).toEqual([]);
    const later = { due: dueOf(7), end: dueOf(8) };
    scheduler.put(
      scheduledBar(
        0,
        [scheduledNote(1, 60, 0, 9), scheduledNote(1, 62, 1_000_000, 1_000_009)],
        later,
      ),
      dueOf(6),
    );
    scheduler.resume();
    expect(described(played(scheduler, dueOf(6), dueOf(9)))).toEqual(
      [0, 9, 1_000_000, 1_000_009].map(
        (at, i) => `${i % 2 ? "off" : "on"} ${i < 2 ? 60 : 62}@${7 * BAR + at}`,
      ),
    );
  });
});

describe("what comes late", () => {
  test("by a hair is played, by more is left out and counted: no burst", () => {
    const scheduler = scheduled(scheduledBar(0, []));
    played(scheduler, BEFORE, dueOf(1) + 100_000);
    const notes = [0, 1, 2, 3, 4].map((i) =>
      scheduledNote(1, 60 + i, i * 30_000, i * 30_000 + 1_000_000),
    );
    scheduler.put(scheduledBar(1, notes), dueOf(1) + 100_000);
    const begun = scheduler.take(dueOf(1) + 200_000, dueOf(1) + 100_000);
    expect(begun.map((a) => "pitch" in a && a.pitch)).toEqual([63, 64]);
    expect(scheduler.missed).toBe(3);
  });

  test("because nobody asked for long is left out, and what sounded ends", () => {
    const scheduler = scheduled(
      ...[0, 1, 2].map((i) =>
        scheduledBar(i, [scheduledNote(1, 60 + i, 0, BAR), scheduledNote(2, 40 + i, BAR / 2, BAR)]),
      ),
    );
    expect(described(scheduler.take(dueOf(0) + 10, dueOf(0)))).toEqual(["on 60@0"]);
    const late = dueOf(2) + BAR / 2;
    expect(described(scheduler.take(late, late))).toEqual([
      `off 60@${BAR}`,
      `on 42@${2 * BAR + BAR / 2}`,
    ]);
    expect(scheduler.missed).toBe(4);
  });

  test("when listening begins in the middle of a bar counts as nothing", () => {
    const scheduler = new Scheduler();
    const now = dueOf(0) + BAR / 2;
    scheduler.put(
      scheduledBar(0, [scheduledNote(1, 60, 0, BAR), scheduledNote(1, 62, BAR / 2 + STALE, BAR)]),
      now,
    );
    expect(described(scheduler.take(dueOf(1), now))).toEqual([
      `on 62@${BAR / 2 + STALE}`,
      `off 62@${BAR}`,
    ]);
    expect(scheduler.missed).toBe(0);
  });
});

describe("ends", () => {
  const sounding = () => {
    const scheduler = scheduled(
      scheduledBar(0, [scheduledNote(1, 60, 0, BAR), scheduledNote(1, 62, 900_000, BAR)]),
      scheduledBar(1, [scheduledNote(1, 64, 0, 9)]),
    );
    scheduler.take(dueOf(0) + 10, BEFORE);
    return scheduler;
  };

  test("drop voids what has not begun, and plays the rest to its end", () => {
    const scheduler = sounding();
    scheduler.drop();
    expect(described(scheduler.take(FAR, BEFORE))).toEqual([
      "on 62@900000",
      `off 60@${BAR}`,
      `off 62@${BAR}`,
    ]);
  });

  test("pause ends what sounds and plays nothing", () => {
    const scheduler = sounding();
    expect(described(scheduler.pause())).toEqual(["off 60@10"]);
    expect(scheduler.take(FAR, BEFORE)).toEqual([]);
    expect(scheduler.sounding).toBe(0);
  });

  test("clear forgets everything, the time too", () => {
    const scheduler = sounding();
    expect(described(scheduler.clear())).toEqual(["off 60@10"]);
    expect(scheduler.bars).toBe(0);
    scheduler.put(scheduledBar(-5, [scheduledNote(1, 50, 0, 9)]), dueOf(-6));
    expect(described(scheduler.take(FAR, dueOf(-6)))).toEqual([
      `on 50@${-5 * BAR}`,
      `off 50@${-5 * BAR + 9}`,
    ]);
  });

  test("bars that are over are not kept", () => {
    const scheduler = scheduled(
      ...[0, 1, 2, 3].map((i) => scheduledBar(i, [scheduledNote(1, 60, 0, 9)])),
    );
    played(scheduler, BEFORE, dueOf(3) + 10);
    expect(scheduler.bars).toBe(1);
  });
});

test("whatever is put and asked, every note-on gets its note-off, once", () => {
  for (let seed = 0; seed < 300; seed += 1) {
    const random = seededRandom(seed);
    const pick = (most: number) => Math.floor(random() * most);
    const someNote = (): ScheduledNote => {
      const onset = pick(BAR) - 50_000;
      const ties = ["", "", ">", "<", "<>"][pick(5)] ?? "";
      return scheduledNote(
        1 + pick(2),
        60 + pick(4),
        ties.includes("<") ? 0 : onset,
        onset + 1 + pick(BAR),
        ties,
      );
    };
    const scheduler = new Scheduler();
    const actions: Action[] = [];
    let time = BEFORE;
    let late = 0;
    for (let turn = 0; turn < 120; turn += 1) {
      time += pick(400_000);
      actions.push(...scheduler.take(time, time - 20_000));
      const index = Math.floor((time - dueOf(0)) / BAR) + pick(4);
      const due = dueOf(index) + late;
      const notes = Array.from({ length: pick(12) }, someNote);
      const what = pick(20);
      if (what === 0) actions.push(...scheduler.pause());
      else if (what === 1) actions.push(...scheduler.silence());
      else if (what === 2) actions.push(...scheduler.clear());
      else if (what === 3) scheduler.drop();
      else if (what === 4) late += pick(BAR);
      else if (what < 8) scheduler.resume();
      else {
        const pedals = Array.from({ length: pick(4) }, () => {
          const down = pick(BAR);
          return { part: 1 + pick(2), down, up: Math.min(BAR, down + 1 + pick(BAR)) };
        });
        const bar = {
          id: `${index}`,
          due,
          end: due + BAR,
          programs: [],
          controllers: [],
          notes,
          pedals,
        };
        scheduler.put(bar, time);
      }
    }
    actions.push(...scheduler.clear());
    expectPairs(actions);
    expect(scheduler.sounding).toBe(0);
  }
});

describe("controllers", () => {
  const louder = { part: 1, number: 7, value: 110 };
  const left = { part: 2, number: 10, value: 32 };
  const note = scheduledNote(1, 60, 0, 1);
  const turned = (actions: readonly Action[]) =>
    described(actions.filter(({ kind }) => kind === "controller"));

  test("are sent before the first note, and when they change", () => {
    const bars = [[louder, left], [louder, left], [louder], []].map((controllers, index) =>
      scheduledBar(index, [note], { controllers }),
    );
    const actions = scheduled(...bars).take(FAR, BEFORE);
    expect(described(actions).slice(0, 3)).toEqual(["1/7=110@0", "2/10=32@0", "on 60@0"]);
    expect(turned(actions).slice(2)).toEqual([`2/10=64@${2 * BAR}`, `1/7=100@${3 * BAR}`]);
  });

  test("are sent again to one that was cleared, even those that are usual now", () => {
    const scheduler = scheduled(scheduledBar(0, [note], { controllers: [louder, left] }));
    scheduler.take(dueOf(0) + 200_000, dueOf(0));
    scheduler.clear();
    scheduler.put(scheduledBar(1, [note], { controllers: [louder] }), dueOf(1) - 1);
    const actions = scheduler.take(FAR, dueOf(1));
    expect(turned(actions)).toEqual([`1/7=110@${BAR}`, `2/10=64@${BAR}`]);
  });

  test("none are sent where none are asked for", () => {
    expect(turned(scheduled(scheduledBar(0, [note])).take(FAR, BEFORE))).toEqual([]);
  });
});

describe("pedals", () => {
  const pedals = [
    { part: 1, down: 100_000, up: BAR / 2 },
    { part: 2, down: 0, up: BAR },
    { part: 1, down: BAR / 2 + 100_000, up: BAR },
  ];
  const pressing = scheduledBar(0, [scheduledNote(1, 60, 0, 1)], { pedals });
  const next = scheduledBar(1, [scheduledNote(1, 62, 0, 1)]);

  test("go down and come up at their times, and are up before the next bar strikes", () => {
    const actions = scheduled(pressing, next).take(FAR, BEFORE);
    expect(described(actions)).toEqual([
      ...["on 60@0", "down 2@0", "off 60@1", "down 1@100000", `up 1@${BAR / 2}`],
      ...[`down 1@${BAR / 2 + 100_000}`, `up 2@${BAR}`, `up 1@${BAR}`],
      ...[`on 62@${BAR}`, `off 62@${BAR + 1}`],
    ]);
  });

  test.each(["pause", "silence", "clear"] as const)("%s lifts them", (end) => {
    const scheduler = scheduled(pressing);
    const actions = scheduler.take(dueOf(0) + 200_000, dueOf(0));
    const ended = scheduler[end]();
    expect(described(ended)).toEqual(["up 2@200000", "up 1@200000"]);
    expectPairs([...actions, ...ended, ...scheduler.take(FAR, dueOf(0))]);
  });

  test("a bar that is replaced while its pedal is down leaves none down", () => {
    const scheduler = scheduled(pressing);
    const actions = scheduler.take(dueOf(0) + 200_000, dueOf(0));
    scheduler.put(scheduledBar(0, []), dueOf(0) + 200_000);
    expectPairs([...actions, ...scheduler.take(FAR, dueOf(0) + 200_000)]);
  });
});
