/**
 * Brings quiet and loud music to about the same loudness, slowly, so that its own dynamics stay; and
 * keeps loud moments from clipping, at once and without delay.
 */

/** Mean square of one channel that is aimed at: about -18 LUFS. */
const AIM = 10 ** (-20 / 10);
/** What is softer than this is a pause, and says nothing of how loud the music is. */
const PAUSE = 10 ** (-65 / 10);
const LEAST = 1;
const MOST = 12;
const FIRST = 5;
/** Seconds over which loudness is measured. */
const WINDOW = 6;
/** Decibels a second. */
const RISE = 2;
const FALL = 12;
/** No peak goes beyond this; samples are bent from the knee on. */
const CEILING = 0.9;
const KNEE = 0.8;
/** Seconds after which a peak's limit has let go to about a third. */
const RELEASE = 0.2;

const decibels = (rate: number, seconds: number): number => 10 ** ((rate * seconds) / 20);

export class Leveller {
  /** Mean square before any gain. */
  #power = AIM / FIRST ** 2;
  #gain = FIRST;
  #limit = 1;
  #applied = FIRST;

  constructor(private readonly rate: number) {}

  /** Change one block of both channels, in place. */
  apply(left: Float32Array, right: Float32Array): void {
    const seconds = left.length / this.rate;
    const { power, peak } = measure(left, right);
    if (power > PAUSE) this.#power += (power - this.#power) * Math.min(1, seconds / WINDOW);
    const wanted = Math.min(Math.max(Math.sqrt(AIM / this.#power), LEAST), MOST);
    const most = this.#gain * decibels(RISE, seconds);
    const least = this.#gain / decibels(FALL, seconds);
    this.#gain = Math.min(Math.max(wanted, least), most);
    const fits = Math.min(1, CEILING / (peak * this.#gain || 1));
    const released = 1 - (1 - this.#limit) * Math.exp(-seconds / RELEASE);
    this.#limit = Math.min(fits, released);
    const to = this.#gain * this.#limit;
    ramp(left, this.#applied, to);
    ramp(right, this.#applied, to);
    this.#applied = to;
  }
}

function measure(left: Float32Array, right: Float32Array): { power: number; peak: number } {
  let sum = 0;
  let peak = 0;
  for (const channel of [left, right]) {
    for (const sample of channel) {
      sum += sample * sample;
      peak = Math.max(peak, Math.abs(sample));
    }
  }
  return { power: sum / (left.length + right.length), peak };
}

/** From one gain to another within the block, so that nothing clicks. */
function ramp(samples: Float32Array, from: number, to: number): void {
  const step = (to - from) / samples.length;
  let gain = from;
  for (let i = 0; i < samples.length; i += 1) {
    gain += step;
    samples[i] = bend((samples[i] ?? 0) * gain);
  }
}

function bend(sample: number): number {
  const size = Math.abs(sample);
  if (size <= KNEE) return sample;
  const bent = KNEE + (1 - KNEE) * Math.tanh((size - KNEE) / (1 - KNEE));
  return sample < 0 ? -bent : bent;
}
