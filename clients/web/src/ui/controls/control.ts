/** One control of the table: its name, a field for its kind, its help, and when it is heard. */

import type { ChangeAnnounced, ChangePostponed, ControlRow, ControlValue } from "../../core/api";
import { h, setPressed, setText } from "../dom";
import { brief, titled } from "../words";
import { byPartField } from "./by_part_field";
import { choiceField } from "./choice_field";
import { chordsField } from "./chords_field";
import type { Field, FieldOptions } from "./field";
import { keyField } from "./key_field";
import { numberField } from "./number_field";
import { partsField } from "./parts_field";
import { perField } from "./per_field";
import { programsField } from "./programs_field";
import { scaleField } from "./scale_field";
import { styleField } from "./style_field";
import { textField } from "./text_field";

const FIELDS: Readonly<Record<string, (options: FieldOptions) => Field>> = {
  number: numberField,
  integer: numberField,
  choice: choiceField,
  mix: styleField,
  key: keyField,
  scale: scaleField,
  chords: chordsField,
  parts: partsField,
  programs: programsField,
  by_part: byPartField,
  per_field: perField,
};

/** Kinds that nobody here knows are written: the server understands words for every value. */
function fieldFor(options: FieldOptions): Field {
  const { kind, choices } = options.row;
  if (choices.length) return choiceField(options);
  return (FIELDS[kind] ?? textField)(options);
}

const LINGERS = 4000; // milliseconds that "heard now" stays

export class Control {
  readonly element: HTMLElement;
  readonly field: Field;
  private readonly news = h("span", { class: "heard" });
  private readonly unfollowed = h("p", { class: "unfollowed", hidden: true });
  private readonly fault = h("p", { class: "fault", role: "alert", hidden: true });
  private readonly back: HTMLButtonElement;
  private announced: ChangeAnnounced | null = null;

  constructor(
    readonly row: ControlRow,
    change: (value: ControlValue) => void,
    context: Pick<FieldOptions, "styles" | "parts">,
  ) {
    const id = `control-${row.name}`;
    const [labelId, helpId] = [`${id}-label`, `${id}-help`];
    const changed = (value: ControlValue) => {
      this.fault.hidden = true;
      change(value);
    };
    this.field = fieldFor({ row, id, labelId, helpId, change: changed, ...context });
    const byDefault = row.open ? "auto" : `default, ${brief(row.default)}`;
    const name = titled(row.name);
    this.back = h(
      "button",
      {
        type: "button",
        class: row.open ? "auto" : "reset",
        "aria-label": `${name}: back to ${byDefault}`,
        title: `Back to ${byDefault}`,
        onclick: () => changed(row.default),
      },
      row.open ? "auto" : "↺",
    );
    const label = h("label", { id: labelId, for: id }, name);
    const unit = row.unit && h("span", { class: "unit" }, row.unit);
    label.addEventListener("dblclick", () => this.back.disabled || changed(row.default));
    this.element = h(
      "div",
      { class: "control", "data-kind": row.kind, "data-control": row.name },
      h("div", { class: "control-head" }, label, unit, this.news, this.back),
      this.field.element,
      h("p", { class: "help", id: helpId }, `${row.help} ${helpOf(row)}`),
      this.unfollowed,
      this.fault,
    );
  }

  show(value: ControlValue): void {
    const isDefault = JSON.stringify(value) === JSON.stringify(this.row.default);
    this.element.toggleAttribute("data-default", isDefault);
    if (this.row.open) setPressed(this.back, isDefault);
    if (!this.field.isBeingEdited()) this.field.show(value);
  }

  showAnnounced(announced: ChangeAnnounced): void {
    this.announced = announced;
    this.fault.hidden = true;
    setText(this.news, announced.bar === null ? "" : `from bar ${announced.bar}`);
    this.news.removeAttribute("data-now");
  }

  /** The change that is shown is heard later, if it is this one. */
  showPostponed({ change, bar, due }: ChangePostponed): void {
    if (this.announced?.change === change) this.showAnnounced({ ...this.announced, bar, due });
  }

  showRefused(why: string): void {
    this.fault.hidden = false;
    setText(this.fault, why);
  }

  /** A few times a second: what was to come is heard now, and then no news any more. */
  update(now: number): void {
    const due = this.announced?.due;
    if (due === null || due === undefined || now < due) return;
    if (now < due + LINGERS * 1000) {
      this.news.setAttribute("data-now", "");
      setText(this.news, "heard now");
    } else {
      this.announced = null;
      setText(this.news, "");
    }
  }

  /** `why` is the reason for which the model does not follow it, if it does not. */
  setEnabled(enabled: boolean, why = ""): void {
    const isOpen = enabled && !why;
    this.field.setEnabled(isOpen);
    this.back.disabled = !isOpen;
    this.element.toggleAttribute("data-unfollowed", why !== "");
    this.unfollowed.hidden = !why;
    setText(this.unfollowed, why);
  }
}

function helpOf(row: ControlRow): string {
  return row.accepts ? `Takes ${row.accepts}.` : "";
}
