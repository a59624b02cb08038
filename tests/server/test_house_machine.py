"""Any mixture of what can happen to a house: at every quiet point all promises hold.

A state machine draws what is asked, what fails and how long everything takes; between two quiet
points nothing is waited for, so requests, answers, bars, deaths and full disks interleave as they
like. What must hold then is in `World.check`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from common.errors import PerpetuoError
from engine.files.prompt import Prompt
from server.house.requests import (
    ChangeRequest,
    ContinueRequest,
    ModelRequest,
    PresetRequest,
    PromptRequest,
    SeedRequest,
    StartRequest,
    StopRequest,
    StreamRequest,
)
from server.house.stream import Stream
from tests.server.simulated import BRISK, World

EXAMPLES, STEPS = 40, 30
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
PEOPLE = st.sampled_from(["ann", "bob"])
PROMPT = Prompt(
    tuple((24 * i, 20, 60 + i % 5, 70, 0) for i in range(8)),
    ((0, "2/4"),),
    ((0, 250_000),),
    (0,) * 8,
)


class Listener:
    """Somebody who listens, as a session does."""

    def hear(self, stream: Stream, event: object) -> None:
        pass


class Happenings(RuleBasedStateMachine):
    """See the module."""

    monkeypatch: pytest.MonkeyPatch
    replayed = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name), self.monkeypatch)
        self.station = self.world.station("one")
        self.listeners: dict[str, Listener] = {}
        self.opening: list[Any] = []
        self.gaps = False  # in the logs: the disk was full
        self.world.pass_time(500, composes=4)

    # -- what is asked ---------------------------------------------------------------------------

    def _ask(self, which: int, request: StreamRequest) -> None:
        streams = list(self.world.house.streams.values())
        self.world.steer(streams[which % len(streams)], request)

    @rule(which=st.integers(0, 3), by=PEOPLE, value=st.sampled_from([0.5, 3, 6, 12]))
    def steer(self, which: int, by: str, value: float) -> None:
        self._ask(which, ChangeRequest(by=by, controls={"density": value}))

    @rule(which=st.integers(0, 3), by=PEOPLE, value=st.sampled_from([90, 240, 300]))
    def steer_tempo(self, which: int, by: str, value: float) -> None:
        self._ask(which, ChangeRequest(by=by, controls={"tempo": value}))

    @rule(which=st.integers(0, 3), by=PEOPLE)
    def steer_badly(self, which: int, by: str) -> None:
        self._ask(which, ChangeRequest(by=by, controls={"low_pitch": 120, "high_pitch": 20}))

    @rule(which=st.integers(0, 3), by=PEOPLE, ahead=st.integers(0, 6))
    def plan(self, which: int, by: str, ahead: int) -> None:
        bar = self.station.missing + ahead - 2
        self._ask(which, ChangeRequest(by=by, plan={max(bar, 0): {"density": 5}}))

    @rule(
        which=st.integers(0, 3),
        by=PEOPLE,
        verb=st.sampled_from(
            [StartRequest, StopRequest, ContinueRequest, StopRequest, ContinueRequest]
        ),
    )
    def transport(self, which: int, by: str, verb: Any) -> None:
        self._ask(which, verb(by=by))

    @rule(which=st.integers(0, 3), by=PEOPLE, seed=st.integers(1, 3))
    def reseed(self, which: int, by: str, seed: int) -> None:
        self._ask(which, SeedRequest(by=by, seed=seed))

    @rule(which=st.integers(0, 3), by=PEOPLE, model=st.sampled_from(["default", "lstm", "none"]))
    def load(self, which: int, by: str, model: str) -> None:
        self._ask(which, ModelRequest(by=by, model=model))

    @rule(
        which=st.integers(0, 3), by=PEOPLE, name=st.sampled_from(["calm", "busy", "other", "open"])
    )
    def preset(self, which: int, by: str, name: str) -> None:
        self._ask(which, PresetRequest(by=by, name=name))

    @rule(which=st.integers(0, 3), by=PEOPLE)
    def prompt(self, which: int, by: str) -> None:
        self._ask(which, PromptRequest(by=by, prompt=PROMPT))

    # -- who comes and goes ----------------------------------------------------------------------

    @rule(heard=st.booleans())
    def open(self, heard: bool) -> None:
        async def opened() -> None:
            try:
                stream = await self.world.house.open(seed=1, controls=BRISK, owner="ann")
            except PerpetuoError:
                return
            if heard:
                listener = self.listeners[stream.name] = Listener()
                self.world.house.listen(stream, listener)

        self.opening.append(self.world.loop.create_task(opened()))

    def _own(self, which: int) -> Stream | None:
        own = [one for one in self.world.house.streams.values() if not one.is_station]
        return own[which % len(own)] if own else None

    @rule(which=st.integers(0, 3))
    def close(self, which: int) -> None:
        stream = self._own(which)
        if stream is not None:
            self.world.loop.run(self.world.house.close(stream, "closed"))

    @rule(which=st.integers(0, 3))
    def leave(self, which: int) -> None:
        """A client is gone: in a while its stream ends."""
        stream = self._own(which)
        if stream is not None and stream.name in self.listeners:
            self.world.house.unlisten(stream, self.listeners.pop(stream.name))

    @rule(which=st.integers(0, 3))
    def return_after_a_cut(self, which: int) -> None:
        """A client whose connection was cut is there again, perhaps just in time."""
        stream = self._own(which)
        if stream is not None and stream.name not in self.listeners:
            listener = self.listeners[stream.name] = Listener()
            self.world.house.listen(stream, listener)

    # -- what fails ------------------------------------------------------------------------------

    @rule(reports=st.integers(0, 20))
    def die(self, reports: int) -> None:
        self.world.die(reports)

    @precondition(lambda self: self.world.composing.process is None)
    @rule()
    def come_back(self) -> None:
        self.world.come_back()

    @rule(which=st.integers(0, 3))
    def break_stream(self, which: int) -> None:
        self.world.composing.break_stream(which)

    @rule(count=st.integers(1, 2))
    def refuse(self, count: int) -> None:
        self.world.composing.refuses = count

    @rule(looks=st.integers(1, 40))
    def load_slowly(self, looks: int) -> None:
        if self.world.composing.process is not None:
            self.world.composing.process.models.slow = looks  # type: ignore[attr-defined]

    @rule(full=st.booleans())
    def fill_disk(self, full: bool) -> None:
        self.world.is_full = full
        self.gaps |= full

    # -- time passes -----------------------------------------------------------------------------

    @rule()
    def spin(self) -> None:
        self.world.loop.spin()

    @rule(composes=st.integers(0, 40), delivers=st.integers(0, 30))
    def turn(self, composes: int, delivers: int) -> None:
        self.world.turn(composes=composes, delivers=delivers)

    @rule(milliseconds=st.integers(10, 1500), composes=st.sampled_from([0, 0, 1, 2, 8]))
    def pass_time(self, milliseconds: int, composes: int) -> None:
        self.world.pass_time(milliseconds, composes=composes)

    @rule()
    def hang(self) -> None:
        """Composing stands still for a while: nothing is composed, nothing answered."""
        self.world.pass_time(2500, delivers=0)

    @rule()
    def quiet(self) -> None:
        self.world.settle()
        self.world.check()

    def teardown(self) -> None:
        try:
            self.world.settle()
            self.world.check()
            if not self.gaps:
                type(self).replayed += self.world.check_replay()
            self.world.close()
            assert all(not ear.sounding for ear in self.world.listening.ears.values())
            assert self.world.house.counters.promises.open == 0
        finally:
            self.folder.cleanup()


def test_whatever_happens_at_once_nothing_promised_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Happenings.monkeypatch, Happenings.replayed = monkeypatch, 0
    run_state_machine_as_test(
        Happenings,
        settings=settings(
            max_examples=EXAMPLES,
            phases=PHASES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Happenings.replayed > EXAMPLES // 2  # and not all of them had gaps
