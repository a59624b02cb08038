/** How numbers are stepped, placed on a slider and read. Pure. */

import type { ControlRow } from "../../core/contract";

const STEPS = [0.01, 0.05, 0.1, 0.5, 1, 5];
const MOST_STEPS = 320;

/** The finest round step in which a range is not too long a way. */
export function stepOf({ kind, low, high }: Pick<ControlRow, "kind" | "low" | "high">): number {
  if (kind === "integer") return 1;
  const range = (high ?? 1) - (low ?? 0);
  return STEPS.find((step) => range / step <= MOST_STEPS && isWhole((low ?? 0) / step)) ?? 1;
}

function isWhole(value: number): boolean {
  return Math.abs(value - Math.round(value)) < 1e-6;
}

/** Where the slider stands for a value that is left open: in the middle. */
export function resting({ low, high }: Pick<ControlRow, "low" | "high">): number {
  return ((low ?? 0) + (high ?? 1)) / 2;
}

/** What was typed as a number, "auto" and nothing as null, anything else as undefined. */
export function typed(text: string): number | null | undefined {
  const plain = text.trim().replace(",", ".");
  if (plain === "" || plain === "auto") return null;
  const value = Number(plain);
  return Number.isFinite(value) ? value : undefined;
}
