/** One control of the table: its name, a field for its kind, its help, and when it is heard. */

import type { ControlRow, ControlValue, Heard, Postponed } from "../../core/contract";
import { h, setPressed, setText } from "../dom";
import { brief, titled } from "../words";
import { choiceField } from "./choice_field";
import { chordsField } from "./chords_field";
import type { Field, Maker } from "./field";
import { keyField } from "./key_field";
import { numberField } from "./number_field";
import { partsField } from "./parts_field";
import { perField } from "./per_field";
import { programsField } from "./programs_field";
import { scaleField } from "./scale_field";
import { styleField } from "./style_field";
import { textField } from "./text_field";

const FIELDS: Readonly<Record<string, (maker: Maker) => Field>> = {
  number: numberField,
  integer: numberField,
  choice: choiceField,
  mix: styleField,
  key: keyField,
  scale: scaleField,
  chords: chordsField,
  parts: partsField,
  programs: programsField,
  per_field: perField,
};

/** Kinds that nobody here knows are written: the server understands words for every value. */
function fieldFor(maker: Maker): Field {
  const { kind, choices } = maker.row;
  if (choices.length) return choiceField(maker);
  return (FIELDS[kind] ?? textField)(maker);
}

const LINGERS = 4000; // milliseconds that "heard now" stays

export class Control {
  readonly element: HTMLElement;
  readonly field: Field;
  private readonly note = h("span", { class: "heard" });
  private readonly fault = h("p", { class: "fault", role: "alert", hidden: true });
  private readonly back: HTMLButtonElement;
  private heard: Heard | null = null;

  constructor(
    readonly row: ControlRow,
    turn: (value: ControlValue) => void,
    context: Pick<Maker, "styles" | "parts">,
  ) {
    const id = `control-${row.name}`;
    const [labelId, helpId] = [`${id}-label`, `${id}-help`];
    const turned = (value: ControlValue) => {
      this.fault.hidden = true;
      turn(value);
    };
    this.field = fieldFor({ row, id, labelId, helpId, turn: turned, ...context });
    const usual = row.open ? "auto" : `default, ${brief(row.default)}`;
    const name = titled(row.name);
    this.back = h(
      "button",
      {
        type: "button",
        class: row.open ? "auto" : "reset",
        "aria-label": `${name}: back to ${usual}`,
        title: `Back to ${usual}`,
        onclick: () => turned(row.default),
      },
      row.open ? "auto" : "↺",
    );
    const label = h("label", { id: labelId, for: id }, name);
    const unit = row.unit && h("span", { class: "unit" }, row.unit);
    label.addEventListener("dblclick", () => this.back.disabled || turned(row.default));
    this.element = h(
      "div",
      { class: "control", "data-kind": row.kind, "data-control": row.name },
      h("div", { class: "control-head" }, label, unit, this.note, this.back),
      this.field.element,
      h("p", { class: "help", id: helpId }, `${row.help} ${helpOf(row)}`),
      this.fault,
    );
  }

  show(value: ControlValue): void {
    const isUsual = JSON.stringify(value) === JSON.stringify(this.row.default);
    this.element.toggleAttribute("data-usual", isUsual);
    if (this.row.open) setPressed(this.back, isUsual);
    if (!this.field.isHeld()) this.field.show(value);
  }

  tellHeard(heard: Heard): void {
    this.heard = heard;
    this.fault.hidden = true;
    setText(this.note, heard.bar === null ? "" : `from bar ${heard.bar}`);
    this.note.removeAttribute("data-now");
  }

  /** What was told is heard later, if this change is the one that was told last. */
  tellPostponed({ change, bar, due }: Postponed): void {
    if (this.heard?.change === change) this.tellHeard({ ...this.heard, bar, due });
  }

  tellRefused(why: string): void {
    this.fault.hidden = false;
    setText(this.fault, why);
  }

  /** A few times a second: what was to come is heard now, and then no news any more. */
  pass(now: number): void {
    const due = this.heard?.due;
    if (due === null || due === undefined || now < due) return;
    if (now < due + LINGERS * 1000) {
      this.note.setAttribute("data-now", "");
      setText(this.note, "heard now");
    } else {
      this.heard = null;
      setText(this.note, "");
    }
  }

  setEnabled(enabled: boolean): void {
    this.field.setEnabled(enabled);
    this.back.disabled = !enabled;
  }
}

function helpOf(row: ControlRow): string {
  return row.accepts ? `Takes ${row.accepts}.` : "";
}
