"""Ambient: pads that breathe, loops of unequal length, drones, sparse bells, a slow voice."""

from __future__ import annotations

from engine.music.score import Score
from export.invention.course import Section, Taste
from export.invention.draws import Draws
from export.invention.form import plan
from export.invention.pads import Breath, pad
from export.invention.patterns import Loop, bells, drops, loops, play_loops
from export.invention.piece import Piece
from export.invention.singing import Voice, tell
from export.invention.textures import Layer, bass, figure, last_chord, play, voiced

PALETTE = {
    "major": {
        "maj7": 2.0,
        "maj9": 3.0,
        "add9": 3.0,
        "sus2": 2.0,
        "6": 1.0,
        "69": 1.0,
        "maj7#11": 0.6,
    },
    "dominant": {"sus4": 2.0, "9sus4": 2.5, "add9": 2.0, "7sus4": 1.0, "sus2": 1.0},
    "minor": {"m9": 3.0, "m7": 2.0, "madd9": 2.0, "m11": 2.0, "sus2": 1.0, "sus4": 0.6},
    "dim": {},
}
TASTE = Taste(
    tempo=(50, 76),
    metres={"4/4": 6.0, "3/4": 2.0, "6/4": 1.0, "5/4": 0.8},
    modes={"major": 2.0, "lydian": 2.0, "dorian": 2.0, "minor": 2.0, "mixolydian": 1.0},
    forms=(
        "i1-3 A3-5 B4-6 A5-3 o3-0",
        "i0-2 A2-6 r2-1 A3-7 B6-4 o3-0",
        "A2-4 B4-7 r3-1 A3-5 o3-0",
        "i1-4 A4-4 B5-7 C6-3 A3-5 o3-1",
        "A1-6 r2-2 B3-7 A5-2 o2-0",
    ),
    phrase_bars={4: 5.0, 3: 1.0, 6: 1.0},
    chord_bars={1: 1.5, 2: 4.0, 4: 1.5},
    turn_chords={2: 1.5, 3: 2.0, 4: 4.0, 5: 1.5, 6: 1.0},
    palette=PALETTE,
    turns={
        "major": (
            "1:maj9 4:add9 6:m9 5:sus4",
            "1:add9 1:sus4 4:maj9 1:69",
            "4:maj9 1:add9/3 2:m9 5:9sus4",
        ),
        "lydian": ("1:maj7#11 2:add9 1:maj9 6:m11", "1:add9 2:6 7:m7 3:m7"),
        "dorian": ("1:m9 4:add9 1:m11 b7:maj7", "1:madd9 b3:maj7 4:9 5:m7"),
        "minor": ("1:madd9 b6:maj9 b3:maj7 b7:add9", "1:m9 4:m9 b6:maj7 5:m7"),
        "mixolydian": ("1:9sus4 b7:maj9 4:add9 1:add9", "1:add9 5:m7 b7:maj7 4:69"),
    },
    moves={
        (0, ""): 2.0,
        (-3, "minor"): 1.0,
        (5, "lydian"): 1.5,
        (2, "dorian"): 1.0,
        (-2, "major"): 0.7,
    },
    minutes=(1.9, 4.4),
    rubato=0.015,
    pedal=0.3,
    breaths=0.6,
)
HIGH = (9, 11, 8, 10, 14, 98)  # glockenspiel, vibraphone, celesta, music box, bells, crystal
VOICES = (73, 71, 52, 91, 40, 4, 54, 79, 42)
PLUCKED = (0, 0, 4, 46, 11, 24)
PADS = (89, 88, 91, 94, 95, 48, 49, 50)
ALONE = (0, 0, 4, 46, 11)  # one instrument for all
LOW = (89, 43, 88, 42, 95, 39)
BELLS, LEAD, LOOPS, PAD, BASS = range(5)


def compose(seed: int) -> Score:
    draws = Draws(seed, "ambient")
    course = plan(draws.within("plan"), TASTE)
    alone = draws.choice(ALONE) if draws.chance(0.2) else None
    programs = [
        draws.choice(some) if alone is None else alone
        for some in (HIGH, VOICES, PLUCKED, PADS, LOW)
    ]
    piece = Piece(course, programs)
    if draws.chance(0.7):
        _lead(piece, draws.within("lead"))
    _ground(piece, draws.within("ground"))
    moving = draws.weighted({"loops": 5.0, "figure": 2.0, "drops": 2.0, "none": 1.5})
    if moving == "loops":
        _loops(piece, draws.within("loops"))
    elif moving == "figure":
        _figure(piece, draws.within("figure"))
    elif moving == "drops":
        _drops(piece, draws.within("drops"))
    _bells(piece, draws.within("bells"), moving)
    return piece.score()


