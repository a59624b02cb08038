/** One of few: a row of radio buttons, moved along with the arrow keys. */

import type { ControlValue } from "../../core/api";
import { h } from "../dom";
import { number, titled } from "../words";
import { type Field, type FieldOptions, setAllEnabled } from "./field";

const FRACTIONS = new Map([
  [0.25, "¼"],
  [0.5, "½"],
]);

export function choiceField(options: FieldOptions): Field {
  const { row, id, labelId, helpId, change } = options;
  const radios = row.choices.map((choice, i) =>
    h("input", {
      type: "radio",
      name: id,
      id: i ? `${id}-${i}` : id,
      value: choice,
      onchange: () => change(choice),
    }),
  );
  const element = h(
    "div",
    {
      class: "choice-field",
      role: "radiogroup",
      "aria-labelledby": labelId,
      "aria-describedby": helpId,
    },
    ...row.choices.map((choice, i) => {
      const words =
        typeof choice === "number" ? (FRACTIONS.get(choice) ?? number(choice)) : titled(choice);
      return h("label", {}, radios[i] as HTMLInputElement, h("span", {}, words));
    }),
  );
  return {
    element,
    show(value: ControlValue) {
      row.choices.forEach((choice, i) => {
        (radios[i] as HTMLInputElement).checked = choice === value;
      });
    },
    isBeingEdited: () => false,
    setEnabled: (enabled) => setAllEnabled(element, enabled),
  };
}
