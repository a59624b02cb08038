"""Study: a felt piano, ostinati over turns of four chords, a melody that comes and goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.music.score import Score
from engine.music.time import Metre
from export.invention.course import Bar, Plan, Section, Taste
from export.invention.draws import Draws
from export.invention.form import plan
from export.invention.melody import groups
from export.invention.pads import Breath, pad
from export.invention.piece import Piece
from export.invention.singing import Voice, tell
from export.invention.textures import (
    Layer,
    bass,
    figure,
    last_chord,
    play,
    strike,
    voiced,
)
from export.invention.voicing import Voices

PALETTE = {
    "major": {"maj": 2.0, "add9": 3.0, "maj7": 3.0, "maj9": 1.0, "6": 1.0, "sus2": 1.0},
    "dominant": {"maj": 2.0, "sus4": 2.0, "add9": 1.5, "7sus4": 1.0, "7": 1.0},
    "minor": {"m": 2.0, "m7": 3.0, "madd9": 2.0, "m9": 1.5},
    "dim": {"m7b5": 0.3},
}
TASTE = Taste(
    tempo=(58, 92),
    metres={"4/4": 5.0, "3/4": 3.0, "6/8": 2.0, "5/4": 0.6},
    modes={"major": 3.0, "minor": 3.0, "dorian": 1.5, "lydian": 1.0, "mixolydian": 1.0},
    forms=(
        "i2-3 A3-5 A4-6 B5-8 A6-4 o3-1",
        "A2-4 B4-7 r3-2 A4-7 o4-1",
        "i1-3 A3-6 B5-7 A6-5 C5-8 A5-3 o3-1",
        "A2-5 A4-6 B6-8 r4-2 A3-5 o3-1",
        "i2-4 A4-6 B4-5 C6-8 B5-4 o3-0",
    ),
    phrase_bars={4: 6.0, 8: 2.0},
    chord_bars={1: 5.0, 0.5: 1.2, 2: 1.5},
    turn_chords={4: 6.0, 3: 0.8, 6: 1.0, 8: 1.0},
    palette=PALETTE,
    turns={
        "major": (
            "1:add9 5:maj/7 6:m7 4:maj7",
            "4:maj7 1:maj/3 2:m7 5:sus4",
            "1:maj7 4:maj7 1:maj7 4:maj7",
            "6:m7 4:add9 1:maj/3 5:sus4",
            "1:maj 3:m7 4:maj7 4:m6",
            "1:maj 1:aug 1:6 1:aug",
            "1:add9 3:7/#5 6:m7 4:m6",
        ),
        "minor": (
            "1:madd9 b6:maj7 b3:maj7 b7:sus4",
            "1:m b7:maj/2 b6:maj7 5:7sus4",
            "4:m9 b7:add9 b3:maj7 b6:maj7",
            "1:m7 4:m7 b6:maj7 5:7",
            "1:m b3:aug/7 b3:maj/b7 6:m7b5",
            "1:madd9 4:m7 b7:7 b3:maj7 b6:maj7 2:m7b5 5:7sus4 5:7",
        ),
        "dorian": ("1:m9 4:add9 b3:maj7 b7:add9", "1:m7 5:m7 4:add9 1:madd9"),
        "lydian": ("1:maj7 2:add9 6:m7 5:maj7", "1:add9 2:maj 7:m7 3:m7"),
        "mixolydian": ("1:add9 b7:add9 4:add9 1:sus4", "1:maj 5:m7 4:maj7 b7:add9"),
    },
    moves={(0, ""): 1.5, (-3, "minor"): 1.5, (5, "major"): 1.5, (3, "major"): 1.0, (-5, ""): 0.7},
    minutes=(1.9, 4.2),
    bass=(33, 49),
    rubato=0.035,
)
PIANOS = (0, 0, 0, 0, 1, 4, 46, 11)
STRINGS = (48, 42, 89, 49, 41)
MELODY, HELD, LEFT = range(3)


def compose(seed: int) -> Score:
    draws = Draws(seed, "study")
    course = plan(draws.within("plan"), TASTE)
    piano = draws.choice(PIANOS)
    top = draws.choice((piano, piano, piano, piano, 73, 40))
    piece = Piece(course, (top, draws.choice(STRINGS), piano))
    _melody(piece, draws.within("melody"), 0.35 if top == piano else 0.0)
    _left(piece, draws.within("left"))
    if draws.chance(0.3):
        layer = Layer(HELD, (57, 69), 2, draws.between(34, 44))
        for section in course.sections:
            if section.letter in "BCo" or section.time:
                pad(piece, layer, course.spans_of(section), draws, Breath(early=0.4, tied=0.8))
    return piece.score()


def _melody(piece: Piece, draws: Draws, doubled: float) -> None:
    low = draws.choice((65, 67, 69))
    voice = Voice(
        MELODY,
        (low, low + 17),
        draws.between(60, 70),
        draws.between(0.3, 0.7),
        rests=0.2,
        doubled=draws.between(0, doubled),
    )

    def who(section: Section) -> Voice | None:
        share = {"i": 0.0, "r": 0.25, "o": 0.6}.get(section.letter, 1.0)
        return voice if draws.chance(share) else None

    tell(piece, who, draws)


def _left(piece: Piece, draws: Draws) -> None:
    """What the left hand plays, by theme, over a bass."""
    course = piece.plan
    span = draws.choice(((48, 64), (50, 65), (52, 67)))
    layer = Layer(LEFT, span, draws.choice((3, 3, 4)), draws.between(42, 52))
    voices = voiced(course.spans, layer, draws)
    manners: dict[str, Manner] = {}
    ringing = draws.choice((0, 24, 48, 96))
    for section in course.sections:
        kind = "A" if section.letter in "ior" else section.letter
        if kind not in manners:
            manners[kind] = _manner(draws, course, layer.voices, ringing)
        bars = course.bars_of(section)
        manners[kind](piece, layer, bars, voices, draws)
    last_chord(piece, layer, voices, draws, draws.choice((0, 6, 12)))
    low = Layer(LEFT, TASTE.bass, 1, draws.between(46, 56))
    kind = draws.choice(("long", "long", "fifths"))
    bass(piece, low, course.spans, draws, kind=kind, pickups=0.15)


Manner = Callable[[Piece, Layer, Sequence[Bar], dict[int, Voices], Draws], None]


def _manner(draws: Draws, course: Plan, voices: int, ringing: int) -> Manner:
    """A way to play chords: broken, after the beat, or struck."""
    metre = course.metre
    kind = draws.weighted({"broken": 6.0, "after": 2.0 * (metre.beats == 3), "struck": 1.5})
    if kind == "broken":
        unit = 12 if metre.unit == 8 else draws.weighted({12: 6.0, 24: 1.0, 6: 0.5})
        shape = figure(draws, metre, unit, voices)
        offset, resting = draws.between(0.15, 0.35), draws.between(0.4, 1.0)

        def broken(
            piece: Piece, layer: Layer, bars: Sequence[Bar], found: dict[int, Voices], own: Draws
        ) -> None:
            play(
                piece,
                layer,
                bars,
                shape,
                found,
                own,
                ringing=ringing,
                offset=offset,
                resting=resting,
            )

        return broken
    rhythms = [_after(draws)] if kind == "after" else _struck(draws, metre)

    def struck(
        piece: Piece, layer: Layer, bars: Sequence[Bar], found: dict[int, Voices], own: Draws
    ) -> None:
        strike(piece, layer, bars, rhythms, found, own)

    return struck


def _after(draws: Draws) -> list[tuple[int, int]]:
    return draws.choice(([(24, 48)], [(24, 24), (48, 24)], [(24, 48), (48, 24)]))


def _struck(draws: Draws, metre: Metre) -> list[list[tuple[int, int]]]:
    """One chord a part of the bar, or one a beat with a longer one at the end of each other bar."""
    places, tick = [], 0
    for ticks in groups(metre):
        places.append((tick, ticks))
        tick += ticks
    beat = metre.ticks_per_beat * (1 if metre.unit == 4 else 3)
    beats = [(tick, beat) for tick in range(0, metre.ticks, beat)]
    return draws.choice(([places], [beats, places], [places, places[:1]]))
