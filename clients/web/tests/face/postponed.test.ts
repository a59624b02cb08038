// @vitest-environment jsdom

import { beforeEach, describe, expect, it } from "vitest";
import { Cell } from "../../src/core/cell";
import type { Perpetuo } from "../../src/core/contract";
import { Happenings } from "../../src/core/happenings";
import { FlagBook } from "../../src/face/flags";
import { Log } from "../../src/face/panels/log";

const steered = { plan: {}, due: 5, by: "web-2" };

function told() {
  const happenings = new Happenings(() => 0);
  const session = { stream: new Cell({ name: "study", epoch: 0 }) };
  const perpetuo = { happenings: happenings.list, session } as unknown as Perpetuo;
  return { happenings, perpetuo };
}

describe("a change that is postponed", () => {
  beforeEach(() => {
    document.body.innerHTML = '<ol id="happenings"></ol>';
  });

  it("moves in the log, where it stands", () => {
    const { happenings, perpetuo } = told();
    new Log(perpetuo);
    happenings.steered({ ...steered, controls: { density: 3 }, bar: 8, change: 1 });
    happenings.steered({ ...steered, controls: { tempo: 90 }, bar: 8, change: 2 });
    happenings.postponed({ change: 1, bar: 9, due: 7 });
    const entries = [...document.querySelectorAll("#happenings li")];
    expect(entries.map((entry) => entry.querySelector("p")?.textContent)).toEqual([
      "tempo 90",
      "density 3",
    ]);
    expect(entries.map((entry) => entry.querySelector(".where")?.textContent)).toEqual([
      "bar 8 · web-2",
      "bar 9 · web-2",
    ]);
  });

  it("takes its flag along", () => {
    const { happenings, perpetuo } = told();
    const flags = new FlagBook(perpetuo);
    happenings.steered({ ...steered, controls: { density: 3 }, bar: 8, change: 1 });
    happenings.steered({ ...steered, controls: { tempo: 90 }, bar: 8, change: 2 });
    happenings.postponed({ change: 2, bar: 9, due: 7 });
    expect(flags.all.map(({ bar, text }) => [bar, text])).toEqual([
      [8, "density 3"],
      [9, "tempo 90"],
    ]);
  });

  it("stays one of as many entries as the log has", () => {
    const { happenings, perpetuo } = told();
    new Log(perpetuo);
    for (let change = 1; change <= 130; change += 1)
      happenings.steered({ ...steered, controls: { density: 3 }, bar: change, change });
    happenings.postponed({ change: 130, bar: 131, due: 7 });
    const entries = document.querySelectorAll("#happenings li");
    expect(entries.length).toBe(120);
    expect(entries[0]?.querySelector(".where")?.textContent).toBe("bar 131 · web-2");
  });
});
