// @vitest-environment jsdom

import { beforeEach, describe, expect, it } from "vitest";
import type { Perpetuo } from "../../src/core/api";
import { Log } from "../../src/core/log";
import { ObservableValue } from "../../src/core/observable";
import { LogPanel } from "../../src/ui/panels/log";
import { ChangeFlags } from "../../src/ui/roll/change_flags";

const steered = { plan: {}, due: 5, by: "web-2" };

function made() {
  const log = new Log(() => 0);
  const session = { stream: new ObservableValue({ name: "study", epoch: 0 }) };
  const perpetuo = { log: log.entries, session } as unknown as Perpetuo;
  return { log, perpetuo };
}

describe("a change that is postponed", () => {
  beforeEach(() => {
    document.body.innerHTML = '<ol id="log-entries"></ol>';
  });

  it("moves in the log, where it stands", () => {
    const { log, perpetuo } = made();
    new LogPanel(perpetuo);
    log.changeAnnounced({ ...steered, controls: { density: 3 }, bar: 8, change: 1 });
    log.changeAnnounced({ ...steered, controls: { tempo: 90 }, bar: 8, change: 2 });
    log.changePostponed({ change: 1, bar: 9, due: 7 });
    const entries = [...document.querySelectorAll("#log-entries li")];
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
    const { log, perpetuo } = made();
    const flags = new ChangeFlags(perpetuo);
    log.changeAnnounced({ ...steered, controls: { density: 3 }, bar: 8, change: 1 });
    log.changeAnnounced({ ...steered, controls: { tempo: 90 }, bar: 8, change: 2 });
    log.changePostponed({ change: 2, bar: 9, due: 7 });
    expect(flags.all.map(({ bar, text }) => [bar, text])).toEqual([
      [8, "density 3"],
      [9, "tempo 90"],
    ]);
  });

  it("stays one of as many entries as the log has", () => {
    const { log, perpetuo } = made();
    new LogPanel(perpetuo);
    for (let change = 1; change <= 130; change += 1)
      log.changeAnnounced({ ...steered, controls: { density: 3 }, bar: change, change });
    log.changePostponed({ change: 130, bar: 131, due: 7 });
    const entries = document.querySelectorAll("#log-entries li");
    expect(entries.length).toBe(120);
    expect(entries[0]?.querySelector(".where")?.textContent).toBe("bar 131 · web-2");
  });
});
