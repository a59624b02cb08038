/** Keys and chords as people choose them. Pure. */

export const TONICS = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"] as const;

export const MODES = [
  "major",
  "minor",
  "harmonic minor",
  "melodic minor",
  "dorian",
  "phrygian",
  "lydian",
  "mixolydian",
  "locrian",
  "major pentatonic",
  "minor pentatonic",
  "blues",
  "whole tone",
  "chromatic",
] as const;

export interface Key {
  readonly tonic: string;
  readonly mode: string;
}

const SAME = new Map([
  ["Db", "C#"],
  ["D#", "Eb"],
  ["Gb", "F#"],
  ["G#", "Ab"],
  ["A#", "Bb"],
  ["Cb", "B"],
  ["Fb", "E"],
  ["E#", "F"],
  ["B#", "C"],
]);

/** "F# minor" in its two halves; the server spells keys so. */
export function keyOf(text: string): Key {
  const [tonic = "C", ...mode] = text.trim().split(/\s+/);
  return { tonic: SAME.get(tonic) ?? tonic, mode: mode.join(" ") || "major" };
}

/** Whether the third above the tonic is minor: its chords are then counted as in minor. */
function isMinor(mode: string): boolean {
  return !["major", "lydian", "mixolydian", "major pentatonic", "whole tone", "chromatic"].includes(
    mode,
  );
}

/** The chords of a key by degree, as they are typed. */
export function degrees(mode: string): readonly string[] {
  return isMinor(mode)
    ? ["i", "iio", "III", "iv", "v", "V7", "VI", "VII"]
    : ["I", "ii", "iii", "IV", "V", "V7", "vi", "viio"];
}

/** The words of a progression. */
export function chordsOf(text: string): readonly string[] {
  return text.split(/[\s,|]+/).filter(Boolean);
}
