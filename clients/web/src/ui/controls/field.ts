/** What every way to enter a value has in common. */

import type { ControlRow, ControlValue } from "../../core/api";

export interface Field {
  readonly element: HTMLElement;
  /** Shows a value, whoever set it; is no change itself. */
  show(value: ControlValue): void;
  /** Somebody drags it or writes in it: it must not be moved from elsewhere. */
  isBeingEdited(): boolean;
  setEnabled(enabled: boolean): void;
}

export interface FieldOptions {
  readonly row: ControlRow;
  /** Of the element that the label belongs to. */
  readonly id: string;
  /** Of the label and of the help. */
  readonly labelId: string;
  readonly helpId: string;
  /** Somebody chose another value. */
  change(value: ControlValue): void;
  /** What the server and the stream have, for fields that offer it. */
  readonly styles: readonly string[];
  readonly parts: number;
}

/** Whether it is being dragged, for elements that are dragged. */
export function watchDragging(element: HTMLElement): () => boolean {
  let dragged = false;
  element.addEventListener("pointerdown", () => {
    dragged = true;
  });
  for (const name of ["pointerup", "pointercancel", "blur"]) {
    element.addEventListener(name, () => {
      dragged = false;
    });
  }
  return () => dragged;
}

export function setAllEnabled(root: HTMLElement, enabled: boolean): void {
  for (const element of root.querySelectorAll<HTMLInputElement>("input, select, button")) {
    element.disabled = !enabled;
  }
}
