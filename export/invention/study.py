"""Study: a felt piano, ostinati over turns of four chords, a melody that comes and goes."""

from __future__ import annotations

from engine.music.score import Score
from export.invention.draws import Draws
from export.invention.form import Taste, plan
from export.invention.melody import Theme, Voice, reworked, sing, theme
from export.invention.piece import Piece
from export.invention.textures import (
    Figure,
    Layer,
    bass,
    figure,
    last_chord,
    pad,
    play,
    strike,
    voiced,
)

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
        ),
        "minor": (
            "1:madd9 b6:maj7 b3:maj7 b7:sus4",
            "1:m b7:maj/2 b6:maj7 5:7sus4",
            "4:m9 b7:add9 b3:maj7 b6:maj7",
            "1:m7 4:m7 b6:maj7 5:7",
        ),
        "dorian": ("1:m9 4:add9 b3:maj7 b7:add9", "1:m7 5:m7 4:add9 1:madd9"),
        "lydian": ("1:maj7 2:add9 6:m7 5:maj7", "1:add9 2:maj 7:m7 3:m7"),
        "mixolydian": ("1:add9 b7:add9 4:add9 1:sus4", "1:maj 5:m7 4:maj7 b7:add9"),
    },
    moves={(0, ""): 1.5, (-3, "minor"): 1.5, (5, "major"): 1.5, (3, "major"): 1.0, (-5, ""): 0.7},
    minutes=(1.6, 4.2),
    bass=(33, 49),
    rubato=0.035,
)
PIANOS = (0, 0, 0, 0, 1, 4, 46, 11)
MELODY, LEFT, HELD, BASS = range(4)


def compose(seed: int) -> Score:
    draws = Draws(seed, "study")
    course = plan(draws.within("plan"), TASTE)
    piano = draws.choice(PIANOS)
    held = draws.choice((48, 42, 89, 49, 41))
    piece = Piece(course, (draws.choice((piano, piano, piano, 73, 40)), piano, held, piano))
    _melody(piece, draws.within("melody"))
    _left(piece, draws.within("left"))
    if draws.chance(0.4):
        layer = Layer(HELD, (52, 67), 2, draws.between(34, 44))
        for section in course.sections:
            if section.letter in "BCo" or section.time:
                pad(piece, layer, course.spans_of(section), draws, breath=0.4, tied=0.8)
    return piece.score()


def _melody(piece: Piece, draws: Draws) -> None:
    course = piece.plan
    lively = draws.between(0.15, 0.6)
    top = draws.choice((79, 81, 84))
    voice = Voice(MELODY, (top - 17, top), draws.between(60, 70), lively, 0.2)
    themes: dict[str, Theme] = {}
    for section in course.sections:
        if not section.letter.isupper():
            continue
        phrase = course.bars_of(section)[0].phrase
        if section.letter in themes:
            themes[section.letter] = reworked(draws, themes[section.letter])
        else:
            themes[section.letter] = theme(draws, course.metre, phrase, lively, draws.whole(1, 3))
        sing(piece, voice, section, themes[section.letter], draws)


def _left(piece: Piece, draws: Draws) -> None:
    """The ostinato, in another figure for the middle, and a bass under it."""
    course = piece.plan
    layer = Layer(
        LEFT,
        draws.choice(((48, 62), (50, 64), (47, 61))),
        draws.choice((3, 3, 4)),
        draws.between(42, 52),
    )
    voices = voiced(course.spans, layer, draws)
    waltz = course.metre.beats == 3 and draws.chance(0.5)
    unit = 12 if course.metre.unit == 8 else draws.weighted({12: 5.0, 24: 2.0, 6: 0.7})
    shapes: dict[str, Figure] = {}
    for section in course.sections:
        kind = "A" if section.letter in "ior" else section.letter
        bars = course.bars_of(section)
        if waltz and kind != "C":
            strike(piece, layer, bars, [_waltz(draws)], voices, draws)
            continue
        if kind not in shapes:
            shapes[kind] = figure(draws, course.metre, unit, layer.voices)
        play(piece, layer, bars, shapes[kind], voices, draws, offset=draws.between(0.0, 0.15))
    last_chord(piece, layer, voices, draws, draws.choice((0, 6, 12)))
    low = Layer(BASS, TASTE.bass, 1, draws.between(46, 56))
    kind = draws.choice(("long", "long", "fifths"))
    bass(piece, low, course.spans, draws, kind=kind, pickups=0.15)


def _waltz(draws: Draws) -> list[tuple[int, int]]:
    return draws.choice(([(24, 48)], [(24, 24), (48, 24)], [(24, 48), (48, 24)]))
