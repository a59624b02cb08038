/** The link to this music, and its last minutes as a MIDI file. */

import type { Perpetuo } from "../core/contract";
import { byId, h, setText } from "./dom";

const TOLD = 2500; // milliseconds
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
      tell("copy", "Copied");
    } catch {
      // Without the right to write there (or over plain http) the address bar has it as well.
      prompt("The link to this music:", link);
    }
  }

  private save(): void {
    const file = this.perpetuo.save(MINUTES);
    if (!file) {
      tell("save", "Nothing yet");
      return;
    }
    const address = URL.createObjectURL(new Blob([file.bytes], { type: "audio/midi" }));
    h("a", { href: address, download: file.name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60e3);
    tell("save", "Saved");
  }
}

function tell(id: string, words: string): void {
  const span = byId(id).querySelector("span");
  if (!span) return;
  const usual = span.dataset.usual ?? span.textContent ?? "";
  span.dataset.usual = usual;
  setText(span, words);
  byId(id).dataset.told = "";
  setTimeout(() => {
    setText(span, usual);
    delete byId(id).dataset.told;
  }, TOLD);
}
