/** A number by part, for everybody who hears the stream; a part without one is left open. */

import type { ControlValue } from "../../core/api";
import { h } from "../dom";
import { number } from "../words";
import { type Field, type FieldOptions, setAllEnabled } from "./field";

const STEPS = 40; // of the arrows, from one end to the other

export function byPartField(options: FieldOptions): Field {
  const { row, id, labelId, helpId, parts, change } = options;
  const [low, high] = [row.low ?? 0, row.high ?? 1];
  const inputs = Array.from({ length: parts }, (_, i) =>
    h("input", {
      type: "number",
      id: i ? `${id}-${i}` : id,
      class: "written",
      min: low,
      max: high,
      step: high - low > STEPS ? 1 : (high - low) / STEPS,
      placeholder: "auto",
      "aria-label": `Part ${i + 1}`,
      "aria-describedby": helpId,
      onchange: () => change(chosen()),
    }),
  );
  const chosen = () => {
    const pairs = inputs.flatMap((input, i) =>
      input.value === "" ? [] : [[String(i + 1), Number(input.value)] as const],
    );
    return pairs.length ? Object.fromEntries(pairs) : null;
  };
  const element = h(
    "details",
    { class: "programs-field", "aria-labelledby": labelId },
    h("summary", {}, "Choose by part"),
    ...inputs.map((input, i) =>
      h("label", {}, h("span", { class: "dot", "data-part": i + 1 }), String(i + 1), input),
    ),
  );
  return {
    element,
    show(value: ControlValue) {
      const values = value as number | Readonly<Record<string, number>> | null;
      inputs.forEach((input, i) => {
        const shown = typeof values === "number" ? values : values?.[i + 1];
        input.value = shown === undefined ? "" : number(shown);
      });
    },
    isBeingEdited: () => inputs.some((input) => document.activeElement === input),
    setEnabled: (enabled) => setAllEnabled(element, enabled),
  };
}
