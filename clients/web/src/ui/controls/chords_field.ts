/** A progression: written, or put together from the chords of the key. */

import type { ControlValue } from "../../core/api";
import { h } from "../dom";
import { type Field, type FieldOptions, setAllEnabled } from "./field";
import { chordsOf, degrees, keyOf } from "./tonality";

/** A field that must know the key, of which it offers the chords. */
export interface ChordsField extends Field {
  setKey(key: ControlValue): void;
}

export function chordsField(options: FieldOptions): ChordsField {
  const { id, helpId, change } = options;
  const input = h("input", {
    type: "text",
    id,
    class: "written",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "auto, or such as Am F C G",
    "aria-describedby": helpId,
    onchange: () => change(input.value.trim() || null),
  });
  const put = (chords: readonly string[]) => {
    input.value = chords.join(" ");
    change(input.value || null);
  };
  const palette = h("div", { class: "palette", role: "group", "aria-label": "Add a chord" });
  const back = h(
    "button",
    {
      type: "button",
      "aria-label": "Take the last chord away",
      onclick: () => put(chordsOf(input.value).slice(0, -1)),
    },
    "⌫",
  );
  const element = h("div", { class: "chords-field" }, input, palette);
  let offered = "";
  let enabled = true;
  return {
    element,
    show(value: ControlValue) {
      input.value = typeof value === "string" ? value : "";
    },
    setKey(key: ControlValue) {
      const { mode } = keyOf(typeof key === "string" ? key : "C major");
      const chords = degrees(mode);
      if (chords.join() === offered) return;
      offered = chords.join();
      palette.replaceChildren(
        ...chords.map((chord) =>
          h(
            "button",
            { type: "button", onclick: () => put([...chordsOf(input.value), chord]) },
            chord.replace(/o$/, "°"),
          ),
        ),
        back,
      );
      setAllEnabled(element, enabled);
    },
    isBeingEdited: () => document.activeElement === input,
    setEnabled(now: boolean) {
      enabled = now;
      setAllEnabled(element, now);
    },
  };
}
