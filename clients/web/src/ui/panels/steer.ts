/** The panel of controls: presets, then every control of the server's table in its group. */

import type {
  ChangeAnnounced,
  ChangePostponed,
  ControlRow,
  Perpetuo,
  PresetRow,
  StreamState,
} from "../../core/api";
import { ChangeSender } from "../controls/change_sender";
import type { ChordsField } from "../controls/chords_field";
import { Control } from "../controls/control";
import { byId, h, setPressed, setText } from "../dom";
import { titled } from "../words";

export class SteerPanel {
  private controls = new Map<string, Control>();
  private readonly presets = new Map<string, HTMLButtonElement>();
  private readonly sender: ChangeSender;
  private built = "";
  /** What was announced last. */
  private latest: { readonly what: string; readonly change: ChangeAnnounced } | null = null;

  constructor(
    private readonly perpetuo: Perpetuo,
    /** Opens the choice of streams. */
    private readonly chooseStream: () => void,
  ) {
    const { session } = perpetuo;
    this.sender = new ChangeSender((controls) => session.steer(controls), {
      announced: (names, change) => this.showAnnounced(names, change),
      refused: (names, why) => this.showRefused(names, why),
      settled: (names) => this.show(names),
    });
    byId<HTMLInputElement>("explain").addEventListener("change", (event) => {
      const { checked } = event.target as HTMLInputElement;
      byId("steer").toggleAttribute("data-explained", checked);
    });
    session.welcome.watch(() => this.build());
    session.stream.watch(() => this.build());
    session.postponed.watch((postponed) => postponed && this.showPostponed(postponed));
    this.build();
  }

  /** A few times a second. */
  update(): void {
    const { clock } = this.perpetuo;
    if (!clock.isSet) return;
    for (const control of this.controls.values()) control.update(clock.now());
  }

  private build(): void {
    const { welcome, stream } = this.perpetuo.session;
    const capabilities = welcome.value?.capabilities;
    if (!capabilities) return;
    const styles = stream.value?.styles ?? capabilities.styles;
    const key = JSON.stringify([capabilities.controls, capabilities.presets, styles]);
    if (key !== this.built) {
      this.built = key;
      this.buildPresets(capabilities.presets);
      this.buildControls(capabilities.controls, styles, capabilities.parts);
    }
    if (stream.value) this.showStream(stream.value);
  }

  private buildPresets(rows: readonly PresetRow[]): void {
    this.presets.clear();
    for (const row of rows) {
      const button = h(
        "button",
        { type: "button", title: helpOf(row), onclick: () => void this.choosePreset(row) },
        row.title || titled(row.name),
      );
      this.presets.set(row.name, button);
    }
    byId("presets").replaceChildren(...this.presets.values());
  }

  private buildControls(
    rows: readonly ControlRow[],
    styles: readonly string[],
    parts: number,
  ): void {
    this.controls = new Map(
      rows.map((row) => [
        row.name,
        new Control(row, (value) => this.sender.change(row.name, value), { styles, parts }),
      ]),
    );
    const groups = new Map<string, ControlRow[]>();
    for (const row of rows) groups.set(row.group, [...(groups.get(row.group) ?? []), row]);
    byId("groups").replaceChildren(
      ...[...groups].map(([group, members]) => {
        const controls = members.flatMap((row) => this.controls.get(row.name)?.element ?? []);
        return h(
          "fieldset",
          { class: "group", "data-group": group },
          h("legend", {}, titled(group)),
          ...controls,
        );
      }),
    );
  }

  private showStream(stream: StreamState): void {
    this.show([...this.controls.keys()]);
    for (const [name, button] of this.presets) {
      setPressed(button, name === stream.preset);
      button.disabled = !stream.steerable;
    }
    for (const [name, control] of this.controls)
      control.setEnabled(stream.steerable, stream.unfollowed[name]);
    const owner = byId("owner");
    owner.hidden = stream.steerable || stream.state === "ended";
    if (!owner.hidden && !owner.firstChild) {
      owner.append(
        "This station is steered by whoever runs it. ",
        h("button", { type: "button", onclick: this.chooseStream }, "Begin a stream of your own"),
        " to turn everything yourself.",
      );
    }
  }

  /** Shows what is in force, where no change of ours is under way. */
  private show(names: readonly string[]): void {
    const values = this.perpetuo.session.stream.value?.controls;
    if (!values) return;
    for (const name of names) {
      if (name in values && !this.sender.isPending(name)) {
        this.controls.get(name)?.show(values[name]);
      }
    }
    const chords = this.controls.get("chords")?.field;
    if (chords && "setKey" in chords) (chords as ChordsField).setKey(values.key);
  }

  private async choosePreset(row: PresetRow): Promise<void> {
    try {
      const change = await this.perpetuo.session.preset(row.name);
      this.announce(row.title || titled(row.name), change);
    } catch (error) {
      this.latest = null;
      setText(byId("announcement"), error instanceof Error ? error.message : String(error));
    }
  }

  private showAnnounced(names: readonly string[], change: ChangeAnnounced): void {
    for (const name of names) this.controls.get(name)?.showAnnounced(change);
    this.announce(names.map(titled).join(", "), change);
  }

  private showPostponed(postponed: ChangePostponed): void {
    for (const control of this.controls.values()) control.showPostponed(postponed);
    const { bar, due, change } = postponed;
    if (this.latest?.change.change === change)
      this.announce(this.latest.what, { ...this.latest.change, bar, due });
  }

  private announce(what: string, change: ChangeAnnounced): void {
    this.latest = { what, change };
    setText(byId("announcement"), announcement(what, change));
  }

  private showRefused(names: readonly string[], why: string): void {
    for (const name of names) this.controls.get(name)?.showRefused(why);
  }
}

/** A sentence of what was answered. */
export function announcement(what: string, { bar, saved }: ChangeAnnounced): string {
  const where = bar === null ? "taken" : `heard from bar ${bar}`;
  return `${what}: ${where}.${saved === false ? " Not on the server’s disk yet." : ""}`;
}

/** What a preset sounds like, and what of it the seed of a stream chooses. */
function helpOf(row: PresetRow): string {
  const chosen = row.by_seed ?? [];
  return chosen.length > 0 ? `${row.help} By seed: ${chosen.map(titled).join(", ")}.` : row.help;
}
