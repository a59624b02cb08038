"""Laws of the player: a pure function of the bar, within bounds, shaped as was measured."""

from __future__ import annotations

from itertools import pairwise
from math import exp
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.music.bars import Pedal
from engine.music.fields import ENDING_FAR, ENDING_LAST, NO_CHORD
from engine.music.harmony import chord_id
from engine.music.noise import PLAYING_PEDAL, uniforms
from engine.music.score import DRUMS, TIED_FROM, Note
from engine.music.time import Metre
from engine.performing.learned import LEARNED
from engine.performing.pedal import PEDALLED, pedals_of
from engine.performing.played_bar import PlayedBar
from engine.performing.rendering import rendered
from engine.performing.roles import BASS, INNER, MELODY, PERCUSSION, roles_of
from engine.performing.rubato import bent, pace
from engine.performing.texture import texture_of
from engine.performing.timing import MELODY_LEAD

START = 96 * 7
COMMON = Metre.parse("4/4")
C, G = chord_id(0, "maj"), chord_id(7, "maj")
QUARTER = 600_000
EXPRESSIONS = st.floats(0.01, 1)
KEYS = st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 9999))
NOTES = st.lists(
    st.builds(
        Note,
        st.integers(START, START + 95),
        st.integers(1, 96),
        st.integers(0, 127),
        st.integers(1, 127),
        st.integers(0, 7),
        st.sampled_from([0, 1]),
    ),
    max_size=20,
).map(lambda notes: tuple(sorted(notes)))
METRES = st.sampled_from(
    [Metre.parse(m) for m in ("4/4", "3/4", "6/8", "1/8", "7/8", "2/4", "8/4")]
)


def bar(
    metre: Metre = COMMON,
    phrase: int = 0,
    ending: int = ENDING_FAR,
    chords: tuple[int, int] = (C, C),
    programs: tuple[int, ...] = (0,) * 8,
    key: tuple[int, int, int] = (1, 0, 5),
) -> PlayedBar:
    return PlayedBar(START, metre, QUARTER, phrase, ending, chords, programs, key)


BARS = st.builds(
    bar,
    phrase=st.integers(0, 7),
    ending=st.integers(ENDING_FAR, ENDING_LAST),
    key=KEYS,
)


def play(
    notes: tuple[Note, ...], expression: float = 1, **of_bar: object
) -> tuple[tuple[Note, ...], tuple[int, ...]]:
    return rendered(notes, (0,) * len(notes), bar(**of_bar), expression)  # type: ignore[arg-type]


# -- notes -----------------------------------------------------------------------------------------


@given(notes=NOTES, place=BARS)
def test_without_expression_nothing_changes(notes: tuple[Note, ...], place: PlayedBar) -> None:
    shifts = tuple(range(len(notes)))
    assert rendered(notes, shifts, place, 0) == (notes, shifts)


@given(notes=NOTES, place=BARS, expression=EXPRESSIONS)
def test_a_bar_is_always_rendered_alike_and_within_bounds(
    notes: tuple[Note, ...], place: PlayedBar, expression: float
) -> None:
    shifts = tuple(range(len(notes)))
    played, moved = rendered(notes, shifts, place, expression)
    assert (played, moved) == rendered(notes, shifts, place, expression)
    assert len(played) == len(moved) == len(notes)
    for before, after, old, new in zip(notes, played, shifts, moved, strict=True):
        assert after == before._replace(velocity=after.velocity)
        assert 1 <= after.velocity <= 127
        assert abs(new - old) <= 150_000 * expression + 1


@pytest.mark.parametrize("key", [(2, 0, 5), (1, 1, 5), (1, 0, 6)])
def test_each_seed_stream_and_bar_is_played_in_its_own_way(key: tuple[int, int, int]) -> None:
    notes = tuple(Note(START + 6 * i, 6, 60, 64, 0) for i in range(16))
    assert play(notes) != play(notes, key=key)


def test_what_goes_on_from_the_bar_before_is_not_moved() -> None:
    _, shifts = play((Note(START, 96, 60, 64, 0, TIED_FROM), Note(START, 96, 64, 64, 0)))
    assert shifts[0] == 0
    assert shifts[1] != 0


