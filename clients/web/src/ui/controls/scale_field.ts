/** Twelve weights, one a pitch class: upright sliders side by side like keys. */

import type { ControlValue } from "../../core/api";
import { h } from "../dom";
import { printed } from "../words";
import { type Field, type FieldOptions, setAllEnabled, watchDragging } from "./field";
import { TONICS } from "./tonality";

export function scaleField(options: FieldOptions): Field {
  const { id, labelId, helpId, change } = options;
  const sliders = TONICS.map((tone, i) =>
    h("input", {
      type: "range",
      class: "upright",
      id: i ? `${id}-${i}` : id,
      min: 0,
      max: 1,
      step: 0.1,
      "aria-label": `Weight of ${printed(tone)}`,
      oninput: () => change(sliders.map((slider) => Number(slider.value))),
    }),
  );
  const element = h(
    "details",
    { class: "scale-field", "aria-labelledby": labelId, "aria-describedby": helpId },
    h("summary", {}, "Twelve weights"),
    h(
      "div",
      { class: "uprights" },
      ...TONICS.map((tone, i) =>
        h("label", {}, sliders[i] as HTMLInputElement, h("span", {}, printed(tone))),
      ),
    ),
  );
  const drags = sliders.map(watchDragging);
  return {
    element,
    show(value: ControlValue) {
      element.toggleAttribute("data-auto", value === null);
      sliders.forEach((slider, i) => {
        slider.value = String(Array.isArray(value) ? value[i] : 1);
      });
    },
    isBeingEdited: () => drags.some((isDragged) => isDragged()),
    setEnabled: (enabled) => setAllEnabled(element, enabled),
  };
}
