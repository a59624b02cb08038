/** The link to this music, and its last minutes as a MIDI file. */

import type { Perpetuo } from "../core/api";
import { byId, h, setText } from "./dom";

const SHOWN_FOR = 2500; // milliseconds
const MINUTES = 10;

export class Share {
  constructor(private readonly perpetuo: Perpetuo) {
    byId("copy").addEventListener("click", () => void this.copy());
    byId("save").addEventListener("click", () => this.save());
  }

  private async copy(): Promise<void> {
    const link = this.perpetuo.link.value;
    try {
      await navigator.clipboard.writeText(link);
      show("copy", "Copied");
    } catch {
      // Without the right to write there (or over plain http) the address bar has it as well.
      prompt("The link to this music:", link);
    }
  }

  private save(): void {
    const file = this.perpetuo.save(MINUTES);
    if (!file) {
      show("save", "Nothing yet");
      return;
    }
    const address = URL.createObjectURL(new Blob([file.bytes], { type: "audio/midi" }));
    h("a", { href: address, download: file.name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60e3);
    show("save", "Saved");
  }
}

function show(id: string, words: string): void {
  const span = byId(id).querySelector("span");
  if (!span) return;
  const label = span.dataset.label ?? span.textContent ?? "";
  span.dataset.label = label;
  setText(span, words);
  byId(id).dataset.done = "";
  setTimeout(() => {
    setText(span, label);
    delete byId(id).dataset.done;
  }, SHOWN_FOR);
}
