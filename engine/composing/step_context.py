"""What the network is told at a place of a bar, note by note while composing.

`engine.representations.context_rows` computes the same for whole pieces; a test holds both to each
other."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import NamedTuple

from engine.music.fields import (
    ATTRIBUTES,
    ECHO_NEW,
    ECHO_WAITS,
    MAX_COUNT,
    MAX_RANK,
    MAX_VOICES,
    PHRASE_BARS,
    metre_index,
)
from engine.music.plan import BarPlan
from engine.music.time import Metre
from engine.representations.context_rows import KEY_RANKS


class EchoNote(NamedTuple):
    """A note of an earlier bar as an echo needs it: its order in the bar and field values."""

    key: int
    tick: int
    pitch: int
    duration: int
    part: int


# The notes of a bar, five small numbers a note (see `EchoNote`): a stream remembers hundreds of
# bars.
HeardBar = array
NOTHING_HEARD: HeardBar[int] = array("i")


def remember(told: HeardBar[int], tick: int, rank: int, values: tuple[int, int, int]) -> None:
    """Add a note; `values` are pitch, duration and part as event field values."""
    told.extend((tick * KEY_RANKS + min(rank, KEY_RANKS - 1), tick, *values))


def recalled(told: HeardBar[int]) -> tuple[EchoNote, ...]:
    """The notes of a remembered bar."""
    width = len(EchoNote._fields)
    return tuple(EchoNote(*told[i : i + width]) for i in range(0, len(told), width))


class StepContext:
    """The context rows of one bar under one plan.

    `names` are the context fields of the bundle, `next_chord` the first chord of the next bar,
    `source` the notes of the echoed bar. With `until_played` each of them is told of until it is
    there, whatever else begins at its tick; else as its order in the bar has it.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        metre: Metre,
        bar: int,
        plan: BarPlan,
        next_chord: int,
        source: HeardBar[int],
        *,
        until_played: bool = False,
    ) -> None:
        self.half = metre.half
        self.chords = ((plan.chord, plan.half_chord), (plan.half_chord, next_chord))
        self.source = recalled(source) if plan.echo > ECHO_NEW else ()
        self.until_played = until_played
        self.source_keys = [
            note.tick * KEY_RANKS + KEY_RANKS - 1 if until_played else note.key
            for note in self.source
        ]
        self.played = 0  # notes of the source that are there, of those told of until then
        values = {
            "metre": metre_index(metre),
            "phrase": 1 + bar % PHRASE_BARS,
            "key": plan.key,
            "echo": plan.echo,
            "ending": plan.ending,
        }
        for attribute in ATTRIBUTES:
            values[attribute.name] = getattr(plan, attribute.name)
        self.row = [values.get(name, 0) for name in names]
        place = {name: i for i, name in enumerate(names)}
        # Places of what changes inside the bar; codecs that leave a field out skip its group.
        self.tick_at = place.get("tick", -1)
        self.rank_at = place.get("rank", -1)
        self.count_at = place.get("count", -1)
        self.voices_at = place.get("voices", -1)
        self.chord_at = (place.get("chord", -1), place.get("next_chord", -1))
        self.echo_at = [
            place.get(name, -1) for name in ("echo_pitch", "echo_wait", "echo_length", "echo_part")
        ]

    def chord_at_tick(self, tick: int) -> int:
        """The chord that is told at a tick of the bar."""
        return self.chords[tick >= self.half][0]

    def at(self, tick: int, rank: int, count: int, voices: int) -> list[int]:
        """The context at `tick` of the bar with `rank` notes already there, `count` in the bar,
        `voices` still sounding. The list is reused."""
        row = self.row
        if self.tick_at >= 0:
            row[self.tick_at] = 1 + tick
            row[self.rank_at] = 1 + min(rank, MAX_RANK - 1)
        if self.count_at >= 0:
            row[self.count_at] = 1 + min(count, MAX_COUNT - 1)
        if self.voices_at >= 0:
            row[self.voices_at] = 1 + min(voices, MAX_VOICES - 1)
        if self.chord_at[0] >= 0:
            now, after = self.chords[tick >= self.half]
            row[self.chord_at[0]] = now
            row[self.chord_at[1]] = after
        if self.source and self.echo_at[0] >= 0:
            self._echo(tick, rank)
        return row

    def take(self, tick: int, pitch: int) -> None:
        """A note has been struck; `pitch` is a field value."""
        if self.until_played and self.source:
            found = self._next(tick, 0)
            for place in range(found, len(self.source)):
                if self.source[place].tick != tick:
                    break
                if self.source[place].pitch == pitch:
                    self.played = place + 1

    def _next(self, tick: int, rank: int) -> int:
        wanted = tick * KEY_RANKS + min(rank, KEY_RANKS - 1)
        return max(self.played, bisect_left(self.source_keys, wanted))

    def _echo(self, tick: int, rank: int) -> None:
        found = self._next(tick, rank)
        values = (0, 0, 0, 0)
        if found < len(self.source):
            note = self.source[found]
            wait = 1 + bisect_left(ECHO_WAITS, note.tick - tick)
            values = (note.pitch, wait, note.duration, note.part)
        for place, value in zip(self.echo_at, values, strict=True):
            self.row[place] = value
