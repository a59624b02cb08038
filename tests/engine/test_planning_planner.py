"""Laws of the planner and its table."""

from __future__ import annotations

import io
import pickle
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import BundleError, PlanError
from engine.music.fields import (
    ATTRIBUTES,
    CHORDS,
    CONTEXT,
    ECHO_EXACT,
    ECHO_LOOSE,
    ECHO_NEAR,
    ECHO_NEW,
    ENDING_FAR,
    ENDING_LAST,
    FIRST_CHORD,
)
from engine.music.harmony import chord_id, key_id
from engine.music.noise import PLANNING, uniforms
from engine.music.plan import BarPlan
from engine.planning.form import KEEP_BARS, FormBar, FormSettings, FormState, form_bar, kept_bars
from engine.planning.guards import NEUTRAL, Nudge
from engine.planning.planner import FREE_HALVES, first_chord, plan_bar
from engine.planning.planner_table import MAX_BYTES, MAX_ECHO, PlannerTable
from engine.planning.scene import PLAN_DRAWS, PlannerState, PlanRequest, Progression, scene_of

TABLE = PlannerTable.plain()
ALL = TABLE.weights({})
FREE = PlanRequest(ALL)
C, F, G, AM = (chord_id(*c) for c in ((0, "maj"), (5, "maj"), (7, "maj"), (9, "min")))
OFF = FormSettings("off")
draws = partial(uniforms, 1, 0, PLANNING)

VALUES = st.tuples(*[st.none() | st.floats(0, 127)] * len(ATTRIBUTES))
ASKED = st.builds(
    PlanRequest,
    styles=st.just(ALL),
    attributes=VALUES,
    minor=st.booleans(),
    progression=st.none()
    | st.builds(
        Progression,
        st.lists(st.integers(1, CHORDS - 1), min_size=1, max_size=5).map(tuple),
        st.sampled_from([0.5, 1.0, 2.0]),
        st.integers(0, 20),
    ),
    variety=st.floats(0, 1),
    overrides=st.lists(
        st.tuples(st.sampled_from(["chord", "echo", "density", "ending"]), st.integers(0, 4))
        | st.tuples(st.just("key"), st.integers(0, 24))
        | st.tuples(st.just("source"), st.integers(-1, 99)),
        max_size=3,
    ).map(tuple),
)


def compose(
    bars: int,
    asked: PlanRequest = FREE,
    form: FormSettings = OFF,
    state: PlannerState | None = None,
    first: int = 0,
    nudge: Nudge | None = None,
) -> tuple[list[BarPlan], list[PlannerState]]:
    """Plans of consecutive bars and the states after them; the form runs from bar 0."""
    state, form_state = state or PlannerState(), FormState()
    plans, states = [], []
    for bar in range(first + bars):
        shape, form_state = form_bar(form_state, bar, form, 1, 0)
        if bar < first:
            continue
        now = scene_of(TABLE, state, bar, asked, shape, draws(bar, PLAN_DRAWS), nudge or NEUTRAL)
        plan, state = plan_bar(now, kept_bars(form_state))
        plans.append(plan)
        states.append(state)
    return plans, states


@given(ASKED, st.sampled_from(["off", "song", "phrases", "arc"]), st.integers(1, 40))
def test_going_on_from_any_state_gives_the_same_plan(
    asked: PlanRequest, form: str, cut: int
) -> None:
    whole, states = compose(60, asked, FormSettings(form, 8))
    again, _ = compose(60 - cut, asked, FormSettings(form, 8), states[cut - 1], cut)
    assert again == whole[cut:]


@given(ASKED, st.sampled_from(["off", "song", "phrases", "arc"]))
def test_the_first_chord_alone_is_that_of_the_whole_plan(asked: PlanRequest, form: str) -> None:
    plans, states = compose(40, asked, FormSettings(form, 8))
    shape, form_state = FormBar(), FormState()
    for bar, plan in enumerate(plans):
        shape, form_state = form_bar(form_state, bar, FormSettings(form, 8), 1, 0)
        before = states[bar - 1] if bar else PlannerState()
        drawn = draws(bar, PLAN_DRAWS)
        assert first_chord(scene_of(TABLE, before, bar, asked, shape, drawn)) == plan.chord


