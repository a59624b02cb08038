"""Watches a stream over minutes and leads it back when it loops, freezes, boils over or drifts.

Pure: `observe` takes a finished bar, `nudge` says what to change in the next ones, `report` what
was done. The state is of constant size. Every watch needs several bars to wake and several calm
ones to sleep again, so that nothing flutters.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.fields import ATTRIBUTE, ATTRIBUTES, ECHO_EXACT, ECHO_NEAR

MEMORY = 16  # bars in which repetitions are sought
LOOP_COPIES = 4  # unasked copies of one bar among them that make a loop
MAX_PERIOD = 8  # a period of up to so many bars, heard unasked three times, is a loop as well
MAX_LOOP = 6  # steps of escalation against loops
FRESH_FROM = 3  # from this step on, no echo and no literal repetition
WARM_UP = 16  # bars before surprise and means are taken as a reference
BAND = 0.35  # surprise may leave its long mean by this share before sampling is touched
CALM_BAND = 0.15  # and must come back to within this before it is left alone
DRIFT_BAND = 1.5  # buckets that a mean may stray
MAX_PULL = 1.5  # buckets of re-centring
SILENT_TICKS = 384  # silence beyond what was asked that wakes the guard: two long bars

_FAST, _SLOW, _WANDER = 1 / 8, 1 / 256, 1 / 16  # of exponential means, a bar
_WATCHED = ("density", "register", "dynamics")
_NONE = (0.0,) * len(ATTRIBUTES)


class BarSummary(NamedTuple):
    """What was composed in a bar.

    `shape` is a hash of its notes without velocity, 0 for an empty bar. `surprise` is the mean of
    -log p a note in nats. `density`, `register` and `dynamics` are in units of `ATTRIBUTES`, None
    where the bar has no notes to tell. `wanted` holds the buckets that the plan asked of these
    three (0: open). `echo` is the level that the plan asked, `silence` the ticks since anything
    sounded, less what the controls ask for.
    """

    shape: int
    notes: int
    surprise: float
    density: float | None = None
    register: float | None = None
    dynamics: float | None = None
    wanted: tuple[int, int, int] = (0, 0, 0)
    echo: int = 0
    silence: int = 0


class Nudge(NamedTuple):
    """What to change in the next bars: factors on temperature and min-p, offsets of the plan in
    buckets (in the order of ATTRIBUTES), `fresh`: neither echo nor repeat anything literally."""

    temperature: float = 1.0
    min_p: float = 1.0
    offsets: tuple[float, ...] = _NONE
    fresh: bool = False


NEUTRAL = Nudge()


class GuardState(NamedTuple):
    """Everything the guards remember. `shapes` are the latest bars, newest last; those whose
    repetition was asked for stand as 0. `loop`, `heat` and `rest` are how far each watch has
    gone, `astray` and `pull` go by watched attribute."""

    bars: int = 0
    shapes: tuple[int, ...] = (0,) * MEMORY
    loop: int = 0
    calm: int = 0
    surprise: float = 0.0
    reference: float = 0.0
    heat: int = 0  # -1 too little surprise, 1 too much
    error: tuple[float, ...] = (0.0,) * len(_WATCHED)
    correcting: tuple[bool, ...] = (False,) * len(_WATCHED)
    silent: bool = False
    looped_bars: int = 0
    fresh_bars: int = 0
    frozen_bars: int = 0
    boiling_bars: int = 0
    drifted_bars: int = 0
    silent_bars: int = 0
