/** A number for all fields of an event, and others for single ones. */

import type { ControlRow, ControlValue } from "../../core/api";
import { h } from "../dom";
import { titled } from "../words";
import type { Field, FieldOptions } from "./field";
import { numberField } from "./number_field";

type ByField = Readonly<Record<string, number>>;

/** The fields that a control can be given by, as its own words list them. */
export function fieldsOf(row: Pick<ControlRow, "accepts">): readonly string[] {
  const listed = /\(fields: ([^)]*)\)/.exec(row.accepts)?.[1] ?? "";
  return listed
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
}

/** The value with one field's set, or left to the number for all. */
export function withField(value: ByField, name: string, number: number | null): ByField {
  const rest = Object.entries(value).filter(([other]) => other !== name);
  return Object.fromEntries(number === null ? rest : [...rest, [name, number]]);
}

export function perField(options: FieldOptions): Field {
  const { row, id, change } = options;
  const byDefault = typeof row.default === "number" ? row.default : (row.low ?? 0);
  let shown: ByField = { all: byDefault };
  const set = (name: string) => (value: ControlValue) => {
    if (value !== null && typeof value !== "number") return change(value);
    shown = withField(shown, name, name === "all" ? (value ?? byDefault) : value);
    change(shown);
  };
  const all = numberField({ ...options, row: { ...row, default: byDefault }, change: set("all") });
  const singles = fieldsOf(row).map((name) => {
    const single = { ...row, default: null, open: true };
    const labelId = `${id}-${name}-label`;
    const field = numberField({
      ...options,
      row: single,
      id: `${id}-${name}`,
      labelId,
      change: set(name),
    });
    return { name, labelId, field };
  });
  const element = h(
    "div",
    { class: "per-field" },
    all.element,
    h(
      "details",
      {},
      h("summary", {}, "By field"),
      ...singles.map(({ name, labelId, field }) =>
        h(
          "div",
          { class: "single" },
          h("label", { id: labelId, for: `${id}-${name}` }, titled(name)),
          field.element,
        ),
      ),
    ),
  );
  return {
    element,
    show(value: ControlValue) {
      shown =
        typeof value === "number" ? { all: value } : { all: byDefault, ...(value as ByField) };
      all.show(shown.all);
      for (const { name, field } of singles) field.show(shown[name] ?? null);
    },
    isBeingEdited: () => all.isBeingEdited() || singles.some(({ field }) => field.isBeingEdited()),
    setEnabled(enabled) {
      all.setEnabled(enabled);
      for (const { field } of singles) field.setEnabled(enabled);
    },
  };
}
