"""Laws of the form: pure, endless, bounded, and shaped as its names say."""

from __future__ import annotations

import pickle
from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.music.fields import ECHO_EXACT, ECHO_NEAR, ECHO_NEW, ENDING_FAR, ENDING_LAST, KEYS
from engine.music.harmony import key_id
from engine.planning.form import (
    FORMS,
    KEEP_BARS,
    MAX_SECTION_BARS,
    FormBar,
    FormSettings,
    FormState,
    form_bar,
    heard_before,
    kept_bars,
)
from engine.planning.form_state import AUTHENTIC, DECEPTIVE, HALF, LEAST_SECTION, NO_CLOSE

SETTINGS = st.builds(
    FormSettings,
    form=st.sampled_from(FORMS),
    section_bars=st.integers(4, 64),
    variety=st.floats(0, 1),
    minor=st.booleans(),
    bar_seconds=st.floats(0.3, 12),
    phrase_bars=st.sampled_from((4, 8)),
    left=st.just(0),
)
SEEDS = st.integers(0, 2**63 - 1)


def walk(
    bars: int, asked: FormSettings, seed: int = 1, state: FormState | None = None, first: int = 0
) -> tuple[list[FormBar], list[FormState]]:
    state = state or FormState()
    shapes, states = [], []
    for bar in range(first, first + bars):
        shape, state = form_bar(state, bar, asked, seed, 0)
        shapes.append(shape)
        states.append(state)
    return shapes, states


@given(SETTINGS, SEEDS, st.integers(1, 90), st.integers(1, 60))
def test_going_on_from_any_state_gives_the_same_form(
    asked: FormSettings, seed: int, before: int, after: int
) -> None:
    whole, states = walk(before + after, asked, seed)
    again, _ = walk(after, asked, seed, states[before - 1], before)
    assert again == whole[before:]


@given(SETTINGS, SETTINGS, SEEDS)
def test_other_settings_change_nothing_before_them(
    one: FormSettings, two: FormSettings, seed: int
) -> None:
    first, states = walk(40, one, seed)
    later, _ = walk(40, two, seed, states[-1], 40)
    assert first == walk(80, one, seed)[0][:40]
    assert all(0 <= shape.phrase < 8 for shape in later)


@settings(max_examples=40)
@given(SETTINGS, SEEDS)
def test_every_source_is_kept_and_earlier(asked: FormSettings, seed: int) -> None:
    state = FormState()
    kept: tuple[range, ...] = ()
    for bar in range(300):
        shape, state = form_bar(state, bar, asked, seed, 0)
        if shape.source >= 0:
            within_reach = bar - shape.source <= 64 or any(shape.source in r for r in kept)
            assert shape.source < bar
            assert within_reach
        kept = kept_bars(state)
        assert len({b for r in kept for b in r}) <= KEEP_BARS
        assert 0 <= shape.key < KEYS
        assert ENDING_FAR <= shape.ending <= ENDING_LAST
        assert 0 <= shape.echo <= ECHO_EXACT
        assert shape.floor <= bar


@pytest.mark.parametrize("form", FORMS)
def test_the_state_never_grows(form: str) -> None:
    _, states = walk(6000, FormSettings(form, section_bars=8))
    size = max(len(pickle.dumps(state)) for state in states[:600])
    # Larger numbers take some bytes more, more things would take hundreds.
    assert max(len(pickle.dumps(state)) for state in states[-600:]) < size + 60


def test_off_asks_nothing() -> None:
    shapes, _ = walk(50, FormSettings("off"))
    assert all(shape == FormBar(phrase=bar % 8) for bar, shape in enumerate(shapes))


def test_a_song_begins_with_statement_return_contrast_return() -> None:
    shapes, _ = walk(64, FormSettings("song", 16))
    assert [shapes[bar].name for bar in (0, 16, 32, 48)] == ["A", "A′", "B", "A″"]
    for bar in (*range(16), *range(32, 48)):
        assert shapes[bar].source in (-1, bar - 8)
    assert all(shape.source == -1 for shape in shapes[:8] + shapes[32:40])
    assert [shape.source for shape in shapes[16:30]] == list(range(14))
    assert [shape.source for shape in shapes[48:62]] == list(range(16, 30))


