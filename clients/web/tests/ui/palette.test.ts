import { describe, expect, it } from "vitest";
import { type Palette, palettes } from "../../src/ui/palette";

type Colour = readonly [number, number, number]; // linear light

function linear(hex: string): Colour {
  const channel = (from: number) => {
    const value = Number.parseInt(hex.slice(from, from + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [channel(1), channel(3), channel(5)];
}

function times(matrix: readonly (readonly number[])[], [r, g, b]: Colour): Colour {
  const row = ([x = 0, y = 0, z = 0]: readonly number[]) => x * r + y * g + z * b;
  const [first = [], second = [], third = []] = matrix;
  return [row(first), row(second), row(third)];
}

/** Lightness and two axes of hue in which equal distances look about equal (Oklab). */
function perceived(colour: Colour): Colour {
  const cones = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    colour,
  ).map((value) => Math.cbrt(Math.max(0, value))) as unknown as Colour;
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    cones,
  );
}

// What eyes without one kind of cone see, after Machado, Oliveira and Fernandes (2009).
const EYES = {
  common: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protan: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deutan: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritan: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function distance(a: string, b: string, eyes: readonly (readonly number[])[]): number {
  const seen = (hex: string) =>
    perceived(
      times(eyes, linear(hex)).map((v) => Math.min(1, Math.max(0, v))) as unknown as Colour,
    );
  const [first, second] = [seen(a), seen(b)];
  return Math.hypot(...first.map((value, i) => value - (second[i] ?? 0)));
}

function contrast(a: string, b: string): number {
  const light = (hex: string) => {
    const [r, g, b] = linear(hex);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  return Math.max(light(a), light(b)) / Math.min(light(a), light(b));
}

const modes = Object.entries(palettes) as [string, Palette][];

describe.each(modes)("the %s palette", (_, palette) => {
  it.each(Object.entries(EYES))("keeps parts apart for %s eyes", (_, eyes) => {
    palette.parts.forEach((a, i) => {
      for (const b of palette.parts.slice(0, i)) {
        expect(distance(a, b, eyes), `${a} and ${b}`).toBeGreaterThan(0.065);
      }
    });
  });

  it("keeps parts apart from the ground, where music is fixed and where it is not", () => {
    for (const part of palette.parts) {
      expect(contrast(part, palette.ground), part).toBeGreaterThanOrEqual(3);
      expect(contrast(part, palette.openGround), part).toBeGreaterThanOrEqual(2.8);
    }
  });

  it("has words that can be read", () => {
    for (const ground of [palette.ground, palette.openGround]) {
      expect(contrast(palette.ink, ground)).toBeGreaterThanOrEqual(7);
      expect(contrast(palette.soft, ground)).toBeGreaterThanOrEqual(4.5);
      expect(contrast(palette.accent, ground)).toBeGreaterThanOrEqual(4.5);
    }
  });
});
