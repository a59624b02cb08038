/** A number: a slider to feel, a box to be exact. An empty box leaves it open. */

import type { ControlRow, ControlValue } from "../../core/api";
import { h } from "../dom";
import { number, pitchName } from "../words";
import { type Field, type FieldOptions, setAllEnabled, watchDragging } from "./field";

const STEPS = [0.01, 0.05, 0.1, 0.5, 1, 5];
const MOST_STEPS = 320;

export function numberField(options: FieldOptions): Field {
  const { row, id, labelId, helpId, change } = options;
  const low = row.low ?? 0;
  const high = row.high ?? 1;
  const slider = h("input", {
    type: "range",
    id,
    min: low,
    max: high,
    step: stepOf(row),
    "aria-describedby": helpId,
  });
  const box = h("input", {
    type: "text",
    inputmode: "decimal",
    class: "exact",
    autocomplete: "off",
    "aria-labelledby": labelId,
    "aria-describedby": helpId,
  });
  const tone = isPitch(row) && h("span", { class: "tone" });
  const element = h("div", { class: "number-field" }, slider, box, tone);

  const put = (value: number | null) => {
    slider.value = String(value ?? resting(row));
    slider.style.setProperty("--filled", `${(100 * (Number(slider.value) - low)) / (high - low)}%`);
    const spoken = valueText(row, value);
    slider.setAttribute("aria-valuetext", spoken);
    slider.toggleAttribute("data-open", value === null);
    if (document.activeElement !== box) box.value = value === null ? "auto" : number(value);
    if (tone) tone.textContent = value === null ? "" : pitchName(value);
  };
  slider.addEventListener("input", () => {
    const value = Number(slider.value);
    put(value);
    change(value);
  });
  slider.addEventListener("dblclick", () => change(row.default));
  slider.addEventListener("keydown", (event) => {
    if (event.key !== "Delete" && event.key !== "Backspace") return;
    event.preventDefault();
    change(row.default);
  });
  box.addEventListener("focus", () => box.select());
  box.addEventListener("change", () => change(exactly(box.value)));
  const isDragged = watchDragging(slider);
  return {
    element,
    show: (value: ControlValue) => put(typeof value === "number" ? value : null),
    isBeingEdited: () => isDragged() || document.activeElement === box,
    setEnabled: (enabled) => setAllEnabled(element, enabled),
  };
}

/** What is no number goes to the server as it is: it says what would be right. */
function exactly(text: string): ControlValue {
  const value = typed(text);
  return value === undefined ? text : value;
}

/** As it is spoken: "84 quarters a minute", "60, C4". */
export function valueText(row: ControlRow, value: number | null): string {
  if (value === null) return "auto";
  if (isPitch(row)) return `${number(value)}, ${pitchName(value)}`;
  return `${number(value)} ${row.unit}`.trim();
}

function isPitch(row: ControlRow): boolean {
  return row.unit.endsWith("MIDI pitch");
}

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
