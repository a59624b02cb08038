"""Laws of imitation: another part answers a subject, and the network is told of it."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.composing.composer import Composer
from engine.composing.imitation import answered
from engine.composing.step_context import (
    NOTHING_HEARD,
    HeardBar,
    StepContext,
    recalled,
    remember,
)
from engine.controls.controls import Controls
from engine.music.fields import CONTEXT_FIELDS, ECHO_EXACT, MELODIC_PITCHES
from engine.music.plan import BarPlan
from engine.music.score import PARTS
from engine.music.time import COMMON_TIME
from tests.fakes import TableNetwork

ALL_PARTS = (True,) * PARTS
WHITE = {0, 2, 4, 5, 7, 9, 11}
LINE = [(0, 72), (24, 74), (48, 76), (72, 77)]  # tick and pitch, on the white keys
NAMES = tuple(field.name for field in CONTEXT_FIELDS)


def bar_of(*parts: list[tuple[int, int]]) -> HeardBar[int]:
    """A bar of the lines of parts 1, 2 …"""
    notes = sorted(
        (tick, part, pitch) for part, line in enumerate(parts, 1) for tick, pitch in line
    )
    told: HeardBar[int] = array("i")
    ranks: dict[int, int] = {}
    for tick, part, pitch in notes:
        remember(told, tick, ranks.get(tick, 0), (1 + pitch, 20, part))
        ranks[tick] = ranks.get(tick, 0) + 1
    return told


THREE = bar_of(LINE, [(0, 60), (48, 62)], [(0, 43)])


@pytest.mark.parametrize(("number", "part", "interval"), [(1, 2, -17), (2, 3, -24)])
def test_the_nearest_part_answers_at_the_fifth_and_the_next_at_the_octave(
    number: int, part: int, interval: int
) -> None:
    notes = recalled(answered({0: THREE}, 0, 0, number, ALL_PARTS))
    assert {note.part for note in notes} == {part}
    assert [note.tick for note in notes] == [tick for tick, _ in LINE]
    assert notes[0].pitch - 1 == LINE[0][1] + interval
    assert all((note.pitch - 1) % 12 in WHITE for note in notes)


lines = st.lists(st.tuples(st.integers(0, 95), st.integers(0, 127)), min_size=1, max_size=9).map(
    lambda line: sorted(dict(line).items())
)


@given(st.lists(lines, min_size=1, max_size=5), lines, st.integers(1, 2))
def test_an_answer_is_the_rhythm_of_one_part_in_another(
    parts: list[list[tuple[int, int]]], later: list[tuple[int, int]], number: int
) -> None:
    heard = {4: bar_of(*parts), 5: bar_of(later)}
    for bar in heard:
        notes = recalled(answered(heard, 4, bar, number, ALL_PARTS))
        assert list(notes) == sorted(notes)
        for note in notes:
            assert 0 < note.pitch <= MELODIC_PITCHES
            assert 0 < note.part <= len(parts)
        if bar == 4 and notes:
            most = max(len(line) for line in parts)
            leading = [{tick for tick, _ in line} for line in parts if len(line) == most]
            assert any({note.tick for note in notes} <= ticks for ticks in leading)


def test_nothing_answers_where_nobody_leads_or_nobody_else_is_there() -> None:
    alone, slow = {0: bar_of(LINE)}, {0: bar_of(LINE[:2], [(0, 60)])}
    two = {0: bar_of(LINE, [(0, 60)])}
    assert answered(alone, 0, 0, 1, ALL_PARTS) == NOTHING_HEARD
    assert answered(slow, 0, 0, 1, ALL_PARTS) == NOTHING_HEARD
    assert answered(two, 0, 0, 1, ALL_PARTS)
    assert answered(two, 0, 0, 2, ALL_PARTS) == NOTHING_HEARD
    assert answered(two, 0, 0, 1, (True,) + (False,) * 7) == NOTHING_HEARD
    assert answered({}, 0, 0, 1, ALL_PARTS) == NOTHING_HEARD


def test_a_note_is_told_of_until_it_is_there() -> None:
    source = answered({0: THREE}, 0, 0, 1, ALL_PARTS)
    told = recalled(source)
    plan = BarPlan(echo=ECHO_EXACT, source=0)
    context = StepContext(NAMES, COMMON_TIME, 0, plan, 0, source, until_played=True)
    pitch = NAMES.index("echo_pitch")
    assert [context.at(0, rank, rank, 0)[pitch] for rank in range(3)] == [told[0].pitch] * 3
    context.take(0, told[0].pitch + 1)
    assert context.at(0, 1, 1, 0)[pitch] == told[0].pitch
    context.take(0, told[0].pitch)
    assert context.at(0, 2, 2, 0)[pitch] == told[1].pitch
    assert context.at(30, 0, 3, 0)[pitch] == told[2].pitch


def test_the_network_is_told_of_the_answer_while_composing() -> None:
    network = TableNetwork("notes", haste=1.2)
    controls = Controls.from_dict({"form": "imitation", "parts": [1, 2, 3], "density": 8})
    composer = Composer(network, network.pool(1), 5, 0, controls)
    at = len(composer.spec.event) + composer.names.index("echo_part")
    told: dict[str, set[int]] = {}
    while composer.next_bar < 32:
        if composer.finished() is None:
            composer.prepare()
            section = composer._outline.planned.section.name
            told.setdefault(section, set()).add(int(composer.pool.inputs[composer.row, 0, at]))
            composer.pool.run([composer.row])
            composer.absorb()
    assert told["answer"] - {0}
