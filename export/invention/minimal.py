"""Minimal: cells that shift against each other, patterns that grow note by note, slow harmony."""

from __future__ import annotations

from collections.abc import Sequence

from engine.music.score import Score
from export.invention.course import Section, Taste
from export.invention.draws import Draws
from export.invention.form import plan
from export.invention.pads import Breath, pad
from export.invention.patterns import Cell, cell, play_cell
from export.invention.piece import Piece
from export.invention.singing import Voice, tell
from export.invention.textures import Layer, bass, last_chord, voiced

PALETTE = {
    "major": {"maj": 1.0, "add9": 3.0, "maj7": 2.0, "6": 1.5, "69": 1.0, "sus2": 1.5},
    "dominant": {"maj": 1.0, "sus4": 2.0, "add9": 2.0, "7sus4": 1.5, "9sus4": 1.0},
    "minor": {"m": 1.0, "m7": 3.0, "madd9": 2.0, "m9": 1.0, "m11": 1.0},
    "dim": {},
}
TASTE = Taste(
    tempo=(84, 132),
    metres={"4/4": 4.0, "3/4": 2.0, "6/8": 1.5, "12/8": 1.5, "5/4": 1.2, "7/8": 0.7},
    modes={"major": 3.0, "dorian": 2.0, "mixolydian": 2.0, "lydian": 1.0, "minor": 1.5},
    forms=(
        "i1-3 A3-6 B5-8 A7-4 o4-1",
        "A1-5 B4-7 r3-2 A4-8 o5-1",
        "i0-3 A2-7 B6-4 C3-8 A6-3 o3-1",
        "A1-8 r3-3 B3-8 o6-1",
        "i2-4 A4-5 B6-7 C7-8 o5-1",
    ),
    phrase_bars={4: 5.0, 6: 1.5, 8: 1.5},
    chord_bars={2: 3.0, 4: 4.0, 1: 1.0, 6: 0.6},
    turn_chords={2: 2.0, 3: 2.0, 4: 3.0, 5: 1.0, 6: 1.0},
    palette=PALETTE,
    turns={
        "major": ("1:add9 6:m7 4:maj7 5:sus4", "1:maj7 3:m7 6:m7 4:add9", "1:6 4:6/1"),
        "dorian": ("1:m7 4:add9", "1:m9 b7:add9 4:add9 1:m7"),
        "mixolydian": ("1:add9 b7:add9 4:add9 1:sus4", "1:maj 5:m7 b7:6"),
        "minor": ("1:m7 b6:maj7 b3:add9 b7:6", "1:madd9 b6:add9 4:m7 5:m7"),
        "lydian": ("1:add9 2:add9", "1:maj7 2:6 6:m7 3:m7"),
    },
    moves={(0, ""): 2.0, (5, ""): 1.0, (-3, ""): 1.0, (2, ""): 1.0, (3, ""): 0.7, (-4, ""): 0.7},
    minutes=(1.9, 4.0),
    rubato=0.0,
    pedal=0.25,
    breaths=0.15,
)
MALLETS = (12, 11, 13, 0, 108, 46)
SECOND = (12, 11, 0, 4, 45, 13)
LINES = (71, 73, 48, 40, 52, 68)
PADS = (48, 49, 52, 89, 19)
LOW = (43, 42, 71, 32, 70)
LINE, FIRST, SHIFTED, PAD, BASS = range(5)


def compose(seed: int) -> Score:
    draws = Draws(seed, "minimal")
    course = plan(draws.within("plan"), TASTE)
    programs = [draws.choice(some) for some in (LINES, MALLETS, SECOND, PADS, LOW)]
    piece = Piece(course, programs)
    size = draws.weighted({4: 3.0, 5: 3.0, 6: 1.0})
    first = Layer(FIRST, (69, 86), size, draws.between(52, 64))
    second = Layer(SHIFTED, draws.choice(((57, 73), (60, 76))), size, draws.between(48, 60))
    _frame(piece, draws.within("frame"))
    _process(piece, first, second, draws.within("process"))
    return piece.score()


def _process(piece: Piece, first: Layer, second: Layer, draws: Draws) -> None:
    """Two players of one cell by theme: the second joins later and goes out of phase."""
    course = piece.plan
    ours, theirs = voiced(course.spans, first, draws), voiced(course.spans, second, draws)
    unit = 12 if course.metre.unit == 8 or draws.chance(0.6) else 6 * (1 + (course.tempo > 108))
    found: dict[str, tuple[Cell, Cell, list[int]]] = {}
    for section in course.sections:
        kind = "A" if section.letter in "ior" else section.letter
        if kind not in found:
            length = draws.choice((5, 6, 7, 8, 8, 9, 10, 12))
            one = cell(draws, length, unit, first.voices)
            other = (
                one
                if draws.chance(0.65)
                else cell(draws, length + draws.choice((-1, 1, 2)), unit, 4)
            )
            found[kind] = (one, other, _shifts(draws, length))
        one, other, shifts = found[kind]
        bars = course.bars_of(section)
        hold = bars[0].phrase // draws.choice((1, 2)) or 1
        play_cell(piece, first, bars, one, ours, draws)
        if section.letter != "i":
            later = -0.12 if section.letter in "ro" else 0.0
            play_cell(
                piece, second, bars, other, theirs, draws, shifts=shifts, hold=hold, offset=later
            )
    last_chord(piece, first, ours, draws, unit, most=3)
    last_chord(piece, second, theirs, draws, 0, most=3)


def _shifts(draws: Draws, length: int) -> list[int]:
    """How far the second player is behind, step by step, until both are together again."""
    step = draws.choice((1, 1, 2, -1))
    return [step * number % length for number in range(1, length)]


def _frame(piece: Piece, draws: Draws) -> None:
    """What swells around the pattern: a bass, held chords, long notes on top."""
    course = piece.plan
    low = Layer(BASS, TASTE.bass, 1, draws.between(48, 58))
    silent = draws.choice(({"i", "r"}, {"i"}, {"r"}))
    spans = [s for s in course.spans if course.sections[s.section].letter not in silent]
    bass(piece, low, spans, draws, kind=draws.choice(("long", "long", "pulse", "fifths")))
    held = Layer(
        PAD, draws.choice(((47, 60), (50, 62))), draws.choice((2, 3)), draws.between(38, 48)
    )
    with_pad: Sequence[str] = draws.choice(("BCo", "BC", "ABCo", "ro"))
    for section in course.sections:
        if section.letter in with_pad:
            pad(piece, held, course.spans_of(section), draws, Breath(early=0.5, tied=0.8))
    voice = Voice(LINE, (67, 84), draws.between(46, 56), draws.between(0.0, 0.25), 0.4)

    def who(section: Section) -> Voice | None:
        later = section.letter in "BC" or (section.letter == "A" and section.time > 0)
        return voice if later and draws.chance(0.65) else None

    tell(piece, who, draws)
