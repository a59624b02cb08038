/** Instruments by part, for everybody who hears the stream. */

import type { ControlValue } from "../../core/api";
import { h } from "../dom";
import { programSelect } from "../instruments";
import { type Field, type FieldOptions, setAllEnabled } from "./field";

export function programsField(options: FieldOptions): Field {
  const { id, labelId, helpId, parts, change } = options;
  // The last part is percussion, whose kit is no matter of programs.
  const selects = Array.from({ length: parts - 1 }, (_, i) => {
    const select = programSelect("Auto");
    select.id = i ? `${id}-${i}` : id;
    select.setAttribute("aria-label", `Part ${i + 1}`);
    select.setAttribute("aria-describedby", helpId);
    select.addEventListener("change", () => change(chosen()));
    return select;
  });
  const chosen = () => {
    const pairs = selects.flatMap((select, i) =>
      select.value === "" ? [] : [[String(i + 1), Number(select.value)] as const],
    );
    return pairs.length ? Object.fromEntries(pairs) : null;
  };
  const element = h(
    "details",
    { class: "programs-field", "aria-labelledby": labelId },
    h("summary", {}, "Choose by part"),
    ...selects.map((select, i) =>
      h("label", {}, h("span", { class: "dot", "data-part": i + 1 }), String(i + 1), select),
    ),
  );
  return {
    element,
    show(value: ControlValue) {
      const programs = (value ?? {}) as Readonly<Record<string, number>>;
      selects.forEach((select, i) => {
        select.value = String(programs[i + 1] ?? "");
      });
    },
    isBeingEdited: () => selects.some((select) => document.activeElement === select),
    setEnabled: (enabled) => setAllEnabled(element, enabled),
  };
}
