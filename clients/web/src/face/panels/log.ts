/** What happened, the latest first. */

import type { Happening, Perpetuo } from "../../core/contract";
import { byId, h } from "../dom";
import { brief, printed, wallTime } from "../words";

const MOST = 120;

export class Log {
  private last = 0;

  constructor(perpetuo: Perpetuo) {
    perpetuo.happenings.watch((happenings) => this.show(happenings));
    this.show(perpetuo.happenings.value);
  }

  private show(happenings: readonly Happening[]): void {
    const list = byId("happenings");
    for (const happening of happenings) {
      if (happening.number <= this.last) continue;
      this.last = happening.number;
      list.prepend(entry(happening));
    }
    while (list.childElementCount > MOST) list.lastElementChild?.remove();
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