def test_roles_are_heard_from_the_outside_in() -> None:
    notes = (
        *(Note(START, 48, pitch, 64, 0) for pitch in (36, 55, 60, 72)),
        Note(START, 24, 38, 64, DRUMS),
        Note(START + 12, 12, 64, 64, 0),  # below the melody that still sounds
        Note(START + 48, 12, 76, 64, 0),  # alone
    )
    assert roles_of(notes) == [BASS, INNER, INNER, MELODY, PERCUSSION, INNER, MELODY]


CHORDS = tuple(
    Note(START + 24 * beat, 24, pitch, 60 + beat, 0)
    for beat in range(4)
    for pitch in (40, 55, 60, 72)
)


def test_voices_are_balanced_as_was_measured_and_the_bar_is_as_loud_as_before() -> None:
    played, _ = play(CHORDS, phrase=3)
    by_role = {
        role: mean(n.velocity for n, r in zip(played, roles_of(played), strict=True) if r == role)
        for role in (MELODY, INNER, BASS)
    }
    loud = mean(note.velocity for note in played)
    before = mean(note.velocity for note in CHORDS)
    assert loud == pytest.approx(before * (1 + LEARNED.phrase_loudness[3]), abs=0.5)
    for one, other in ((MELODY, INNER), (INNER, BASS)):
        wanted = before * (LEARNED.voice_loudness[one] - LEARNED.voice_loudness[other])
        assert by_role[one] - by_role[other] == pytest.approx(wanted, abs=1)


def test_what_is_balanced_already_stays() -> None:
    once, _ = play(CHORDS, phrase=3)
    twice, _ = play(once, phrase=3)
    again = [b.velocity - a.velocity for a, b in zip(once, twice, strict=True)]
    assert max(map(abs, again)) <= 1


def test_a_singer_stays_as_loud_above_the_others() -> None:
    sung = tuple(n._replace(velocity=100 if n.pitch == 72 else 50) for n in CHORDS)
    played, _ = play(sung, phrase=3)
    by_pitch = {n.pitch: n.velocity for n in played}
    assert by_pitch[72] - by_pitch[60] >= 50


def test_chords_are_spread_and_their_melody_leads() -> None:
    spreads, leads = [], []
    for number in range(300):
        _, shifts = play(CHORDS[:4], key=(3, 0, number))
        spreads.append((max(shifts) - min(shifts)) / 1000)
        leads.append((mean(shifts[:3]) - shifts[3]) / 1000)
    assert 5 < mean(spreads) < 15
    assert mean(leads) == pytest.approx(MELODY_LEAD, abs=1.5)


def test_the_player_drifts_from_note_to_note_and_not_at_a_bar_line() -> None:
    shifts: list[int] = []
    for number in range(60):
        line = tuple(Note(START + 12 * i, 12, 60, 64, 0) for i in range(8))
        shifts += play(line, key=(3, 0, number))[1]
    middle = mean(shifts)
    alike = mean((a - middle) * (b - middle) for a, b in pairwise(shifts))
    assert alike / mean((a - middle) ** 2 for a in shifts) > 0.4
    steps = [abs(b - a) for a, b in pairwise(shifts)]
    assert mean(steps[7::8]) < 1.3 * mean(steps)


# -- tempo -----------------------------------------------------------------------------------------


@given(st.integers(0, 7), st.integers(0, ENDING_LAST), EXPRESSIONS, KEYS)
def test_the_tempo_bends_within_bounds(
    phrase: int, ending: int, expression: float, key: tuple[int, int, int]
) -> None:
    found = pace(phrase, ending, expression, key)
    assert found == pace(phrase, ending, expression, key)
    assert 0.9 < found < 1.35
    assert pace(phrase, ending, 0, key) == 1


def test_a_section_slows_towards_its_close() -> None:
    key = 4, 0, 77
    rates = [pace(7, ending, 1, key) for ending in range(ENDING_FAR, ENDING_LAST + 1)]
    assert rates == sorted(rates)
    assert rates[-1] / rates[0] == pytest.approx(exp(0.5 * LEARNED.close_tempo[-1]))


def test_one_phrase_has_one_depth_and_phrases_have_many() -> None:
    shape = LEARNED.phrase_tempo
    highest = shape.index(max(shape))
    rates = {pace(highest, ENDING_FAR, 1, (4, 0, 8 * n + highest)) for n in range(50)}
    assert len(rates) > 25
    bars = [pace(phrase, ENDING_FAR, 1, (4, 0, 16 + phrase)) for phrase in range(8)]
    assert [bars.index(rate) for rate in sorted(bars)] == [shape.index(s) for s in sorted(shape)]


