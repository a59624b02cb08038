/** The changes that are marked in the roll, with the bar from which on they are heard. */

import type { LogEntry, Perpetuo } from "../../core/api";
import { changesInBrief } from "../words";
import type { Flag } from "./labels";

const MOST = 24;

export class ChangeFlags {
  all: readonly Flag[] = [];
  private read = 0; // number of the last log entry that was looked at

  constructor(private readonly perpetuo: Perpetuo) {
    perpetuo.log.watch((entries) => this.take(entries));
    this.take(perpetuo.log.value);
    let stream = perpetuo.session.stream.value?.name;
    perpetuo.session.stream.watch((now) => {
      // Bars of another stream have nothing to do with these.
      if (now?.name !== stream) this.all = [];
      stream = now?.name;
    });
  }

  private take(entries: readonly LogEntry[]): void {
    const fresh = entries.filter(({ number }) => number > this.read);
    this.read = fresh.at(-1)?.number ?? this.read;
    const epoch = this.perpetuo.session.stream.value?.epoch ?? 0;
    let flags = this.all.map((flag) => moved(flag, entries));
    for (const { kind, bar, controls, number } of fresh) {
      if (kind !== "steered" || bar === null) continue;
      flags = flagged(flags, { epoch, bar, controls, number });
    }
    this.all = flags.slice(-MOST);
  }
}

/** Where its change is heard now: it may have been postponed. */
function moved(flag: Flag, entries: readonly LogEntry[]): Flag {
  const bar = entries.find(({ number }) => number === flag.number)?.bar ?? flag.bar;
  return bar === flag.bar ? flag : { ...flag, bar };
}

/** With one more; the same control turned again for the same bar takes the former one's place. */
export function flagged(
  flags: readonly Flag[],
  change: Pick<LogEntry, "controls" | "number"> & { epoch: number; bar: number },
): Flag[] {
  const { epoch, bar, controls, number } = change;
  const names = Object.keys(controls);
  if (!names.length) return [...flags, { epoch, bar, number, text: "plan", names }];
  const kept = flags.filter(
    (flag) =>
      flag.epoch !== epoch || flag.bar !== bar || !flag.names.every((name) => names.includes(name)),
  );
  return [...kept, { epoch, bar, number, text: changesInBrief(controls), names }];
}
