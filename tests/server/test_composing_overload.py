"""While composing is behind it sheds work, and takes it up again when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.ensemble.ensemble import Ensemble
from server.composing.overload import LASTS, SHORT, Overload
from server.house.requests import ChangeRequest
from tests.fakes import TableNetwork
from tests.server.simulated import World


def test_fewer_bars_are_composed_ahead_for_a_while_after_the_last_that_was_behind() -> None:
    ensemble = Ensemble(TableNetwork(haste=0.5), lookahead=6)
    ensemble.join(1, 7, 1_000_000)
    strain = Overload(6)
    strain.pass_time(0, [ensemble])
    assert not strain.is_felt
    strain.behind(0, [ensemble])
    strain.behind(5_000_000, [ensemble])
    while ensemble.step(0)[1]:
        pass
    assert strain.is_felt
    assert ensemble.members[1].composer.next_bar == SHORT + 1
    strain.pass_time(LASTS, [ensemble])
    assert strain.is_felt
    strain.pass_time(5_000_000 + LASTS, [ensemble])
    while ensemble.step(0)[1]:
        pass
    assert not strain.is_felt
    assert ensemble.members[1].composer.next_bar == 7


def test_many_changes_make_few_revisions_while_composing_is_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, monkeypatch)
    station = world.station("one")
    world.pass_time(1000, composes=6)
    world.pass_time(4000)  # it is behind now
    world.turn(composes=1)
    process = world.composing.process
    assert process is not None
    assert process.strain.is_felt
    bars, before = world.house.counters.bars, station.changes
    for value in range(60):
        world.steer(station, ChangeRequest(by="me", controls={"density": value / 10}))
        world.turn(composes=1)
    made = station.changes - before
    composed = world.house.counters.bars - bars
    assert composed > 0
    assert made <= composed + 3
    world.settle()
    world.check()
    assert station.controls.density == 5.9
    world.close()
