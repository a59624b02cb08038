/** The mixer, which is the roll's legend as well: a row for each part that is heard. */

import type { Bar, PartMix, Perpetuo } from "../../core/api";
import { byId, h, setPressed, setText } from "../dom";
import { programName, programSelect } from "../instruments";

const RECENT_BARS = 64; // bars back in which a part must have played to have a row

interface Row {
  readonly element: HTMLElement;
  readonly name: HTMLElement;
  readonly lamp: HTMLElement;
  readonly mute: HTMLButtonElement;
  readonly solo: HTMLButtonElement;
  readonly program: HTMLSelectElement | null;
}

export class Mixer {
  /** Parts that are not to be seen in full: muted, beside a solo, or beside one pointed at. */
  dimmed: ReadonlySet<number> = new Set();
  private readonly rows = new Map<number, Row>();
  private pointed: number | null = null;
  private seen = -1;

  constructor(
    private readonly perpetuo: Perpetuo,
    private readonly onDimmed: (dimmed: ReadonlySet<number>) => void,
  ) {
    const { sound } = perpetuo;
    const reverb = byId<HTMLInputElement>("reverb");
    slide(reverb, sound.reverb.value, (value) => sound.setReverb(value));
    sound.reverb.watch((value) => put(reverb, value));
    sound.mix.watch(() => this.show());
    this.update();
  }

  /** A few times a second: which parts there are, and which sound. */
  update(): void {
    const { plan, clock } = this.perpetuo;
    const bars = plan.bars();
    if (plan.version !== this.seen) {
      this.seen = plan.version;
      this.layOut(bars.slice(-RECENT_BARS));
    }
    if (!clock.isSet) return;
    const now = clock.now();
    const bar = plan.at(now);
    const sounding = new Set<number>();
    for (const note of bar?.notes ?? []) {
      const at = now - (bar as Bar).due;
      if (note.onset <= at && at < Math.max(note.end, note.onset + 2e5)) sounding.add(note.part);
    }
    for (const [part, row] of this.rows) row.lamp.toggleAttribute("data-on", sounding.has(part));
  }

  private layOut(bars: readonly Bar[]): void {
    const parts = new Set(bars.flatMap((bar) => bar.notes.map((note) => note.part)));
    const ordered = [...parts].sort((a, b) => a - b);
    if (ordered.join() !== [...this.rows.keys()].join()) {
      this.rows.clear();
      for (const part of ordered) this.rows.set(part, this.row(part));
      byId("parts").replaceChildren(...[...this.rows.values()].map((row) => row.element));
      this.show();
    }
    const last = bars.at(-1);
    for (const [part, row] of this.rows) {
      setText(
        row.name,
        this.isPercussion(part) ? "Percussion" : programName(last?.programs[part - 1] ?? 0),
      );
    }
  }

  private isPercussion(part: number): boolean {
    return part === (this.perpetuo.session.welcome.value?.capabilities.parts ?? 8);
  }

  private row(part: number): Row {
    const { sound } = this.perpetuo;
    const of = (name: string) => `${name} part ${part}`;
    const change = (what: "muted" | "solo") => () =>
      sound.setPart(part, { [what]: !this.mixOf(part)?.[what] });
    const lamp = h("span", { class: "lamp" });
    const name = h("span", { class: "name" });
    const mute = h(
      "button",
      {
        type: "button",
        class: "mute",
        "aria-label": of("Mute"),
        title: "Mute",
        onclick: change("muted"),
      },
      "M",
    );
    const solo = h(
      "button",
      {
        type: "button",
        class: "solo",
        "aria-label": of("Solo"),
        title: "Solo",
        onclick: change("solo"),
      },
      "S",
    );
    const program = this.isPercussion(part) ? null : programSelect("As composed");
    program?.setAttribute("aria-label", `Instrument of part ${part}, for you`);
    program?.addEventListener("change", () =>
      sound.setPart(part, { program: program.value === "" ? null : Number(program.value) }),
    );
    const element = h(
      "div",
      {
        class: "part",
        "data-part": part,
        role: "group",
        "aria-label": `Part ${part}`,
        onpointerenter: () => this.point(part),
        onpointerleave: () => this.point(null),
      },
      lamp,
      h("span", { class: "number" }, String(part)),
      name,
      program,
      mute,
      solo,
    );
    return { element, name, lamp, mute, solo, program };
  }

  private mixOf(part: number): PartMix | undefined {
    return this.perpetuo.sound.mix.value.find((mix) => mix.part === part);
  }

  private point(part: number | null): void {
    this.pointed = part;
    this.dim();
  }

  private show(): void {
    for (const [part, row] of this.rows) {
      const mix = this.mixOf(part);
      setPressed(row.mute, mix?.muted ?? false);
      setPressed(row.solo, mix?.solo ?? false);
      if (row.program) row.program.value = String(mix?.program ?? "");
    }
    this.dim();
  }

  private dim(): void {
    this.dimmed = dimmedParts(this.perpetuo.sound.mix.value, [...this.rows.keys()], this.pointed);
    for (const [part, row] of this.rows) {
      row.element.toggleAttribute(
        "data-silent",
        silentParts(this.perpetuo.sound.mix.value).has(part),
      );
    }
    this.onDimmed(this.dimmed);
  }
}

/** Muted, or not among the soloed where there are such. */
export function silentParts(mix: readonly PartMix[]): ReadonlySet<number> {
  const anySolo = mix.some(({ solo }) => solo);
  const silent = mix.filter(({ muted, solo }) => muted || (anySolo && !solo));
  return new Set(silent.map(({ part }) => part));
}

export function dimmedParts(
  mix: readonly PartMix[],
  parts: readonly number[],
  pointed: number | null,
): ReadonlySet<number> {
  if (pointed === null) return silentParts(mix);
  return new Set(parts.filter((part) => part !== pointed));
}

/** A slider from 0 to 1 that gives each value that it is moved to. */
export function slide(
  slider: HTMLInputElement,
  value: number,
  moved: (value: number) => void,
): void {
  put(slider, value);
  slider.addEventListener("input", () => {
    put(slider, Number(slider.value));
    moved(Number(slider.value));
  });
}

export function put(slider: HTMLInputElement, value: number): void {
  slider.value = String(value);
  slider.style.setProperty("--filled", `${100 * value}%`);
  slider.setAttribute("aria-valuetext", `${Math.round(100 * value)} percent`);
}
