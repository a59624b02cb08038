/**
 * The piano roll: what sounded, what sounds, and what is planned. Bars that are fixed are drawn in
 * ink, those that a change may still revise in pencil; a revised bar is washed over.
 */

import type { Bar, Clock, Note, Plan, ServerTime } from "../../core/api";
import { PERCUSSION } from "../../core/messages";
import { type Palette, partColour } from "../palette";
import { type Theme, wantsStillness } from "../theme";
import { type Flag, Labels } from "./labels";
import { type Layout, layOut, percussionRows, type Rows, Scale, sameRows } from "./layout";
import { type Drawing, Tiles, traceNote } from "./tiles";
import { type Appearance, appearanceOf, FixedSince } from "./transitions";
import { Zoom } from "./zoom";

export interface Shown {
  readonly plan: Plan;
  readonly clock: Clock;
  /** The time at which a stopped stream stands still; null: it goes on. */
  readonly standsAt: ServerTime | null;
  readonly flags: readonly Flag[];
  /** Parts that are muted or put aside. */
  readonly dimmed: ReadonlySet<number>;
}

const BLACK_KEYS = new Set([1, 3, 6, 8, 10]);
const SHARPEST = 2; // device pixels a CSS pixel, at most
const REMEMBERED = 15e6; // microseconds of the past that count for what has room on the roll
const OVERHANG = 2e6; // microseconds by which notes may last beyond their bar and still be seen

export class Roll {
  readonly zoom = new Zoom();
  private readonly pen: CanvasRenderingContext2D;
  private readonly labels: Labels;
  private readonly tiles = new Tiles();
  private readonly fixedSince = new FixedSince();
  private drums: Rows = new Map();
  private width = 0;
  private height = 0;
  private ratio = 1;
  /** Where a point of the canvas is in time and pitch; null before anything was drawn. */
  scale: Scale | null = null;
  private lastFrame = 0;

  constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly theme: Theme,
  ) {
    const pen = canvas.getContext("2d", { alpha: false });
    if (!pen) throw new Error("this browser draws on no canvas");
    this.pen = pen;
    this.labels = new Labels(pen);
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
    void document.fonts.ready.then(() => this.labels.forgetWidths());
  }

  private resize(): void {
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.ratio = Math.min(SHARPEST, devicePixelRatio || 1);
    this.canvas.width = Math.max(1, Math.round(this.width * this.ratio));
    this.canvas.height = Math.max(1, Math.round(this.height * this.ratio));
  }

  /** Draws one frame; `frame`: milliseconds of `performance.now()`. */
  draw(shown: Shown, frame: number): void {
    const { pen, ratio, theme } = this;
    if (!this.width || !this.height) return;
    const now = shown.standsAt ?? shown.clock.now();
    const elapsed = Math.min(100, frame - this.lastFrame);
    this.lastFrame = frame;
    const bars = shown.plan.bars();
    const near = since(bars, now - REMEMBERED);
    const layout = this.layOut(near);
    this.zoom.step(layout, near, now, wantsStillness() ? Infinity : elapsed);
    const scale = new Scale(layout, now + this.zoom.offset, this.zoom.perSecond, this.zoom.pitches);
    this.scale = scale;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const seen = since(bars, scale.from - OVERHANG).filter((bar) => bar.due < scale.until);
    this.tiles.begin(this.drawing(theme.palette, layout, shown.dimmed));
    this.ground(scale, seen, shown, now);
    this.lines(scale, seen, shown, now);
    for (const bar of seen) this.bar(scale, bar, shown, now, frame);
    this.veil(scale, now);
    this.sounding(scale, seen, shown, now);
    this.flags(scale, seen, shown.flags);
    this.nowLine(scale, now);
    const former = seen[0] && bars[bars.lastIndexOf(seen[0]) - 1];
    this.labels.head(scale, seen, former, theme.palette);
    this.labels.pitches(scale, theme.palette);
    this.fixedSince.keepOnly(bars);
  }

  private layOut(near: readonly Bar[]): Layout {
    const drums = percussionRows(near);
    if (!sameRows(drums, this.drums)) this.drums = drums;
    return layOut(this.width, this.height, this.drums.size);
  }

  private drawing(palette: Palette, layout: Layout, dimmed: ReadonlySet<number>): Drawing {
    const { ratio, drums } = this;
    return { palette, ratio, dimmed, drums, drumsHeight: layout.drumsHeight };
  }

  private ground(scale: Scale, bars: readonly Bar[], shown: Shown, now: ServerTime): void {
    const { pen } = this;
    const { palette } = this.theme;
    const { layout, pitches } = scale;
    pen.fillStyle = palette.ground;
    pen.fillRect(0, 0, layout.width, layout.height);
    const open = bars.find((bar) => shown.plan.statusOf(bar, now) === "open");
    if (open) {
      pen.fillStyle = palette.openGround;
      const x = scale.x(open.due);
      pen.fillRect(x, 0, layout.width - x, layout.height);
    }
    pen.fillStyle = palette.blackKeys;
    for (let pitch = Math.floor(pitches.low); pitch <= pitches.high; pitch++) {
      if (BLACK_KEYS.has(pitch % 12)) pen.fillRect(0, scale.y(pitch), layout.width, scale.row);
    }
    pen.fillStyle = palette.faintLine;
    for (let pitch = 0; pitch <= 127; pitch += 12) {
      if (pitch < pitches.low || pitch > pitches.high) continue;
      pen.fillRect(0, Math.round(scale.y(pitch) + scale.row), layout.width, 1);
    }
    if (layout.drumsHeight) {
      pen.fillStyle = palette.line;
      pen.fillRect(0, layout.drumsY, layout.width, 1);
    }
  }

  /** Beats and bar lines; those of open bars are broken. */
  private lines(scale: Scale, bars: readonly Bar[], shown: Shown, now: ServerTime): void {
    const { pen } = this;
    const { palette } = this.theme;
    const { chordsY, height } = scale.layout;
    for (const bar of bars) {
      const x = scale.x(bar.due);
      const beats = Number.parseInt(bar.metre, 10) || 1;
      const beat = (scale.x(bar.end) - x) / beats;
      if (beat > 14) {
        pen.fillStyle = palette.faintLine;
        for (let i = 1; i < beats; i++) {
          pen.fillRect(x + i * beat, scale.layout.notesY, 1, height - scale.layout.notesY);
        }
      }
      pen.fillStyle = palette.line;
      if (shown.plan.statusOf(bar, now) === "open") {
        for (let y = chordsY; y < height; y += 8) pen.fillRect(x, y, 1, 4);
      } else {
        pen.fillRect(x, 0, 1, height);
      }
    }
  }

  private bar(scale: Scale, bar: Bar, shown: Shown, now: ServerTime, frame: number): void {
    const standing = shown.plan.statusOf(bar, now);
    const still = wantsStillness();
    const seen = appearanceOf(bar, this.fixedSince.at(bar, standing, frame), frame, still);
    const { pen } = this;
    pen.globalAlpha = seen.presence;
    if (bar.previous && seen.wash < 1) this.washing(scale, bar, bar.previous, seen);
    else this.notes(scale, bar, seen.ink);
    pen.globalAlpha = 1;
    if (seen.tint > 0) this.tint(scale, bar, seen);
  }

  /** The new revision up to the edge of the wash, the former one beyond it. */
  private washing(scale: Scale, bar: Bar, former: Bar, seen: Appearance): void {
    const { pen } = this;
    const { height, notesY } = scale.layout;
    const left = scale.x(bar.due);
    const across = scale.x(bar.end) - left;
    const edge = left + across * seen.wash;
    pen.save();
    pen.beginPath();
    pen.rect(left - 4, notesY, edge - left + 4, height - notesY);
    pen.clip();
    this.notes(scale, bar, seen.ink);
    pen.restore();
    pen.save();
    pen.beginPath();
    pen.rect(edge, notesY, left + across - edge, height - notesY);
    pen.clip();
    pen.globalAlpha = 1 - seen.wash * 0.7;
    this.notes(scale, former, seen.ink);
    pen.restore();
  }

  private notes(scale: Scale, bar: Bar, ink: number): void {
    const { pen, tiles } = this;
    const whole = pen.globalAlpha;
    for (const lane of ["notes", "drums"] as const) {
      if (ink < 1) {
        pen.globalAlpha = whole * (1 - ink);
        tiles.draw(pen, scale, bar, "pencil", lane);
      }
      if (ink > 0) {
        pen.globalAlpha = whole * ink;
        tiles.draw(pen, scale, bar, "ink", lane);
      }
    }
    pen.globalAlpha = whole;
  }

  private tint(scale: Scale, bar: Bar, seen: Appearance): void {
    const { pen } = this;
    const { height, notesY } = scale.layout;
    const left = scale.x(bar.due);
    const across = (scale.x(bar.end) - left) * seen.wash;
    pen.fillStyle = this.theme.palette.accent;
    pen.globalAlpha = 0.11 * seen.tint;
    pen.fillRect(left, notesY, across, height - notesY);
    if (seen.wash < 1) {
      pen.globalAlpha = 0.75;
      pen.fillRect(left + across - 1, notesY, 2, height - notesY);
    }
    pen.globalAlpha = 1;
  }

  /** What is past steps back. */
  private veil(scale: Scale, now: ServerTime): void {
    const { pen } = this;
    pen.fillStyle = this.theme.palette.veil;
    pen.fillRect(0, scale.layout.notesY, Math.max(0, scale.x(now)), scale.layout.height);
  }

  /** What sounds right now, in full colour, with a light where it was struck. */
  private sounding(scale: Scale, bars: readonly Bar[], shown: Shown, now: ServerTime): void {
    if (shown.standsAt !== null) return;
    const { pen } = this;
    const { palette } = this.theme;
    const line = scale.x(now);
    for (const bar of bars) {
      if (bar.due > now + 1e5 || bar.end < now - 8e6) continue;
      const at = now - bar.due;
      const trace = traceNote(
        (time) => scale.x(bar.due + time),
        (note) => scale.y(note.pitch),
        scale.row,
      );
      for (const note of bar.notes) {
        if (note.part === PERCUSSION || note.onset > at || note.end <= at) continue;
        if (shown.dimmed.has(note.part)) continue;
        pen.fillStyle = partColour(palette, note.part);
        pen.beginPath();
        trace(pen, note, 0);
        pen.fill();
        this.light(line, scale, note, at);
      }
    }
    pen.globalAlpha = 1;
  }

  private light(line: number, scale: Scale, note: Note, at: number): void {
    const { pen } = this;
    const fresh = note.goesOnFromBefore ? 0 : Math.exp(-(at - note.onset) / 220e3);
    const radius = Math.max(3, Math.min(9, scale.row * 0.7)) * (0.8 + 0.9 * fresh);
    pen.globalAlpha = 0.22 + 0.4 * fresh;
    pen.beginPath();
    pen.arc(line, scale.y(note.pitch) + scale.row / 2, radius, 0, 2 * Math.PI);
    pen.fill();
    pen.globalAlpha = 1;
  }

  private nowLine(scale: Scale, now: ServerTime): void {
    const { pen } = this;
    const x = Math.round(scale.x(now));
    pen.fillStyle = this.theme.palette.ink;
    const { notesY, height, text } = scale.layout;
    pen.fillRect(x - 1, notesY - text * 0.2, 2, height - notesY + text * 0.2);
    pen.beginPath();
    pen.moveTo(x - text * 0.35, notesY - text * 0.45);
    pen.lineTo(x + text * 0.35, notesY - text * 0.45);
    pen.lineTo(x, notesY);
    pen.fill();
  }

  private flags(scale: Scale, bars: readonly Bar[], flags: readonly Flag[]): void {
    const ranks = new Map<number, number>();
    for (const flag of flags) {
      const bar = bars.find((bar) => bar.index === flag.bar && bar.epoch === flag.epoch);
      if (!bar) continue;
      const rank = ranks.get(flag.bar) ?? 0;
      ranks.set(flag.bar, rank + 1);
      this.pen.globalAlpha = bar.due < scale.now - this.zoom.offset ? 0.55 : 1;
      this.labels.flag(scale.x(bar.due), scale, flag.text, rank, this.theme.palette);
    }
    this.pen.globalAlpha = 1;
  }
}

/** The bars that are not over at a time; of ten minutes of them only these are looked at. */
function since(bars: readonly Bar[], time: ServerTime): readonly Bar[] {
  let first = bars.length;
  while (first > 0 && (bars[first - 1] as Bar).end > time) first -= 1;
  return bars.slice(first);
}
