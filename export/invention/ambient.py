"""Ambient: pads that breathe, loops of unequal length, drones, sparse bells, a slow voice."""

from __future__ import annotations

from engine.music.score import Score
from export.invention.draws import Draws
from export.invention.form import Plan, Section, Taste, plan
from export.invention.melody import Theme, Voice, reworked, sing, theme
from export.invention.patterns import bells, loops, play_loops
from export.invention.piece import Piece
from export.invention.textures import Layer, bass, pad

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
    chord_bars={1: 2.0, 2: 4.0, 4: 1.0},
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
    minutes=(1.9, 4.7),
    rubato=0.015,
)
HIGH = (
    9,
    11,
    8,
    10,
    14,
    98,
)  # glockenspiel, vibraphone, celesta, music box, tubular bells, crystal
VOICE = (73, 71, 52, 91, 40, 4, 54, 79)
PADS = (89, 88, 91, 94, 95, 48, 49, 50)
LOW = (89, 43, 88, 42, 95, 39)
BELLS, LEAD, LOOPS, PAD, BASS = range(5)


def compose(seed: int) -> Score:
    draws = Draws(seed, "ambient")
    course = plan(draws.within("plan"), TASTE)
    programs = [draws.choice(some) for some in (HIGH, VOICE, (*HIGH, 0, 4, 46), PADS, LOW)]
    piece = Piece(course, programs)
    low, high = draws.weighted({(52, 71): 3.0, (50, 69): 1.0, (55, 74): 1.0})
    layers = {
        BELLS: Layer(BELLS, (79, 98), 1, draws.between(40, 52)),
        LOOPS: Layer(LOOPS, (62, 84), 1, draws.between(44, 56)),
        PAD: Layer(PAD, (low, high), draws.weighted({3: 3.0, 4: 4.0}), draws.between(42, 54)),
        BASS: Layer(BASS, TASTE.bass, 1, draws.between(44, 56)),
    }
    _voice(piece, draws.within("lead"))
    _ground(piece, layers, draws.within("ground"))
    _sparkle(piece, layers, draws.within("sparkle"))
    return piece.score()


def _voice(piece: Piece, draws: Draws) -> None:
    """A slow melody in some of the themes, or none at all."""
    if draws.chance(0.25):
        return
    voice = Voice(LEAD, (65, 81), draws.between(48, 58), draws.between(0.0, 0.25), 0.4)
    themes: dict[str, Theme] = {}
    for section in piece.plan.sections:
        if not section.letter.isupper() or draws.chance(0.3):
            continue
        phrase = piece.plan.bars_of(section)[0].phrase
        if section.letter in themes:
            themes[section.letter] = reworked(draws, themes[section.letter])
        else:
            themes[section.letter] = theme(draws, piece.plan.metre, phrase, voice.lively)
        sing(piece, voice, section, themes[section.letter], draws)


def _ground(piece: Piece, layers: dict[int, Layer], draws: Draws) -> None:
    """Pads, and a bass that is silent in the introduction and in rests at times."""
    course = piece.plan
    stagger = draws.choice((0, 12, 24, 24, 48))
    pad(piece, layers[PAD], course.spans, draws, stagger=stagger, breath=0.45, tied=0.6)
    silent = {"i", "r"} if draws.chance(0.7) else set()
    spans = [s for s in course.spans if course.sections[s.section].letter not in silent]
    bass(piece, layers[BASS], spans, draws, kind="long", pickups=0.1)


def _sparkle(piece: Piece, layers: dict[int, Layer], draws: Draws) -> None:
    """Loops and bells, each in a set of loops of its own by theme."""
    found = {}
    has_loops, share = draws.chance(0.75), draws.between(0.15, 0.55)
    for section in piece.plan.sections:
        bars = piece.plan.bars_of(section)
        if has_loops and _plays(draws, piece.plan, section):
            if section.letter not in found:
                found[section.letter] = loops(draws, draws.whole(2, 4))
            play_loops(piece, layers[LOOPS], bars, found[section.letter], draws)
        if section.letter != "i" or not has_loops:
            bells(piece, layers[BELLS], bars, draws, share=share)


def _plays(draws: Draws, course: Plan, section: Section) -> bool:
    if section.letter == "r":
        return draws.chance(0.5)
    return section is course.sections[0] or draws.chance(0.85)