@settings(max_examples=40)
@given(ASKED, ASKED, st.integers(1, 30))
def test_what_is_asked_later_changes_nothing_before(
    one: PlanRequest, two: PlanRequest, cut: int
) -> None:
    whole, states = compose(40, one)
    later, _ = compose(40 - cut, two, state=states[cut - 1], first=cut)
    assert compose(cut, one)[0] == whole[:cut]
    assert one != two or later == whole[cut:]


@settings(max_examples=40)
@given(ASKED, st.sampled_from(["off", "song", "phrases", "arc"]))
def test_every_value_is_a_field_value(asked: PlanRequest, form: str) -> None:
    plans, _ = compose(80, asked, FormSettings(form, 8))
    for plan in plans:
        assert all(0 <= value < CONTEXT[name].size for name, value in _fields(plan))


def _fields(plan: BarPlan) -> list[tuple[str, int]]:
    named = plan._asdict()
    named["next_chord"] = named.pop("half_chord")
    del named["source"]
    return list(named.items())


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=PLAN_DRAWS, max_size=PLAN_DRAWS))
def test_any_uniforms_will_do(numbers: list[float]) -> None:
    state = PlannerState()
    for bar in range(3):
        plan, state = plan_bar(scene_of(TABLE, state, bar, FREE, FormBar(), np.array(numbers)))
        assert plan.chord >= FIRST_CHORD
        assert plan.half_chord == 0 or plan.half_chord >= FIRST_CHORD
        assert state.last >= FIRST_CHORD  # what is not told has its place in the harmony
        assert all(0 <= value < CONTEXT[name].size for name, value in _fields(plan))


def test_half_the_second_halves_are_left_to_the_network() -> None:
    plans, _ = compose(2000)
    free = [plan.half_chord == 0 for plan in plans]
    assert np.mean(free) == pytest.approx(FREE_HALVES, abs=0.06)
    assert all(plan.chord for plan in plans)


@pytest.mark.parametrize(
    "asked",
    [
        PlanRequest(ALL, progression=Progression((C, G), 1.0, 0)),
        PlanRequest(ALL, overrides=(("half_chord", F),)),
    ],
)
def test_chords_that_somebody_asked_for_are_told(asked: PlanRequest) -> None:
    plans, _ = compose(200, asked, FormSettings("song", 16))
    assert all(plan.half_chord for plan in plans)


def test_what_closes_is_told_and_what_comes_back_is_as_free_as_it_was() -> None:
    plans, _ = compose(800, form=FormSettings("song", 16, variety=0.2))
    closing = [plan for plan in plans if plan.ending > ENDING_FAR]
    close = [plan for plan in plans if plan.echo >= ECHO_NEAR]
    assert len(closing) > 50
    assert all(plan.half_chord for plan in closing)
    assert any(not plan.half_chord for plan in close)
    for plan in close:
        assert plan.half_chord == plans[plan.source].half_chord


@pytest.mark.parametrize("form", ["off", "song"])
def test_sources_are_remembered_and_memory_is_bounded(form: str) -> None:
    plans, states = compose(1500, form=FormSettings(form, 64))
    for bar, plan in enumerate(plans):
        if plan.echo > ECHO_NEW:
            assert 0 <= plan.source < bar
            assert states[bar - 1].recall(plan.source) == plans[plan.source]
    assert max(len(state.memory) for state in states) <= KEEP_BARS + MAX_ECHO
    assert len(pickle.dumps(states[-1])) < 1.3 * max(len(pickle.dumps(s)) for s in states[:300])


