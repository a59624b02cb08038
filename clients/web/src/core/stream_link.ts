/**
 * Which music is chosen, as a link: the part of an address behind #.
 *
 *     #station=study
 *     #seed=7&preset=ambient&density=3&style={"folk":1}
 *
 * A station is what it is by now. An own stream is begun anew: the same seed with the same settings
 * is the same music, note for note. What was changed while it played counts as if it had been set
 * from the beginning.
 */

import type { Controls, StreamChoice, StreamState } from "./api";
import type { Capabilities } from "./protocol";

const RESERVED: ReadonlySet<string> = new Set(["station", "own", "seed", "preset", "model"]);
const LARGEST_SEED = Number.MAX_SAFE_INTEGER;

/** The choice of a link's hash; null if it names none. */
export function readLink(hash: string): StreamChoice | null {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const station = fields.get("station");
  if (station) return { kind: "station", station };
  if (!["own", "seed", "preset"].some((name) => fields.has(name))) return null;
  const seed = fields.get("seed");
  const controls = [...fields].filter(([name]) => !RESERVED.has(name));
  return {
    kind: "own",
    seed: isSeed(seed) ? Number(seed) : null,
    preset: fields.get("preset"),
    model: fields.get("model"),
    controls: Object.fromEntries(controls.map(([name, text]) => [name, readValue(text)])),
  };
}

function isSeed(text: string | null): text is string {
  return text !== null && /^\d{1,16}$/.test(text) && Number(text) <= LARGEST_SEED;
}

/** The hash of a choice: `readLink` gives the same choice back. */
export function writeLink(choice: StreamChoice): string {
  if (choice.kind === "station") return `#${new URLSearchParams({ station: choice.station })}`;
  const fields = new URLSearchParams();
  if (choice.seed !== null) fields.set("seed", String(choice.seed));
  if (choice.preset !== null) fields.set("preset", choice.preset);
  if (choice.model !== null) fields.set("model", choice.model);
  if (!fields.has("seed") && !fields.has("preset")) fields.set("own", "");
  for (const [name, value] of Object.entries(choice.controls)) fields.set(name, writeValue(value));
  return `#${fields}`;
}

/** Text stands as it is, unless it could be taken for something else; the rest is JSON. */
function writeValue(value: unknown): string {
  return typeof value === "string" && readValue(value) === value ? value : JSON.stringify(value);
}

function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The choice that a stream is: with it as it stands now another one can begin. `defaultModel` is the
 * model with which own streams begin. */
export function choiceOf(
  stream: StreamState,
  capabilities: Capabilities,
  defaultModel: string,
): StreamChoice {
  if (stream.station) return { kind: "station", station: stream.name };
  return {
    kind: "own",
    seed: stream.seed,
    preset: stream.preset,
    model: stream.model === defaultModel ? null : stream.model,
    controls: differing(stream, capabilities),
  };
}

/** The controls that are not as the stream's preset, or where it says nothing the default, has them;
 * of those that the seed chose only the server knows whether they are. */
function differing(stream: StreamState, capabilities: Capabilities): Controls {
  const preset = capabilities.presets.find(({ name }) => name === stream.preset);
  const found: Record<string, unknown> = {};
  for (const { name, default: byDefault } of capabilities.controls) {
    const base = preset && Object.hasOwn(preset.controls, name) ? preset.controls[name] : byDefault;
    const value = stream.controls[name];
    const isChosen = preset?.by_seed?.includes(name) ?? false;
    if (value !== undefined && (isChosen || !same(value, base))) found[name] = value;
  }
  return found;
}

/** Whether two JSON values are equal, in whatever order their keys stand. */
export function same(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  return names.every(
    (name) =>
      Object.hasOwn(other, name) &&
      same((one as Record<string, unknown>)[name], (other as Record<string, unknown>)[name]),
  );
}
