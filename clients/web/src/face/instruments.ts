/** A list of the General MIDI instruments to choose from. */

import { h } from "./dom";
import { FAMILIES } from "./gm";

/** `none` is what the first entry, without a value, is called. */
export function programSelect(none: string): HTMLSelectElement {
  let program = 0;
  return h(
    "select",
    { class: "instrument" },
    h("option", { value: "" }, none),
    ...FAMILIES.map(([family, names]) =>
      h(
        "optgroup",
        { label: family },
        ...names.map((name) => h("option", { value: program++ }, name)),
      ),
    ),
  );
}