@pytest.mark.parametrize("index", range(len(ATTRIBUTES)))
@pytest.mark.parametrize("form", ["off", "song"])
def test_the_mean_over_bars_is_what_was_asked(index: int, form: str) -> None:
    attribute = ATTRIBUTES[index]
    for position in np.linspace(1, attribute.buckets, 7):
        low = attribute.centre(int(position))
        high = attribute.centre(min(int(position) + 1, attribute.buckets))
        value = low + (position % 1) * (high - low)
        wanted: list[float | None] = [None] * len(ATTRIBUTES)
        wanted[index] = value
        plans, _ = compose(600, PlanRequest(ALL, tuple(wanted)), FormSettings(form, 8))
        levels = [getattr(plan, attribute.name) for plan in plans]
        assert np.mean(levels) == pytest.approx(attribute.position(value), abs=0.25)
        assert np.std(levels) < 1.0


def test_unasked_attributes_wander_around_the_style() -> None:
    plans, _ = compose(3000)
    levels = np.array([[getattr(p, a.name) for a in ATTRIBUTES] for p in plans], float)
    assert np.abs(levels.mean(axis=0) - TABLE.means[0]).max() < 0.4
    assert (levels.std(axis=0) > 0.5).all()
    away = levels - levels.mean(axis=0)
    assert ((away[1:] * away[:-1]).mean(axis=0) / away.var(axis=0) > 0.2).all()


def test_a_progression_is_followed_from_its_anchor() -> None:
    asked = PlanRequest(ALL, progression=Progression((C, AM, F, G), 1.0, 3))
    plans, _ = compose(8, asked, first=3, state=PlannerState())
    assert [p.chord for p in plans] == [C, AM, F, G, C, AM, F, G]
    assert all(p.chord == p.half_chord for p in plans)
    halves = PlanRequest(ALL, progression=Progression((C, G), 0.5, 0))
    assert all((p.chord, p.half_chord) == (C, G) for p in compose(4, halves)[0])
    slow = PlanRequest(ALL, progression=Progression((C, G), 2.0, 0))
    assert [p.chord for p in compose(6, slow)[0]] == [C, C, G, G, C, C]


def test_an_echo_with_other_harmony_is_loose() -> None:
    asked = PlanRequest(ALL, progression=Progression((C, AM), 1.0, 0), variety=0.0)
    plans, _ = compose(300, asked)
    echoing = [p for p in plans if p.echo > ECHO_NEW]
    close = [p for p in echoing if p.echo > ECHO_LOOSE]
    assert 0 < len(close) < len(echoing)
    assert all(plans[p.source].chord == p.chord for p in close)


def test_close_echoes_keep_key_and_chords() -> None:
    plans, _ = compose(600, form=FormSettings("song", 16, variety=0.2))
    close = [p for p in plans if p.echo >= ECHO_NEAR]
    assert len(close) > 100
    for plan in close:
        source = plans[plan.source]
        assert (plan.chord, plan.half_chord) == (source.chord, source.half_chord)


def test_variety_decides_how_much_is_echoed() -> None:
    def echoes(variety: float) -> float:
        plans, _ = compose(800, PlanRequest(ALL, variety=variety))
        return float(np.mean([p.echo > ECHO_NEW for p in plans]))

    assert echoes(0.0) > echoes(0.5) + 0.1
    assert echoes(0.5) > echoes(1.0) + 0.1


def test_fresh_bars_echo_nothing() -> None:
    plans, _ = compose(60, form=FormSettings("song", 8), nudge=Nudge(fresh=True))
    assert all((p.echo, p.source) == (ECHO_NEW, -1) for p in plans)


def test_where_echoes_come_back_literally_loose_ones_are_new() -> None:
    form = FormSettings("song", 8)
    plain, literal = (compose(200, form=form, nudge=n)[0] for n in (Nudge(), Nudge(literal=True)))
    assert any(p.echo == ECHO_LOOSE for p in plain)
    assert not any(p.echo == ECHO_LOOSE for p in literal)
    assert any(p.echo >= ECHO_NEAR for p in literal)


