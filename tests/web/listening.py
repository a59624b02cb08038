"""An ear at the page's loudspeaker: when each note begins to sound, and how high it is.

It is an AudioWorklet of the test's own behind the page's last node, so it counts the very frames
that go to the loudspeaker. A note begins where sound is suddenly louder; its pitch comes from
the time that whole waves take just after.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from tests.web.browsing import Visit

WORKLET = """
// A note begins where it is so loud, and so much louder than before.
const LOUD = 0.008, RISES = 2.5;
registerProcessor("ear", class extends AudioWorkletProcessor {
  before = 0; onset = -1; crossings = []; last = 0;
  process([input]) {
    const channel = input[0] ?? [];
    const fade = Math.exp(-1 / (0.04 * sampleRate));
    for (let i = 0; i < channel.length; i++) {
      const sample = channel[i], frame = currentFrame + i, loud = Math.abs(sample);
      if (this.onset < 0 && loud > LOUD && loud > RISES * this.before) {
        this.onset = frame;
        this.crossings = [];
      }
      this.before = Math.max(this.before * fade, loud);
      if (this.onset >= 0) this.follow(frame, sample);
      this.last = sample;
    }
    return true;
  }
  follow(frame, sample) {
    const since = (frame - this.onset) / sampleRate;
    if (since > 0.04 && this.last < 0 && sample >= 0)
      this.crossings.push(frame - sample / (sample - this.last));
    if (since < 0.14) return;
    const waves = this.crossings.length - 1;
    const length = (this.crossings[waves] - this.crossings[0]) / waves;
    this.port.postMessage({ frame: this.onset, hertz: waves > 0 ? sampleRate / length : 0 });
    this.onset = -1;
  }
});
"""

ATTACH = """async (source) => {
  const { output } = perpetuo.sound;
  const code = new Blob([source], { type: "text/javascript" });
  await output.context.audioWorklet.addModule(URL.createObjectURL(code));
  const ear = new AudioWorkletNode(output.context, "ear", { numberOfOutputs: 0 });
  window.heard = [];
  ear.port.onmessage = ({ data }) => window.heard.push(data);
  output.connect(ear);
}"""

# What the ear heard, at the server's time; by the browser's own pairs of the two clocks.
HEARD = """() => {
  const { context } = perpetuo.sound.output;
  const { contextTime, performanceTime } = context.getOutputTimestamp();
  const now = perpetuo.clock.now(), page = performance.now();
  return window.heard.map(({ frame, hertz }) => {
    const at = performanceTime + 1000 * (frame / context.sampleRate - contextTime);
    return [now + 1000 * (at - page), hertz];
  });
}"""

# Notes of the plan as they are due, those that begin here.
PLANNED = """() => perpetuo.plan.bars().flatMap((bar) => bar.notes
  .filter((note) => !note.goesOnFromBefore)
  .map((note) => [bar.due + note.onset, note.pitch, bar.index]))"""


class Onset(NamedTuple):
    at: float  # microseconds of the server
    pitch: int


class Planned(NamedTuple):
    at: float  # microseconds of the server
    pitch: int
    bar: int


Pair = tuple[Onset, Planned]


def pitch_of(hertz: float) -> int:
    return round(69 + 12 * math.log2(hertz / 440)) if hertz > 0 else -1


class Ear:
    """Listens to a page that plays, and that was visited with `bypass_csp=True`."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        visit.ask(ATTACH, WORKLET)

    def until(self, onsets: int) -> list[Onset]:
        """What was heard, once it is so much."""
        self._visit.until("(count) => window.heard.length >= count", onsets)
        return [Onset(at, pitch_of(hertz)) for at, hertz in self._visit.ask(HEARD)]

    def planned(self) -> list[Planned]:
        return [Planned(*note) for note in self._visit.ask(PLANNED)]


def paired(onsets: list[Onset], planned: list[Planned], near: float) -> list[Pair]:
    """Each onset with the note that is due nearest to it, where that is less than `near`
    microseconds away: the ear takes a swelling of a note for another one at times."""
    pairs = [
        (onset, min(planned, key=lambda note: abs(note.at - onset.at)))
        for onset in onsets
        if planned
    ]
    return [(onset, note) for onset, note in pairs if abs(onset.at - note.at) < near]
