/**
 * Pictures of bars, drawn once and copied to the roll in every frame: a frame with 2,000 notes costs
 * a dozen pictures. While the view zooms they are stretched, and drawn again as it comes to rest.
 */

import type { Bar, Note } from "../../core/api";
import { PERCUSSION } from "../../core/messages";
import { type Palette, partColour } from "../palette";
import type { Rows, Scale } from "./layout";
import { clamp, SECOND } from "./view";

/** Fixed, or still open to change. */
export type PenStyle = "ink" | "pencil";
/** Which notes: those with pitches, or percussion. */
export type Lane = "notes" | "drums";

/** What pictures depend on beside their bar. */
export interface Drawing {
  readonly palette: Palette;
  /** Device pixels a CSS pixel. */
  readonly ratio: number;
  /** Parts to be seen less. */
  readonly dimmed: ReadonlySet<number>;
  readonly drums: Rows;
  /** Height of the lane of percussion. */
  readonly drumsHeight: number;
}

interface Tile {
  readonly canvas: HTMLCanvasElement;
  /** Microseconds from the bar line to its left edge, and across it. */
  readonly left: number;
  readonly across: number;
  /** Rows from the lane's pitch 0 down to its lower edge, and rows across it. */
  readonly top: number;
  readonly rows: number;
  readonly perSecond: number;
  readonly row: number;
  used: number;
}

const PAD = 3; // CSS pixels of air around the notes of a picture
const MOST_PIXELS = 3e6; // of one picture: a very long bar is drawn more coarsely
const AGAIN_PER_FRAME = 3; // pictures drawn anew in a frame because the view came to rest
const UNUSED = 90; // frames after which a picture is forgotten
const LOUDNESSES = [0.62, 0.8, 1]; // opacity by velocity

export class Tiles {
  private readonly tiles = new Map<string, Tile>();
  private frame = 0;
  private again = 0;
  private drawing: Drawing | null = null;

  /** Call it before the tiles of a frame. */
  begin(drawing: Drawing): void {
    if (this.drawing && !isSame(this.drawing, drawing)) this.tiles.clear();
    this.drawing = drawing;
    this.frame += 1;
    this.again = AGAIN_PER_FRAME;
    if (this.frame % UNUSED) return;
    for (const [key, tile] of this.tiles) {
      if (this.frame - tile.used > UNUSED) this.tiles.delete(key);
    }
  }

  /** Draws the notes of a bar on the roll. */
  draw(pen: CanvasRenderingContext2D, scale: Scale, bar: Bar, style: PenStyle, lane: Lane): void {
    const tile = this.tile(scale, bar, style, lane);
    if (!tile) return;
    const { layout } = scale;
    const row = lane === "notes" ? scale.row : this.drumRow();
    const base = lane === "notes" ? scale.y(-1) : layout.drumsY + layout.drumsHeight;
    const x = scale.x(bar.due + tile.left);
    const width = (tile.across / SECOND) * scale.perSecond;
    pen.drawImage(tile.canvas, x, base - tile.top * row, width, tile.rows * row);
  }

  private drumRow(): number {
    const { drums, drumsHeight } = this.drawing as Drawing;
    return drumsHeight / Math.max(1, drums.size);
  }

  private tile(scale: Scale, bar: Bar, style: PenStyle, lane: Lane): Tile | null {
    const key = `${lane} ${style} ${bar.id} ${bar.revision}`;
    const row = lane === "notes" ? scale.row : this.drumRow();
    let tile = this.tiles.get(key);
    if (tile && this.isOutworn(tile, scale.perSecond, row)) tile = undefined;
    if (!tile) {
      const drawn = this.render(scale.perSecond, row, bar, style, lane);
      if (!drawn) return null;
      this.tiles.set(key, drawn);
      tile = drawn;
    }
    tile.used = this.frame;
    return tile;
  }

  private isOutworn(tile: Tile, perSecond: number, row: number): boolean {
    const across = perSecond / tile.perSecond;
    const down = row / tile.row;
    if (across === 1 && down === 1) return false;
    if (across > 1.5 || across < 0.6 || down > 1.5 || down < 0.6) return true;
    this.again -= 1;
    return this.again >= 0;
  }

