/** Volume, reverb and mix, kept in the browser from one visit to the next. */

import type { PartMix } from "../core/contract";
import { PARTS } from "../core/wire";

const KEY = "perpetuo.sound";

export interface Kept {
  readonly volume: number;
  readonly reverb: number;
  readonly mix: readonly PartMix[];
}

export const usualMix = (): PartMix[] =>
  Array.from({ length: PARTS }, (_, i) => ({
    part: i + 1,
    muted: false,
    solo: false,
    program: null,
  }));

export const USUAL = { volume: 0.8, reverb: 0.5 } as const;

/** What was kept, as far as it can be read. */
export function recall(storage: Pick<Storage, "getItem"> | null): Kept {
  const kept = parsed(storage?.getItem(KEY) ?? "");
  const parts = Array.isArray(kept.mix) ? (kept.mix as unknown[]) : [];
  const mix = usualMix().map((usual) => {
    const found = parts.find((row) => isTable(row) && row.part === usual.part);
    return isTable(found) ? partOf(found, usual) : usual;
  });
  return {
    volume: share(kept.volume, USUAL.volume),
    reverb: share(kept.reverb, USUAL.reverb),
    mix,
  };
}

export function keep(storage: Pick<Storage, "setItem"> | null, kept: Kept): void {
  try {
    storage?.setItem(KEY, JSON.stringify(kept));
  } catch {
    // A browser that is full or keeps nothing: then it is as usual at the next visit.
  }
}

function partOf(found: Record<string, unknown>, { part }: PartMix): PartMix {
  const program = found.program;
  const isProgram = Number.isInteger(program) && Number(program) >= 0 && Number(program) < 128;
  return {
    part,
    muted: found.muted === true,
    solo: found.solo === true,
    program: isProgram ? Number(program) : null,
  };
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return isTable(value) ? value : {};
  } catch {
    return {};
  }
}

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const share = (value: unknown, usual: number): number =>
  typeof value === "number" && value >= 0 && value <= 1 ? value : usual;
