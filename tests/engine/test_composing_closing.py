"""Laws of the end: a piece that has a last bar closes there, on the tonic, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.composing.closing import SPREAD
from engine.composing.composer import Composer
from engine.composing.snapshot import restore, save
from engine.controls.controls import Controls
from engine.controls.values import Json
from engine.files.control_log import ControlLog, read, write
from engine.library.bars import Length, closing, composed_bars, composer_of
from engine.music.bars import Bar
from engine.music.fields import ECHO_NEW, ENDING_FAR, ENDING_LAST
from engine.music.score import DRUMS
from tests.bundles import tiny
from tests.engine.sessions import as_heard, check_bars, compose
from tests.fakes import TableNetwork

CODECS = ("notes", "performance")
NETWORKS = {name: TableNetwork(name, haste=1.2) for name in CODECS}
each_codec = pytest.mark.parametrize("name", CODECS)
SETTINGS: tuple[dict[str, Json], ...] = (
    {},
    {"key": "D minor", "form": "phrases"},
    {"key": "Eb major", "form": "off", "parts": [1, 2, 3, 4], "max_polyphony": 4},
    {"key": "D dorian", "form": "arc", "articulation": 0.3},
    {"key": "F# minor", "chords": "i iv V", "low_pitch": 48, "high_pitch": 59},
    {"metre": "6/8", "tempo": 70, "density": 8, "parts": [2, 8]},
    {"polyphony": 1, "form": "dance"},
    {"grid": "free", "max_rest": 16, "density": 0.2, "transpose": -5, "swing": 0.5},
)
asked = st.sampled_from(SETTINGS)


def piece(name: str, seed: int, controls: Mapping[str, Json], bars: int) -> list[Bar]:
    network = NETWORKS[name]
    composer = Composer(network, network.pool(1), seed, 0, Controls.from_dict(controls))
    composer.close_with(bars - 1)
    return compose(composer, bars)


@each_codec
@given(st.integers(0, 10_000), asked, st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_the_last_bar_is_one_chord_over_the_tonic_that_ends_at_once(
    name: str, seed: int, controls: dict[str, Json], bars: int
) -> None:
    found = piece(name, seed, controls, bars)
    last = found[-1]
    check_bars([last])
    key, transpose = Controls.from_dict(controls).key, Controls.from_dict(controls).transpose
    melodic = [note.pitch for note in last.notes if note.part != DRUMS]
    assert min(melodic) % 12 == (key.tonic + transpose) % 12
    assert all(note.onset + note.duration == last.end for note in last.notes)
    assert max(n.onset for n in last.notes) - min(n.onset for n in last.notes) <= SPREAD
    assert last.notes[0].onset == last.start
    assert not any(note.tie for note in last.notes)
    assert len({(note.part, note.pitch) for note in last.notes}) == len(last.notes)
    assert len(melodic) == 1 or "polyphony" not in controls


@each_codec
@given(st.integers(0, 10_000), asked)
@settings(max_examples=20, deadline=None)
def test_nothing_rings_into_the_last_bar(name: str, seed: int, controls: dict[str, Json]) -> None:
    *before, last = piece(name, seed, {**controls, "articulation": None}, 6)
    assert all(n.onset + n.duration <= last.start for bar in before for n in bar.notes)


@given(st.integers(0, 10_000), asked, st.integers(5, 12))
@settings(max_examples=20, deadline=None)
def test_the_plan_tells_how_near_the_end_is(
    seed: int, controls: dict[str, Json], bars: int
) -> None:
    plans = [bar.plan for bar in piece("notes", seed, controls, bars)]
    assert [plan.ending for plan in plans[-4:]] == [2, 3, 4, ENDING_LAST]
    assert all(plan.echo == ECHO_NEW and plan.source == -1 for plan in plans[-2:])
    assert plans[-1].chord == plans[-1].half_chord
    assert len({plan.key for plan in plans[-4:]}) == 1


@each_codec
def test_what_lies_further_ahead_is_as_in_a_stream_without_end(name: str) -> None:
    network = NETWORKS[name]
    endless = Composer(network, network.pool(1), 5, 0, Controls.from_dict({"form": "off"}))
    plain = compose(endless, 12)
    closed = piece(name, 5, {"form": "off"}, 12)
    assert closed[:4] == plain[:4]
    assert closed[8:] != plain[8:]
    assert all(bar.plan.ending == ENDING_FAR for bar in plain)


def test_a_hand_still_plans_the_last_bar() -> None:
    network = NETWORKS["notes"]
    composer = Composer(network, network.pool(1), 1)
    composer.close_with(3)
    composer.change(plan={3: {"chord": 9}})
    assert compose(composer, 4)[-1].plan.chord == 9


@each_codec
def test_a_rewind_and_a_snapshot_close_alike(name: str) -> None:
    network = tiny("gpt", name)
    composer = Composer(network, network.pool(1), 3)
    composer.close_with(7)
    compose(composer, 3)
    composer.commit(3)
    twin = restore(save(composer), network, network.pool(1))
    found = [as_heard(bar) for bar in compose(composer, 5)]
    bar = composer.first_open
    composer.rewind(bar)
    assert [as_heard(bar) for bar in compose(composer, 8 - bar)] == found[bar - 3 :]
    assert [as_heard(bar) for bar in compose(twin, 5)] == found


@each_codec
@pytest.mark.parametrize("length", [Length(6), Length(None, 0.3), Length(20, 0.4)])
def test_a_log_says_where_it_closes_and_closes_there_again(name: str, length: Length) -> None:
    network = NETWORKS[name]
    player: dict[str, Json] = {"expression": 1} if name == "notes" else {}
    controls = Controls.from_dict({"tempo_drift": 20, "metre": "3/4", **player})
    log = ControlLog("m", "0" * 64, 9, controls=controls)
    composer = composer_of(network, log)
    log, length = closing(composer, log, length)
    bars = list(length.of(composed_bars(composer)))
    assert log.last == bars[-1].index
    assert bars[-1].plan.ending == ENDING_LAST
    again = read(write(log))
    assert again == log
    assert list(islice(composed_bars(composer_of(network, again)), len(bars))) == bars
    # One without it was written before pieces closed, and goes on as it did.
    older = composer_of(network, replace(again, last=None))
    assert compose(older, len(bars))[-1].plan.ending != ENDING_LAST
