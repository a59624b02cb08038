/** What happened, the latest first. */

import type { Happening, Perpetuo } from "../../core/contract";
import { byId, h } from "../dom";
import { brief, printed, wallTime } from "../words";

const MOST = 120;

export class Log {
  private readonly shown = new Map<number, { happening: Happening; element: HTMLElement }>();

  constructor(perpetuo: Perpetuo) {
    perpetuo.happenings.watch((happenings) => this.show(happenings));
    this.show(perpetuo.happenings.value);
  }

  private show(happenings: readonly Happening[]): void {
    const list = byId("happenings");
    for (const happening of happenings.slice(-MOST)) {
      const known = this.shown.get(happening.number);
      if (known?.happening === happening) continue;
      const element = entry(happening);
      if (known) known.element.replaceWith(element);
      else list.prepend(element);
      this.shown.set(happening.number, { happening, element });
    }
    for (const [number, { element }] of this.shown) {
      if (this.shown.size <= MOST) break;
      element.remove();
      this.shown.delete(number);
    }
  }
}

/** Of a change its values, of anything else what is told of it. */
function words({ kind, text, controls }: Happening): string {
  const changed = Object.entries(controls);
  if (kind !== "steered" || !changed.length) return text;
  return changed
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${printed(brief(value))}`)
    .join(" · ");
}

function entry(happening: Happening): HTMLElement {
  const { kind, at, bar, by, mine } = happening;
  const who = mine ? "you" : by;
  const where = bar === null ? "" : `bar ${bar}`;
  return h(
    "li",
    { "data-kind": kind },
    h("time", { datetime: new Date(at).toISOString() }, wallTime(at)),
    h("p", {}, words(happening)),
    h("span", { class: "where" }, [where, who].filter(Boolean).join(" · ")),
  );
}