@given(st.floats(0, 1), st.integers(0, ENDING_LAST))
def test_bar_lines_stay_where_they_are(place: float, ending: int) -> None:
    assert bent(0, ending, 1) == bent(1, ending, 1) == 0
    assert bent(place, ending, 1) <= 0


# -- pedal -----------------------------------------------------------------------------------------


def pressing() -> tuple[int, int, int]:
    """A bar in which no harmony is left without the pedal."""
    for number in range(99):
        if uniforms(1, 0, PLAYING_PEDAL, number, 2).min() > max(LEARNED.pedal_rests):
            return 1, 0, number
    raise AssertionError("there is one")


PRESSED = pressing()


@given(notes=NOTES, metre=METRES, chords=st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_pedals_lie_in_their_bar_and_apart_from_each_other(
    notes: tuple[Note, ...], metre: Metre, chords: tuple[int, int]
) -> None:
    found = pedals_of(notes, bar(metre, chords=chords))
    up = dict.fromkeys(range(8), 0)
    for tick, length, part in found:
        assert up[part] <= tick < tick + length <= metre.ticks
        up[part] = tick + length
        assert part != DRUMS
        assert any(note.part == part for note in notes)


def test_it_goes_down_after_the_harmony_has_changed_and_up_at_the_next_change() -> None:
    delay, parts = round(LEARNED.pedal_delay), (0, 1)
    held = tuple(Note(START, 96, 60, 64, part) for part in parts)
    whole = tuple(Pedal(delay, 96 - delay, part) for part in parts)
    assert pedals_of(held, bar(key=PRESSED)) == whole
    struck = (*held, *(Note(START + 48, 48, 62, 64, part) for part in parts))
    assert pedals_of(struck, bar(chords=(C, G), key=PRESSED)) == (
        *(Pedal(delay, 48 - delay, part) for part in parts),
        *(Pedal(48 + delay, 48 - delay, part) for part in parts),
    )
    # A chord that nothing sounds of is no change.
    assert pedals_of(held, bar(chords=(C, G), key=PRESSED)) == whole


def test_where_no_chord_is_planned_the_bass_tells() -> None:
    still = (Note(START, 48, 48, 64, 0), Note(START + 48, 48, 60, 64, 0))
    moving = (Note(START, 48, 48, 64, 0), Note(START + 48, 48, 55, 64, 0))
    for chords in ((0, 0), (NO_CHORD, C)):
        assert len(pedals_of(still, bar(chords=chords, key=PRESSED))) == 1
        assert len(pedals_of(moving, bar(chords=chords, key=PRESSED))) == 2


def test_only_instruments_that_have_a_pedal_use_it() -> None:
    notes = tuple(Note(START, 96, 60 + part, 64, part) for part in range(8))
    programs = (0, 6, 19, 4, 48, 8, 11, 0)  # piano, harpsichord, organ, electric piano, strings …
    pressed = {pedal.part for pedal in pedals_of(notes, bar(programs=programs, key=PRESSED))}
    assert pressed == {part for part in range(7) if programs[part] in PEDALLED} == {0, 3, 5, 6}


def test_in_silence_the_pedal_rests() -> None:
    notes = (Note(START, 40, 60, 64, 0), Note(START + 48, 48, 62, 64, 1))
    pressed = pedals_of(notes, bar(chords=(C, G), key=PRESSED))
    assert [(pedal.tick < 48, pedal.part) for pedal in pressed] == [(True, 0), (False, 1)]


def test_a_player_leaves_as_many_harmonies_without_as_was_measured() -> None:
    line = [Note(START + 12 * i, 2 if i % 2 else 3, 60 + i, 64, 0) for i in range(8)]
    textures = [
        (Note(START, 96, 48, 64, 0), Note(START, 96, 64, 64, 0)),
        (Note(START, 12, 48, 64, 0), Note(START + 24, 12, 64, 64, 0)),
        tuple(note._replace(duration=96 - 12 * i) for i, note in enumerate(line)),
        tuple(line),
    ]
    for texture, notes in enumerate(textures):
        assert texture_of(notes, START + 96) == texture
        rests = [not pedals_of(notes, bar(key=(5, 0, number))) for number in range(400)]
        assert mean(rests) == pytest.approx(LEARNED.pedal_rests[texture], abs=0.08)
