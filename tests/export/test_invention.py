"""Pieces by rules: what holds for every style and seed, and that no two are alike."""

from __future__ import annotations

import time
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.files.midi import read, to_score, write
from engine.music.fields import LENGTHS, METRE_INDEX
from engine.music.score import DRUMS, Score
from export.data.likeness import DUPLICATE, fingerprint, likenesses
from export.evaluation.against.form import form_of
from export.evaluation.against.part_writing import part_writing, rates
from export.invention.course import Plan, Section
from export.invention.draws import Draws
from export.invention.form import plan
from export.invention.styles import STYLES

SEEDS = range(24)
SPARSE = ("ambient", "study", "cinematic")

each_style = pytest.mark.parametrize("style", STYLES)


@cache
def score_of(style: str, seed: int) -> Score:
    return STYLES[style].compose(seed)


def plan_of(style: str, seed: int) -> Plan:
    return plan(Draws(seed, style).within("plan"), STYLES[style].taste)


def ends(notes: NDArray[np.void]) -> NDArray[np.int64]:
    found: NDArray[np.int64] = notes["onset"].astype(np.int64) + notes["duration"]
    return found


def seconds(score: Score) -> float:
    ticks = [tick for tick, _ in score.tempos] + [score.end]
    lasting = np.diff(np.array(ticks)) / 24
    return float((lasting * [tempo for _, tempo in score.tempos]).sum() / 1e6)


@each_style
def test_a_seed_is_a_piece(style: str) -> None:
    assert write(STYLES[style].compose(5)) == write(STYLES[style].compose(5))
    assert write(score_of(style, 5)) != write(score_of(style, 6))


@each_style
def test_every_piece_is_valid(style: str) -> None:
    for seed in SEEDS:
        score = score_of(style, seed)
        notes = score.notes
        assert set(notes["duration"].tolist()) <= set(LENGTHS)
        onsets = notes["onset"]
        assert ((onsets % 6 == 0) | (onsets % 8 == 0)).all()
        assert notes["velocity"].min() >= 16
        assert notes["velocity"].max() <= 112
        tuned = notes[notes["part"] != DRUMS]
        assert tuned["pitch"].min() >= 21
        assert tuned["pitch"].max() <= 108
        assert all(metre in METRE_INDEX for _, metre in score.metres)
        assert 80 <= seconds(score) <= 330


@each_style
def test_a_pitch_sounds_once_at_a_time(style: str) -> None:
    for seed in SEEDS:
        notes = score_of(style, seed).notes
        for pool in (notes[notes["part"] != DRUMS], notes[notes["part"] == DRUMS]):
            order = pool[np.lexsort((pool["onset"], pool["pitch"]))]
            same = order["pitch"][1:] == order["pitch"][:-1]
            assert (ends(order)[:-1][same] <= order["onset"][1:][same]).all()


@each_style
def test_a_file_says_what_was_composed(style: str) -> None:
    score = score_of(style, 3)
    heard = to_score(read(write(score)))
    assert heard.notes["pitch"].tolist() == score.notes["pitch"].tolist()
    assert heard.notes["onset"].tolist() == score.notes["onset"].tolist()
    assert heard.metres == score.metres


@each_style
def test_a_piece_closes_on_its_tonic_with_a_long_chord(style: str) -> None:
    for seed in SEEDS:
        course, score = plan_of(style, seed), score_of(style, seed)
        assert course.last.ticks >= 2 * course.metre.ticks
        held = ends(score.notes) > score.end - 24
        sounding = score.notes[held & (score.notes["part"] != DRUMS)]
        lowest = sounding[sounding["pitch"].argmin()]
        assert score.end == course.end
        assert lowest["pitch"] % 12 == course.key.tonic
        assert lowest["duration"] >= course.metre.ticks
        assert len(sounding) >= 3
        assert not (score.notes["onset"] >= course.end - course.metre.ticks).any()


