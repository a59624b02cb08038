"""Bars put together as a piece."""

from __future__ import annotations

from dataclasses import replace

from engine.files.recording import controllers, pedals, program_changes, score_of
from engine.music.bars import Bar, Pedal
from engine.music.controllers import Controller
from engine.music.plan import BarPlan
from engine.music.score import TIED_FROM, TIED_ON, Note
from engine.music.time import COMMON_TIME, Metre

QUARTER = 500_000


def bar(index: int, start: int, *notes: Note, metre: Metre = COMMON_TIME) -> Bar:
    shifts = (0,) * len(notes)
    return Bar(index, 0, start, metre, QUARTER, notes, shifts, (0,) * 8, BarPlan(), "", 0.0)


def rows(bars: list[Bar]) -> list[tuple[int, ...]]:
    return [tuple(note) for note in score_of(bars)[0].notes.tolist()]


def test_a_recording_begins_at_tick_0_wherever_the_stream_stands() -> None:
    bars = [bar(7, 700, Note(710, 5, 60, 80, 0)), bar(8, 796, Note(796, 9, 62, 70, 1))]
    assert rows(bars) == [(10, 5, 60, 80, 0), (96, 9, 62, 70, 1)]


def test_ties_over_bar_lines_become_one_note() -> None:
    bars = [
        bar(0, 0, Note(90, 6, 60, 80, 0, TIED_ON)),
        bar(1, 96, Note(96, 96, 60, 80, 0, TIED_FROM | TIED_ON)),
        bar(2, 192, Note(192, 4, 60, 80, 0, TIED_FROM), Note(196, 4, 60, 50, 0)),
    ]
    assert rows(bars) == [(90, 106, 60, 80, 0), (196, 4, 60, 50, 0)]


def test_a_tie_that_nothing_takes_up_ends_on_the_bar_line() -> None:
    struck_again = Note(96, 10, 60, 70, 0)
    bars = [bar(0, 0, Note(90, 6, 60, 80, 0, TIED_ON)), bar(1, 96, struck_again)]
    assert rows(bars) == [(90, 6, 60, 80, 0), (96, 10, 60, 70, 0)]


def test_notes_are_in_order_with_their_own_shifts() -> None:
    low, high = Note(0, 4, 40, 80, 0), Note(0, 4, 70, 80, 0)
    one = replace(bar(0, 0, low, high), shifts=(QUARTER // 480, -QUARTER // 240))
    score, shifts = score_of([one])
    assert score.notes["pitch"].tolist() == [70, 40]
    assert shifts.tolist() == [-2, 1]


def test_metre_and_tempo_stand_only_where_they_change() -> None:
    waltz = Metre(3, 4)
    bars = [bar(0, 0), bar(1, 96), bar(2, 192, metre=waltz), bar(3, 264, metre=waltz)]
    bars[3] = replace(bars[3], microseconds_per_quarter=400_000)
    score, _ = score_of(bars)
    assert score.metres == ((0, COMMON_TIME), (192, waltz))
    assert score.tempos == ((0, QUARTER), (264, 400_000))


def test_instruments_change_where_a_bar_has_others() -> None:
    harp = replace(bar(1, 96), programs=(46, *(0,) * 7))
    assert program_changes([bar(0, 0), harp, replace(harp, index=2, start=192)]) == ((96, 0, 46),)
    assert score_of([bar(0, 0), harp])[0].programs == (0,) * 8


def test_nothing_is_an_empty_piece() -> None:
    score, shifts = score_of([])
    assert len(score.notes) == len(shifts) == 0


def test_pedals_count_from_the_beginning() -> None:
    pressed = [
        replace(bar(7, 700), pedals=(Pedal(5, 43, 0), Pedal(53, 43, 0))),
        replace(bar(8, 796), pedals=(Pedal(5, 91, 1),)),
    ]
    assert pedals(pressed) == (Pedal(5, 43, 0), Pedal(53, 43, 0), Pedal(101, 91, 1))
    assert pedals([]) == ()


def test_controllers_stand_where_they_change_and_go_back_to_what_is_usual() -> None:
    louder, left = Controller(0, 7, 110), Controller(1, 10, 32)
    rows = ((louder, left), (louder, left), (louder,), ())
    bars = [replace(bar(7 + i, 700 + 96 * i), controllers=turned) for i, turned in enumerate(rows)]
    assert controllers(bars) == (
        (0, louder),
        (0, left),
        (192, Controller(1, 10, 64)),
        (288, Controller(0, 7, 100)),
    )
    assert controllers([bar(0, 0), bar(1, 96)]) == controllers([]) == ()