def test_sections_close() -> None:
    shapes, _ = walk(64, FormSettings("song", 16))
    for start in range(0, 64, 16):
        section = [shape.ending for shape in shapes[start : start + 16]]
        assert section == [ENDING_FAR] * 12 + [2, 3, 4, ENDING_LAST]


@given(SEEDS, st.integers(4, 64))
def test_sections_have_the_length_asked_in_whole_fours(seed: int, bars: int) -> None:
    shapes, _ = walk(200, FormSettings("song", bars), seed)
    changes = [b for b in range(1, 200) if shapes[b].section != shapes[b - 1].section]
    lengths = set(np.diff([0, *changes]).tolist())
    assert len(lengths) == 1
    assert all(length % 4 == 0 and abs(length - bars) <= 2 for length in lengths)


def test_material_is_renewed_and_comes_back() -> None:
    shapes, _ = walk(16 * 60, FormSettings("song", 16))
    queued_requests = [shapes[bar].name.rstrip("′″‴⁗") for bar in range(0, 16 * 60, 16)]
    assert 8 <= len(set(queued_requests)) <= 30
    # Old themes do not come back once they are gone: each letter's last place only rises.
    firsts = {queued: queued_requests.index(queued) for queued in queued_requests}
    assert sorted(firsts, key=lambda s: firsts[s]) == list(dict.fromkeys(queued_requests))
    assert all(queued_requests.count(queued) >= 2 for queued in list(firsts)[:-2])


def test_variety_loosens_returns() -> None:
    def literal(variety: float) -> float:
        shapes, _ = walk(2000, FormSettings("song", 16, variety))
        echoes = [shape.echo for shape in shapes if shape.echo]
        return float(np.mean([echo >= ECHO_NEAR for echo in echoes]))

    assert literal(0.0) == 1.0
    assert literal(0.0) > literal(0.5) > literal(1.0) > 0.1


def test_contrasts_balance_over_time() -> None:
    shapes, _ = walk(12_000, FormSettings("song", 16))
    offsets = np.array([shape.offsets for shape in shapes])
    assert np.abs(offsets.mean(axis=0)).max() < 0.25
    assert offsets.std(axis=0).max() > 0.4


def test_excursions_come_home_before_the_close() -> None:
    shapes, _ = walk(4000, FormSettings("song", 16))
    abroad = [shape for shape in shapes if shape.key]
    assert abroad
    assert all(shape.ending == ENDING_FAR for shape in abroad)


@pytest.mark.parametrize("seconds", [1.0, 2.5, 6.0])
def test_an_arc_rises_and_falls_over_minutes(seconds: float) -> None:
    shapes, _ = walk(3000, FormSettings("arc", bar_seconds=seconds))
    last = next(bar for bar in range(3000) if shapes[bar].section == 1)
    assert 220 < last * seconds < 420
    loudness = [shape.offsets[3] for shape in shapes[:last]]
    peak = int(np.argmax(loudness))
    assert abs(peak - last / 2) <= 1
    assert loudness[:peak] == sorted(loudness[:peak])
    assert loudness[peak:] == sorted(loudness[peak:], reverse=True)
    assert sum(loudness) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("bars", [4, 8])
