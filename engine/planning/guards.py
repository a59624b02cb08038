"""Watches a stream over minutes and leads it back when it loops, freezes, boils over, strays or
plays in even steps for too long.

Pure: `observe` takes a finished bar, `nudge` says what to change in the next ones, `report` what
was found. The state is of constant size. Every watch has a threshold to wake and a lower one to
sleep again, so that nothing flutters.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import add
from typing import NamedTuple

from engine.music.fields import ATTRIBUTE, ATTRIBUTES, ECHO_NEAR
from engine.planning.rhythm import RhythmGuard, hear

MEMORY = 32  # bars among which a bar is recognised
RECENT = 16  # bars over which repetitions are counted
COPIES = 4  # unasked: so often the same bar among the recent ones is a loop
REPEATS = 8  # so many recent bars that repeat anything are a loop as well
MAX_LOOP = 6  # steps of escalation
FRESH_STEP = 3  # from this step on, no echo and no literal repetition
CALM_BARS = 4  # bars without an unasked repetition before a step is taken back
LITERAL = 4  # bars in a row, note for note as earlier ones: more must be asked for

WARM_UP = 16  # bars before surprise and means are held to their references
BAND = 0.35  # surprise may leave its long mean by this share
CALM_BAND = 0.12  # and must come back to within this one
FROZEN = 0.25  # nats a note: less is no music, whatever the reference says
DRIFT = 1.5  # buckets that a mean may stray
CALM_DRIFT = 0.5
MAX_PULL = 1.5  # buckets of re-centring
SILENT_TICKS = 288  # silence beyond what was asked that wakes the guard: three bars of 4/4

_FAST, _LATE, _SLOW = 1 / 8, 1 / 16, 1 / 256  # shares of a new bar in running means
_WATCHED = ("density", "register", "dynamics")
WATCHED_PLACES = tuple(list(ATTRIBUTE).index(name) for name in _WATCHED)
_CENTRES = tuple(
    [ATTRIBUTE[name].centre(b) for b in range(1, ATTRIBUTE[name].buckets + 1)] for name in _WATCHED
)
_ZEROS = (0.0,) * len(_WATCHED)


class BarSummary(NamedTuple):
    """What was composed in a bar.

    `shape`: a hash of its notes without velocity, 0 for an empty bar. `surprise`: -log p of the
    drawn events, nats a note. `values`: density, register and dynamics in units of `ATTRIBUTES`,
    None where no note tells; `wanted`: the buckets that the plan asked of them, 0 if open.
    `echo`: the level that the plan asked; `copied`: the bar is its source note for note.
    `silence`: ticks since anything sounded, less what the controls ask for. `onsets`: ticks from
    the bar line at which notes begin, in order; `length`: ticks of the bar.
    """

    shape: int
    surprise: float
    values: tuple[float | None, ...] = (None,) * len(_WATCHED)
    wanted: tuple[float, ...] = (0,) * len(_WATCHED)
    echo: int = 0
    silence: int = 0
    onsets: tuple[int, ...] = ()
    length: int = 0
    copied: bool = False


class Nudge(NamedTuple):
    """What to change in the next bars: factors on temperature and min-p, offsets of the plan in
    buckets (in the order of ATTRIBUTES), `fresh`: neither echo nor repeat anything literally,
    `worn`: a gap in ticks and the log-weight by which it is avoided, `literal`: an echo that is
    only asked for loosely would be one note for note."""

    temperature: float = 1.0
    min_p: float = 1.0
    offsets: tuple[float, ...] = (0.0,) * len(ATTRIBUTES)
    fresh: bool = False
    worn: tuple[int, float] = (0, 0.0)
    literal: bool = False

    def and_more(self, offsets: tuple[float, ...]) -> Nudge:
        """With these offsets of the plan on top."""
        if not any(offsets):
            return self
        return self._replace(offsets=tuple(map(add, self.offsets, offsets)))


NEUTRAL = Nudge()


class GuardState(NamedTuple):
    """All that the guards remember.

    `shapes` are the latest bars, newest last, `repeats` the recent bars that repeated something
    unasked, as bits. `loop` is the step of escalation, `calm` the bars since the last unasked
    repetition. `surprise` runs after `reference`; `heat` is 1 while it stands too high, -1 while
    too low. `means` (buckets), `errors` and `astray` go by density, register, dynamics. `copied`
    counts the latest bars in a row that came back note for note, `loosely` tells whether one of
    them need not have.
    The last fields count bars in which a guard was awake.
    """

    bars: int = 0
    shapes: tuple[int, ...] = (0,) * MEMORY
    repeats: int = 0
    loop: int = 0
    calm: int = 0
    surprise: float = 0.0
    reference: float = 0.0
    heat: int = 0
    heard: tuple[int, ...] = (0,) * len(_WATCHED)  # bars that went into each mean, up to 256
    means: tuple[float, ...] = _ZEROS
    errors: tuple[float, ...] = _ZEROS
    astray: tuple[bool, ...] = (False,) * len(_WATCHED)
    silence: int = 0
    rhythm: RhythmGuard = RhythmGuard()
    copied: int = 0
    loosely: bool = False
    looping_bars: int = 0
    fresh_bars: int = 0
    frozen_bars: int = 0
    boiling_bars: int = 0
    astray_bars: int = 0
    silent_bars: int = 0
    even_bars: int = 0

    @property
    def literal(self) -> bool:
        return self.copied >= LITERAL

    @property
    def fresh(self) -> bool:
        """Whether nothing may come back for now."""
        return self.loop >= FRESH_STEP or (self.literal and self.loosely)


def observe(state: GuardState, bar: BarSummary) -> GuardState:
    """The state after a finished bar."""
    bars = state.bars + 1
    shapes, repeats, loop, calm = _watch_repetition(state, bar)
    surprise, reference, heat = _watch_surprise(state, bar)
    heard, means, errors, astray = _watch_drift(state, bar)
    silence = max(0, bar.silence)
    rhythm = hear(state.rhythm, bar.onsets, bar.length)
    copied, loosely = _watch_copies(state, bar)
    after = GuardState(
        *(bars, shapes, repeats, loop, calm, surprise, reference, heat),
        *(heard, means, errors, astray, silence, rhythm, copied, loosely),
        looping_bars=state.looping_bars + (loop > 0),
        frozen_bars=state.frozen_bars + (heat < 0),
        boiling_bars=state.boiling_bars + (heat > 0),
        astray_bars=state.astray_bars + any(astray),
        silent_bars=state.silent_bars + (silence > SILENT_TICKS),
        even_bars=state.even_bars + (rhythm.firmness > 0),
    )
    return after._replace(fresh_bars=state.fresh_bars + after.fresh)


def retuned(state: GuardState) -> GuardState:
    """The state after a performer changed what the music should be: references are found anew."""
    return state._replace(
        bars=0, surprise=0.0, reference=0.0, heat=0, heard=(0,) * len(_WATCHED),
        means=_ZEROS, errors=_ZEROS, astray=(False,) * len(_WATCHED),
        rhythm=state.rhythm.retuned(),
    )  # fmt: skip


def nudge(state: GuardState) -> Nudge:
    """What the next bars should change; NEUTRAL while all is well."""
    silent = state.silence > SILENT_TICKS
    firmness = state.rhythm.firmness
    if not (state.loop or state.heat or silent or firmness or state.literal or any(state.astray)):
        return NEUTRAL
    temperature = (1 + 0.06 * state.loop) * _cooling(state)
    min_p = 1 - 0.1 * state.loop
    offsets = list(NEUTRAL.offsets)
    for i, place in enumerate(WATCHED_PLACES):
        offsets[place] = _pull(state, i)
    if silent:
        temperature *= 1.1
        offsets[WATCHED_PLACES[0]] = max(
            offsets[WATCHED_PLACES[0]], min(3.0, state.silence / SILENT_TICKS)
        )
    worn = (state.rhythm.worn, firmness) if firmness else NEUTRAL.worn
    return Nudge(temperature, min_p, tuple(offsets), state.fresh, worn, state.literal)


def report(state: GuardState) -> dict[str, int | float]:
    """Figures for metrics: bars in which each guard was awake since the start, and the present."""
    return {
        "looping_bars": state.looping_bars,
        "fresh_bars": state.fresh_bars,
        "frozen_bars": state.frozen_bars,
        "boiling_bars": state.boiling_bars,
        "astray_bars": state.astray_bars,
        "silent_bars": state.silent_bars,
        "even_bars": state.even_bars,
        "loop_step": state.loop,
        "surprise": state.surprise,
        "surprise_reference": state.reference,
    }


def _watch_repetition(state: GuardState, bar: BarSummary) -> tuple[tuple[int, ...], int, int, int]:
    asked = bar.echo >= ECHO_NEAR
    repeat = bar.shape != 0 and not asked and bar.shape in state.shapes
    shapes = (*state.shapes[1:], bar.shape)
    repeats = (state.repeats << 1 | repeat) & (1 << RECENT) - 1
    copies = shapes[-RECENT:].count(bar.shape)
    calm = 0 if repeat else min(state.calm + 1, CALM_BARS)
    loop = state.loop
    if repeat and (copies >= COPIES or repeats.bit_count() >= REPEATS):
        loop = min(loop + 1, MAX_LOOP)
    elif calm == CALM_BARS:
        loop = max(loop - 1, 0)
    return shapes, repeats, loop, calm


def _watch_copies(state: GuardState, bar: BarSummary) -> tuple[int, bool]:
    if not bar.copied:
        return 0, False
    return min(state.copied + 1, LITERAL), state.loosely or bar.echo < ECHO_NEAR


def _watch_surprise(state: GuardState, bar: BarSummary) -> tuple[float, float, int]:
    if bar.shape == 0:  # an empty bar tells nothing
        return state.surprise, state.reference, state.heat
    surprise = state.surprise + max(_FAST, 1 / (state.bars + 1)) * (bar.surprise - state.surprise)
    share = max(_SLOW, 1 / (state.bars + 1))
    reference = state.reference + share * (bar.surprise - state.reference)
    if state.bars < WARM_UP:
        return surprise, reference, 0
    excess = surprise / max(reference, 1e-9) - 1
    heat = state.heat
    if surprise < FROZEN or excess < -BAND:
        heat = -1
    elif excess > BAND:
        heat = 1
    elif abs(excess) < CALM_BAND or excess * heat < 0:
        heat = 0
    return surprise, reference, heat


def _cooling(state: GuardState) -> float:
    """The factor on temperature that leads surprise back."""
    if not state.heat:
        return 1.0
    excess = abs(state.surprise / max(state.reference, 1e-9) - 1)
    return 1 - state.heat * min(0.25, max(0.05, 0.4 * excess))


def _watch_drift(
    state: GuardState, bar: BarSummary
) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...], tuple[bool, ...]]:
    heard, means = list(state.heard), list(state.means)
    errors, astray = list(state.errors), list(state.astray)
    for i, value in enumerate(bar.values):
        if value is None:
            continue
        level = _level(_CENTRES[i], value)
        heard[i] = min(heard[i] + 1, round(1 / _SLOW))
        means[i] += (level - means[i]) / heard[i]
        # The plan that was followed already held the pull: what was wanted lies before it.
        target = bar.wanted[i] - _pull(state, i) if bar.wanted[i] else means[i]
        errors[i] += _LATE * (level - target - errors[i])
        threshold = CALM_DRIFT if astray[i] else DRIFT
        astray[i] = heard[i] > WARM_UP and abs(errors[i]) > threshold
    return tuple(heard), tuple(means), tuple(errors), tuple(astray)


def _pull(state: GuardState, i: int) -> float:
    if not state.astray[i]:
        return 0.0
    return min(MAX_PULL, max(-MAX_PULL, -0.6 * state.errors[i]))


def _level(centres: list[float], value: float) -> float:
    """A value in buckets, as `Attribute.position` has it."""
    upper = bisect_right(centres, value)
    if upper == 0:
        return 1.0
    if upper == len(centres):
        return float(upper)
    low, high = centres[upper - 1], centres[upper]
    return upper + (value - low) / (high - low)
