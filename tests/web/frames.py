"""How long a frame of the roll takes with 2,000 notes in sight.

    python -m tests.web.frames

The page is fed a made-up plan. "work" is the time of the page's own code in a frame, "apart" the
time from frame to frame (16.7 ms are 60 a second), both in milliseconds; they say something on a
machine that does nothing else.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.server.served import brisk, serving
from tests.web.browsing import Visit, browsers
from tests.web.building import build_page

NOTES = 2000
SIZES = ((360, 740, 2), (1440, 900, 1), (1920, 1080, 1))  # CSS pixels, and device pixels to one

MEASURE = """async ({ notes, seconds }) => {
  const { plan, clock } = perpetuo, begun = clock.now(), long = 2e6;
  const each = Math.round(notes / 10), beats = each / 4;  // ten bars are in sight
  const bars = Array.from({ length: 40 }, (_, i) => ({
    id: `made ${i}`, epoch: 0, index: i, revision: 0, late: false, previous: null,
    due: begun + (i - 3) * long, end: begun + (i - 2) * long, tick: i * 96, ticks: 96,
    metre: "4/4", tempo: 500000, key: "C major", chords: ["Am", "F"], section: "A", echo: i - 4,
    programs: [0, 0, 0, 0, 0, 0, 0, 0], arrived: performance.now() - 10000,
    notes: Array.from({ length: each }, (_, k) => ({
      part: 1 + k % 8, pitch: 36 + (k * 7 + i * 3) % 50, velocity: 40 + (k * 13) % 80,
      onset: Math.floor(k / 4) * long / beats, end: (Math.floor(k / 4) + 1.5) * long / beats,
      goesOn: false, goesOnFromBefore: false, tick: 0, length: 6,
    })),
  }));
  Object.defineProperty(plan, "bars", { value: () => bars });
  const next = window.requestAnimationFrame.bind(window), work = [], apart = [];
  let last = 0;
  window.requestAnimationFrame = (draw) => next((time) => {
    const before = performance.now();
    draw(time);
    work.push(performance.now() - before);
    if (last) apart.push(time - last);
    last = time;
  });
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  window.requestAnimationFrame = next;
  const at = (times, share) => times.sort((a, b) => a - b)[Math.floor(share * (times.length - 1))];
  return { work: [0.5, 0.95].map((s) => at(work, s)), apart: [0.5, 0.95].map((s) => at(apart, s)) };
}"""


def measure(visit: Visit, seconds: float) -> dict[str, Any]:
    visit.until("perpetuo.clock.isSet && perpetuo.plan.bars().length > 0")
    found: dict[str, Any] = visit.ask(MEASURE, {"notes": NOTES, "seconds": seconds})
    return found


def main() -> int:
    build_page()
    with tempfile.TemporaryDirectory() as folder:
        words = (brisk(Path(folder)), "--port", 0, "--state", folder)
        with serving(*words) as served, browsers() as making, making.opened() as browser:
            print(f"{NOTES} notes        work: median, 95 %     apart: median, 95 %")
            for width, height, ratio in SIZES:
                viewport = {"width": width, "height": height}
                visit = Visit(browser, served.page, viewport=viewport, device_scale_factor=ratio)
                found = measure(visit, 8)
                (middle, most), (apart, longest) = found["work"], found["apart"]
                print(
                    f"{width} x {height} x {ratio}"
                    f"   {middle:6.1f} {most:6.1f} ms   {apart:6.1f} {longest:6.1f} ms"
                )
                visit.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