def test_a_nudge_moves_the_levels() -> None:
    offsets = (2.0, -2.0, 0.0, 0.0, 0.0)
    plain, moved = (
        np.array([[p.density, p.register] for p in compose(300, nudge=n)[0]]).mean(axis=0)
        for n in (Nudge(), Nudge(offsets=offsets))
    )
    assert moved - plain == pytest.approx([2, -2], abs=0.5)


@pytest.mark.parametrize("minor", [False, True])
def test_sections_close_at_home(minor: bool) -> None:
    asked = PlanRequest(ALL, minor=minor)
    plans, _ = compose(640, asked, FormSettings("song", 8, minor=minor))
    closes = [p for p in plans if p.ending == ENDING_LAST]
    assert len(closes) == 80
    assert {p.key for p in closes} == {asked.home}
    tonic = AM if minor else C
    assert {(p.chord, p.half_chord) for p in closes} == {(tonic, tonic)}


@pytest.mark.parametrize("minor", [False, True])
def test_the_home_key_is_left_and_found_again(minor: bool) -> None:
    plans, _ = compose(2000, PlanRequest(ALL, minor=minor))
    at_home = np.mean([p.key == key_id(9 if minor else 0, minor) for p in plans])
    assert 0.6 < at_home < 0.98


def test_a_change_of_mode_is_heard_at_once() -> None:
    _, states = compose(50)
    plans, _ = compose(1, PlanRequest(ALL, minor=True), state=states[-1], first=50)
    assert plans[0].key == key_id(9, True)


def test_the_form_sets_the_key() -> None:
    key = key_id(7, False)
    _, state = plan_bar(scene_of(TABLE, PlannerState(), 0, FREE, FormBar(), draws(0, PLAN_DRAWS)))
    plan, _ = plan_bar(scene_of(TABLE, state, 1, FREE, FormBar(key=key), draws(1, PLAN_DRAWS)))
    assert plan.key == key


@given(ASKED)
def test_the_hand_has_the_last_word(asked: PlanRequest) -> None:
    plans, _ = compose(20, asked)
    for column, value in dict(asked.overrides).items():
        assert all(getattr(plan, column) == value for plan in plans)


@pytest.mark.parametrize(
    ("column", "value", "part"),
    [("chrod", 3, "'chrod'"), ("chord", CHORDS, "to 73"), ("echo", -1, "0 to 4")],
)
def test_a_wrong_plan_by_hand_is_refused(column: str, value: int, part: str) -> None:
    with pytest.raises(PlanError, match=part):
        PlanRequest(ALL, overrides=((column, value),))


def test_echo_by_hand_repeats_the_bar_named() -> None:
    _, states = compose(20)
    asked = PlanRequest(ALL, overrides=(("echo", ECHO_EXACT), ("source", 5)))
    plans, _ = compose(1, asked, state=states[-1], first=20)
    source = states[-1].recall(5)
    assert source is not None
    assert (plans[0].echo, plans[0].chord) == (ECHO_EXACT, source.chord)


def test_tables_survive_the_way_through_bytes() -> None:
    data = TABLE.to_bytes()
    again = PlannerTable.from_bytes(data)
    assert again.to_bytes() == data
    assert len(data) <= MAX_BYTES
    asked = (again, PlannerState(), 0, FREE, FormBar(), draws(0, PLAN_DRAWS))
    assert plan_bar(scene_of(*asked))[0] == plan_bar(scene_of(TABLE, *asked[1:]))[0]


@given(st.integers(0, 10**6), st.binary(max_size=40))
def test_damaged_tables_are_refused_or_read_whole(at: int, noise: bytes) -> None:
    data = bytearray(TABLE.to_bytes())
    at %= len(data)
    data[at : at + len(noise)] = noise
    try:
        table = PlannerTable.from_bytes(bytes(data))
    except BundleError:
        return
    # Bytes that no array depends on may change, and the numbers are protected by checksums.
    assert table.to_bytes() == TABLE.to_bytes()


@pytest.mark.parametrize("data", [b"", b"PK", TABLE.to_bytes()[:-50], b"\x93NUMPY" + b"\0" * 90])
def test_what_is_no_table_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match="planner table"):
        PlannerTable.from_bytes(data)


