/** Everything on the roll that is written: bar numbers, rehearsal marks, chords, pitches, flags. */

import type { Bar } from "../../core/api";
import type { Palette } from "../palette";
import { pitchName, printed } from "../words";
import type { Scale } from "./layout";
import { clamp } from "./view";

/** A change and the bar from which on it is heard. */
export interface Flag {
  readonly epoch: number;
  readonly bar: number;
  /** Of the log entry that it marks. */
  readonly number: number;
  readonly text: string;
  /** Of the controls that were changed. */
  readonly names: readonly string[];
}

const SERIF = '"Newsreader Variable", Georgia, serif';
const SANS = '"Instrument Sans Variable", system-ui, sans-serif';

export class Labels {
  private readonly widths = new Map<string, number>();

  constructor(private readonly pen: CanvasRenderingContext2D) {}

  /** Numbers, rehearsal marks and chords of all bars in sight, in order; `former`: the one before. */
  head(scale: Scale, bars: readonly Bar[], former: Bar | undefined, palette: Palette): void {
    const { pen } = this;
    const { text, chordsY } = scale.layout;
    let free = -Infinity; // left of this nothing more has room
    let freeForChords = -Infinity;
    bars.forEach((bar, i) => {
      const before = i ? bars[i - 1] : former;
      const follows = before?.epoch === bar.epoch && before.index === bar.index - 1;
      const x = scale.x(bar.due);
      let left = x + 0.4 * text;
      pen.textBaseline = "middle";
      if (bar.section && !(follows && before.section === bar.section)) {
        left = this.rehearsalMark(left, chordsY / 2, bar.section, text, palette) + 0.5 * text;
        free = Math.max(free, left);
      }
      if (left >= free) free = this.barNumber(left, scale, bar, before, palette);
      freeForChords = this.chords(x, scale, bar, before, palette, freeForChords);
    });
  }

  private rehearsalMark(
    x: number,
    y: number,
    mark: string,
    text: number,
    palette: Palette,
  ): number {
    const { pen } = this;
    pen.font = `600 ${text}px ${SANS}`;
    const width = Math.max(text * 1.35, this.width(mark) + text * 0.7);
    pen.strokeStyle = palette.ink;
    pen.lineWidth = Math.max(1, text / 11);
    pen.strokeRect(x, y - text * 0.68, width, text * 1.36);
    pen.fillStyle = palette.ink;
    pen.textAlign = "center";
    pen.fillText(mark, x + width / 2, y + text * 0.05);
    return x + width;
  }

  private barNumber(
    x: number,
    scale: Scale,
    bar: Bar,
    before: Bar | undefined,
    palette: Palette,
  ): number {
    const { pen } = this;
    const { text, chordsY } = scale.layout;
    const room = scale.x(bar.end) - x;
    pen.textAlign = "left";
    pen.font = `500 ${text * 0.95}px ${SANS}`;
    pen.fillStyle = palette.soft;
    const number = String(bar.index);
    pen.fillText(number, x, chordsY / 2);
    let right = x + this.width(number);
    pen.font = `italic 400 ${text}px ${SERIF}`;
    const remark = remarkOn(bar, before);
    if (remark && this.width(remark) + text < room - (right - x)) {
      pen.fillText(remark, right + 0.5 * text, chordsY / 2);
      right += 0.5 * text + this.width(remark);
    }
    return right + 0.6 * text;
  }

  /** Chords that differ from the one before; returns from where on there is room. */
  private chords(
    x: number,
    scale: Scale,
    bar: Bar,
    before: Bar | undefined,
    palette: Palette,
    free: number,
  ): number {
    const { pen } = this;
    const { text, chordsY } = scale.layout;
    const width = scale.x(bar.end) - x;
    let last = before?.chords.at(-1) ?? "";
    bar.chords.forEach((chord, i) => {
      const left = x + (i * width) / bar.chords.length + 0.4 * text;
      const isNew = chord !== last || (i === 0 && before?.section !== bar.section);
      last = chord;
      if (!chord || !isNew || left < free) return;
      pen.font = `500 ${text * 1.5}px ${SERIF}`;
      pen.textAlign = "left";
      pen.fillStyle = palette.ink;
      const words = printed(chord);
      pen.fillText(words, left, chordsY + text * 0.8);
      free = left + this.width(words) + 0.4 * text;
    });
    return free;
  }

  /** Names of the Cs at the left edge. */
  pitches(scale: Scale, palette: Palette): void {
    const { pen } = this;
    const size = clamp(scale.layout.text * 0.85, 10, 18);
    pen.font = `500 ${size}px ${SANS}`;
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    pen.fillStyle = palette.soft;
    pen.strokeStyle = palette.ground;
    pen.lineWidth = 3;
    for (let pitch = 12; pitch <= 120; pitch += 12) {
      if (pitch < scale.pitches.low || pitch > scale.pitches.high) continue;
      const y = scale.y(pitch) + scale.row / 2;
      pen.strokeText(pitchName(pitch), 5, y);
      pen.fillText(pitchName(pitch), 5, y);
    }
  }

  /** A change's flag at its bar line, `rank` flags below the top. */
  flag(x: number, scale: Scale, text: string, rank: number, palette: Palette): void {
    const { pen } = this;
    const { layout } = scale;
    const size = layout.text * 0.92;
    const height = size * 1.6;
    const y = layout.notesY + 4 + rank * (height + 3);
    pen.font = `500 ${size}px ${SANS}`;
    const width = this.width(text) + size;
    pen.fillStyle = palette.accent;
    pen.fillRect(x - 1, layout.notesY, 2, layout.height - layout.notesY);
    pen.beginPath();
    pen.roundRect(x - 1, y, width, height, [0, 4, 4, 0]);
    pen.fill();
    pen.fillStyle = palette.ground;
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    pen.fillText(text, x + size / 2 - 1, y + height / 2 + 0.5);
  }

  private width(text: string): number {
    const key = this.pen.font + text;
    let width = this.widths.get(key);
    if (width === undefined) {
      width = this.pen.measureText(text).width;
      if (this.widths.size > 2000) this.widths.clear();
      this.widths.set(key, width);
    }
    return width;
  }

  /** Measures anew: other fonts have come. */
  forgetWidths(): void {
    this.widths.clear();
  }
}

/** What is worth a word about a bar: another key, a return of earlier material, a stand-in. */
function remarkOn(bar: Bar, before: Bar | undefined): string {
  if (bar.late) return "bridged";
  if (before && before.key !== bar.key) return printed(bar.key);
  return bar.echo >= 0 ? `as ${bar.echo}` : "";
}
