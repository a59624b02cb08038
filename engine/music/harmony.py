"""Chords, keys and scales as names and numbers.

A chord id is 0 (open), `NO_CHORD`, or `FIRST_CHORD + 12 * quality + root`; a key id is 0 (open),
1 + tonic for major keys and 13 + tonic for minor ones. Ids stand relative to whatever tonic the
caller counts from; `CHORD_SHIFT` and `KEY_SHIFT` transpose them.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from common.errors import PlanError
from engine.music.fields import CHORDS, FIRST_CHORD, KEYS, NO_CHORD, PITCH_CLASSES, QUALITIES

TONIC_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
SUFFIXES = dict(zip(QUALITIES, ("", "m", "dim", "7", "maj7", "m7"), strict=True))
INTERVALS = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "dim": (0, 3, 6),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
}
_LETTERS = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True))
_ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}

# What people write, and the quality that comes nearest to it here.
SYNONYMS = {
    "maj": "maj M ma major 5 6 69 6/9 add9 2 sus sus2 sus4 aug + +5",
    "min": "m min mi minor - m6 min6 -6 madd9 madd11 mM7 mmaj7 m(maj7) -maj7",
    "dim": "dim o ° dim7 o7 °7 m7b5 m7-5 min7b5 -7b5 ø ø7 hdim hdim7 mb5",
    "7": "7 dom7 9 11 13 7sus4 7sus 9sus4 7b9 7#9 7b5 7#5 7#11 7b13 aug7 +7 7alt alt",
    "maj7": "maj7 M7 ma7 major7 Δ Δ7 j7 maj9 M9 maj11 maj13 maj7#11",
    "min7": "m7 min7 mi7 minor7 -7 m9 min9 -9 m11 min11 m13",
}
_QUALITY_OF = {suffix: quality for quality, text in SYNONYMS.items() for suffix in text.split()}
_QUALITY_OF[""] = "maj"

_CHORD = re.compile(r"([A-G])([#♯b♭]?)(.*)")
_SLASH_BASS = re.compile(r"/[A-G][#♯b♭]?$")
_ROMAN = re.compile(r"([#♯b♭]?)(VII|VI|V|IV|III|II|I|vii|vi|v|iv|iii|ii|i)(?![ivIV])(.*)")
_NUMERALS = ("i", "ii", "iii", "iv", "v", "vi", "vii")
_DEGREES = {False: (0, 2, 4, 5, 7, 9, 11), True: (0, 2, 3, 5, 7, 8, 10)}
_KEY = re.compile(r"([A-Ga-g])([#♯b♭]?)[ _-]*(.*)")
_MODES = {
    False: ("", "maj", "major", "M", "dur"),
    True: ("m", "min", "minor", "moll"),
}

CHORD_FORMS = (
    "write a root A to G with # or b and one of m, 7, maj7, m7, dim (Am7, F#dim, Bb), "
    "a roman numeral (I, vi, V7, bVII, viio), or N for no chord"
)
KEY_FORMS = "write it as C, Eb minor or F# major"


def chord_id(root: int, quality: str) -> int:
    """The id of a chord; `quality` is one of `QUALITIES`, `root` any pitch."""
    return FIRST_CHORD + 12 * QUALITIES.index(quality) + root % 12


def chord_parts(chord: int) -> tuple[int, str]:
    """(root, quality) of a sounding chord."""
    assert FIRST_CHORD <= chord < CHORDS, f"chord {chord} has no root"
    quality, root = divmod(chord - FIRST_CHORD, 12)
    return root, QUALITIES[quality]


def chord_name(chord: int) -> str:
    """ "Am7", "F#dim", "Bb"; "N" for no chord, "-" for an open one."""
    if chord < FIRST_CHORD:
        return "N" if chord == NO_CHORD else "-"
    root, quality = chord_parts(chord)
    return TONIC_NAMES[root] + SUFFIXES[quality]


def key_id(tonic: int, minor: bool) -> int:
    return 1 + tonic % 12 + 12 * minor


def key_parts(key: int) -> tuple[int, bool]:
    """(tonic, minor) of a key that is not open."""
    assert 0 < key < KEYS, f"key {key} has no tonic"
    return (key - 1) % 12, key > 12


def key_name(key: int) -> str:
    """ "C major", "Eb minor"; "-" for an open key."""
    if key == 0:
        return "-"
    tonic, minor = key_parts(key)
    return f"{TONIC_NAMES[tonic]} {'minor' if minor else 'major'}"


def parse_key(text: str) -> int:
    """Read "C", "Ebm", "F# major" or "bb minor"; raises PlanError."""
    match = _KEY.fullmatch(text.strip())
    if match:
        letter, accidental, mode = match.groups()
        tonic = _LETTERS[letter.upper()] + _ACCIDENTALS[accidental]
        for minor, names in _MODES.items():
            if mode in names or mode.lower() in names[1:]:
                return key_id(tonic, minor)
    raise PlanError(f"key '{text}' is not understood: {KEY_FORMS}.")


def parse_chord(symbol: str) -> int:
    """Read "Am7", "F#dim", "Bb", "N"; raises PlanError.

    Suffixes of `SYNONYMS` become the nearest quality, a bass after a slash is left out.
    """
    found = _absolute(symbol.strip())
    if found is None:
        raise _misunderstood(symbol)
    return found


def parse_roman(symbol: str, key: int) -> int:
    """Read "I", "ii7", "bVII" as a chord of `key`; raises PlanError.

    Capital numerals are major, small ones minor. In minor keys III, VI and VII stand on the
    natural scale, a diminished vii on the leading tone.
    """
    found = _roman(symbol.strip(), key)
    if found is None:
        raise _misunderstood(symbol)
    return found


def parse_progression(text: str, key: int) -> list[int]:
    """Read chords divided by blanks, commas, bars or dashes: "I-V-vi-IV", "Dm7 G7 | Cmaj7".

    Roman numerals count from `key`, names are taken as they are. Raises PlanError.
    """
    chords: list[int] = []
    for token in re.split(r"[\s,|–—]+", text):
        if token in ("", "-"):
            continue
        whole = _either(token, key)
        for symbol in [token] if whole is not None else token.split("-"):
            chord = _either(symbol, key)
            if chord is None:
                raise _misunderstood(symbol or token)
            chords.append(chord)
    if not chords:
        raise PlanError(f"the progression '{text}' holds no chord: {CHORD_FORMS}.")
    return chords


def _either(symbol: str, key: int) -> int | None:
    found = _absolute(symbol)
    return _roman(symbol, key) if found is None else found


def _absolute(symbol: str) -> int | None:
    if symbol in ("N", "NC", "N.C."):
        return NO_CHORD
    match = _CHORD.fullmatch(_SLASH_BASS.sub("", symbol))
    if not match or match[3] not in _QUALITY_OF:
        return None
    return chord_id(_LETTERS[match[1]] + _ACCIDENTALS[match[2]], _QUALITY_OF[match[3]])


def _roman(symbol: str, key: int) -> int | None:
    match = _ROMAN.fullmatch(symbol)
    if not match:
        return None
    accidental, numeral, suffix = match.groups()
    quality = _QUALITY_OF.get(suffix)
    if numeral.islower() and quality != "dim":
        quality = _QUALITY_OF.get("m" + suffix)
    if quality is None:
        return None
    tonic, minor = key_parts(key)
    degree = _NUMERALS.index(numeral.lower())
    root = tonic + _DEGREES[minor][degree] + _ACCIDENTALS[accidental]
    if minor and degree == 6 and quality == "dim" and not accidental:
        root += 1
    return chord_id(root, quality)


def _misunderstood(symbol: str) -> PlanError:
    return PlanError(f"chord '{symbol}' is not understood: {CHORD_FORMS}.")


def _chord_tones() -> NDArray[np.bool_]:
    tones = np.zeros((CHORDS, PITCH_CLASSES), np.bool_)
    for chord in range(FIRST_CHORD, CHORDS):
        root, quality = chord_parts(chord)
        tones[chord, [(root + step) % 12 for step in INTERVALS[quality]]] = True
    return tones


def _chord_shift() -> NDArray[np.uint8]:
    table = np.tile(np.arange(CHORDS, dtype=np.uint8), (12, 1))
    ids = np.arange(CHORDS - FIRST_CHORD)
    for shift in range(12):
        table[shift, FIRST_CHORD:] = FIRST_CHORD + ids // 12 * 12 + (ids % 12 + shift) % 12
    return table


def _key_shift() -> NDArray[np.uint8]:
    table = np.zeros((12, KEYS), np.uint8)
    ids = np.arange(KEYS - 1)
    for shift in range(12):
        table[shift, 1:] = 1 + ids // 12 * 12 + (ids % 12 + shift) % 12
    return table


# The tones of each chord, [CHORDS, 12]; open and no chord have none.
CHORD_TONES = _chord_tones()
CHORD_CLASSES = tuple(tuple(np.flatnonzero(tones).tolist()) for tones in CHORD_TONES)
# CHORD_SHIFT[semitones % 12][chord] and KEY_SHIFT[semitones % 12][key]: the transposed id.
CHORD_SHIFT = _chord_shift()
KEY_SHIFT = _key_shift()


def _weights(steps: str, passing: str = "") -> tuple[float, ...]:
    scale, half = ({int(s) for s in text.split()} for text in (steps, passing))
    return tuple(1.0 if pc in scale else 0.5 if pc in half else 0.0 for pc in range(12))


# Twelve weights from the tonic up. `minor` is the natural scale with the leading tone admitted.
SCALES = {
    "major": _weights("0 2 4 5 7 9 11"),
    "minor": _weights("0 2 3 5 7 8 10", passing="11"),
    "harmonic minor": _weights("0 2 3 5 7 8 11"),
    "melodic minor": _weights("0 2 3 5 7 9 11"),
    "dorian": _weights("0 2 3 5 7 9 10"),
    "phrygian": _weights("0 1 3 5 7 8 10"),
    "lydian": _weights("0 2 4 6 7 9 11"),
    "mixolydian": _weights("0 2 4 5 7 9 10"),
    "locrian": _weights("0 1 3 5 6 8 10"),
    "major pentatonic": _weights("0 2 4 7 9"),
    "minor pentatonic": _weights("0 3 5 7 10"),
    "blues": _weights("0 3 5 6 7 10"),
    "whole tone": _weights("0 2 4 6 8 10"),
    "chromatic": _weights("0 1 2 3 4 5 6 7 8 9 10 11"),
}
# Scales whose tonic chord is minor: music in them is composed over the home key of A minor.
MINOR_SCALES = frozenset(
    name for name, weights in SCALES.items() if weights[3] == 1.0 and weights[4] == 0.0
)
