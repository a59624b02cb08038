/** The changes that are marked in the roll, with the bar from which on they are heard. */

import type { Happening, Perpetuo } from "../core/contract";
import type { Flag } from "./stage/labels";
import { changesInBrief } from "./words";

const MOST = 24;

export class FlagBook {
  all: readonly Flag[] = [];
  private read = 0; // number of the last happening that was looked at

  constructor(private readonly perpetuo: Perpetuo) {
    perpetuo.happenings.watch((happenings) => this.take(happenings));
    this.take(perpetuo.happenings.value);
    let stream = perpetuo.session.stream.value?.name;
    perpetuo.session.stream.watch((now) => {
      // Bars of another stream have nothing to do with these.
      if (now?.name !== stream) this.all = [];
      stream = now?.name;
    });
  }

  private take(happenings: readonly Happening[]): void {
    const fresh = happenings.filter(({ number }) => number > this.read);
    this.read = fresh.at(-1)?.number ?? this.read;
    const epoch = this.perpetuo.session.stream.value?.epoch ?? 0;
    let flags = this.all.map((flag) => moved(flag, happenings));
    for (const { kind, bar, controls, number } of fresh) {
      if (kind !== "steered" || bar === null) continue;
      flags = flagged(flags, { epoch, bar, controls, number });
    }
    this.all = flags.slice(-MOST);
  }
}

/** Where its change is heard now: it may have been postponed. */
function moved(flag: Flag, happenings: readonly Happening[]): Flag {
  const bar = happenings.find(({ number }) => number === flag.number)?.bar ?? flag.bar;
  return bar === flag.bar ? flag : { ...flag, bar };
}

/** With one more; the same control turned again for the same bar takes the former one's place. */
export function flagged(
  flags: readonly Flag[],
  change: Pick<Happening, "controls" | "number"> & { epoch: number; bar: number },
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
