"""What two things at once, or a busy machine, must not break: said turn by turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.house.requests import Start, Steer
from tests.server.simulated import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path, monkeypatch)
    yield world
    world.close()
    assert all(not ear.sounding for ear in world.listening.ears.values())


def test_smoke(world: World) -> None:
    station = world.station("one")
    world.pass_time(3000, composes=6)
    world.steer(station, Steer(by="me", controls={"density": 8}))
    world.pass_time(3000, composes=6)
    world.steer(station, Start(by="me"))
    world.pass_time(3000, composes=6)
    world.settle()
    world.check()
    assert station.late_bars == 0
    assert world.check_replay() == 2
