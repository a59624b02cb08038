"""Cinematic: arpeggios that build, layers that join one after another, a height and a fall."""

from __future__ import annotations

from engine.music.score import Score
from export.invention.course import Section, Taste
from export.invention.draws import Draws
from export.invention.form import plan
from export.invention.pads import Breath, pad
from export.invention.piece import Piece
from export.invention.singing import Voice, tell
from export.invention.textures import Layer, bass, figure, last_chord, play, voiced

PALETTE = {
    "major": {"maj": 3.0, "add9": 3.0, "maj7": 1.5, "sus2": 1.0, "6": 0.5},
    "dominant": {"maj": 2.0, "sus4": 2.5, "add9": 1.5, "7sus4": 0.7},
    "minor": {"m": 3.0, "madd9": 3.0, "m7": 1.5, "m9": 0.7},
    "dim": {},
}
TASTE = Taste(
    tempo=(60, 100),
    metres={"4/4": 5.0, "3/4": 2.0, "6/8": 2.0, "12/8": 1.0, "5/4": 0.5},
    modes={"minor": 5.0, "dorian": 2.0, "major": 2.0, "lydian": 1.0, "mixolydian": 0.6},
    forms=(
        "i0-2 A2-4 B4-6 A5-8 C8-9 o4-0",
        "i1-2 A2-4 A4-6 r3-2 B4-8 A8-9 o4-0",
        "A1-4 B4-6 C6-9 r2-1 A3-4 o3-0",
        "i1-3 A3-5 B5-8 r4-2 C4-9 A7-4 o3-0",
    ),
    phrase_bars={4: 6.0, 8: 1.5, 6: 0.6},
    chord_bars={1: 3.0, 2: 4.0},
    turn_chords={4: 6.0, 3: 0.6, 6: 1.2, 8: 1.0},
    palette=PALETTE,
    turns={
        "minor": (
            "1:m b6:maj b3:add9 b7:sus4",
            "1:madd9 b7:maj/2 b6:maj7 5:sus4",
            "1:m 4:m b6:add9 5:maj",
            "b6:add9 b7:maj 1:m 1:sus2",
            "1:m b3:maj/5 b6:maj 4:m",
            "1:m b3:aug/7 b3:maj/b7 4:maj/6",
            "1:m b6:m b3:add9 b7:maj",
        ),
        "dorian": ("1:madd9 b3:maj 4:add9 b7:maj", "1:m 5:m7 b7:add9 4:maj"),
        "major": (
            "1:add9 5:maj/7 6:m 4:add9",
            "6:m 4:maj7 1:maj/3 5:sus4",
            "1:maj b3:maj 4:add9 4:m",
        ),
        "lydian": ("1:add9 2:maj/1 7:m 6:m", "1:maj 2:maj 1:maj7 3:m"),
        "mixolydian": ("1:add9 b7:maj 4:add9 1:sus4", "1:maj b7:add9 b3:maj 4:maj"),
    },
    moves={
        (0, ""): 1.5,
        (3, "major"): 1.5,
        (-4, "minor"): 1.0,
        (2, ""): 1.0,
        (-3, ""): 0.7,
        (5, ""): 1.0,
    },
    minutes=(1.9, 4.4),
    bass=(31, 48),
    rubato=0.02,
    pedal=0.12,
    contrast=42.0,
)
MELODIES = (40, 42, 60, 73, 68, 48, 52)
SPARKS = (46, 0, 11, 8, 45)
ARPEGGIOS = (45, 48, 0, 46, 50)
PADS = (48, 49, 52, 91, 60)
LOW = (43, 42, 58, 89)
MELODY, SPARK, ARPEGGIO, PAD, BASS = range(5)


def compose(seed: int) -> Score:
    draws = Draws(seed, "cinematic")
    course = plan(draws.within("plan"), TASTE)
    programs = [draws.choice(some) for some in (MELODIES, SPARKS, ARPEGGIOS, PADS, LOW)]
    piece = Piece(course, programs)
    _melody(piece, draws.within("melody"))
    _ground(piece, draws.within("ground"))
    _arpeggios(piece, draws.within("arpeggios"))
    return piece.score()


def _melody(piece: Piece, draws: Draws) -> None:
    """A broad theme; at the height it goes up."""
    lively, base = draws.between(0.2, 0.55), draws.between(56, 64)

    def who(section: Section) -> Voice | None:
        share = {"i": 0.0, "r": 0.3, "o": 0.5, "A": 0.65}.get(section.letter, 1.0)
        bright = max(bar.level for bar in piece.plan.bars_of(section)) > 0.75
        span = (69, 88) if bright else (64, 81)
        voice = Voice(MELODY, span, base, lively, rests=0.12, doubled=0.3 * bright)
        return voice if draws.chance(share) else None

    tell(piece, who, draws)


def _ground(piece: Piece, draws: Draws) -> None:
    """Chords in the middle, thicker as it builds, over a bass that pulses at the height."""
    course = piece.plan
    low = Layer(BASS, TASTE.bass, 1, draws.between(52, 62))
    base, early = draws.between(42, 52), draws.between(0.15, 0.4)
    breath = Breath(draws.choice((0, 0, 24)), early, tied=0.6, leaning=0.4)
    pulse = draws.choice(("pulse", "fifths"))
    for section in course.sections:
        spans, bars = course.spans_of(section), course.bars_of(section)
        level = sum(bar.level for bar in bars) / len(bars)
        count = 2 if level < 0.3 else 3
        held = Layer(PAD, (48, 62), count, base)
        if section.letter not in "i" or draws.chance(0.6):
            pad(piece, held, spans, draws, breath)
        if section.letter != "i":
            kind = pulse if level > 0.55 else "long"
            bass(piece, low, spans, draws, kind=kind, pickups=0.15)


def _arpeggios(piece: Piece, draws: Draws) -> None:
    """One figure grows through the piece; a second, higher one joins in the upper half."""
    course = piece.plan
    unit = 12 if course.metre.unit == 8 or course.tempo > 84 or draws.chance(0.4) else 6
    lower = Layer(
        ARPEGGIO, draws.choice(((60, 77), (62, 79))), draws.choice((3, 4)), draws.between(44, 54)
    )
    upper = Layer(SPARK, (76, 93), draws.choice((3, 4)), draws.between(40, 50))
    ours, theirs = voiced(course.spans, lower, draws), voiced(course.spans, upper, draws)
    rising = draws.between(0.15, 0.35)
    shape = figure(draws, course.metre, unit, lower.voices)
    high = figure(draws, course.metre, draws.choice((unit, 12, 24)), upper.voices)
    for section in course.sections:
        bars = course.bars_of(section)
        play(piece, lower, bars, shape, ours, draws, offset=rising)
        if max(bar.level for bar in bars) > 0.6:
            play(piece, upper, bars, high, theirs, draws, offset=rising - 0.3)
    last_chord(piece, lower, ours, draws, unit)
