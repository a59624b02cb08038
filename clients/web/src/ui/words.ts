/** How values and states are put for people. */

import type { ConnectionState, SoundState } from "../core/api";

const TONES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

/** "E♭4"; 60 is C4. */
export function pitchName(pitch: number): string {
  const whole = Math.round(pitch);
  return `${TONES[((whole % 12) + 12) % 12]}${Math.floor(whole / 12) - 1}`;
}

/** Accidentals as they are printed: "Bb7" is "B♭7", "F# minor" "F♯ minor". */
export function printed(symbol: string): string {
  return symbol.replace(/([A-G])b/g, "$1♭").replace(/([A-G])#/g, "$1♯");
}

/** "max_polyphony" is "Max polyphony". */
export function titled(name: string): string {
  const words = name.replaceAll("_", " ").replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A number without needless digits. */
export function number(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

/** A control's value in few letters, for flags and the list of what happened. */
export function brief(value: unknown): string {
  if (value === null || value === undefined) return "auto";
  if (typeof value === "number") return number(value);
  if (Array.isArray(value)) return value.map(brief).join(" ");
  if (typeof value !== "object") return printed(String(value));
  return Object.entries(value)
    .map(([name, weight]) => (name === "all" ? brief(weight) : `${name} ${brief(weight)}`))
    .join(", ");
}

/** "density 6" or "4 changes", for a flag in the roll. */
export function changesInBrief(controls: Readonly<Record<string, unknown>>): string {
  const named = Object.entries(controls).map(
    ([name, value]) => `${name.replaceAll("_", " ")} ${brief(value)}`,
  );
  const text = named.join(", ");
  return named.length > 1 && text.length > 28 ? `${named.length} changes` : shortened(text, 28);
}

export function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1).trimEnd()}…` : text;
}

/** A sentence without the stop that another one puts behind it. */
export function unstopped(text: string): string {
  return text.replace(/\.\s*$/, "");
}

/** Where the connection stands, in a sentence; "" where there is nothing to tell. */
export function connectionWords(connection: ConnectionState, now: number): string {
  switch (connection.state) {
    case "connecting":
      return "Connecting…";
    case "open":
      return connection.resumed ? "Connected again, nothing was lost." : "Connected.";
    case "lost": {
      const seconds = Math.max(0, Math.ceil((connection.retryAt - now) / 1000));
      const when = seconds > 0 ? `in ${seconds} s` : "now";
      const why = connection.why ? ` (${unstopped(connection.why)})` : "";
      return `Connection lost${why}. What is planned plays on; trying again ${when}.`;
    }
    case "refused":
      return `Not connected: ${unstopped(connection.why)}.`;
  }
}

/** What the sound does, in a sentence; "" where it can be heard as it should. */
export function soundWords(sound: SoundState): string {
  switch (sound.kind) {
    case "off":
      return "";
    case "loading": {
      if (!sound.total) return "Loading the instruments…";
      return `Loading the instruments: ${Math.round((100 * sound.loaded) / sound.total)} %`;
    }
    case "playing":
      return sound.by === "server" ? sound.why : "";
    case "blocked":
    case "failed":
      return sound.why;
  }
}

/** "9:41:07" of the clock on the wall. */
export function wallTime(milliseconds: number): string {
  return new Date(milliseconds).toLocaleTimeString();
}
