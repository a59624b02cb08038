"""Lo-fi: chords with ninths that lean back, a bass, some notes on top, soft percussion at times."""

from __future__ import annotations

from engine.music.score import DRUMS, Score
from export.invention.course import Section, Taste
from export.invention.draws import Draws
from export.invention.form import plan
from export.invention.pads import Breath, pad
from export.invention.piece import Piece
from export.invention.rhythm import DrumKit, beat, comping, drum
from export.invention.singing import Voice, tell
from export.invention.textures import Layer, bass, figure, last_chord, play, strike, voiced

PALETTE = {
    "major": {"maj7": 3.0, "maj9": 4.0, "69": 1.5, "6": 1.0, "add9": 0.6},
    "dominant": {"9": 2.0, "13": 2.0, "9sus4": 2.0, "7": 1.0, "7sus4": 1.0},
    "minor": {"m7": 3.0, "m9": 4.0, "m11": 1.5},
    "dim": {"m7b5": 1.0},
}
TASTE = Taste(
    tempo=(66, 92),
    metres={"4/4": 9.0, "3/4": 1.0, "6/8": 0.6},
    modes={"major": 3.0, "minor": 2.5, "dorian": 2.5, "mixolydian": 1.0, "lydian": 1.0},
    forms=(
        "i3-4 A5-6 B6-7 A6-7 r3-3 A6-7 o4-1",
        "i2-4 A5-6 A6-7 B7-7 A6-5 o4-1",
        "A4-6 B6-7 r3-2 A5-7 B7-6 o4-1",
        "i3-4 A5-6 B6-6 C7-8 A6-5 o3-1",
    ),
    phrase_bars={4: 7.0, 8: 1.5},
    chord_bars={1: 6.0, 0.5: 2.0, 2: 1.5},
    turn_chords={4: 7.0, 2: 1.0, 3: 0.5, 8: 1.5},
    palette=PALETTE,
    turns={
        "major": (
            "2:m9 5:13 1:maj9 6:m9",
            "4:maj9 3:m7 2:m9 1:maj9",
            "1:maj9 6:m9 2:m9 5:9sus4",
            "4:maj9 4:m6 3:m7 6:9",
            "3:m7b5 6:7 2:m9 5:13",
            "1:maj9 b3:dim 2:m9 5:aug",
            "2:m9 b2:maj7 1:maj9 6:9",
        ),
        "minor": (
            "1:m9 4:m9 b7:9 b3:maj9",
            "b6:maj9 5:7 1:m9 1:m7",
            "2:m7b5 5:7 1:m9 4:9",
            "1:m9 b6:maj7 2:m7b5 5:7sus4",
            "1:m9 b3:aug/7 b3:maj7/b7 6:m7b5",
        ),
        "dorian": ("1:m9 4:13 1:m11 4:9", "1:m9 2:m7 b3:maj7 4:9"),
        "mixolydian": ("1:9 b7:maj9 4:69 1:9sus4", "1:13 5:m9 b7:maj9 4:maj9"),
        "lydian": ("1:maj9 2:13 1:maj7#11 6:m9", "1:69 7:m7 3:m9 2:9"),
    },
    moves={(0, ""): 3.0, (-3, "minor"): 1.0, (3, "major"): 1.0, (5, ""): 1.0, (1, ""): 0.4},
    minutes=(1.9, 3.6),
    bass=(29, 43),
    rubato=0.008,
    breaths=0.15,
)
LEADS = (11, 26, 73, 0, 4, 65, 59)
KEYS = (4, 4, 5, 0, 26, 0)
LOW = (32, 33, 35, 33)
LEAD, KEY, PAD, BASS = range(4)


def compose(seed: int) -> Score:
    draws = Draws(seed, "lofi")
    course = plan(draws.within("plan"), TASTE)
    programs = [draws.choice(some) for some in (LEADS, KEYS, (89, 48, 50, 52), LOW)]
    has_drums = draws.chance(0.65)
    swung = course.metre.unit == 4 and draws.chance(0.65)
    piece = Piece(course, programs, swung=swung)
    _lead(piece, draws.within("lead"))
    _keys(piece, draws.within("keys"))
    if draws.chance(0.35):
        layer = Layer(PAD, (62, 74), 2, draws.between(30, 38))
        for section in course.sections:
            if section.letter in "BCr":
                pad(piece, layer, course.spans_of(section), draws, Breath(early=0.5, tied=0.8))
    if has_drums:
        _drums(piece, draws.within("drums"))
    return piece.score()


def _lead(piece: Piece, draws: Draws) -> None:
    low = draws.choice((64, 65, 67))
    lively = draws.between(0.3, 0.7)
    voice = Voice(LEAD, (low, low + 17), draws.between(56, 66), lively, rests=0.3, held=0.9)

    def who(section: Section) -> Voice | None:
        share = {"i": 0.0, "r": 0.15, "o": 0.5, "A": 0.65}.get(section.letter, 1.0)
        return voice if draws.chance(share) else None

    tell(piece, who, draws, phrases=2)


def _keys(piece: Piece, draws: Draws) -> None:
    course = piece.plan
    layer = Layer(KEY, (50, 67), draws.choice((3, 4, 4)), draws.between(48, 58))
    voices = voiced(course.spans, layer, draws)
    rhythms = {letter: comping(draws, course.metre) for letter in "ABC"}
    broken = figure(draws, course.metre, 12, layer.voices)
    fills = draws.between(0.1, 0.6)
    for section in course.sections:
        bars = course.bars_of(section)
        if section.letter in "ir" and draws.chance(0.3):
            play(piece, layer, bars, broken, voices, draws, ringing=48, offset=0.15)
        else:
            rhythm = rhythms.get(section.letter, rhythms["A"])
            filled = [bar for bar in bars if bar.closes and draws.chance(fills)]
            strike(piece, layer, [b for b in bars if b not in filled], rhythm, voices, draws)
            play(piece, layer, filled, broken, voices, draws, ringing=36, offset=0.1)
    last_chord(piece, layer, voices, draws, draws.choice((0, 6, 12)))
    low = Layer(BASS, TASTE.bass, 1, draws.between(56, 66))
    silent = draws.choice(({"i"}, {"i", "r"}, {"r"}, set()))
    spans = [s for s in course.spans if course.sections[s.section].letter not in silent]
    bass(
        piece,
        low,
        spans,
        draws,
        kind=draws.choice(("fifths", "pulse", "fifths", "long")),
        pickups=0.45,
    )


def _drums(piece: Piece, draws: Draws) -> None:
    kit = DrumKit(draws)
    grooves = {letter: beat(draws, piece.plan.metre, kit) for letter in "ABC"}
    for section in piece.plan.sections:
        if section.letter in "ir":
            continue
        bars = [bar for bar in piece.plan.bars_of(section) if not piece.plan.is_close(bar)]
        if section.letter == "o":
            bars = bars[: len(bars) // 2]
        drum(piece, DRUMS, bars, grooves.get(section.letter, grooves["A"]), draws)
