/** The roll with what belongs around it: caption, zoom buttons, a list of its bars for screen readers. */

import type { Bar, Perpetuo, ServerTime } from "../../core/api";
import { byId, h, setText } from "../dom";
import type { Theme } from "../theme";
import { printed, titled } from "../words";
import { ChangeFlags } from "./change_flags";
import { handleGestures } from "./gestures";
import { Roll } from "./roll";
import { SECOND } from "./view";

/** What stands on the roll where nothing sounds, by the state of the stream. */
const SILENCES = {
  playing: "Soon…",
  stopped: "The stream is paused.",
  ended: "This stream has ended. Choose what to listen to at the top.",
} as const;

export class RollPanel {
  readonly roll: Roll;
  /** Parts that the mixer has silenced or put aside. */
  dimmed: ReadonlySet<number> = new Set();
  private standsAt: ServerTime | null = null;
  private readonly flags: ChangeFlags;
  private listed = "";

  constructor(
    private readonly perpetuo: Perpetuo,
    theme: Theme,
  ) {
    this.roll = new Roll(byId<HTMLCanvasElement>("roll"), theme);
    this.flags = new ChangeFlags(perpetuo);
    handleGestures(this.roll);
    const { zoom } = this.roll;
    byId("wider").addEventListener("click", () => zoom.time(1 / 1.3));
    byId("closer").addEventListener("click", () => zoom.time(1.3));
    byId("lower").addEventListener("click", () => zoom.pitch(1 / 1.3));
    byId("taller").addEventListener("click", () => zoom.pitch(1.3));
    byId("fit").addEventListener("click", () => zoom.reset());
  }

  /** A stopped stream stands at the line of the bar from which it will go on. */
  private standOrGo(): void {
    const { session, plan, clock } = this.perpetuo;
    const stream = session.stream.value;
    if (!stream || stream.state === "playing") {
      this.standsAt = null;
    } else if (this.standsAt === null) {
      const now = clock.now();
      // Of one that was stopped before it was looked at, the last bars that were planned are shown.
      this.standsAt = (plan.at(now) ?? plan.bars().at(-5))?.due ?? null;
    }
  }

  /** One frame; milliseconds of `performance.now()`. */
  draw(frame: number): void {
    const { plan, clock } = this.perpetuo;
    if (!clock.isSet) return;
    this.standOrGo();
    const { standsAt, dimmed } = this;
    this.roll.draw({ plan, clock, standsAt, flags: this.flags.all, dimmed }, frame);
  }

  /** The words; a few times a second are enough. */
  update(): void {
    const { plan, clock, session } = this.perpetuo;
    if (!clock.isSet) return;
    const now = this.standsAt ?? clock.now();
    const bar = plan.at(now);
    const state = session.stream.value?.state;
    byId("now").hidden = !bar;
    byId("silence").hidden = !!bar && state === "playing";
    if (bar) this.showBar(bar, now);
    setText(byId("silence"), SILENCES[state ?? "playing"]);
    const { offset, fitsTime, fitsPitch } = this.roll.zoom;
    const isMoved = Math.abs(offset) > SECOND / 2 || !fitsTime || !fitsPitch;
    byId("fit").toggleAttribute("data-wanted", isMoved);
    const key = bar ? `${bar.id}.${bar.revision}.${plan.version}` : "";
    if (key !== this.listed) {
      this.listed = key;
      this.listComing(now);
    }
  }

  private showBar(bar: Bar, now: ServerTime): void {
    const beats = Number.parseInt(bar.metre, 10) || 1;
    const share = (now - bar.due) / (bar.end - bar.due);
    const beat = Math.min(beats, 1 + Math.floor(share * beats));
    const half = Math.min(bar.chords.length - 1, Math.floor(share * bar.chords.length));
    setText(byId("bar"), String(bar.index));
    setText(byId("beat"), `${beat}/${beats}`);
    setText(byId("chord"), printed(bar.chords[half] || "–"));
    setText(byId("key"), printed(bar.key));
    setText(byId("metre"), bar.metre);
    setText(byId("tempo"), `${Math.round(60e6 / bar.tempo)}`);
    setText(byId("section"), bar.section ? titled(bar.section) : "–");
  }

  /** The bars to come as a list, for whoever does not see the roll. */
  private listComing(now: ServerTime): void {
    const { plan } = this.perpetuo;
    const coming = plan.bars().filter((bar) => bar.end > now);
    byId("coming").replaceChildren(
      ...coming.slice(0, 8).map((bar) => {
        const status = plan.statusOf(bar, now);
        const chords = bar.chords.filter(Boolean).map(printed).join(", ") || "no chord yet";
        const section = bar.section ? `, section ${bar.section}` : "";
        const words = `Bar ${bar.index}: ${chords}${section}, ${bar.notes.length} notes, ${status}`;
        return h("li", {}, bar.revision ? `${words}, revision ${bar.revision}` : words);
      }),
    );
  }
}
