"""Streams with planted loops, silences and drift."""

from collections import Counter
from dataclasses import replace
from math import log2

import pytest

from engine.controls.controls import Controls
from engine.music.bars import Bar
from engine.music.fields import ECHO_LOOSE, ECHO_NEAR
from engine.music.plan import BarPlan
from engine.music.score import DRUMS, TIED_FROM, TIED_ON, Note
from engine.music.time import COMMON_TIME
from export.evaluation.endurance import (
    BLOCK_BARS,
    ENTROPY_BARS,
    LOOP_BARS,
    endure,
    entropy,
)
from export.evaluation.lasting import Course, Lasting, last, text
from export.evaluation.pictures import lasting_picture, picture
from export.evaluation.report import Report
from tests.bundles import tiny

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


GUARDS = {"looping": 1, "astray": 0}


def echoing(one, echo):
    return replace(one, plan=BarPlan(echo=echo, source=0)) if echo else one


def eightfold(echo):
    """Eight bars, then the same ones again, the second time as the plan asked."""
    once = [bar(i, [60 + i, 62]) for i in range(LOOP_BARS)]
    again = [echoing(bar(LOOP_BARS + i, [60 + i, 62]), echo) for i in range(LOOP_BARS)]
    return [*once, *again]


@pytest.mark.parametrize(("echo", "unasked"), [(0, 1), (ECHO_LOOSE, 1), (ECHO_NEAR, 0)])
def test_a_return_that_was_asked_for_is_no_fault(echo, unasked):
    found = endure(eightfold(echo))
    assert (found.repeated, found.unasked) == (1, unasked)


def lasting(*streams, rest=4.0):
    return Lasting("calm", tuple(course(i, bars, {}, rest) for i, bars in enumerate(streams)))


def course(seed, bars, controls, rest=4.0):
    return Course(seed, endure(bars), GUARDS, 4.0, rest, controls)


def lively(index, pitch=60, velocity=64):
    """Never the same twice, around a pitch."""
    steps = (index % 13, index // 13 % 11, -(index // 143 % 5))
    return bar(index, [pitch + step for step in steps], velocity)


def test_a_steady_preset_holds():
    row = lasting(*([lively(i) for i in range(BLOCK_BARS)] for _ in range(2)))
    assert row.faults == []
    assert row.bars == 2 * BLOCK_BARS
    assert row.guarded("looping") == pytest.approx(2 / (2 * BLOCK_BARS))
    assert "holds" in text([row])


@pytest.mark.parametrize(
    ("fault", "stranger"),
    [
        ("pitch", [lively(i, 80) for i in range(BLOCK_BARS)]),
        ("velocity", [lively(i, velocity=90) for i in range(BLOCK_BARS)]),
        ("density", [bar(i, [60 + i % 7] * 8) for i in range(BLOCK_BARS)]),
        ("entropy", [lively(i) for i in range(100)] + [bar(i, [60, 61]) for i in range(100, 300)]),
        ("silence", [lively(0), *(bar(i) for i in range(1, 5)), lively(5)]),
        ("repeats", eightfold(0)),
    ],
)
def test_what_does_not_hold_is_named(fault, stranger):
    usual = [[lively(i) for i in range(BLOCK_BARS)] for _ in range(4)]
    assert fault in lasting(*usual, stranger).faults


def test_silence_that_a_preset_allows_is_none():
    streams = [lively(0), *(bar(i) for i in range(1, 5)), lively(5)]
    assert lasting(streams, rest=16.0).silence == 0
    assert lasting(streams, rest=4.0).silence == pytest.approx(3, abs=0.2)


def test_a_stream_is_held_against_those_of_the_same_controls():
    """Two seeds of a preset that choose other parts are not one that drifts."""
    low, high = ([lively(i, pitch) for i in range(BLOCK_BARS)] for pitch in (50, 80))
    few, many = {"parts": [1]}, {"parts": [1, 2]}
    seeds = tuple(
        course(seed, low, few) if seed % 2 else course(seed, high, many) for seed in range(4)
    )
    assert Lasting("calm", seeds).faults == []
    assert Lasting("calm", (*seeds, course(4, low, many))).faults == ["pitch"]


def test_a_preset_is_followed_from_each_seed():
    network = tiny("gpt")
    told = []

    def calm(seed):
        return Controls()

    def bold(seed):
        return Controls().with_value("temperature", 1.5)

    row, other = last(network, {"calm": calm, "bold": bold}, [3, 4], 24, told.append)
    assert (row.name, other.name) == ("calm", "bold")
    assert [course.seed for course in row.courses] == [3, 4]
    assert [course.found.bars for course in row.courses] == [24, 24]
    assert sum(told) == 96
    assert row.courses[0].found != row.courses[1].found
    (again,) = last(network, {"calm": calm}, [4], 24)
    assert again.courses[0].found == row.courses[1].found
    (alone,) = last(network, {"bold": bold}, [3], 24)
    assert alone.courses[0].found == other.courses[0].found
    assert lasting_picture([row]).startswith(b"\x89PNG")
    assert row.plain()["courses"][0]["found"]["bars"] == 24