def test_phrases_answer_their_call(bars: int) -> None:
    shapes, _ = walk(20 * bars, FormSettings("phrases", variety=0.0, phrase_bars=bars))
    for start in range(0, 20 * bars, 2 * bars):
        call, answer = shapes[start : start + bars], shapes[start + bars : start + 2 * bars]
        assert {shape.name for shape in call} == {"call"}
        assert {shape.name for shape in answer} == {"answer"}
        assert all(shape.source == -1 for shape in call + answer[bars // 2 :])
        begun = answer[: bars // 2]
        assert [shape.source for shape in begun] == list(range(start, start + bars // 2))
        assert all(shape.echo > ECHO_NEW for shape in begun)


def test_answers_begin_otherwise_the_more_the_greater_the_variety() -> None:
    def parallel(variety: float) -> float:
        shapes, _ = walk(16 * 200, FormSettings("phrases", variety=variety))
        return float(np.mean([shape.source >= 0 for shape in shapes[8::16]]))

    assert parallel(0.0) == 1
    assert parallel(0.5) == pytest.approx(0.5, abs=0.1)
    assert parallel(1.0) == 0


@given(SETTINGS, SEEDS)
def test_every_phrase_has_one_close_that_all_its_bars_know(asked: FormSettings, seed: int) -> None:
    shapes, _ = walk(160, asked, seed)
    if asked.form == "off":
        assert all(shape.close == NO_CLOSE for shape in shapes)
        return
    for shape, after in pairwise(shapes):
        assert shape.close in (HALF, DECEPTIVE, AUTHENTIC)
        assert 0 <= shape.left < asked.phrase_bars
        if shape.left:
            assert (after.close, after.left) == (shape.close, shape.left - 1)
        if shape.ending == ENDING_LAST:
            assert (shape.close, shape.left) == (AUTHENTIC, 0)


def test_the_first_of_two_phrases_asks_and_the_second_answers() -> None:
    shapes, _ = walk(16 * 300, FormSettings("phrases"))
    asking = [shape.close for shape in shapes[7::16]]
    assert np.mean([close == HALF for close in asking]) == pytest.approx(0.7, abs=0.1)
    assert {shape.close for shape in shapes[15::16]} == {AUTHENTIC}


def test_what_comes_back_closes_as_it_did() -> None:
    shapes, _ = walk(64, FormSettings("song", 32))
    for before, again in zip(shapes[:32], shapes[32:64], strict=True):
        assert (before.close, before.left) == (again.close, again.left)


def test_a_dance_is_two_strains_played_twice_then_once_more_or_another() -> None:
    shapes, states = walk(32 * 30, FormSettings("dance", variety=0.0))
    names = [shapes[bar].name for bar in range(0, 32 * 30, 8)]
    assert names[:4] == ["A", "A′", "B", "B′"]
    assert names[4:8] in (["A″", "A‴", "B″", "B‴"], ["C", "C′", "D", "D′"])
    assert 8 < len({name.rstrip("′″‴⁗0123456789") for name in names}) < 60
    for start in range(0, 32 * 30, 16):
        again = range(start + 8, start + 16)
        assert [shapes[bar].source for bar in again] == list(range(start, start + 8))
        assert all(shapes[bar].echo == ECHO_EXACT for bar in again)
    closes = [bar for bar in range(32 * 30) if shapes[bar].ending == ENDING_LAST]
    assert closes == list(range(31, 32 * 30, 32))
    assert max(len(state.themes) for state in states) == 2


def test_strains_are_a_rag_with_its_trio_in_the_subdominant() -> None:
    for minor, trio in ((False, key_id(5, False)), (True, key_id(0, False))):
        shapes, states = walk(16 * 18, FormSettings("strains", 16, minor=minor))
        names = [shapes[bar].name for bar in range(0, 16 * 18, 16)]
        assert names[:9] == ["A", "A′", "B", "B′", "A″", "C", "C′", "D", "D′"]
        assert names[9:14] == ["E", "E′", "F", "F′", "E″"]
        keys = [shapes[bar].key for bar in range(0, 16 * 18, 16)]
        assert keys[:9] == [0] * 5 + [trio] * 4
        assert all(shapes[bar].source == bar - 16 for bar in range(16, 32))
        assert all(shapes[bar].source == bar - 48 for bar in range(64, 80))
        assert max(len(state.themes) for state in states) <= 2


@given(SEEDS, st.sampled_from([4, 8]), st.floats(0, 1))
def test_a_subject_of_one_or_two_bars_is_answered_at_once(
    seed: int, bars: int, variety: float
) -> None:
    asked = FormSettings("imitation", variety=variety, phrase_bars=bars)
    shapes, _ = walk(20 * bars, asked, seed)
    for start in range(0, 20 * bars, bars):
        phrase = shapes[start : start + bars]
        assert {shape.subject for shape in phrase} == {start}
        length = sum(shape.name == "subject" for shape in phrase)
        answers = [i for i, shape in enumerate(phrase) if shape.answer]
        assert length in (1, 2)
        assert answers == list(range(length, length + len(answers)))
        assert 1 <= len(answers) <= 2 * length
        for i in answers:
            assert phrase[i].answer == i // length
            assert phrase[i].source == start + i % length
            assert phrase[i].echo in (ECHO_NEAR, ECHO_EXACT)
        assert not any(shape.answer for shape in phrase[-2:])


@given(SETTINGS, SEEDS, st.integers(1, 150))
def test_the_last_section_of_a_piece_ends_with_it(
    asked: FormSettings, seed: int, bars: int
) -> None:
    state, shapes = FormState(), []
    for bar in range(bars):
        left = asked._replace(left=bars - bar)
        shape, state = form_bar(state, bar, left, seed, 0)
        shapes.append(shape)
        assert shape.source < bar
    endless, _ = walk(bars, asked, seed)
    if asked.form == "off":
        assert shapes == endless
        return
    assert state.start + state.bars == bars
    assert (shapes[-1].close, shapes[-1].left) == (AUTHENTIC, 0)
    if asked.form == "song":
        assert shapes[-1].ending == ENDING_LAST
    lengths = [len(list(group)) for _, group in groupby(shape.section for shape in shapes)]
    assert min(lengths[-1], bars) >= min(LEAST_SECTION, bars)


def test_an_arc_goes_on_from_the_middle_height_of_what_was_heard_before() -> None:
    asked = FormSettings("arc")
    shapes, _ = walk(8, asked, 1, heard_before(8), 8)
    assert max(map(abs, shapes[0].offsets)) < 0.8
    assert [shape.phrase for shape in shapes] == list(range(8))
    assert shapes[7].offsets[3] > shapes[0].offsets[3]
    assert min(walk(8, asked)[0][0].offsets) < -1


@pytest.mark.parametrize("form", ["dance", "strains", "phrases", "imitation", "arc"])
def test_what_was_heard_before_comes_back_in_every_form(form: str) -> None:
    shapes, _ = walk(8, FormSettings(form, 8, 0.0), 1, heard_before(8), 8)
    assert [shape.source for shape in shapes[:6]] == list(range(6))


@given(SEEDS, st.integers(1, 200))
def test_what_was_heard_before_comes_back_first_then_something_new(seed: int, bars: int) -> None:
    shapes, states = walk(64, FormSettings("song", 16), seed, heard_before(bars), bars)
    assert [shapes[bar].name for bar in (0, 16, 32, 48)] == ["A′", "B", "A″", "B′"]
    first, length = max(0, bars - MAX_SECTION_BARS), min(bars, MAX_SECTION_BARS)
    assert [shape.source for shape in shapes[:14]] == [first + i % length for i in range(14)]
    assert all(shape.source in range(bars, bars + 16) for shape in shapes[32:46])
    assert all(range(first, bars) in kept_bars(state) for state in states[:16])
    assert kept_bars(heard_before(bars)) == (range(first, bars),)


def test_another_form_begins_at_once() -> None:
    _, states = walk(21, FormSettings("song", 16))
    shapes, _ = walk(10, FormSettings("phrases"), 1, states[-1], 21)
    assert shapes[0].name == "call"
    assert shapes[0].phrase == 0


def test_streams_and_seeds_differ() -> None:
    def shape(seed: int, stream: int) -> list[FormBar]:
        state, found = FormState(), []
        for bar in range(100):
            shape, state = form_bar(state, bar, FormSettings(), seed, stream)
            found.append(shape)
        return found

    assert shape(1, 0) != shape(2, 0)
    assert shape(1, 0) != shape(1, 1)
