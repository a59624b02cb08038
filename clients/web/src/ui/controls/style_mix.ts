/**
 * The field of styles: every style is a point, and a place between them is a mix by nearness.
 * Pure.
 */

export interface Point {
  /** 0 … 1 from left to right and from top to bottom. */
  readonly x: number;
  readonly y: number;
}

export type Mix = Readonly<Record<string, number>>;

// Kin stand near each other: church at the left, the concert hall above, dance and street below.
const POINTS: Readonly<Record<string, Point>> = {
  renaissance: { x: 0.1, y: 0.24 },
  sacred: { x: 0.1, y: 0.52 },
  hymn: { x: 0.17, y: 0.79 },
  baroque: { x: 0.33, y: 0.14 },
  classical: { x: 0.48, y: 0.37 },
  romantic: { x: 0.68, y: 0.2 },
  impressionist: { x: 0.88, y: 0.4 },
  folk: { x: 0.36, y: 0.62 },
  march: { x: 0.42, y: 0.88 },
  ragtime: { x: 0.64, y: 0.72 },
  popular: { x: 0.83, y: 0.62 },
  game: { x: 0.92, y: 0.13 },
  drums: { x: 0.86, y: 0.88 },
  other: { x: 0.62, y: 0.52 },
};

const UPON = 0.035; // so near to a point it is that style alone
const STEEPNESS = 3; // how fast a style's weight falls with distance
const LEAST = 0.05; // a smaller share is left out

/** Where the styles of a model stand; those that are not known find room among the others. */
export function arranged(styles: readonly string[]): ReadonlyMap<string, Point> {
  const found = new Map<string, Point>();
  for (const style of styles) {
    const at = POINTS[style];
    if (at) found.set(style, at);
  }
  for (const style of styles) {
    if (!found.has(style)) found.set(style, roomiest([...found.values()]));
  }
  return found;
}

function roomiest(taken: readonly Point[]): Point {
  let best: Point = { x: 0.5, y: 0.5 };
  let most = -1;
  for (let i = 0; i < 100; i++) {
    const point = { x: 0.08 + 0.84 * ((i % 10) / 9), y: 0.1 + 0.8 * (Math.floor(i / 10) / 9) };
    const room = Math.min(2, ...taken.map((other) => distance(point, other)));
    if (room > most) [best, most] = [point, room];
  }
  return best;
}

export function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

/** Shares by nearness, of sum 1, in whole percents. */
export function mixAt(point: Point, points: ReadonlyMap<string, Point>): Mix {
  const weights = new Map<string, number>();
  for (const [style, at] of points) {
    const far = distance(point, at);
    if (far < UPON) return { [style]: 1 };
    weights.set(style, far ** -STEEPNESS);
  }
  return inPercents(heaviest(weights));
}

function heaviest(weights: ReadonlyMap<string, number>): Map<string, number> {
  const whole = sum(weights.values());
  return new Map([...weights].filter(([, weight]) => weight / whole >= LEAST));
}

function inPercents(weights: ReadonlyMap<string, number>): Mix {
  const whole = sum(weights.values());
  return Object.fromEntries(
    [...weights].map(([style, weight]) => [style, Math.round((100 * weight) / whole) / 100]),
  );
}

/** The shares of any mix, of sum 1; nothing of a mix without weight. */
export function shares(mix: Mix): Mix {
  const whole = sum(Object.values(mix));
  if (!(whole > 0)) return {};
  return Object.fromEntries(
    Object.entries(mix)
      .filter(([, weight]) => weight > 0)
      .map(([style, weight]) => [style, weight / whole]),
  );
}

/** Where a mix lies: the middle of its styles by weight. */
export function pointOf(mix: Mix, points: ReadonlyMap<string, Point>): Point {
  let [x, y, whole] = [0, 0, 0];
  for (const [style, share] of Object.entries(shares(mix))) {
    const at = points.get(style);
    if (!at) continue;
    x += share * at.x;
    y += share * at.y;
    whole += share;
  }
  return whole > 0 ? { x: x / whole, y: y / whole } : { x: 0.5, y: 0.5 };
}

export function isSameMix(a: Mix, b: Mix): boolean {
  const [first, second] = [shares(a), shares(b)];
  const styles = new Set([...Object.keys(first), ...Object.keys(second)]);
  return [...styles].every((style) => Math.abs((first[style] ?? 0) - (second[style] ?? 0)) < 0.015);
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
