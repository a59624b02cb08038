"""Laws of one stream, on a model of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import CapacityError, ControlError, PlanError
from engine.composing.composer import Composer
from engine.composing.step_context import recalled
from engine.controls.controls import Controls
from engine.controls.values import Json
from engine.music.bars import Bar
from engine.music.fields import ECHO_EXACT, ENDING_LAST, LENGTHS
from engine.music.harmony import chord_id
from engine.music.score import DRUMS, TIED_FROM, TIED_ON
from engine.music.time import Metre
from engine.planning.form import KEEP_BARS
from engine.planning.guards import LITERAL
from engine.planning.planner_table import MAX_ECHO
from tests.engine.sessions import (
    ACTIONS,
    Action,
    Session,
    advance,
    as_heard,
    check_bars,
    compose,
    joined,
    replay,
)
from tests.engine.test_representations_codec import longest_silence, most_sounding
from tests.fakes import TableNetwork

CODECS = ("notes", "performance")
NETWORKS = {name: TableNetwork(name, haste=1.2) for name in CODECS}
each_codec = pytest.mark.parametrize("name", CODECS)
C, F, G, AM = (chord_id(*c) for c in ((0, "maj"), (5, "maj"), (7, "maj"), (9, "min")))


def stream(
    name: str = "notes",
    seed: int = 1,
    controls: Mapping[str, Json] | None = None,
    network: TableNetwork | None = None,
) -> Composer:
    network = network or NETWORKS[name]
    return Composer(network, network.pool(1), seed, 0, Controls.from_dict(controls or {}))


def remembered(composer: Composer) -> tuple[object, ...]:
    """All that the music to come depends on."""
    line = composer.lines[-1]
    kept = line._replace(cursor=(line.cursor.tick, line.cursor.rank), mark=tuple(line.mark))
    return (*kept, composer.controls)


# -- the same again ----------------------------------------------------------------------------


@each_codec
def test_a_seed_and_a_stream_number_fix_the_music(name: str) -> None:
    network = NETWORKS[name]
    first, again = (compose(stream(name, 7), 6) for _ in range(2))
    assert first == again
    other = [bar.notes for bar in compose(stream(name, 8), 6)]
    elsewhere = [bar.notes for bar in compose(Composer(network, network.pool(1), 7, 1), 6)]
    notes = [bar.notes for bar in first]
    assert notes not in (other, elsewhere)
    assert other != elsewhere


@each_codec
@given(turns=st.lists(st.sets(st.integers(0, 2), min_size=1), min_size=10, max_size=60))
@settings(max_examples=15)
def test_any_partition_of_the_work_gives_the_same_bars(name: str, turns: list[set[int]]) -> None:
    network = NETWORKS[name]
    pool = network.pool(3)
    composers = [Composer(network, pool, seed) for seed in range(3)]
    found: list[list[Bar]] = [[], [], []]
    for turn in turns:
        ready = []
        for i in turn:
            bar = composers[i].finished()
            if bar is None:
                composers[i].prepare()
                ready.append(i)
            else:
                found[i].append(bar)
        if ready:
            pool.run([composers[i].row for i in ready])
        for i in ready:
            bar = composers[i].absorb()
            found[i] += [] if bar is None else [bar]
    for i, bars in enumerate(found):
        assert bars == compose(stream(name, i), len(bars))


@each_codec
@given(back=st.integers(0, 5), steps=st.integers(0, 12), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_going_back_without_a_change_gives_the_same_bars(
    name: str, back: int, steps: int, seed: int
) -> None:
    composer = stream(name, seed)
    first = compose(composer, 5)
    for _ in range(steps):
        bar = advance(composer)
        first += [] if bar is None else [bar]
    composer.rewind(max(0, len(first) - back))
    again = compose(composer, min(back, len(first)))
    assert [as_heard(bar) for bar in again] == [
        as_heard(b) for b in first[len(first) - len(again) :]
    ]
    assert all(bar.revision == 1 for bar in again)


@each_codec
@given(actions=ACTIONS, seed=st.integers(0, 99), margin=st.sampled_from([1 << 30, 25, 60]))
@settings(max_examples=25)
def test_a_replay_gives_the_bars_that_were_heard_last(
    name: str, actions: Sequence[Action], seed: int, margin: int
) -> None:
    """However the hand went back and forth, and however short the ring was."""
    network = TableNetwork(name, haste=1.2, margin=margin)
    session = Session(stream(seed=seed, network=network))
    session.run(actions)
    session.run([("bars", 2)])
    # Bars that a change took back and that were not composed again were never heard for good.
    last = session.composer.next_bar - 1
    heard = {index: bar for index, bar in session.heard.items() if index <= last}
    replayed = stream(seed=seed, network=TableNetwork(name, haste=1.2))
    again = replay(replayed, session.log, last)
    assert sorted(heard) == list(range(last + 1))
    assert {i: as_heard(bar) for i, bar in again.items()} == {
        i: as_heard(bar) for i, bar in heard.items()
    }
    check_bars([heard[i] for i in sorted(heard)])
    assert remembered(replayed) == remembered(session.composer)


# -- changes -----------------------------------------------------------------------------------


@each_codec
def test_a_change_reaches_the_first_bar_that_is_not_committed(name: str) -> None:
    composer = stream(name)
    before = compose(composer, 8)
    composer.commit(5)
    assert composer.first_open == 5
    assert composer.change({"metre": "3/4", "tempo": 60}) == 5
    assert composer.lines[-1].guards.bars == 0  # what was normal before is so no more
    after = compose(composer, 3)
    assert [bar.index for bar in after] == [5, 6, 7]
    assert [bar.revision for bar in after] == [1, 1, 1]
    assert {bar.metre for bar in after} == {Metre(3, 4)}
    assert {bar.microseconds_per_quarter for bar in after} == {1_000_000}
    check_bars([*before[:5], *after])


def test_what_is_committed_is_never_composed_again() -> None:
    composer = stream()
    compose(composer, 6)
    composer.commit(4)
    composer.commit(2)  # a commitment is not taken back
    assert composer.committed == composer.first_open == 4
    composer.commit(99)  # nor does it run ahead of the music
    assert composer.committed == composer.first_open == composer.next_bar == 6
    assert composer.change({"density": 3}) == 6


@each_codec
@pytest.mark.parametrize(
    ("change", "plan"),
    [
        ({"densty": 4}, {}),
        ({"density": 99}, {}),
        ({"density": 4, "tempo": "fast"}, {}),
        ({"style": {"baroque": 1}}, {}),
        ({"scale": [1] + [0] * 11, "key_strength": 1, "low_pitch": 61, "high_pitch": 71}, {}),
        ({"density": 4}, {3: {"chord": 999}}),
        ({"density": 4}, {3: {"chord": 5}, 4: {"mood": 1}}),
        ({"density": 4}, {3: {"chord": 5}, 1: {"chord": 5}}),
    ],
)
def test_a_bad_change_is_refused_and_changes_nothing(
    name: str, change: dict[str, Json], plan: dict[int, dict[str, int]]
) -> None:
    composer, untouched = stream(name, 3), stream(name, 3)
    for one in (composer, untouched):
        compose(one, 3)
        one.commit(2)
        advance(one)
    with pytest.raises((ControlError, PlanError)):
        composer.change(change, plan)
    assert composer.controls == untouched.controls
    assert composer.overrides == {}
    assert compose(composer, 4) == compose(untouched, 4)


def test_a_progression_counts_from_the_bar_where_it_was_set() -> None:
    composer = stream()
    compose(composer, 3)
    composer.commit(3)
    composer.change({"chords": "C F G"})
    assert [bar.plan.chord for bar in compose(composer, 4)] == [C, F, G, C]
    composer.commit(6)
    composer.change({"density": 6})  # something else: the progression goes on
    assert [bar.plan.chord for bar in compose(composer, 2)] == [C, F]
    composer.commit(7)
    composer.change({"chords": "Am F"})
    assert [bar.plan.chord for bar in compose(composer, 3)] == [AM, F, AM]


def test_a_plan_set_by_hand_is_followed_in_its_bar_only() -> None:
    composer = stream(controls={"chords": "C"})
    compose(composer, 2)
    composer.commit(1)
    overrides = {"chord": AM, "half_chord": F, "density": 9, "key": 22}
    assert composer.change(plan={3: overrides}) == 1
    plans = {bar.index: bar.plan for bar in compose(composer, 5)}
    assert {column: getattr(plans[3], column) for column in overrides} == overrides
    assert {plans[bar].chord for bar in (1, 2, 4, 5)} == {C}


def test_hands_add_up() -> None:
    composer = stream(controls={"chords": "C"})
    composer.change(plan={2: {"chord": F}})
    composer.change(plan={2: {"half_chord": G}})
    assert compose(composer, 3)[2].plan[1:3] == (F, G)


def test_an_echo_set_by_hand_is_told_note_by_note() -> None:
    composer = stream(seed=2)
    compose(composer, 3)
    composer.commit(3)
    composer.change(plan={3: {"echo": ECHO_EXACT, "source": 1}})
    pitch = composer.names.index("echo_pitch") + len(composer.spec.event)
    while composer.next_bar == 3:
        told = composer.pool.inputs[composer.row, 0, pitch]
        source = {note.pitch for note in recalled(composer.heard[1])}
        assert told in source | {0} or composer.pool.ticks[composer.row] < 288
        advance(composer)
    assert source


def test_bars_that_come_back_note_for_note_are_counted_until_nothing_may_come_back() -> None:
    """By a network of one note, whose bars are all the same, and by one that varies."""
    quarter, dull = LENGTHS.index(24), TableNetwork("notes")
    for table, value in zip(dull.tables, (1, 61, 1 + quarter, 20, 2 + quarter), strict=True):
        table[:, value] += 1000
    form = {"form": "song", "section_bars": 4}
    for network, counts in ((dull, True), (NETWORKS["notes"], False)):
        composer, run, returns = stream(controls=form, network=network), 0, 0
        for bar in compose(composer, 10):
            returns += bar.plan.source >= 0
            run = run + 1 if counts and bar.plan.source >= 0 else 0
            assert composer.lines[-10 + bar.index].guards.copied == min(run, LITERAL)
        assert returns >= 4
        assert composer.guard_report["fresh_bars"] == 3 * counts


@each_codec
def test_a_change_in_a_bar_too_long_to_take_back_waits_for_the_next(name: str) -> None:
    network = TableNetwork(name, haste=1.2, margin=1)
    composer, old = stream(network=network), stream(network=network)
    for one in (composer, old):
        one.compose_bar()
        for _ in range(2):
            assert advance(one) is None
    assert composer.first_open == composer.next_bar + 1 == 2
    assert composer.change({"metre": "3/4", "swing": 1, "transpose": 2, "key": "A minor"}) == 2
    assert composer.compose_bar() == old.compose_bar()
    assert composer.lines[-1].guards.bars == 0  # and what was normal is found anew
    assert composer.compose_bar().metre == Metre(3, 4)


def test_room_is_what_a_rewind_can_still_take_back() -> None:
    network = TableNetwork(haste=1.2, margin=30)
    composer = stream(network=network)
    while composer.has_room:
        advance(composer)
    assert composer.next_bar > 1
    assert composer.first_open == 0
    composer.commit(composer.next_bar)
    assert composer.has_room


# -- what is kept strictly ---------------------------------------------------------------------

STRICT: tuple[dict[str, Json], ...] = (
    {"max_polyphony": 1},
    {"max_polyphony": 3, "max_rest": 0.25},
    {"low_pitch": 60, "high_pitch": 71, "key": "F# major"},
    {"parts": [3], "max_rest": 1, "transpose": -12},
    {"parts": [2, 8], "metre": "5/8"},
    {"key": "D dorian", "low_pitch": 40, "high_pitch": 90},
    {"scale": [1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0], "key_strength": 1},
)


@each_codec
@pytest.mark.parametrize("controls", STRICT)
def test_constraints_are_kept(name: str, controls: dict[str, Json]) -> None:
    chosen = Controls.from_dict(controls)
    bars = compose(stream(name, 5, controls), 20)
    check_bars(bars)
    notes = joined(bars)
    assert len(notes) > 20
    assert most_sounding(notes) <= chosen.max_polyphony
    assert longest_silence(notes, 0) <= 24 * chosen.max_rest
    melodic = [note.pitch for note in notes if note.part != DRUMS]
    assert all(chosen.low_pitch <= pitch <= chosen.high_pitch for pitch in melodic)
    if chosen.parts and name == "notes":
        assert {note.part + 1 for note in notes} <= set(chosen.parts)
    if chosen.scale or chosen.key.mode == "dorian":
        weights = chosen.scale or chosen.key.scale
        assert all(weights[(pitch - chosen.transpose) % 12] > 0 for pitch in melodic)


@pytest.mark.parametrize("metre", ["4/4", "7/8", "3/8"])
def test_onsets_keep_to_a_grid_that_is_set_underway(metre: str) -> None:
    composer = stream(seed=5, controls={"metre": metre})
    free = compose(composer, 12)
    assert any((note.onset - bar.start) % 12 for bar in free for note in bar.notes)
    composer.commit(12)
    composer.change({"grid": "1/8"})
    bars = compose(composer, 20)
    check_bars(bars)
    # The first onset was drawn before, and may need one more step to come back.
    assert not any((note.onset - bar.start) % 12 for bar in bars[2:] for note in bar.notes)


def test_a_grid_that_cannot_be_kept_is_refused_with_advice() -> None:
    with pytest.raises(ControlError, match=r"grid=1/8: this model plays in free time.*free"):
        stream("performance", controls={"grid": "1/8"})
    with pytest.raises(ControlError, match=r"max_rest=0\.5 .*grid=1/4: make it 1 or more"):
        stream(controls={"grid": "1/4", "max_rest": 0.5})


@pytest.mark.parametrize("controls", [{"expression": 0.5}, {"pedal": "on"}])
def test_a_player_who_is_in_the_music_is_not_put_on_it(controls: dict[str, object]) -> None:
    name = next(iter(controls))
    with pytest.raises(ControlError, match=rf"{name}=.*this model .* set {name} to"):
        stream("performance", controls=controls)


@each_codec
def test_the_key_only_moves_what_is_composed(name: str) -> None:
    wide = {"low_pitch": 0, "high_pitch": 127}
    plain = compose(stream(name, 4, wide), 5)
    moved = compose(stream(name, 4, {**wide, "key": "D major", "transpose": 1}), 5)
    for before, after in zip(plain, moved, strict=True):
        assert [
            note if note.part == DRUMS else note._replace(pitch=note.pitch + 3)
            for note in before.notes
        ] == list(after.notes)


def test_what_is_tied_over_a_change_of_key_is_struck_anew_in_the_new_one() -> None:
    composer = stream("performance", 2)
    before = compose(composer, 6)
    tied = next(b.index for b in before if any(n.tie & TIED_ON for n in b.notes))
    composer.commit(tied + 1)
    composer.change({"transpose": 2})
    bar = composer.compose_bar()
    assert bar.index == tied + 1
    assert not any(note.tie & TIED_FROM for note in bar.notes)
    held = [note.pitch for note in before[tied].notes if note.tie & TIED_ON]
    struck = [note.pitch for note in bar.notes if note.onset == bar.start]
    assert set(struck) & {pitch + 2 for pitch in held}
    check_bars([before[tied], bar, composer.compose_bar()])


def test_programs_and_tempo_are_said_in_every_bar() -> None:
    bars = compose(stream(controls={"programs": {"1": 40, "8": 16}, "tempo": 80}), 2)
    assert {bar.programs for bar in bars} == {(40, 0, 0, 0, 0, 0, 0, 16)}
    assert {bar.microseconds_per_quarter for bar in bars} == {750_000}
    performance = compose(stream("performance"), 1)[0]
    assert (performance.microseconds_per_quarter, performance.metre) == (240_000, Metre(8, 4))


def test_expression_moves_tempo_timing_touch_and_pedal_and_not_a_note() -> None:
    plain = compose(stream(), 16)
    played = compose(stream(controls={"expression": 1}), 16)
    check_bars(played)
    assert [[n._replace(velocity=1) for n in bar.notes] for bar in played] == [
        [n._replace(velocity=1) for n in bar.notes] for bar in plain
    ]
    assert len({bar.microseconds_per_quarter for bar in played}) > 4
    assert all(any(bar.shifts) for bar in played if bar.notes)
    assert any(bar.pedals for bar in played)
    assert not any(bar.pedals for bar in plain)
    closing = [bar.plan.ending for bar in played].index(ENDING_LAST)
    tempos = [bar.microseconds_per_quarter for bar in played]
    assert tempos[closing] > 1.05 * tempos[closing - 3]


def test_the_pedal_goes_by_itself_too() -> None:
    plain = compose(stream(), 6)
    pressed = compose(stream(controls={"pedal": "on"}), 6)
    assert [replace(bar, pedals=()) for bar in pressed] == plain
    assert any(bar.pedals for bar in pressed)
    lifted = compose(stream(controls={"expression": 1, "pedal": "off"}), 6)
    organ = {"expression": 1, "programs": {str(part): 19 for part in range(1, 9)}}
    assert not any(bar.pedals for bar in lifted + compose(stream(controls=organ), 6))


def test_performing_controls_do_not_change_what_is_composed() -> None:
    plain = compose(stream(), 6)
    played = compose(stream(controls={"swing": 0.7, "humanise_time": 9}), 6)
    assert [bar.notes for bar in played] == [bar.notes for bar in plain]
    assert any(shift for bar in played for shift in bar.shifts)
    louder = compose(stream(controls={"humanise_velocity": 9}), 6)
    assert [[n._replace(velocity=1) for n in bar.notes] for bar in louder] == [
        [n._replace(velocity=1) for n in bar.notes] for bar in plain
    ]


# -- for ever ----------------------------------------------------------------------------------


def sizes(composer: Composer) -> dict[str, int]:
    line = composer.lines[-1]
    return {
        "lines": len(composer.lines),
        "heard": len(composer.heard),
        "revisions": len(composer.revisions),
        "hand": len(composer.overrides),
        "memory": len(line.planner.memory),
        "themes": len(line.form.themes),
        "shapes": len(line.guards.shapes),
    }


@pytest.mark.parametrize("form", ["song", "off"])
def test_two_thousand_bars_hold_no_more_than_three_hundred(form: str) -> None:
    controls: dict[str, Json] = {"form": form, "section_bars": 8, "max_rest": 16}
    composer = stream(seed=3, controls=controls, network=TableNetwork(haste=-1.5))
    most: dict[str, int] = {}
    early: dict[str, int] = {}
    for bar in range(2000 if form == "song" else 400):
        composer.compose_bar()
        composer.commit(composer.next_bar - 4)
        if bar % 50 == 17:
            composer.change({"density": 1 + bar % 7}, {composer.next_bar + 3: {"chord": C}})
        if bar == 300:
            early = dict(most)
        now = sizes(composer)
        most = {name: max(now[name], most.get(name, 0)) for name in now}
    assert most == early
    assert most["lines"] <= 5
    assert most["revisions"] <= 5
    assert most["hand"] <= 5
    assert most["heard"] <= MAX_ECHO + KEEP_BARS + 5


def test_a_closed_stream_gives_its_place_back() -> None:
    network = NETWORKS["notes"]
    pool = network.pool(1)
    composer = Composer(network, pool, 1)
    with pytest.raises(CapacityError):
        Composer(network, pool, 2)
    composer.close()
    fresh = Composer(network, pool, 3)
    assert compose(fresh, 3) == compose(stream(seed=3), 3)


def test_a_stream_that_cannot_begin_takes_no_place() -> None:
    network = NETWORKS["notes"]
    pool = network.pool(1)
    with pytest.raises(ControlError, match="baroque"):
        Composer(network, pool, 1, 0, Controls.from_dict({"style": {"baroque": 1}}))
    assert pool.has_place
