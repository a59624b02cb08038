"""What the rendering is told of a bar besides its notes."""

from __future__ import annotations

from typing import NamedTuple

from engine.music.time import Metre


class PlayedBar(NamedTuple):
    """`phrase` is the bar's place in a phrase of eight, from 0, `ending` as in `BarPlan`; `chords`
    are those planned for its halves, `programs` by part. `key`, (seed, stream, bar), is where its
    chances are looked up."""

    start: int
    metre: Metre
    microseconds_per_quarter: int
    phrase: int
    ending: int
    chords: tuple[int, int]
    programs: tuple[int, ...]
    key: tuple[int, int, int]
