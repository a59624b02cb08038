"""What a training tells of itself while it runs, from its first seconds on.

On a terminal that is one line that is written anew. Where the output goes elsewhere, lines come now
and then: at once, after ten seconds, later every minute.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import NamedTuple, SupportsFloat, TextIO

from tqdm import tqdm

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 60.0  # seconds between lines
_REDRAWN = 1.0  # seconds between two looks at the loss, which make a GPU wait


class _Mark(NamedTuple):
    """How far a training was, and when."""

    time: float
    step: int
    events: int


class Progress:
    """Of one training of `total` steps; `unit` is what it counts, such as "notes"."""

    def __init__(
        self,
        total: int,
        unit: str,
        *,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total, self.unit, self._clock = total, unit, clock
        self._out = sys.stdout if out is None else out
        self._bar: tqdm[None] | None = None
        self._pause, self._redraw_at, self._line_at = FIRST_PAUSE, 0.0, 0.0

    def stage(self, what: str) -> None:
        """Say what is done before the first step."""
        print(f"{what} …", file=self._out, flush=True)

    def begin(self, step: int, events: int) -> None:
        """The steps begin, after so many of them."""
        self._bar = tqdm(total=self.total, initial=step, unit="step", disable=None, smoothing=0.05)
        self._begun = self._last = _Mark(self._clock(), step, events)
        self._first = True
        self._redraw_at = self._line_at = self._last.time

    def step(self, step: int, events: int, loss: SupportsFloat) -> None:
        """A step was made: the number of steps, and of events seen, and the loss before it."""
        assert self._bar is not None, "begin comes first"
        self._bar.update()
        now = _Mark(self._clock(), step, events)
        if now.time < self._redraw_at:
            return
        text = self._text(now, float(loss))
        if not self._bar.disable:
            self._bar.set_postfix_str(text)
        if not (self._out.isatty() and not self._bar.disable) and now.time >= self._line_at:
            print(f"step {step:,} of {self.total:,}: {text}", file=self._out, flush=True)
            self._line_at = now.time + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        if self._first:  # it does what is done once as well: those after it are no guide to it
            self._begun, self._first = now, False
        self._last = now
        self._redraw_at = self._line_at if self._bar.disable else now.time + _REDRAWN

    def say(self, line: str) -> None:
        """A line that stays."""
        if self._bar is None:
            print(line, file=self._out, flush=True)
        else:
            self._bar.write(line, file=self._out)
            self._out.flush()

    def doing(self, what: str) -> None:
        """Say what is done between two steps, "" for the steps themselves; on a terminal alone."""
        if self._bar is not None:
            self._bar.set_description_str(what)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def _text(self, now: _Mark, loss: float) -> str:
        speed = (now.events - self._last.events) / max(now.time - self._last.time, 1e-9)
        a_step = (now.time - self._begun.time) / max(now.step - self._begun.step, 1)
        return (
            f"{now.events:,} {self.unit} seen, loss {loss:.3f}, {speed:,.0f} {self.unit}/s, "
            f"{duration((self.total - now.step) * a_step)} left"
        )


def duration(seconds: float) -> str:
    """About how long, for people."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"
