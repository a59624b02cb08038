/** A number: a slider to feel, a box to be exact. An empty box leaves it open. */

import type { ControlRow, ControlValue } from "../../core/contract";
import { h } from "../dom";
import { number, pitchName } from "../words";
import { type Field, type Maker, setAllEnabled, watchHold } from "./field";
import { resting, stepOf, typed } from "./numbers";

export function numberField(maker: Maker): Field {
  const { row, id, labelId, helpId, turn } = maker;
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
    turn(value);
  });
  slider.addEventListener("dblclick", () => turn(row.default));
  slider.addEventListener("keydown", (event) => {
    if (event.key !== "Delete" && event.key !== "Backspace") return;
    event.preventDefault();
    turn(row.default);
  });
  box.addEventListener("focus", () => box.select());
  box.addEventListener("change", () => turn(exactly(box.value)));
  const isDragged = watchHold(slider);
  return {
    element,
    show: (value: ControlValue) => put(typeof value === "number" ? value : null),
    isHeld: () => isDragged() || document.activeElement === box,
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
