/** A key: its tonic on the keys of a piano, its mode from a list. */

import type { ControlValue } from "../../core/api";
import { h } from "../dom";
import { printed, titled } from "../words";
import { type Field, type FieldOptions, setAllEnabled } from "./field";
import { type Key, keyOf, MODES, TONICS } from "./tonality";

const BLACK = new Set([1, 3, 6, 8, 10]);

export function keyField(options: FieldOptions): Field {
  const { id, labelId, helpId, change } = options;
  let shown: Key = { tonic: "C", mode: "major" };
  const choose = (key: Key) => {
    shown = key;
    change(`${key.tonic} ${key.mode}`);
  };
  const radios = TONICS.map((tonic) =>
    h("input", {
      type: "radio",
      name: `${id}-tonic`,
      value: tonic,
      onchange: () => choose({ ...shown, tonic }),
    }),
  );
  const keyboard = h(
    "div",
    { class: "keyboard", role: "radiogroup", "aria-label": "Tonic", "aria-describedby": helpId },
    ...TONICS.map((tonic, i) =>
      h(
        "label",
        { class: BLACK.has(i) ? "black key" : "white key", "data-tone": i },
        radios[i] as HTMLInputElement,
        h("span", {}, printed(tonic)),
      ),
    ),
  );
  const modes = h(
    "select",
    {
      id,
      "aria-label": "Mode",
      "aria-describedby": helpId,
      onchange: () => choose({ ...shown, mode: modes.value }),
    },
    ...MODES.map((mode) => h("option", { value: mode }, titled(mode))),
  );
  const element = h(
    "div",
    { class: "key-field", role: "group", "aria-labelledby": labelId },
    keyboard,
    modes,
  );
  return {
    element,
    show(value: ControlValue) {
      shown = keyOf(typeof value === "string" ? value : "C major");
      TONICS.forEach((tonic, i) => {
        (radios[i] as HTMLInputElement).checked = tonic === shown.tonic;
      });
      if (![...modes.options].some((option) => option.value === shown.mode)) {
        modes.append(h("option", { value: shown.mode }, titled(shown.mode)));
      }
      modes.value = shown.mode;
    },
    isBeingEdited: () => document.activeElement === modes,
    setEnabled: (enabled) => setAllEnabled(element, enabled),
  };
}
