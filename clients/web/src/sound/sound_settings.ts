/** Volume, reverb and mix, saved in the browser from one visit to the next. */

import type { PartMix } from "../core/api";
import { PARTS } from "../core/messages";

const KEY = "perpetuo.sound";

export interface SoundSettings {
  readonly volume: number;
  readonly reverb: number;
  readonly mix: readonly PartMix[];
}

export const defaultMix = (): PartMix[] =>
  Array.from({ length: PARTS }, (_, i) => ({
    part: i + 1,
    muted: false,
    solo: false,
    program: null,
  }));

export const DEFAULTS = { volume: 0.8, reverb: 0.5 } as const;

/** What was saved, as far as it can be read. */
export function loadSettings(storage: Pick<Storage, "getItem"> | null): SoundSettings {
  const saved = parsed(storage?.getItem(KEY) ?? "");
  const parts = Array.isArray(saved.mix) ? (saved.mix as unknown[]) : [];
  const mix = defaultMix().map((byDefault) => {
    const found = parts.find((row) => isTable(row) && row.part === byDefault.part);
    return isTable(found) ? partOf(found, byDefault) : byDefault;
  });
  return {
    volume: share(saved.volume, DEFAULTS.volume),
    reverb: share(saved.reverb, DEFAULTS.reverb),
    mix,
  };
}

export function saveSettings(
  storage: Pick<Storage, "setItem"> | null,
  settings: SoundSettings,
): void {
  try {
    storage?.setItem(KEY, JSON.stringify(settings));
  } catch {
    // A browser that is full or keeps nothing: then the defaults hold at the next visit.
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

const share = (value: unknown, byDefault: number): number =>
  typeof value === "number" && value >= 0 && value <= 1 ? value : byDefault;
