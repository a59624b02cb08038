"""Laws of chord, key and scale names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import PlanError
from engine.music.fields import CHORDS, FIRST_CHORD, KEYS, NO_CHORD, QUALITIES
from engine.music.harmony import (
    CHORD_SHIFT,
    CHORD_TONES,
    INTERVALS,
    KEY_SHIFT,
    MINOR_SCALES,
    SCALES,
    SYNONYMS,
    chord_id,
    chord_name,
    chord_parts,
    key_id,
    key_name,
    key_parts,
    parse_chord,
    parse_key,
    parse_progression,
    parse_roman,
)

chords = st.integers(FIRST_CHORD, CHORDS - 1)
keys = st.integers(1, KEYS - 1)
semitones = st.integers(0, 11)
C_MAJOR, A_MINOR = key_id(0, False), key_id(9, True)


def names(text: str, key: int = C_MAJOR) -> str:
    return " ".join(chord_name(chord) for chord in parse_progression(text, key))


@given(chords)
def test_a_chord_is_its_root_and_quality_and_its_name(chord: int) -> None:
    assert chord_id(*chord_parts(chord)) == chord
    assert parse_chord(chord_name(chord)) == chord


@given(keys)
def test_a_key_is_its_tonic_and_mode_and_its_name(key: int) -> None:
    assert key_id(*key_parts(key)) == key
    assert parse_key(key_name(key)) == key


@given(st.lists(chords | st.just(NO_CHORD), min_size=1, max_size=8), keys)
def test_a_named_progression_reads_back_in_any_key(progression: list[int], key: int) -> None:
    written = " ".join(chord_name(chord) for chord in progression)
    assert parse_progression(written, key) == progression


@given(chords, semitones, semitones)
def test_transposition_adds_up(chord: int, first: int, second: int) -> None:
    both = CHORD_SHIFT[second][CHORD_SHIFT[first][chord]]
    assert both == CHORD_SHIFT[(first + second) % 12][chord]


@given(chords, semitones)
def test_transposing_a_chord_transposes_its_tones(chord: int, shift: int) -> None:
    moved = CHORD_TONES[CHORD_SHIFT[shift][chord]]
    np.testing.assert_array_equal(moved, np.roll(CHORD_TONES[chord], shift))


@given(keys, semitones)
def test_transposing_a_key_moves_its_tonic_and_keeps_its_mode(key: int, shift: int) -> None:
    tonic, minor = key_parts(key)
    assert key_parts(int(KEY_SHIFT[shift][key])) == ((tonic + shift) % 12, minor)


def test_open_values_and_silence_do_not_move() -> None:
    assert CHORD_SHIFT[:, 0].tolist() == [0] * 12
    assert CHORD_SHIFT[:, NO_CHORD].tolist() == [NO_CHORD] * 12
    assert KEY_SHIFT[:, 0].tolist() == [0] * 12
    assert not CHORD_TONES[:FIRST_CHORD].any()


ROMAN = "I ii iii IV V vi viio V7 ii7 IVmaj7 bVII bII #ivo"


@given(st.sampled_from(ROMAN.split()), keys, semitones)
def test_roman_numerals_follow_their_key(symbol: str, key: int, shift: int) -> None:
    moved = parse_roman(symbol, int(KEY_SHIFT[shift][key]))
    assert moved == CHORD_SHIFT[shift][parse_roman(symbol, key)]


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("I IV V7 vi ii7", C_MAJOR, "C F G7 Am Dm7"),
        ("I-V-vi-IV", parse_key("D"), "D A Bm G"),
        ("Imaj7 iii viio bVII", C_MAJOR, "Cmaj7 Em Bdim Bb"),
        ("i iv V7 VI VII III iio", A_MINOR, "Am Dm E7 F G C Bdim"),
        ("viio7", A_MINOR, "Abdim"),
        ("i V", parse_key("Eb minor"), "Ebm Bb"),
        ("Am F C G", C_MAJOR, "Am F C G"),
        ("Dm7, G7 | Cmaj7 | N", C_MAJOR, "Dm7 G7 Cmaj7 N"),
        ("C-7 F7", C_MAJOR, "Cm7 F7"),
        ("Am - F - C", C_MAJOR, "Am F C"),
        ("Am-F", C_MAJOR, "Am F"),
        ("Gb Db D# Cb E#", C_MAJOR, "F# C# Eb B F"),
        ("B♭ F♯m", C_MAJOR, "Bb F#m"),
        ("C/E G7/B C6/9", C_MAJOR, "C G7 C"),
        ("Gsus4 Cadd9 F6 D9 Bm7b5 Eaug Am6 FM7", C_MAJOR, "G C F D7 Bdim E Am Fmaj7"),
        ("Vsus4 ii9 vø7", C_MAJOR, "G Dm7 Gdim"),
    ],
)
def test_progressions_as_people_write_them(text: str, key: int, expected: str) -> None:
    assert names(text, key) == expected


def test_every_synonym_means_its_quality() -> None:
    for quality, suffixes in SYNONYMS.items():
        for suffix in suffixes.split():
            assert chord_parts(parse_chord("D" + suffix)) == (2, quality)


@pytest.mark.parametrize(
    ("text", "bad"),
    [("Am H7 C", "H7"), ("I IIX", "IIX"), ("Cfoo", "Cfoo"), ("am", "am"), ("C-X", "X")],
)
def test_a_bad_symbol_is_named_with_the_accepted_forms(text: str, bad: str) -> None:
    with pytest.raises(PlanError, match=rf"'{bad}'.*roman numeral"):
        parse_progression(text, C_MAJOR)


@given(st.text(max_size=12))
def test_any_text_is_a_progression_or_a_plan_error(text: str) -> None:
    try:
        progression = parse_progression(text, A_MINOR)
    except PlanError:
        return
    assert progression
    assert all(NO_CHORD <= chord < CHORDS for chord in progression)


@pytest.mark.parametrize(
    ("text", "tonic", "minor"),
    [
        ("C", 0, False),
        ("Eb minor", 3, True),
        ("F# major", 6, False),
        ("bb minor", 10, True),
        ("Am", 9, True),
        ("c MAJOR", 0, False),
        ("D♭", 1, False),
    ],
)
def test_keys_as_people_write_them(text: str, tonic: int, minor: bool) -> None:
    assert key_parts(parse_key(text)) == (tonic, minor)


@pytest.mark.parametrize("text", ["", "H", "C dorian", "C##", "minor"])
def test_a_bad_key_is_named_with_the_accepted_forms(text: str) -> None:
    with pytest.raises(PlanError, match=f"'{text}'.*Eb minor"):
        parse_key(text)


def test_chords_hold_the_tones_of_their_quality() -> None:
    assert tuple(INTERVALS) == QUALITIES
    assert np.flatnonzero(CHORD_TONES[parse_chord("G7")]).tolist() == [2, 5, 7, 11]


def test_scales_are_weights_from_their_tonic() -> None:
    for name, weights in SCALES.items():
        assert len(weights) == 12, name
        assert weights[0] == 1.0, name
    assert SCALES["minor"][11] == 0.5
    assert "dorian" in MINOR_SCALES
    assert "lydian" not in MINOR_SCALES
