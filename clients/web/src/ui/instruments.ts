/** The General MIDI instruments. */

import { h } from "./dom";

/** Names of programs, from 0, in their families of eight. */
export const FAMILIES: readonly (readonly [family: string, names: readonly string[]])[] = [
  [
    "Piano",
    names(
      "Grand piano|Bright piano|Electric grand|Honky-tonk|Electric piano 1|Electric piano 2|Harpsichord|Clavinet",
    ),
  ],
  [
    "Chromatic percussion",
    names("Celesta|Glockenspiel|Music box|Vibraphone|Marimba|Xylophone|Tubular bells|Dulcimer"),
  ],
  [
    "Organ",
    names(
      "Drawbar organ|Percussive organ|Rock organ|Church organ|Reed organ|Accordion|Harmonica|Tango accordion",
    ),
  ],
  [
    "Guitar",
    names(
      "Nylon guitar|Steel guitar|Jazz guitar|Clean guitar|Muted guitar|Overdriven guitar|Distortion guitar|Guitar harmonics",
    ),
  ],
  [
    "Bass",
    names(
      "Acoustic bass|Fingered bass|Picked bass|Fretless bass|Slap bass 1|Slap bass 2|Synth bass 1|Synth bass 2",
    ),
  ],
  [
    "Strings",
    names("Violin|Viola|Cello|Contrabass|Tremolo strings|Pizzicato strings|Harp|Timpani"),
  ],
  [
    "Ensemble",
    names(
      "Strings 1|Strings 2|Synth strings 1|Synth strings 2|Choir aahs|Voice oohs|Synth voice|Orchestra hit",
    ),
  ],
  [
    "Brass",
    names(
      "Trumpet|Trombone|Tuba|Muted trumpet|French horn|Brass section|Synth brass 1|Synth brass 2",
    ),
  ],
  ["Reed", names("Soprano sax|Alto sax|Tenor sax|Baritone sax|Oboe|English horn|Bassoon|Clarinet")],
  ["Pipe", names("Piccolo|Flute|Recorder|Pan flute|Blown bottle|Shakuhachi|Whistle|Ocarina")],
  [
    "Synth lead",
    names(
      "Square lead|Saw lead|Calliope lead|Chiff lead|Charang lead|Voice lead|Fifths lead|Bass and lead",
    ),
  ],
  [
    "Synth pad",
    names("New age pad|Warm pad|Polysynth pad|Choir pad|Bowed pad|Metallic pad|Halo pad|Sweep pad"),
  ],
  ["Synth effects", names("Rain|Soundtrack|Crystal|Atmosphere|Brightness|Goblins|Echoes|Sci-fi")],
  ["Ethnic", names("Sitar|Banjo|Shamisen|Koto|Kalimba|Bagpipe|Fiddle|Shanai")],
  [
    "Percussive",
    names("Tinkle bell|Agogo|Steel drums|Woodblock|Taiko|Melodic tom|Synth drum|Reverse cymbal"),
  ],
  [
    "Sound effects",
    names("Fret noise|Breath noise|Seashore|Bird tweet|Telephone|Helicopter|Applause|Gunshot"),
  ],
];

function names(text: string): readonly string[] {
  return text.split("|");
}

const ALL = FAMILIES.flatMap(([, names]) => names);

export function programName(program: number): string {
  return ALL[program] ?? `Program ${program + 1}`;
}

/** A list of them to choose from; `none` is what the first entry, without a value, is called. */
export function programSelect(none: string): HTMLSelectElement {
  let program = 0;
  return h(
    "select",
    { class: "instrument" },
    h("option", { value: "" }, none),
    ...FAMILIES.map(([family, names]) =>
      h(
        "optgroup",
        { label: family },
        ...names.map((name) => h("option", { value: program++ }, name)),
      ),
    ),
  );
}
