"""How unlikely each pitch becomes under each rule of counterpoint, as rows of log-weights.

Worked out once for a strength, so that a note costs a few additions.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.music.fields import MELODIC_PITCHES
from engine.music.harmony import CHORD_CLASSES

# Log-weights at full strength.
PARALLEL = -8.0  # two parts move the same way, from a perfect interval into the same
HIDDEN = -1.0  # they come to one the same way, from another interval
UNISON = -1.5  # the pitch at which another part sounds
SHARED = -12.0  # the same on one keyboard, which has each key once; whatever the strength
CROSSED = -4.0  # beyond the pitch of a part that belongs above, or below
LEADING = 2.0  # from the leading note to the tonic that the chord brings
STEP, LEAP = 0.5, -0.6  # of outer parts: one or two semitones; more than a fourth
STAYS = -0.3  # the same pitch again
_STEP, _LEAP = 2, 5
LACKING = 0.6  # a note of the chord that nobody has yet
RUBBING = -1.2  # a note that makes no triad with those that were struck with it

_TRIADS = ((0, 4, 7), (0, 3, 7), (0, 3, 6))
ABOVE, BELOW = range(2)  # of a part to another one

_PERFECT = (0, 7)
_PITCHES = np.arange(MELODIC_PITCHES)
_OF_CLASS = np.arange(12)[:, None] == _PITCHES % 12

Bias = NDArray[np.float32]  # [values of part, values of pitch], or a row over pitches


class Weights(NamedTuple):
    """Log-weights of all pitches [128] at one strength, ready to be added.

    `apart` by relation and by the pitch that another part has, `lead` by the pitch that an outer
    part comes from, `full` by chord, `lacking` by pitch class, `arriving` by whether the other part
    is above, the interval that both come from, and the pitch class to which the other one goes,
    `rubbing` by the pitch class that makes no triad with what was struck.
    """

    apart: list[list[Bias]]
    lead: list[Bias]
    full: list[Bias]
    lacking: list[Bias]
    nothing: Bias
    arriving: tuple[list[list[Bias]], list[list[Bias]]]
    rubbing: list[Bias]
    unison: float
    leading: float


@lru_cache(maxsize=8)
def weights_of(strength: float, shared: bool = False) -> Weights:
    """Worked out once for all streams that are led so strictly; `shared`: on one keyboard."""
    steps = _PITCHES - _PITCHES[:, None]  # from a pitch, to a pitch
    meeting = SHARED if shared else strength * UNISON
    unison, crossed = meeting * (steps == 0), strength * CROSSED
    apart = [unison + crossed * (steps < 0), unison + crossed * (steps > 0)]
    lead = STEP * ((steps != 0) & (abs(steps) <= _STEP)) + LEAP * (abs(steps) > _LEAP)
    lead += STAYS * (steps == 0)
    lacking = LACKING * _OF_CLASS
    full = np.array([lacking[list(classes)].sum(axis=0) for classes in CHORD_CLASSES])
    return Weights(
        [_rows(np.asarray(table)) for table in apart],
        _rows(strength * lead),
        _rows(strength * full),
        _rows(strength * lacking),
        np.zeros(MELODIC_PITCHES, np.float32),
        (_arriving(strength, 1), _arriving(strength, -1)),
        _rows(strength * RUBBING * _OF_CLASS),
        meeting,
        strength * LEADING,
    )


def _arriving(strength: float, sign: int) -> list[list[Bias]]:
    """By the interval that two parts come from; `sign`: where the other one is, 1 for below."""
    goals = [np.roll(_OF_CLASS, -sign * interval, axis=0) for interval in _PERFECT]
    found = []
    for came_from in range(12):
        weights = [PARALLEL if came_from == interval else HIDDEN for interval in _PERFECT]
        table = sum(weight * goal for weight, goal in zip(weights, goals, strict=True))
        found.append(_rows(strength * np.asarray(table)))
    return found


def _agreeing() -> list[int]:
    """For each set of pitch classes, as bits, those that stand in one triad with all of them; all
    classes, where they are in none themselves."""
    triads = [
        sum(1 << (root + step) % 12 for step in steps) for steps in _TRIADS for root in range(12)
    ]
    found = []
    for struck in range(1 << 12):
        around = [triad for triad in triads if triad & struck == struck]
        found.append(int(np.bitwise_or.reduce(around)) if around else (1 << 12) - 1)
    return found


AGREEING = _agreeing()


def _rows(table: NDArray[np.float64]) -> list[Bias]:
    return list(table.astype(np.float32))
