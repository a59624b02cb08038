"""The craft below the styles: chords, voices, figures, and what is mended at the end."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.music.time import Metre
from export.invention.draws import Draws
from export.invention.harmony import QUALITIES, SCALES, Key, chord, chords, recoloured, walk
from export.invention.melody import CELLS, groups, motif, varied
from export.invention.patterns import cell
from export.invention.polish import Written, without_parallels, without_unisons
from export.invention.styles import STYLES
from export.invention.textures import figure
from export.invention.turns import CLOSES
from export.invention.voicing import bass_line, is_parallel, led

seeds = st.integers(0, 1 << 40)
keys = st.builds(Key, st.integers(0, 11), st.sampled_from(sorted(SCALES)))
styles = st.sampled_from(sorted(STYLES))
metres = st.sampled_from(["4/4", "3/4", "6/8", "5/4", "12/8", "7/8", "6/4"]).map(Metre.parse)


def test_chords_are_what_is_written() -> None:
    assert set(chord("1:maj9", Key(0, "major")).tones) == {0, 4, 7, 11, 2}
    assert set(chord("b7:add9", Key(2, "dorian")).tones) == {0, 4, 7, 2}
    assert chord("5:maj/7", Key(0, "major")).bass == 11
    assert {"sus2", "sus4", "add9", "6", "maj9", "m9", "9", "13", "m7b5", "aug"} <= set(QUALITIES)
    with pytest.raises(ValueError, match="no such chord here: 8:maj"):
        chord("8:maj", Key(0, "major"))


def test_every_turn_and_close_can_be_read() -> None:
    for style in STYLES.values():
        for mode, turns in style.taste.turns.items():
            for text in turns:
                assert chords(text, Key(3, mode))
    for mode, closes in CLOSES.items():
        for text in closes:
            assert chords(text, Key(5, mode))[-1].root == 5


@given(seeds, keys, styles, st.integers(2, 8))
def test_a_walk_stays_in_its_key(seed: int, key: Key, style: str, length: int) -> None:
    palette = STYLES[style].taste.palette
    turn = walk(Draws(seed, "walk"), key, length, palette)
    assert len(turn) == length
    assert all(set(one.tones) <= key.scale for one in turn)
    assert all(one.root != other.root for one, other in itertools.pairwise(turn))
    again = recoloured(Draws(seed, "colours"), turn, palette, 1.0)
    assert [one.root for one in again] == [one.root for one in turn]


@given(seeds, keys, styles)
def test_voices_move_little_and_never_with_the_bass_in_octaves(
    seed: int, key: Key, style: str
) -> None:
    draws = Draws(seed, "voices")
    turn = walk(draws, key, 5, STYLES[style].taste.palette)
    line = bass_line(turn, 33, 50, draws)
    assert line[0] % 12 == turn[0].root
    assert all(33 <= pitch <= 50 for pitch in line)
    before: tuple[int, ...] = ()
    bass = line[0]
    for one, now in zip(turn, line, strict=True):
        voices = led(one, before, (bass, now), (50, 69), 4, draws)
        assert list(voices) == sorted(set(voices))
        assert {pitch % 12 for pitch in voices} <= set(one.tones)
        if before:
            if len(before) == len(voices):
                assert max(abs(a - b) for a, b in zip(before, voices, strict=True)) <= 9
            assert not is_parallel(bass, now, before[-1], voices[-1])
        before, bass = voices, now


@given(seeds, metres, st.floats(0, 1))
def test_motifs_fill_a_bar(seed: int, metre: Metre, lively: float) -> None:
    draws = Draws(seed, "motif")
    assert sum(groups(metre)) == metre.ticks
    one = motif(draws, metre, lively)
    for _ in range(3):
        assert all(0 <= e.onset < e.onset + e.ticks <= metre.ticks for e in one)
        assert all(a.onset + a.ticks <= b.onset for a, b in itertools.pairwise(one))
        one = varied(draws, one)


def test_rhythms_fill_what_they_are_for() -> None:
    for ticks, cells in CELLS.items():
        assert all(sum(map(abs, values)) == ticks for values, _ in cells)


@given(seeds, metres, st.integers(3, 5))
def test_figures_and_cells_grow_note_by_note(seed: int, metre: Metre, voices: int) -> None:
    draws = Draws(seed, "figure")
    shape = figure(draws, metre, 12, voices)
    assert len(shape.steps) == len(shape.ranks) == metre.ticks // 12
    assert shape.ranks[0] == 0
    assert all(0 <= step < voices for step in shape.steps)
    pattern = cell(draws, 8, 12, voices)
    assert pattern.steps[0] is not None
    assert pattern.ranks[0] == 0
    assert len(set(pattern.ranks)) == len(pattern.ranks)


notes = st.builds(
    Written,
    onset=st.integers(0, 60),
    ticks=st.integers(1, 40),
    pitch=st.integers(60, 66),
    velocity=st.just(64),
    part=st.integers(0, 2),
    rank=st.just(0),
    loose=st.booleans(),
).map(
    lambda note: Written(note.onset, note.ticks, note.pitch, 64, note.part, note.part, note.loose)
)


@given(st.lists(notes, max_size=30))
def test_no_pitch_sounds_twice_at_once(found: list[Written]) -> None:
    kept = sorted(without_unisons(found), key=lambda note: (note.pitch, note.onset))
    for one, other in itertools.pairwise(kept):
        assert one.pitch != other.pitch or one.onset + one.ticks <= other.onset


def test_a_loose_note_gives_way_to_a_parallel() -> None:
    def line(part: int, first: int, second: int, loose: bool) -> list[Written]:
        pitches = ((0, first), (12, second))
        return [Written(onset, 12, pitch, 64, part, part, loose) for onset, pitch in pitches]

    strict = [*line(0, 72, 74, False), *line(1, 48, 50, False)]
    assert without_parallels(strict) == sorted(strict, key=lambda note: (note.onset, note.rank))
    loose = without_parallels([*line(0, 72, 74, True), *line(1, 48, 50, False)])
    assert [(note.onset, note.part) for note in loose] == [(0, 1), (0, 0), (12, 1)]
    apart = [*line(0, 72, 74, True), *line(1, 48, 47, False)]
    assert len(without_parallels(apart)) == 4


@given(seeds)
def test_draws_follow_from_seed_and_place(seed: int) -> None:
    def several(draws: Draws) -> list[float]:
        return [draws.uniform() for _ in range(70)]

    assert several(Draws(seed, "a", 1)) == several(Draws(seed, "a").within(1))
    assert several(Draws(seed, "a")) != several(Draws(seed, "b"))
    draws = Draws(seed, "c")
    assert all(2 <= draws.whole(2, 4) <= 4 for _ in range(20))
    assert draws.several("abcd", 2) in [list(a + b) for a in "abc" for b in "bcd" if a < b]