  private render(
    perSecond: number,
    row: number,
    bar: Bar,
    style: PenStyle,
    lane: Lane,
  ): Tile | null {
    const { palette, ratio, dimmed, drums } = this.drawing as Drawing;
    const notes = bar.notes.filter((note) => (note.part === PERCUSSION) === (lane === "drums"));
    if (!notes.length) return null;
    const rowOf = (note: Note) => (lane === "notes" ? note.pitch : (drums.get(note.pitch) ?? 0));
    const padTime = (PAD / perSecond) * SECOND;
    const padRows = PAD / row;
    let first = Infinity;
    let last = 0;
    let low = Infinity;
    let high = 0;
    for (const note of notes) {
      first = Math.min(first, note.onset);
      last = Math.max(last, lane === "drums" ? note.onset + SECOND / 8 : note.end);
      low = Math.min(low, rowOf(note));
      high = Math.max(high, rowOf(note));
    }
    const left = first - padTime;
    const across = last - first + 2 * padTime;
    const top = high + 1 + padRows;
    const rows = high - low + 1 + 2 * padRows;
    const width = (across / SECOND) * perSecond;
    const fine = Math.min(ratio, Math.sqrt(MOST_PIXELS / (width * rows * row)));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.ceil(width * fine));
    canvas.height = Math.max(1, Math.ceil(rows * row * fine));
    const pen = canvas.getContext("2d");
    if (!pen) return null;
    pen.scale(canvas.width / width, canvas.height / (rows * row));
    const x = (time: number) => ((time - left) / SECOND) * perSecond;
    const y = (note: Note) => (top - rowOf(note) - 1) * row;
    for (const [part, ofPart] of byPart(notes)) {
      pen.globalAlpha = dimmed.has(part) ? 0.16 : 1;
      pen.fillStyle = pen.strokeStyle = partColour(palette, part);
      const trace = lane === "notes" ? traceNote(x, y, row) : traceStroke(x, y, row);
      if (style === "ink") inInk(pen, ofPart, trace);
      else inPencil(pen, ofPart, trace);
    }
    return { canvas, left, across, top, rows, perSecond, row, used: this.frame };
  }
}

type Trace = (pen: CanvasRenderingContext2D, note: Note, inset: number) => void;

/** The shape of a note: without the end that is in another bar. */
export function traceNote(
  x: (time: number) => number,
  y: (note: Note) => number,
  row: number,
): Trace {
  const height = clamp(row * 0.84, 2, 15);
  return (pen, note, inset) => {
    const left = x(note.onset) + inset;
    const gap = note.goesOn ? 0 : 1;
    const width = Math.max(2, x(note.end) - left - gap - inset);
    const radius = Math.min(height / 2.6, width / 2, 4.5);
    const begin = note.goesOnFromBefore ? 0 : radius;
    const end = note.goesOn ? 0 : radius;
    const above = y(note) + (row - height) / 2 + inset;
    pen.roundRect(left, above, width, Math.max(1, height - 2 * inset), [begin, end, end, begin]);
  };
}

/** The shape of a stroke of percussion: a diamond where it falls. */
function traceStroke(x: (time: number) => number, y: (note: Note) => number, row: number): Trace {
  const size = clamp(row * 0.46, 2, 7);
  return (pen, note, inset) => {
    const across = x(note.onset) + size;
    const down = y(note) + row / 2;
    const reach = (size - inset) * (0.7 + note.velocity / 423);
    pen.moveTo(across - reach, down);
    pen.lineTo(across, down - reach);
    pen.lineTo(across + reach, down);
    pen.lineTo(across, down + reach);
    pen.closePath();
  };
}

function inInk(pen: CanvasRenderingContext2D, notes: readonly Note[], trace: Trace): void {
  const whole = pen.globalAlpha;
  LOUDNESSES.forEach((opacity, i) => {
    pen.globalAlpha = whole * opacity;
    pen.beginPath();
    for (const note of notes) if (loudness(note) === i) trace(pen, note, 0);
    pen.fill();
  });
  pen.globalAlpha = whole;
}

function inPencil(pen: CanvasRenderingContext2D, notes: readonly Note[], trace: Trace): void {
  const whole = pen.globalAlpha;
  pen.beginPath();
  for (const note of notes) trace(pen, note, 0.6);
  pen.globalAlpha = whole * 0.16;
  pen.fill();
  pen.globalAlpha = whole * 0.85;
  pen.lineWidth = 1.2;
  pen.stroke();
  pen.globalAlpha = whole;
}

function loudness(note: Note): number {
  return note.velocity < 48 ? 0 : note.velocity < 84 ? 1 : 2;
}

function byPart(notes: readonly Note[]): Map<number, Note[]> {
  const parts = new Map<number, Note[]>();
  for (const note of notes) {
    const known = parts.get(note.part);
    if (known) known.push(note);
    else parts.set(note.part, [note]);
  }
  return parts;
}

function isSame(a: Drawing, b: Drawing): boolean {
  return (
    a.palette === b.palette &&
    a.ratio === b.ratio &&
    a.dimmed === b.dimmed &&
    a.drums === b.drums &&
    a.drumsHeight === b.drumsHeight
  );
}
