/**
 * Colours of the canvas, by mode. The parts' colours stay apart from each other for every common
 * kind of colour vision, and from the ground (tests/ui/palette.test.ts holds them to it).
 */

export type Mode = "light" | "dark";

export interface Palette {
  readonly mode: Mode;
  /** Ground of the roll where music is fixed, and where it may still change. */
  readonly ground: string;
  readonly openGround: string;
  /** The same as `ground`, to lay over what is past. */
  readonly veil: string;
  readonly ink: string;
  readonly soft: string;
  readonly line: string;
  readonly faintLine: string;
  readonly blackKeys: string;
  readonly accent: string;
  /** By part, from part 1. The last one is percussion. */
  readonly parts: readonly string[];
}

const LIGHT: Palette = {
  mode: "light",
  ground: "#fdfcf8",
  openGround: "#f6f3ea",
  veil: "rgba(253, 252, 248, 0.55)",
  ink: "#1f1d1a",
  soft: "#66625a",
  line: "#cfc9bb",
  faintLine: "#ebe6da",
  blackKeys: "rgba(70, 55, 20, 0.028)",
  accent: "#b3261e",
  parts: ["#b35a00", "#2a8fdc", "#0a5f3f", "#9a2f92", "#b08d00", "#322c86", "#5f0c12", "#6f6d68"],
};

const DARK: Palette = {
  mode: "dark",
  ground: "#131419",
  openGround: "#191b21",
  veil: "rgba(19, 20, 25, 0.58)",
  ink: "#f1eee6",
  soft: "#a5a39c",
  line: "#3c3e46",
  faintLine: "#24262d",
  blackKeys: "rgba(255, 255, 255, 0.018)",
  accent: "#ff8a70",
  parts: ["#f2a33a", "#5cb8f5", "#8fecc9", "#a56a9c", "#f4e04d", "#5f74f0", "#d9480f", "#a3a39b"],
};

export const palettes: Readonly<Record<Mode, Palette>> = { light: LIGHT, dark: DARK };

export function partColour(palette: Palette, part: number): string {
  return palette.parts[Math.min(part, palette.parts.length) - 1] ?? palette.soft;
}