@given(
    *[st.integers(0, CHORDS - 1)] * 2, st.booleans(), st.integers(0, 1)
)  # fmt: skip
def test_chord_weights_are_a_distribution(before: int, last: int, minor: bool, half: int) -> None:
    weights = TABLE.chord_weights(ALL, before, last, minor, half)
    assert weights.sum() == pytest.approx(1)
    assert (weights[FIRST_CHORD:] > 0).all()
    assert (weights[:FIRST_CHORD] == 0).all()


def test_the_music_begins_on_the_tonic() -> None:
    begin = PlannerState()
    for minor, tonic in ((False, C), (True, AM)):
        weights = TABLE.chord_weights(ALL, begin.before, begin.last, minor, 0)
        assert weights.argmax() == tonic
        assert weights[tonic] > 0.5


@given(st.floats(0, 1, exclude_max=True))
def test_part_sets_come_from_the_table(uniform: float) -> None:
    assert TABLE.part_set(ALL, uniform) in TABLE.part_masks


def test_unknown_styles_mean_all_music() -> None:
    assert TABLE.weights({"polka": 1.0}) == (1.0,)


LENT = (9.0, 3.5, 0.0, 2.5, 0.0)


def levels_of(plans: list[BarPlan]) -> list[float]:
    return np.array([plan.levels for plan in plans]).mean(axis=0).tolist()


def test_a_prompt_lends_its_levels_for_minutes_and_not_for_ever() -> None:
    state = PlannerState(lent=LENT)
    lent, states = compose(4000, state=state)
    plain, _ = compose(4000)
    begun, usual = levels_of(lent[:32]), levels_of(plain)
    for i, level in enumerate(LENT):
        assert begun[i] == pytest.approx(level or usual[i], abs=0.8)
    assert levels_of(lent[2000:]) == pytest.approx(levels_of(plain[2000:]), abs=0.2)
    assert states[0].lent[2] == states[-1].lent[2] == 0


def test_a_level_that_is_asked_for_wins_over_the_prompts() -> None:
    wanted = (4.0, None, None, None, None)
    asked = PlanRequest(ALL, wanted)
    lent, _ = compose(200, asked, state=PlannerState(lent=LENT))
    plain, _ = compose(200, asked)
    assert [plan.density for plan in lent] == [plan.density for plan in plain]


def test_an_answer_is_told_exactly_in_a_harmony_of_its_own() -> None:
    plans, states = compose(8)
    answer = FormBar(echo=ECHO_EXACT, source=7, subject=7, answer=1)
    other = 0
    for bar in range(8, 60):
        now = scene_of(TABLE, states[-1], bar, FREE, answer, draws(bar, PLAN_DRAWS))
        plan, _ = plan_bar(now)
        assert (plan.echo, plan.source) == (ECHO_EXACT, 7)
        other += plan.chord != plans[7].chord
    assert other > 10


# -- how levels live ----------------------------------------------------------------------------

MIDDLE = tuple(float(attribute.centre(5)) for attribute in ATTRIBUTES)
BREATHS = st.floats(0, 1)


def levels_over(breath: float, bars: int, seed: int = 1) -> np.ndarray:
    """The levels of many bars of which the fifth bucket is asked, without any form."""
    asked = PlanRequest(ALL, MIDDLE, breath=breath)
    state, rows = PlannerState(), []
    for bar in range(bars):
        drawn = uniforms(seed, 0, PLANNING, bar, PLAN_DRAWS)
        plan, state = plan_bar(scene_of(TABLE, state, bar, asked, FormBar(), drawn))
        rows.append(plan.levels)
    return np.array(rows)


def test_without_breath_what_is_asked_stands_still() -> None:
    assert (levels_over(0, 60) == 5).all()


