"""Streams with planted loops, silences and drift."""

from collections import Counter
from math import log2

import pytest

from engine.bars import Bar
from engine.plan import BarPlan
from engine.score import DRUMS, TIED_FROM, TIED_ON, Note
from engine.time import COMMON_TIME
from export.evaluation.endurance import (
    BLOCK_BARS,
    ENTROPY_BARS,
    LOOP_BARS,
    endure,
    entropy,
)
from export.evaluation.pictures import picture
from export.evaluation.report import Report

BAR = 96


def composed(index, notes):
    programs = (0,) * 8
    shifts = (0,) * len(notes)
    return Bar(
        index,
        0,
        index * BAR,
        COMMON_TIME,
        500_000,
        tuple(notes),
        shifts,
        programs,
        BarPlan(),
        "",
        0,
    )


def bar(index, pitches=(), velocity=64, part=0):
    step = BAR // max(1, len(pitches))
    start = index * BAR
    notes = [Note(start + i * step, step, p, velocity, part) for i, p in enumerate(pitches)]
    return composed(index, notes)


def test_blocks_follow_the_drift():
    found = endure(bar(i, [40 + i // 100], 30 + i // 100) for i in range(1250))
    assert [(b.first, b.bars) for b in found.blocks] == [(0, BLOCK_BARS), (500, 500), (1000, 250)]
    assert [b.pitch for b in found.blocks] == pytest.approx([42, 47, 50.8])
    assert [b.velocity for b in found.blocks] == pytest.approx([32, 37, 40.8])
    assert all(b.density == pytest.approx(0.25) for b in found.blocks)
    assert [b.first for b in found.entropy] == list(range(0, 1250, ENTROPY_BARS))
    assert all(b.pitch_entropy == 0 and b.gap_entropy == 0 for b in found.entropy)
    assert (found.bars, found.notes) == (1250, 1250)


def test_a_loop_is_counted_from_its_second_round():
    fresh = [bar(i, [20 + i]) for i in range(30)]
    again = [bar(30 + i, [20 + 10 + i]) for i in range(12)]
    # The first seven bars of the return complete no run of eight yet.
    assert endure(fresh + again).repeated == 12 - (LOOP_BARS - 1)
    assert endure(fresh).repeated == 0
    changed = [bar(30 + i, [20 + 10 + i + (i == 5)]) for i in range(12)]
    assert endure(fresh + changed).repeated == 0


def test_silence_is_no_loop_but_is_measured():
    found = endure([bar(0, [60]), *(bar(i) for i in range(1, 40)), bar(40, [60]), bar(41), bar(42)])
    assert found.repeated == 0
    assert found.longest_silence == 39 * 4
    assert found.blocks[0].density == pytest.approx(2 / (43 * 4))


def test_silence_at_the_end_and_held_notes():
    assert endure([bar(0, [60]), bar(1), bar(2)]).longest_silence == 8
    held = composed(0, [Note(0, 5 * BAR, 60, 64, 0), Note(24, 24, 72, 64, 0)])
    assert endure([held, *(bar(i) for i in range(1, 5)), bar(5, [60])]).longest_silence == 0


def test_a_tied_note_counts_once():
    first = composed(0, [Note(0, BAR, 60, 64, 0, TIED_ON)])
    second = composed(1, [Note(BAR, 24, 60, 64, 0, TIED_FROM)])
    found = endure([first, second])
    assert found.notes == 1
    assert found.longest_silence == 3


def test_percussion_has_no_pitch():
    found = endure([bar(0, [36, 38], part=DRUMS)]).blocks[0]
    assert found.pitch is None
    assert found.density == 0.5
    assert found.velocity == 64


def test_entropy():
    assert entropy(Counter()) == 0
    assert entropy(Counter({1: 5})) == 0
    assert entropy(Counter({1: 1, 2: 1, 3: 2})) == 1.5
    found = endure(bar(i, [60, 62, 64]) for i in range(ENTROPY_BARS)).entropy
    assert [b.pitch_entropy for b in found] == pytest.approx([log2(3)])
    assert [b.gap_entropy for b in found] == [0]


def test_a_stream_of_nothing():
    found = endure([])
    assert (found.bars, found.blocks, found.longest_silence) == (0, (), 0)


def test_the_report_tells_it_all():
    found = endure(bar(i, [60 + i % 7] if i > 120 else []) for i in range(300))
    report = Report("m", "d", endurance=found)
    assert "longest silence: 484.0 quarters" in str(report)
    assert picture(report).startswith(b"\x89PNG")
