/** Which parts play: a switch for each, in its colour. None pressed leaves it to the model. */

import type { ControlValue } from "../../core/api";
import { h } from "../dom";
import { type Field, type FieldOptions, setAllEnabled } from "./field";

export function partsField(options: FieldOptions): Field {
  const { id, labelId, helpId, parts, change } = options;
  const boxes = Array.from({ length: parts }, (_, i) =>
    h("input", { type: "checkbox", id: i ? `${id}-${i}` : id, onchange: () => change(chosen()) }),
  );
  const chosen = () => {
    const found = boxes.flatMap((box, i) => (box.checked ? [i + 1] : []));
    return found.length ? found : null;
  };
  const element = h(
    "div",
    { class: "parts-field", role: "group", "aria-labelledby": labelId, "aria-describedby": helpId },
    ...boxes.map((box, i) => {
      const name = i + 1 === parts ? "Percussion" : `Part ${i + 1}`;
      box.setAttribute("aria-label", name);
      const shown = h("span", { "data-part": i + 1, title: name }, String(i + 1));
      return h("label", {}, box, shown);
    }),
  );
  return {
    element,
    show(value: ControlValue) {
      const on = Array.isArray(value) ? value : [];
      boxes.forEach((box, i) => {
        box.checked = on.includes(i + 1);
      });
    },
    isBeingEdited: () => false,
    setEnabled: (enabled) => setAllEnabled(element, enabled),
  };
}
