"""Laws of ticks, metres and timelines."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.music.time import (
    COMMON_TIME,
    MAX_BAR_TICKS,
    TICKS_PER_QUARTER,
    Metre,
    Timeline,
    duration,
    file_ticks,
    microseconds_per_quarter,
    quarters,
    quarters_per_minute,
)

WIDE = st.integers(-(10**12), 10**12)
QUARTERS = st.integers(TICKS_PER_QUARTER, 60_000_000)
TIMELINES = st.builds(Timeline, QUARTERS, WIDE, WIDE)
METRES = st.one_of(
    st.builds(Metre, st.integers(1, 8), st.just(4)),
    st.builds(Metre, st.integers(1, 16), st.just(8)),
)


@given(timeline=TIMELINES, tick=WIDE)
def test_every_tick_has_a_time_that_gives_the_tick_back(timeline: Timeline, tick: int) -> None:
    assert timeline.tick_at(timeline.time_of(tick)) == tick


@given(timeline=TIMELINES, tick=WIDE, steps=st.integers(1, 10**9))
def test_later_ticks_fall_later(timeline: Timeline, tick: int, steps: int) -> None:
    assert timeline.time_of(tick + steps) > timeline.time_of(tick)


@given(timeline=TIMELINES, tick=WIDE)
def test_a_time_is_the_exact_one_rounded_down_however_far(timeline: Timeline, tick: int) -> None:
    ticks, quarter = tick - timeline.tick_origin, timeline.microseconds_per_quarter
    exact = timeline.time_origin + Fraction(ticks * quarter, TICKS_PER_QUARTER)
    assert timeline.time_of(tick) == floor(exact)


@given(timeline=TIMELINES, time=WIDE)
def test_the_tick_at_a_time_has_come_and_the_next_has_not(timeline: Timeline, time: int) -> None:
    tick = timeline.tick_at(time)
    assert timeline.time_of(tick) <= time < timeline.time_of(tick + 1)


@given(timeline=TIMELINES, ticks=WIDE)
def test_a_duration_is_the_time_of_a_tick_since_the_origin(timeline: Timeline, ticks: int) -> None:
    end = timeline.time_of(timeline.tick_origin + ticks)
    assert end - timeline.time_origin == duration(ticks, timeline.microseconds_per_quarter)


@given(timeline=TIMELINES, tick=WIDE, later=WIDE)
def test_a_timeline_moves_as_a_whole(timeline: Timeline, tick: int, later: int) -> None:
    assert timeline.moved(later).time_of(tick) == timeline.time_of(tick) + later


@given(quarter=QUARTERS, tick=st.integers(0, 10**7), shift=st.integers(-(10**7), 10**7))
def test_beats_are_quarters_and_what_is_shifted(quarter: int, tick: int, shift: int) -> None:
    timeline = Timeline(quarter, tick, 0)
    exact = Fraction(tick, TICKS_PER_QUARTER) + Fraction(shift, quarter)
    assert timeline.beat_of(tick, shift) == timeline.beat_at(shift) == pytest.approx(float(exact))
    assert timeline.beat_of(tick) == quarters(tick)


@given(timeline=TIMELINES)
def test_the_origins_meet(timeline: Timeline) -> None:
    assert timeline.time_of(timeline.tick_origin) == timeline.time_origin


@given(timeline=TIMELINES, quarter=QUARTERS, tick=WIDE)
def test_a_tempo_change_moves_nothing_at_its_tick(
    timeline: Timeline, quarter: int, tick: int
) -> None:
    changed = timeline.at_tempo(quarter, tick)
    assert changed.time_of(tick) == timeline.time_of(tick)
    assert changed.time_of(tick + TICKS_PER_QUARTER) == timeline.time_of(tick) + quarter


@pytest.mark.parametrize(
    ("tempo", "quarter"), [(120, 500_000), (60, 1_000_000), (90.5, 662_983), (250, 240_000)]
)
def test_tempo_is_quarters_a_minute(tempo: float, quarter: int) -> None:
    assert Timeline.of_tempo(tempo).time_of(TICKS_PER_QUARTER) == quarter
    assert microseconds_per_quarter(tempo) == quarter
    assert quarters_per_minute(quarter) == pytest.approx(tempo, 1e-5)


@given(quarter=st.integers(TICKS_PER_QUARTER, 5_000_000))
def test_a_tempo_survives_the_minute(quarter: int) -> None:
    assert microseconds_per_quarter(quarters_per_minute(quarter)) == quarter


@given(metre=METRES, quarter=QUARTERS)
def test_a_bar_lasts_as_long_in_seconds_as_in_microseconds(metre: Metre, quarter: int) -> None:
    seconds = metre.seconds(quarters_per_minute(quarter))
    assert seconds == pytest.approx(metre.quarters * quarter / 1e6)
    assert 0 <= 1e6 * seconds - duration(metre.ticks, quarter) + 1e-3 <= 1


@given(units=st.integers(-2000, 2000), quarter=st.integers(200_000, 3_000_000))
def test_ticks_of_a_file_are_the_nearest(units: int, quarter: int) -> None:
    assert file_ticks(round(units * quarter / 480), quarter, 480) == units


def test_a_tempo_that_would_put_two_ticks_in_a_microsecond_is_refused() -> None:
    Timeline(TICKS_PER_QUARTER)
    with pytest.raises(ValueError, match="24 microseconds"):
        Timeline(TICKS_PER_QUARTER - 1)


@given(metre=METRES)
def test_a_metre_reads_as_it_is_written(metre: Metre) -> None:
    assert Metre.parse(str(metre)) == metre
    assert Metre.nearest(metre.beats, metre.unit) == metre


@given(metre=METRES)
def test_the_half_of_a_bar_is_a_beat_inside_it(metre: Metre) -> None:
    assert metre.ticks_per_beat <= metre.half <= metre.ticks
    assert metre.half % metre.ticks_per_beat == 0
    assert metre.half < metre.ticks or metre.beats in (1, 3)


@pytest.mark.parametrize(
    ("text", "half"), [("4/4", 48), ("3/4", 48), ("2/4", 24), ("6/8", 36), ("9/8", 72), ("5/8", 36)]
)
def test_halves_as_musicians_count_them(text: str, half: int) -> None:
    assert Metre.parse(text).half == half


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "write it as 4/4"),
        ("4", "write it as 4/4"),
        ("4/", "write it as 4/4"),
        ("-3/4", "write it as 4/4"),
        ("3/16", "lower number must be 4 or 8"),
        ("3/0", "lower number must be 4 or 8"),
        ("0/4", "upper number must be from 1 to 8"),
        ("9/4", "upper number must be from 1 to 8"),
        ("17/8", "upper number must be from 1 to 16"),
    ],
)
def test_what_is_no_metre_is_told_what_would_be(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Metre.parse(text)


@given(text=st.text(max_size=8) | st.from_regex(r"[0-9]{0,3}/[0-9]{0,3}", fullmatch=True))
def test_any_text_is_a_metre_or_a_named_error(text: str) -> None:
    metre = None
    with contextlib.suppress(ValueError):
        metre = Metre.parse(text)
    if metre is None:
        with pytest.raises(ValueError, match="metre"):
            Metre.parse(text)
    else:
        assert 1 <= metre.ticks <= MAX_BAR_TICKS


@given(numerator=st.integers(-4, 300), denominator=st.sampled_from([0, 1, 2, 4, 8, 16, 32, 64]))
def test_any_notated_metre_has_one_here(numerator: int, denominator: int) -> None:
    assert 1 <= Metre.nearest(numerator, denominator).ticks <= MAX_BAR_TICKS


@given(numerator=st.integers(1, 16), denominator=st.sampled_from([1, 2, 4, 8, 16, 32, 64]))
def test_metres_of_whole_beats_keep_their_bar_lines(numerator: int, denominator: int) -> None:
    metre = Metre.nearest(numerator, denominator)
    notated = numerator * 4 * TICKS_PER_QUARTER / denominator
    shorter, longer = sorted((notated, float(metre.ticks)))
    assert longer % shorter == 0 or metre == COMMON_TIME


def test_what_is_no_metre_at_all_becomes_common_time() -> None:
    for numerator, denominator in ((0, 4), (-3, 4), (4, 0), (17, 16)):
        assert Metre.nearest(numerator, denominator) == COMMON_TIME


@pytest.mark.parametrize(
    ("notated", "here"),
    [((2, 2), "4/4"), ((3, 2), "6/4"), ((4, 2), "8/4"), ((6, 16), "3/8"), ((3, 16), "3/8")],
)
def test_common_notations_keep_their_bars(notated: tuple[int, int], here: str) -> None:
    assert str(Metre.nearest(*notated)) == here
