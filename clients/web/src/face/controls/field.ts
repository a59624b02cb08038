/** What every way to enter a value has in common. */

import type { ControlRow, ControlValue } from "../../core/contract";

export interface Field {
  readonly element: HTMLElement;
  /** Shows a value that was set by whomsoever; does not tell of it. */
  show(value: ControlValue): void;
  /** A hand is on it: it must not be moved from elsewhere. */
  isHeld(): boolean;
  setEnabled(enabled: boolean): void;
}

export interface Maker {
  readonly row: ControlRow;
  /** Of the element that the label belongs to. */
  readonly id: string;
  /** Of the label and of the help. */
  readonly labelId: string;
  readonly helpId: string;
  /** Tells of a value that was chosen. */
  turn(value: ControlValue): void;
  /** What the server and the stream have, for fields that offer it. */
  readonly styles: readonly string[];
  readonly parts: number;
}

/** Whether a hand is on it, for elements that are dragged. */
export function watchHold(element: HTMLElement): () => boolean {
  let held = false;
  element.addEventListener("pointerdown", () => {
    held = true;
  });
  for (const name of ["pointerup", "pointercancel", "blur"]) {
    element.addEventListener(name, () => {
      held = false;
    });
  }
  return () => held;
}

export function setAllEnabled(root: HTMLElement, enabled: boolean): void {
  for (const element of root.querySelectorAll<HTMLInputElement>("input, select, button")) {
    element.disabled = !enabled;
  }
}