def _lead(piece: Piece, draws: Draws) -> None:
    """A slow melody in some of the themes."""
    low = draws.choice((62, 65, 67))
    voice = Voice(LEAD, (low, low + 15), draws.between(48, 58), draws.between(0.0, 0.25), 0.4)

    def who(section: Section) -> Voice | None:
        share = {"i": 0.0, "r": 0.1, "o": 0.4}.get(section.letter, 0.7)
        return voice if draws.chance(share) else None

    tell(piece, who, draws)


def _ground(piece: Piece, draws: Draws) -> None:
    """Pads, in another place and thickness by theme, and a bass that is silent at times."""
    course = piece.plan
    breath = Breath(
        stagger=draws.choice((0, 12, 24, 24, 48)),
        early=draws.between(0.3, 0.6),
        tied=0.6,
        leaning=draws.choice((0.0, 0.3, 0.6)),
    )
    low, base = draws.choice((50, 52, 55)), draws.between(42, 54)
    layers: dict[str, Layer] = {}
    for section in course.sections:
        kind = "A" if section.letter in "io" else section.letter
        if kind not in layers:
            lift = draws.choice((-2, 0, 0, 3)) if layers else 0
            span = (low + lift, low + lift + draws.choice((16, 19)))
            layers[kind] = Layer(PAD, span, draws.weighted({2: 1.0, 3: 3.0, 4: 4.0}), base)
        pad(piece, layers[kind], course.spans_of(section), draws, breath)
    silent = draws.choice(({"i", "r"}, {"i"}, {"r"}, set()))
    spans = [s for s in course.spans if course.sections[s.section].letter not in silent]
    bass(piece, Layer(BASS, TASTE.bass, 1, base + 3), spans, draws, kind="long", pickups=0.1)


def _loops(piece: Piece, draws: Draws) -> None:
    """Loops of unequal length, a set of them by theme."""
    layer = Layer(LOOPS, (62, 83), 1, draws.between(44, 56))
    found: dict[str, list[Loop]] = {}
    for section in piece.plan.sections:
        kind = "A" if section.letter in "io" else section.letter
        if kind not in found:
            found[kind] = loops(draws, draws.whole(2, 4))
        if section.letter != "r" or draws.chance(0.5):
            play_loops(piece, layer, piece.plan.bars_of(section), found[kind], draws)


def _figure(piece: Piece, draws: Draws) -> None:
    """A broken chord in slow notes that ring."""
    course = piece.plan
    layer = Layer(LOOPS, (62, 81), draws.choice((3, 4)), draws.between(42, 54))
    voices = voiced(course.spans, layer, draws)
    unit = 12 if course.metre.unit == 8 else 24
    shape = figure(draws, course.metre, unit, layer.voices)
    for section in course.sections:
        if section.letter != "r":
            bars = course.bars_of(section)
            play(piece, layer, bars, shape, voices, draws, ringing=96, offset=0.05)
    last_chord(piece, layer, voices, draws, 24)


def _drops(piece: Piece, draws: Draws) -> None:
    """Rain: at times, not in every section."""
    low = draws.choice((67, 72, 74))
    layer = Layer(LOOPS, (low, low + 19), 1, draws.between(34, 46))
    unit, share = draws.choice((6, 12, 12, 8)), draws.between(0.25, 0.6)
    for section in piece.plan.sections:
        if section.letter == "A" or draws.chance(0.6):
            drops(piece, layer, piece.plan.bars_of(section), draws, unit=unit, share=share)


def _bells(piece: Piece, draws: Draws, moving: str) -> None:
    layer = Layer(BELLS, (79, 98), 1, draws.between(40, 52))
    share = draws.between(0.2, 0.6) if moving == "none" else draws.between(0.05, 0.45)
    for section in piece.plan.sections:
        if section.letter != "i" or moving == "none":
            bells(piece, layer, piece.plan.bars_of(section), draws, share=share)
