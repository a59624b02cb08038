"""Training and composing are told the same of every place.

`engine.representations.context_rows` works for whole pieces, `engine.composing.step_context` note
by note."""

from __future__ import annotations

from array import array
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.composing.step_context import NOTHING_HEARD, HeardBar, StepContext, remember
from engine.music.analysis import Analysis, analyse
from engine.music.fields import CHORDS, ECHO_EXACT, ECHO_NEW, KEYS, LENGTHS
from engine.music.score import Score
from engine.representations.codec import Codec, codec
from engine.representations.context_rows import ranks
from engine.representations.notes import DURATION
from tests.engine.score_strategies import scores, small_piece


def composed_rows(coder: Codec, analysis: Analysis) -> tuple[list[list[int]], list[list[int]]]:
    """(rows while composing, rows while training) of a piece's events."""
    encoded = coder.encode(analysis)
    grid = analysis.grid
    told: defaultdict[int, HeardBar[int]] = defaultdict(lambda: array("i"))
    rows = []
    situation, present = None, -1
    places = zip(encoded.onsets.tolist(), encoded.bars.tolist(), ranks(encoded.onsets), strict=True)
    ends: list[int] = []
    cursor = coder.cursor(0)
    for event, (onset, bar, rank) in zip(encoded.events.tolist(), places, strict=True):
        plan = analysis.bar(bar)
        if situation is None or bar != present:
            present = bar
            situation = StepContext(
                coder.context,
                grid.metres[bar],
                bar - int(encoded.bars[0]),
                plan,
                analysis.bar(bar + 1).chord if bar + 1 < len(grid.starts) else 0,
                told[plan.source] if plan.source >= 0 else NOTHING_HEARD,
            )
        tick = onset - int(grid.starts[bar])
        count = sum(1 for earlier in encoded.bars[: len(rows)].tolist() if earlier == bar)
        is_notes = coder.name == "notes"
        voices = sum(end > onset for end in ends) if is_notes else cursor.voices
        rows.append(list(situation.at(tick, int(rank), count, voices)))
        if is_notes:
            ends.append(onset + LENGTHS[event[DURATION] - 1])
        else:
            cursor.take(event[0])
        values = coder.echoed(event)
        if values is not None:
            remember(told[bar], tick, int(rank), values)
    return rows, encoded.context.tolist()


def with_any_plan(analysis: Analysis, seed: int) -> Analysis:
    """The piece under a plan that it does not follow: echoes of any earlier bar, any chord."""
    draws = np.random.default_rng(seed)
    bars = len(analysis.grid.starts)
    plans = dict(analysis.plans)
    plans["echo"] = draws.integers(ECHO_NEW, ECHO_EXACT + 1, bars).astype(np.int16)
    plans["source"] = np.array([draws.integers(-1, b) for b in range(bars)], np.int16)
    plans["source"][plans["echo"] == ECHO_NEW] = -1
    plans["key"] = draws.integers(0, KEYS, bars).astype(np.int16)
    for name in ("chord", "half_chord"):
        plans[name] = draws.integers(0, CHORDS, bars).astype(np.int16)
    return Analysis(
        analysis.score, analysis.shift, analysis.minor, analysis.grid, plans, analysis.pitch_classes
    )


@given(
    # Short gaps: chords of many notes, and bars that hold something to echo.
    score=scores(gaps=st.sampled_from([0, 0, 0, 1, 6, 12, 24, 60]), most=60),
    seed=st.integers(0, 1 << 30),
)
@settings(max_examples=40)
def test_notes_are_told_the_same_in_training_and_composing(score: Score, seed: int) -> None:
    composed, trained = composed_rows(codec("notes"), with_any_plan(analyse(score), seed))
    assert composed == trained


@given(score=scores(), seed=st.integers(0, 1 << 30))
@settings(max_examples=20)
def test_performances_are_told_the_same_in_training_and_composing(score: Score, seed: int) -> None:
    composed, trained = composed_rows(codec("performance"), with_any_plan(analyse(score), seed))
    assert composed == trained


def test_real_music_is_told_the_same_with_its_own_echoes() -> None:
    analysis = analyse(small_piece(bars=16))
    assert (analysis.plans["echo"] > ECHO_NEW).sum() >= 8
    coder = codec("notes")
    composed, trained = composed_rows(coder, analysis)
    assert composed == trained
    echo_pitch = np.array(trained)[:, coder.context.index("echo_pitch")]
    assert (echo_pitch > 0).mean() > 0.4  # the echo really speaks


def test_a_chord_of_more_notes_than_ranks_is_told_the_same() -> None:
    notes = [(96 * bar, 24, 40 + i, 64, 0) for bar in range(2) for i in range(30)]
    piece = small_piece()
    score = Score(np.array(notes, piece.notes.dtype))
    composed, trained = composed_rows(codec("notes"), with_any_plan(analyse(score), 3))
    assert composed == trained


@pytest.mark.parametrize("name", ["notes", "performance"])
def test_the_row_has_the_fields_of_the_bundle_in_their_order(name: str) -> None:
    coder = codec(name)
    rows, _ = composed_rows(coder, analyse(small_piece()))
    assert {len(row) for row in rows} == {len(coder.context)}