@pytest.mark.parametrize("breath", [0.3, 1.0])
def test_with_breath_levels_move_and_keep_their_mean(breath: float) -> None:
    levels = np.concatenate([levels_over(breath, 800, seed) for seed in range(8)])
    np.testing.assert_allclose(levels.mean(axis=0), 5, atol=0.35)
    assert (levels.std(axis=0) > 0.3 * breath).all()
    assert (levels.min(axis=0) < 5).all()
    assert (levels.max(axis=0) > 5).all()


def test_more_breath_is_more_movement() -> None:
    spreads = [levels_over(breath, 600).std(axis=0).mean() for breath in (0, 0.3, 0.6, 1)]
    assert spreads == sorted(spreads)
    assert spreads[-1] > 0.6


@given(BREATHS, st.sampled_from([1, 2, 12]))
@settings(max_examples=30)
def test_breath_never_leaves_the_buckets_nor_goes_further_up_than_down(
    breath: float, bucket: int
) -> None:
    values = tuple(
        float(attribute.centre(min(bucket, attribute.buckets))) for attribute in ATTRIBUTES
    )
    plans, _ = compose(40, PlanRequest(ALL, values, breath=breath))
    for plan in plans:
        for attribute, level in zip(ATTRIBUTES, plan.levels, strict=True):
            top, middle = attribute.buckets, min(bucket, attribute.buckets)
            room = min(middle - 1, top - middle)
            assert middle - room - 1 <= level <= middle + room + 1


def drifts(seed: int, bars: int) -> np.ndarray:
    state, rows = PlannerState(), []
    for bar in range(bars):
        drawn = uniforms(seed, 0, PLANNING, bar, PLAN_DRAWS)
        _, state = plan_bar(scene_of(TABLE, state, bar, FREE, FormBar(), drawn))
        rows.append(state.drift)
    return np.array(rows)


def test_drift_lasts_for_minutes_and_does_not_grow() -> None:
    found = drifts(1, 5000)
    assert (np.abs(found) < 5.5).all()
    thirds = [part.std() for part in np.array_split(found, 3)]
    assert all(0.6 < spread < 1.5 for spread in thirds)
    # Two seconds a bar: a bar later it is nearly the same, a quarter of an hour later forgotten.
    for column in found.T:
        assert np.corrcoef(column[1:], column[:-1])[0, 1] > 0.97
        assert abs(np.corrcoef(column[450:], column[:-450])[0, 1]) < 0.4


def test_every_seed_drifts_its_own_way() -> None:
    assert not np.allclose(drifts(1, 20), drifts(2, 20), atol=0.1)


def test_drift_goes_by_the_clock_not_by_the_bar() -> None:
    def after(bars: int, bar_seconds: float) -> float:
        asked = PlanRequest(ALL, bar_seconds=bar_seconds)
        starts = np.zeros(len(ATTRIBUTES))
        state = PlannerState(drift=(3.0,) * len(ATTRIBUTES))
        for seed in range(40):
            ended = state
            for bar in range(bars):
                drawn = uniforms(seed, 0, PLANNING, bar, PLAN_DRAWS)
                _, ended = plan_bar(scene_of(TABLE, ended, bar, asked, FormBar(), drawn))
            starts += ended.drift
        return float(starts.mean() / 40)

    assert after(20, 3.0) == pytest.approx(after(30, 2.0), abs=0.25)
    assert after(30, 2.0) == pytest.approx(3 * np.exp(-60 / 300), abs=0.25)


def test_a_table_of_before_has_pieces_that_do_not_differ() -> None:
    with np.load(io.BytesIO(TABLE.to_bytes()), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files if name != "between"}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    table = PlannerTable.from_bytes(buffer.getvalue())
    assert (table.between == 0).all()
    assert table.between.shape == table.spreads.shape
    drawn = draws(0, PLAN_DRAWS)
    plan, state = plan_bar(scene_of(table, PlannerState(), 0, FREE, FormBar(), drawn))
    still = PlannerState(drift=(9.0,) * len(ATTRIBUTES))
    assert plan_bar(scene_of(table, still, 0, FREE, FormBar(), drawn))[0] == plan
    assert state.drift
