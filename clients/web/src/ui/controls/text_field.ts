/** Anything that is best written, with suggestions: the server reads it and says what is wrong. */

import type { ControlValue } from "../../core/api";
import { h } from "../dom";
import { brief } from "../words";
import { type Field, type FieldOptions, setAllEnabled } from "./field";

const METRES = ["2/4", "3/4", "4/4", "5/4", "6/4", "3/8", "6/8", "7/8", "9/8", "12/8"];

export function textField(options: FieldOptions): Field {
  const { row, id, helpId, change } = options;
  const suggestions = row.kind === "metre" ? METRES : row.choices.map(String);
  const listId = `${id}-list`;
  const input = h("input", {
    type: "text",
    id,
    class: "written",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: row.open ? "auto" : "",
    list: suggestions.length ? listId : null,
    "aria-describedby": helpId,
    onchange: () => change(input.value.trim() || null),
  });
  const list = h("datalist", { id: listId }, ...suggestions.map((value) => h("option", { value })));
  const element = h("div", { class: "text-field" }, input, suggestions.length > 0 && list);
  return {
    element,
    show(value: ControlValue) {
      input.value = value === null ? "" : typeof value === "string" ? value : brief(value);
    },
    isBeingEdited: () => document.activeElement === input,
    setEnabled: (enabled) => setAllEnabled(element, enabled),
  };
}
