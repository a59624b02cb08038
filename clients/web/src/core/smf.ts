/** Writing Standard MIDI Files: bytes out, nothing else. */

/** File ticks a quarter. */
export const DIVISION = 480;
/** Microseconds a quarter that a file can hold. */
const LONGEST = 2 ** 24 - 1;

/** The controller of the sustain pedal. */
export const SUSTAIN = 64;

/** What happens at one file tick comes in the order of `rank`. */
export interface FileEvent {
  readonly tick: number;
  readonly rank: number;
  readonly bytes: readonly number[];
}

const FIRST = 0;
const METRE = 1;
const TEMPO = 2;
const NOTE_OFF = 3;
const NOTE_ON = 4;

/** A file of type 1; its first track holds the tempo map, the metres and the sections. */
export function midiFile(tracks: readonly (readonly FileEvent[])[]): Uint8Array<ArrayBuffer> {
  const header = [1, tracks.length, DIVISION].flatMap((number) => bigEndian(number, 2));
  const chunks = [chunk("MThd", header), ...tracks.map(track)];
  return Uint8Array.from(chunks.flat());
}

export function name(text: string): FileEvent {
  return { tick: 0, rank: FIRST, bytes: meta(0x03, utf8(text)) };
}

export function marker(tick: number, text: string): FileEvent {
  return { tick, rank: FIRST, bytes: meta(0x06, utf8(text)) };
}

export function tempo(tick: number, microseconds: number): FileEvent {
  return { tick, rank: TEMPO, bytes: meta(0x51, bigEndian(Math.min(microseconds, LONGEST), 3)) };
}

/** `spelled` as in "6/8". */
export function metre(tick: number, spelled: string): FileEvent {
  const [beats = 4, unit = 4] = spelled.split("/").map(Number);
  const compound = unit >= 8 && beats % 3 === 0 && beats > 3;
  const clicks = Math.floor((24 * 4) / unit) * (compound ? 3 : 1); // MIDI clocks of a metronome beat
  return { tick, rank: METRE, bytes: meta(0x58, [beats, Math.log2(unit), clicks, 8]) };
}

export function program(tick: number, channel: number, number: number): FileEvent {
  return { tick, rank: TEMPO, bytes: [0xc0 | channel, number] };
}

export function controller(
  tick: number,
  channel: number,
  number: number,
  value: number,
): FileEvent {
  return { tick, rank: TEMPO, bytes: [0xb0 | channel, number, value] };
}

export function note(
  start: number,
  end: number,
  channel: number,
  pitch: number,
  velocity: number,
): FileEvent[] {
  return [
    { tick: start, rank: NOTE_ON, bytes: [0x90 | channel, pitch, velocity] },
    { tick: end, rank: NOTE_OFF, bytes: [0x80 | channel, pitch, 64] },
  ];
}

/** The pedal of a channel, down after what is struck with it and up before. */
export function sustain(down: number, up: number, channel: number): FileEvent[] {
  return [
    { tick: down, rank: NOTE_ON, bytes: [0xb0 | channel, SUSTAIN, 127] },
    { tick: up, rank: NOTE_OFF, bytes: [0xb0 | channel, SUSTAIN, 0] },
  ];
}

const utf8 = (text: string): number[] => [...new TextEncoder().encode(text)];

function meta(kind: number, body: readonly number[]): number[] {
  return [0xff, kind, ...varying(body.length), ...body];
}

function track(events: readonly FileEvent[]): number[] {
  const body: number[] = [];
  let now = 0;
  for (const event of [...events].sort((a, b) => a.tick - b.tick || a.rank - b.rank)) {
    body.push(...varying(event.tick - now), ...event.bytes);
    now = event.tick;
  }
  return chunk("MTrk", [...body, 0, 0xff, 0x2f, 0]);
}

function chunk(kind: string, body: readonly number[]): number[] {
  return [...utf8(kind), ...bigEndian(body.length, 4), ...body];
}

function bigEndian(number: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => (number >>> (8 * (bytes - 1 - i))) & 0xff);
}

/** A number in groups of seven bits, highest first. */
function varying(number: number): number[] {
  const groups = [number & 0x7f];
  for (let rest = number >>> 7; rest; rest >>>= 7) groups.unshift((rest & 0x7f) | 0x80);
  return groups;
}
