"""The plan: what is decided above the notes, bar by bar.

Analysis reads it out of real music, the planner composes it, form shapes it, a performer may set
any part of it by hand, and the note network is conditioned on it.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.music.fields import ECHO_NEW, ENDING_FAR


class BarPlan(NamedTuple):
    """One bar's plan in field values (see `engine.music.fields`; 0 is open).

    Chords and keys are relative to the home key: C major or A minor. `source` is the index of the
    bar that is echoed, -1 if none.
    """

    key: int = 0
    chord: int = 0
    half_chord: int = 0  # from `Metre.half` on
    echo: int = ECHO_NEW
    source: int = -1
    density: int = 0
    register: int = 0
    polyphony: int = 0
    dynamics: int = 0
    articulation: int = 0
    ending: int = ENDING_FAR

    @property
    def levels(self) -> tuple[int, ...]:
        """The attributes, in the order of `fields.ATTRIBUTES`."""
        return self.density, self.register, self.polyphony, self.dynamics, self.articulation
