/** Keys of the whole page, and the dialog that lists them. */

import { byId, h } from "./dom";

export interface Shortcut {
  /** As `KeyboardEvent.key` has it. */
  readonly keys: readonly string[];
  readonly shown: string;
  readonly words: string;
  act(): void;
}

const STORED_AS = "perpetuo.keys";

export class Shortcuts {
  private readonly dialog = byId<HTMLDialogElement>("help");
  private isOn = areOn();

  constructor(private readonly shortcuts: readonly Shortcut[]) {
    this.fill();
    byId("keys").addEventListener("click", this.open);
    this.dialog.addEventListener(
      "click",
      (event) => event.target === this.dialog && this.dialog.close(),
    );
    document.addEventListener("keydown", (event) => this.press(event));
  }

  readonly open = (): void => this.dialog.showModal();

  private press(event: KeyboardEvent): void {
    if (!this.isOn || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented)
      return;
    if (document.querySelector("dialog[open]") || isWriting(event)) return;
    const shortcut = this.shortcuts.find(({ keys }) => keys.includes(event.key));
    if (!shortcut) return;
    event.preventDefault();
    shortcut.act();
  }

  private fill(): void {
    const close = () => this.dialog.close();
    const toggle = h("input", { type: "checkbox", onchange: () => this.change(toggle.checked) });
    toggle.checked = this.isOn;
    this.dialog.replaceChildren(
      h(
        "div",
        { class: "dialog-head" },
        h("h2", { id: "help-title" }, "Keys and help"),
        h("button", { type: "button", "aria-label": "Close", onclick: close }, "×"),
      ),
      h(
        "p",
        {},
        "Music is composed a few bars ahead. What stands in ink on the roll is certain; what stands in pencil may still change: turn something, and it is written anew from the bar that is named.",
      ),
      h(
        "dl",
        { class: "keys" },
        ...this.shortcuts.map(({ shown, words }) =>
          h(
            "div",
            {},
            h("dt", {}, ...shown.split(" ").map((key) => h("kbd", {}, key))),
            h("dd", {}, words),
          ),
        ),
      ),
      h("label", { class: "switch" }, toggle, h("span", {}, "Single keys do this")),
      h(
        "p",
        { class: "soft" },
        "On the roll: the wheel and two fingers zoom in time, with Shift or up and down in pitch; dragging looks back; a double click returns. A double click on any control brings its default back.",
      ),
      h(
        "p",
        { class: "soft" },
        h("a", { href: "licences.txt", target: "_blank" }, "Licences"),
        " of the synthesizer and the typefaces of this page.",
      ),
    );
  }

  private change(isOn: boolean): void {
    this.isOn = isOn;
    try {
      localStorage.setItem(STORED_AS, isOn ? "on" : "off");
    } catch {
      // A browser may forbid pages to keep anything: then it holds as long as the page.
    }
  }
}

function areOn(): boolean {
  try {
    return localStorage.getItem(STORED_AS) !== "off";
  } catch {
    return true;
  }
}

/** Whether the key belongs to what has the focus: something to write in, choose from or press. */
function isWriting(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  if (
    target.matches(
      "input:not([type=range]):not([type=checkbox]):not([type=radio]), select, textarea",
    )
  )
    return true;
  const pressesIt = event.key === " " || event.key === "Enter";
  return pressesIt && target.closest("button, a, summary, input, label") !== null;
}
