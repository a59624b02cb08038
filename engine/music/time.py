"""Time as integers: ticks inside, microseconds outside, and the one place where they meet.

A quarter note has 24 ticks. `Metre` tells how ticks make bars, `Timeline` how they fall in time.
A tempo is quarters a minute to people, and the microseconds of a quarter to everything else.
"""

from __future__ import annotations

from dataclasses import dataclass

TICKS_PER_QUARTER = 24
MAX_BAR_TICKS = 192
MICROSECONDS_PER_MINUTE = 60_000_000


def microseconds_per_quarter(tempo: float) -> int:
    """Of a tempo in quarters a minute; the nearest."""
    return round(MICROSECONDS_PER_MINUTE / tempo)


def quarters_per_minute(microseconds_per_quarter: int) -> float:
    return MICROSECONDS_PER_MINUTE / microseconds_per_quarter


def duration(ticks: int, microseconds_per_quarter: int) -> int:
    """The whole microseconds that so many ticks last: the one rule by which ticks become time.

    What remains of the division is dropped, as every client of a server does it too.
    """
    return ticks * microseconds_per_quarter // TICKS_PER_QUARTER


def quarters(ticks: int) -> float:
    return ticks / TICKS_PER_QUARTER


def file_ticks(microseconds: int, microseconds_per_quarter: int, division: int) -> int:
    """Microseconds in ticks of a MIDI file that has so many to the quarter; the nearest."""
    return round(microseconds * division / microseconds_per_quarter)


@dataclass(frozen=True, slots=True, order=True)
class Metre:
    """A time signature n/4 or n/8 whose bar is at most `MAX_BAR_TICKS` long."""

    beats: int
    unit: int

    def __post_init__(self) -> None:
        if self.unit not in (4, 8) or self.beats < 1 or self.ticks > MAX_BAR_TICKS:
            raise ValueError(f"no such metre here: {self.beats}/{self.unit}")

    @property
    def ticks_per_beat(self) -> int:
        return TICKS_PER_QUARTER * 4 // self.unit

    @property
    def ticks(self) -> int:
        """Length of one bar."""
        return self.beats * self.ticks_per_beat

    @property
    def quarters(self) -> float:
        """Length of one bar."""
        return quarters(self.ticks)

    def seconds(self, tempo: float) -> float:
        """Length of one bar at a tempo in quarters a minute, not rounded."""
        return 60 / tempo * self.ticks / TICKS_PER_QUARTER

    @property
    def half(self) -> int:
        """Tick inside the bar where the second chord of a bar begins.

        The half in even metres, the later beat nearest to it in odd ones; compound metres count
        in dotted beats.
        """
        group = 3 if self.unit == 8 and self.beats > 3 and self.beats % 3 == 0 else 1
        groups = self.beats // group
        return (groups + 1) // 2 * group * self.ticks_per_beat

    def __str__(self) -> str:
        return f"{self.beats}/{self.unit}"

    @classmethod
    def parse(cls, text: str) -> Metre:
        """Read "3/4"; raises ValueError with the accepted forms."""
        beats, slash, unit = text.strip().partition("/")
        if not (slash and beats.isdecimal() and unit.isdecimal()):
            raise ValueError(f"'{text}' is no metre: write it as 4/4, 3/4, 6/8 …")
        if int(unit) not in (4, 8):
            raise ValueError(f"metre {text}: the lower number must be 4 or 8")
        if int(beats) < 1 or int(beats) * 96 // int(unit) > MAX_BAR_TICKS:
            limit = MAX_BAR_TICKS * int(unit) // 96
            raise ValueError(f"metre {text}: the upper number must be from 1 to {limit}")
        return cls(int(beats), int(unit))

    @classmethod
    def nearest(cls, numerator: int, denominator: int) -> Metre:
        """The metre here that bars a piece like any notated one does, on the same bar lines.

        2/2 becomes 4/4, 3/2 6/4; bars too long are cut into equal ones, 3/16 is counted two bars
        at a time.
        """
        if numerator < 1 or denominator < 1:
            return COMMON_TIME
        beats, unit = numerator, denominator
        while unit < 4:
            beats, unit = beats * 2, unit * 2
        while unit > 8:
            beats, unit = (beats // 2, unit // 2) if beats % 2 == 0 else (beats, unit // 2)
        while beats * 96 // unit > MAX_BAR_TICKS:
            if beats % 2 == 0:
                beats //= 2
            elif beats % 3 == 0:
                beats //= 3
            else:
                return COMMON_TIME
        return cls(beats, unit)


COMMON_TIME = Metre(4, 4)


@dataclass(frozen=True, slots=True)
class Timeline:
    """A tempo laid over ticks: `tick_origin` falls on `time_origin`.

    Times are integer microseconds of whatever monotonic clock the caller keeps, rounded as
    `duration` does. Every tick has one time and `tick_at(time_of(t)) == t`; a tempo change makes a
    new value (`at_tempo`).
    """

    microseconds_per_quarter: int = 500_000
    tick_origin: int = 0
    time_origin: int = 0

    def __post_init__(self) -> None:
        # Under 24 µs a quarter, two ticks would share one microsecond.
        if self.microseconds_per_quarter < TICKS_PER_QUARTER:
            raise ValueError("a quarter note must last at least 24 microseconds")

    @classmethod
    def of_tempo(cls, tempo: float) -> Timeline:
        """Tick 0 at time 0, so many quarters a minute."""
        return cls(microseconds_per_quarter(tempo))

    def time_of(self, tick: int) -> int:
        return self.time_origin + duration(tick - self.tick_origin, self.microseconds_per_quarter)

    def tick_at(self, time: int) -> int:
        """The last tick that is not later; the inverse of `time_of` on its values."""
        passed = (time - self.time_origin + 1) * TICKS_PER_QUARTER - 1
        return self.tick_origin + passed // self.microseconds_per_quarter

    def beat_of(self, tick: int, shift: int = 0) -> float:
        """Quarters from tick 0 to so many microseconds after a tick, not rounded."""
        return quarters(tick) + shift / self.microseconds_per_quarter

    def beat_at(self, time: int) -> float:
        return self.beat_of(self.tick_origin, time - self.time_origin)

    def moved(self, later: int) -> Timeline:
        """Everything later by so many microseconds, or earlier if negative."""
        time_origin = self.time_origin + later
        return Timeline(self.microseconds_per_quarter, self.tick_origin, time_origin)

    def at_tempo(self, microseconds_per_quarter: int, tick: int) -> Timeline:
        """The same time up to `tick`, another tempo from there."""
        return Timeline(microseconds_per_quarter, tick, self.time_of(tick))
