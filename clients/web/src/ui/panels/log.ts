/** What happened, the latest first. */

import type { LogEntry, Perpetuo } from "../../core/api";
import { byId, h } from "../dom";
import { brief, printed, wallTime } from "../words";

const MOST = 120;

export class LogPanel {
  private readonly shown = new Map<number, { entry: LogEntry; element: HTMLElement }>();

  constructor(perpetuo: Perpetuo) {
    perpetuo.log.watch((entries) => this.show(entries));
    this.show(perpetuo.log.value);
  }

  private show(entries: readonly LogEntry[]): void {
    const list = byId("log-entries");
    for (const entry of entries.slice(-MOST)) {
      const known = this.shown.get(entry.number);
      if (known?.entry === entry) continue;
      const element = elementOf(entry);
      if (known) known.element.replaceWith(element);
      else list.prepend(element);
      this.shown.set(entry.number, { entry, element });
    }
    for (const [number, { element }] of this.shown) {
      if (this.shown.size <= MOST) break;
      element.remove();
      this.shown.delete(number);
    }
  }
}

/** Of a change its values, of anything else what is told of it. */
function words({ kind, text, controls }: LogEntry): string {
  const changed = Object.entries(controls);
  if (kind !== "steered" || !changed.length) return text;
  return changed
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${printed(brief(value))}`)
    .join(" · ");
}

function elementOf(entry: LogEntry): HTMLElement {
  const { kind, at, bar, by, mine } = entry;
  const who = mine ? "you" : by;
  const where = bar === null ? "" : `bar ${bar}`;
  return h(
    "li",
    { "data-kind": kind },
    h("time", { datetime: new Date(at).toISOString() }, wallTime(at)),
    h("p", {}, words(entry)),
    h("span", { class: "where" }, [where, who].filter(Boolean).join(" · ")),
  );
}
