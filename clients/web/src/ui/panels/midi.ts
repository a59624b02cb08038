/** MIDI of the browser: out to a device, in from one, and a beginning from what was played. */

import type { MidiPort, MidiState, Perpetuo, Played } from "../../core/api";
import { byId, h, setText } from "../dom";
import { pitchName } from "../words";

type Ready = Extract<MidiState, { kind: "ready" }>;

export class MidiPanel {
  private readonly words = h("p", { class: "played", role: "status" });
  private readonly held = h("p", { class: "held" });
  private readonly prime = h(
    "button",
    { type: "button", onclick: () => void this.begin() },
    "Prime with what I play",
  );
  private readonly forget = h(
    "button",
    { type: "button", onclick: () => this.perpetuo.midi.forget() },
    "Forget it",
  );

  constructor(private readonly perpetuo: Perpetuo) {
    const { midi } = perpetuo;
    midi.state.watch((state) => this.show(state));
    midi.played.watch((played) => this.showPlayed(played));
    this.show(midi.state.value);
    this.showPlayed(midi.played.value);
  }

  private show(state: MidiState): void {
    const body = byId("midi-body");
    const { midi } = this.perpetuo;
    if (state.kind === "unasked") {
      const ask = () => void midi.ask();
      body.replaceChildren(
        h(
          "p",
          { class: "soft" },
          "Play the music on an instrument or in a DAW, or play something that it shall begin from.",
        ),
        h("button", { type: "button", onclick: ask }, "Use MIDI devices"),
      );
    } else if (state.kind === "unavailable") {
      body.replaceChildren(h("p", { class: "notice" }, state.why));
    } else {
      body.replaceChildren(...this.ready(state));
    }
  }

  private ready(state: Ready): HTMLElement[] {
    const { midi } = this.perpetuo;
    return [
      choice("Out to", state.outputs, state.output, (id) => midi.chooseOutput(id)),
      choice("In from", state.inputs, state.input, (id) => midi.chooseInput(id)),
      this.held,
      this.words,
      h("div", { class: "row" }, this.prime, this.forget),
    ];
  }

  private showPlayed({ notes, seconds, held }: Played): void {
    this.prime.disabled = this.forget.disabled = notes === 0;
    setText(this.held, held.map(pitchName).join(" "));
    const words = notes
      ? `${notes} ${notes === 1 ? "note" : "notes"} in ${seconds.toFixed(1)} s: music can begin from it.`
      : "Choose an input and play: a stream of your own can begin from it.";
    setText(this.words, words);
  }

  private async begin(): Promise<void> {
    const { midi, session } = this.perpetuo;
    const prompt = midi.prompt();
    if (!prompt) return;
    this.prime.disabled = true;
    try {
      await session.goWithPrompt(prompt);
      setText(this.words, "Your own stream begins with what you played in mind.");
    } catch (error) {
      setText(this.words, error instanceof Error ? error.message : String(error));
    }
    this.prime.disabled = false;
  }
}

function choice(
  label: string,
  ports: readonly MidiPort[],
  chosen: string | null,
  choose: (id: string | null) => void,
): HTMLElement {
  const select = h(
    "select",
    { onchange: () => choose(select.value || null) },
    h("option", { value: "" }, ports.length ? "Nothing" : "No device found"),
    ...ports.map(({ id, name }) => h("option", { value: id }, name)),
  );
  select.value = chosen ?? "";
  return h("label", { class: "port" }, h("span", {}, label), select);
}