@each_style
def test_the_first_part_is_high_and_the_last_low(style: str) -> None:
    for seed in SEEDS:
        notes = score_of(style, seed).notes
        tuned = notes[notes["part"] != DRUMS]
        parts = np.unique(tuned["part"])
        heights = [tuned["pitch"][tuned["part"] == part].mean() for part in parts]
        assert heights[0] > heights[-1]
        assert heights[-1] == min(heights)


@each_style
def test_no_two_pieces_are_alike(style: str) -> None:
    plans = [plan_of(style, seed) for seed in range(60)]
    assert len({course.key.tonic for course in plans}) >= 11
    assert len({course.key.mode for course in plans}) == 5
    assert len({course.metre for course in plans}) >= 3
    assert len({course.tempo for course in plans}) >= 45
    assert len({"".join(s.letter for s in course.sections) for course in plans}) >= 4
    assert len({tuple(s.chord.tones for s in course.spans[:8]) for course in plans}) >= 57
    prints = [fingerprint(score_of(style, seed)) for seed in SEEDS]
    assert len({one.exact for one in prints}) == len(prints)
    assert all(pair.share < DUPLICATE for pair in likenesses(prints))


@each_style
def test_pieces_breathe(style: str) -> None:
    found = [form_of([score_of(style, seed)]).breath or 0.0 for seed in SEEDS]
    assert 0.25 < np.mean(found) < 0.55
    assert min(found) > 0.15
    assert max(found) < 0.7


@pytest.mark.parametrize("style", SPARSE)
def test_sparse_styles_are_silent_at_times(style: str) -> None:
    assert np.mean([silences(score_of(style, seed)) > 0 for seed in SEEDS]) > 0.7


def silences(score: Score) -> int:
    """How often nothing sounds for an eighth or longer."""
    reached = np.maximum.accumulate(ends(score.notes))
    return int((score.notes["onset"][1:] - reached[:-1] >= 12).sum())


@each_style
def test_parts_are_led(style: str) -> None:
    found = rates([part_writing(score_of(style, seed)) for seed in SEEDS])
    assert found["doubled notes"] == 0
    assert (found["parallel octaves"] or 0) <= 2
    assert (found["parallel fifths"] or 0) <= 2


@each_style
def test_themes_come_back_with_variation(style: str) -> None:
    """What a section has in common with its return, bar by bar, and with another theme."""
    again, other = [], []
    for seed in SEEDS:
        course, score = plan_of(style, seed), score_of(style, seed)
        first = next(section for section in course.sections if section.letter == "A")
        for section in course.sections:
            if section.letter == "A" and section.time:
                again.append(in_common(score, course, first, section))
            elif section.letter == "B":
                other.append(in_common(score, course, first, section))
    assert len(again) >= len(SEEDS) // 3
    assert np.mean(again) > 2 * np.mean(other)
    assert max(again) < 0.95
    assert form_of([score_of(style, seed) for seed in SEEDS]).runs < 0.1


def in_common(score: Score, course: Plan, one: Section, other: Section) -> float:
    """Share of the notes of two sections that stand at the same place with the same pitch."""
    first, second = (notes_of(score, course, section) for section in (one, other))
    return len(first & second) / len(first | second)


def notes_of(score: Score, course: Plan, section: Section) -> set[tuple[int, int]]:
    start, end = (bar * course.metre.ticks for bar in section.bars)
    notes = score.notes[(score.notes["onset"] >= start) & (score.notes["onset"] < end)]
    notes = notes[notes["part"] != DRUMS]
    return set(zip((notes["onset"] - start).tolist(), notes["pitch"].tolist(), strict=True))


def test_hundreds_are_written_a_minute() -> None:
    begun = time.perf_counter()
    for style in STYLES:
        for seed in range(1000, 1003):
            STYLES[style].compose(seed)
    assert time.perf_counter() - begun < 6.0
