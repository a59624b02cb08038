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
    let flags = [...this.all];
    for (const { kind, bar, controls } of fresh) {
      if (kind !== "steered" || bar === null) continue;
      flags = flagged(flags, { epoch, bar, controls });
    }
    this.all = flags.slice(-MOST);
  }
}

/** With one more; the same control turned again for the same bar takes the former one's place. */
export function flagged(
  flags: readonly Flag[],
  change: { epoch: number; bar: number; controls: Readonly<Record<string, unknown>> },
): Flag[] {
  const { epoch, bar, controls } = change;
  const names = Object.keys(controls);
  if (!names.length) return [...flags, { epoch, bar, text: "plan", names }];
  const kept = flags.filter(
    (flag) =>
      flag.epoch !== epoch || flag.bar !== bar || !flag.names.every((name) => names.includes(name)),
  );
  return [...kept, { epoch, bar, text: changesInBrief(controls), names }];
}
