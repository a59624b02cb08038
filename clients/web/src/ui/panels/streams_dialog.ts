/** Which stream is heard: the stations, or one of one's own. */

import type { ChangeAnnounced, Perpetuo, StationRow, StreamState } from "../../core/api";
import { byId, h, setText } from "../dom";
import { titled } from "../words";

export class StreamsDialog {
  private readonly dialog = byId<HTMLDialogElement>("streams");
  private readonly fault = h("p", { class: "fault", role: "alert" });

  constructor(private readonly perpetuo: Perpetuo) {
    byId("stream").addEventListener("click", () => this.open());
    this.dialog.addEventListener("close", () =>
      byId("stream").setAttribute("aria-expanded", "false"),
    );
    // A click beside the dialog, that is on its backdrop, closes it.
    this.dialog.addEventListener(
      "click",
      (event) => event.target === this.dialog && this.dialog.close(),
    );
    perpetuo.session.stream.watch((stream) => this.name(stream));
    this.name(perpetuo.session.stream.value);
  }

  readonly open = (): void => {
    this.fault.textContent = "";
    this.fill();
    this.dialog.showModal();
    byId("stream").setAttribute("aria-expanded", "true");
    void this.refresh();
  };

  private name(stream: StreamState | null): void {
    setText(byId("stream-name"), stream ? streamName(stream) : "…");
    document.title = stream ? `${streamName(stream)} – perpetuo` : "perpetuo";
  }

  /** Stations change while one listens: their state is asked anew each time. */
  private async refresh(): Promise<void> {
    try {
      const stations = await this.perpetuo.session.stations();
      const list = this.dialog.querySelector(".stations");
      const shown = this.perpetuo.session.stream.value;
      list?.replaceChildren(...stations.map((row) => this.station(row, shown)));
    } catch {
      // Then those of the beginning stand there; choosing one says what is wrong.
    }
  }

  private fill(): void {
    const { session } = this.perpetuo;
    const stream = session.stream.value;
    const stations = session.welcome.value?.capabilities.stations ?? [];
    this.dialog.replaceChildren(
      h(
        "div",
        { class: "dialog-head" },
        h("h2", { id: "streams-title" }, "Listen to"),
        h(
          "button",
          { type: "button", "aria-label": "Close", onclick: () => this.dialog.close() },
          "×",
        ),
      ),
      h(
        "div",
        { class: "stations", role: "group", "aria-label": "Stations" },
        ...stations.map((row) => this.station(row, stream)),
      ),
      this.own(stream),
      ...(stream?.steerable ? [this.again(stream)] : []),
      this.fault,
    );
  }

  private station(row: StationRow, shown: StreamState | null): HTMLElement {
    const { name, title, state } = row;
    const isShown = shown?.station === true && shown.name === name;
    const go = () => this.try(this.perpetuo.session.go({ kind: "station", station: name }));
    return h(
      "button",
      { type: "button", "aria-pressed": String(isShown), onclick: go },
      h("strong", {}, shownAs(name, title)),
      h("small", {}, state === "playing" ? "station" : `station, ${state}`),
    );
  }

  private own(shown: StreamState | null): HTMLElement {
    const { session } = this.perpetuo;
    const presets = session.welcome.value?.capabilities.presets ?? [];
    const preset = h(
      "select",
      { id: "own-preset" },
      h("option", { value: "" }, "None"),
      ...presets.map((row) => h("option", { value: row.name }, row.title || titled(row.name))),
    );
    preset.value = shown?.preset ?? "";
    const seed = h("input", {
      id: "own-seed",
      type: "text",
      inputmode: "numeric",
      pattern: "[0-9]*",
      placeholder: "any",
      autocomplete: "off",
    });
    const begin = (event: SubmitEvent) => {
      event.preventDefault();
      this.begin(seed.value.trim(), preset.value || null);
    };
    const back = session.own.value && session.own.value !== shown?.name;
    return h(
      "form",
      { class: "own", onsubmit: begin },
      h("h3", {}, "A stream of your own"),
      h("p", { class: "soft" }, "Composed for you alone; everything on it is yours to turn."),
      h("label", { for: "own-preset" }, "Preset"),
      preset,
      h("label", { for: "own-seed" }, "Seed"),
      seed,
      h(
        "div",
        { class: "row" },
        h("button", { type: "submit", class: "main" }, "Begin"),
        back &&
          h(
            "button",
            { type: "button", onclick: () => this.try(session.returnToOwn()) },
            "Return to yours",
          ),
      ),
    );
  }

  private begin(typed: string, preset: string | null): void {
    const seed = typed ? Number(typed) : null;
    if (seed !== null && !(/^\d+$/.test(typed) && Number.isSafeInteger(seed))) {
      const most = Number.MAX_SAFE_INTEGER;
      setText(this.fault, `A seed is a whole number up to ${most}; leave it empty for any.`);
      return;
    }
    this.try(this.perpetuo.session.go({ kind: "own", seed, preset, controls: {}, model: null }));
  }

  /** What can be done to the stream as a whole. */
  private again(stream: StreamState): HTMLElement {
    const { session } = this.perpetuo;
    const models = session.welcome.value?.capabilities.models ?? [];
    const button = (words: string, act: () => Promise<ChangeAnnounced>, title: string) =>
      h("button", { type: "button", title, onclick: () => this.try(act()) }, words);
    const model = h(
      "select",
      { id: "model", onchange: () => this.try(session.model(model.value)) },
      ...models.map((name) => h("option", {}, name)),
    );
    model.value = stream.model;
    return h(
      "div",
      { class: "again" },
      h("h3", {}, stream.station ? `${titled(stream.name)}, for everybody` : "Your stream"),
      h("p", { class: "soft" }, `Seed ${stream.seed}`),
      h(
        "div",
        { class: "row" },
        stream.state === "playing"
          ? button(
              "Pause",
              () => session.transport("stop"),
              "Nothing is composed or heard until it goes on",
            )
          : button("Go on", () => session.transport("continue"), "From the bar of the pause"),
        button("Begin anew", () => session.transport("start"), "The same seed from its first bar"),
        button(
          "Another seed",
          () => session.seed(anySeed()),
          "Other music under the same settings",
        ),
        button("Silence", () => session.transport("panic"), "End what sounds this moment"),
      ),
      models.length > 1 && h("label", { for: "model" }, "Model"),
      models.length > 1 && model,
    );
  }

  private async try(doing: Promise<ChangeAnnounced>): Promise<void> {
    try {
      await doing;
      this.dialog.close();
    } catch (error) {
      setText(this.fault, error instanceof Error ? error.message : String(error));
    }
  }
}

export function streamName(stream: StreamState): string {
  return stream.station ? shownAs(stream.name, stream.title) : "Your own stream";
}

/** The title that the station was given, or its name made presentable. */
function shownAs(name: string, title: string): string {
  return title === name ? titled(name) : title;
}

function anySeed(): number {
  return Math.floor(Math.random() * 1e9);
}
