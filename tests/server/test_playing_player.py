"""The player passes everything on, survives every output, and leaves nothing sounding."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from server.playing.dispatch import Dispatch, OutputState, PortReport
from server.playing.outputs import (
    ClockStart,
    ClockStop,
    ClockTick,
    Controller,
    Event,
    NoteOff,
    NoteOn,
    Program,
    Sustain,
)
from server.playing.player import Player
from tests.server.bars import bar

ROOT = Path(__file__).parents[2]
BEGIN = 1_000_000
BAR = 1_920_000


class Recorder:
    """An output that writes down what it gets, and fails when told to."""

    def __init__(self, name: str = "recorder", *, wants_clock: bool = False) -> None:
        self.name, self.wants_clock = name, wants_clock
        self.heard: list[tuple[int, Event]] = []
        self.calls: list[str] = []
        self.broken: Exception | None = None
        self.alive = True
        self.struck, self.silenced, self.closed = (threading.Event() for _ in range(3))

    def send(self, event: Event, due: int) -> None:
        if self.broken is not None:
            raise self.broken
        self.heard.append((due, event))
        if isinstance(event, NoteOn):
            self.struck.set()

    def silence(self) -> None:
        self.calls.append("silence")
        self.silenced.set()

    def is_alive(self) -> bool:
        return self.alive

    def revive(self) -> bool:
        self.broken, self.alive = None, True
        return True

    def close(self) -> None:
        self.calls.append("close")
        self.closed.set()

    def notes(self) -> list[tuple[str, int]]:
        return [
            ("on" if isinstance(event, NoteOn) else "off", event.pitch)
            for _, event in self.heard
            if isinstance(event, NoteOn | NoteOff)
        ]

    def of(self, *kinds: type) -> list[Event]:
        return [event for _, event in self.heard if isinstance(event, kinds)]


class Stage:
    """A dispatch on a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0
        self.reports: list[PortReport] = []
        self.dispatch = Dispatch(lambda: self.now, self.reports.append)

    def add(self, *outputs: Recorder, stream: str = "study", offset: int = 0) -> list[OutputState]:
        outlets = [OutputState(stream, output) for output in outputs]
        self.dispatch.add(stream, outlets, offset)
        return outlets

    def play_until(self, time: int, late: int = 0) -> None:
        while (due := self.dispatch.step()) is not None and due <= time:
            self.now = max(self.now, due) + late
        self.now = time
        self.dispatch.step()


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_all_outputs_of_a_stream_hear_it_and_others_do_not(stage: Stage) -> None:
    first, second, other = Recorder(), Recorder(), Recorder()
    stage.add(first, second)
    stage.add(other, stream="radio")
    stage.dispatch.offer("study", 0, 0, BEGIN, bar(0, [(1, 60, 0, 24)]))
    stage.play_until(BEGIN + BAR)
    assert first.heard == second.heard
    assert first.notes() == [("on", 60), ("off", 60)]
    assert other.heard == []


def test_an_offset_moves_everything_on_its_outputs(stage: Stage) -> None:
    plain, early = Recorder(), Recorder()
    stage.add(plain)
    stage.add(early, offset=-250_000)
    stage.dispatch.offer("study", 0, 0, BEGIN, bar(0, [(1, 60, 0, 24)]))
    stage.play_until(BEGIN + BAR)
    assert [(due - 250_000, event) for due, event in plain.heard] == early.heard


def test_lateness_is_recorded(stage: Stage) -> None:
    stage.add(Recorder())
    stage.dispatch.offer("study", 0, 0, BEGIN, bar(0, [(1, 60, 0, 24)]))
    stage.play_until(BEGIN + BAR, late=700)
    assert stage.dispatch.lateness.max == 700
    assert stage.dispatch.lateness.count == 11  # 8 programs, the bar line, a note and its end


def test_only_those_who_want_it_get_the_clock(stage: Stage) -> None:
    with_clock, without = Recorder(wants_clock=True), Recorder()
    stage.add(with_clock, without)
    stage.dispatch.offer("study", 0, 0, BEGIN, bar(0))
    stage.play_until(BEGIN + BAR)
    assert with_clock.of(ClockStart, ClockStop) == [ClockStart(0), ClockStop()]
    assert len(with_clock.of(ClockTick)) == 96
    assert without.of(ClockStart, ClockStop, ClockTick) == []


@pytest.mark.parametrize("error", [OSError("unplugged"), ValueError("a fault")])
def test_an_output_that_fails_is_left_out_and_reported(
    stage: Stage, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Recorder("bad", wants_clock=True), Recorder("good")
    outlet, _ = stage.add(bad, good)
    for index in range(2):
        planned = bar(index, [(1, 60, 0, 24)], programs=(7,) * 8)
        stage.dispatch.offer("study", index, 0, BEGIN + index * BAR, planned)
    bad.broken = error
    stage.play_until(BEGIN)
    assert [(r.output, r.alive) for r in stage.reports] == [("bad", False)]
    assert "bad is gone" in caplog.text
    bad.broken = None
    stage.play_until(BEGIN + BAR // 2)
    assert bad.heard == []
    stage.dispatch.found(outlet)
    assert bad.calls == ["silence"]
    assert [event for _, event in bad.heard] == [Program(part, 7) for part in range(1, 9)]
    stage.play_until(BEGIN + 2 * BAR)
    assert [(r.output, r.alive) for r in stage.reports] == [("bad", False), ("bad", True)]
    assert bad.notes() == [("on", 60), ("off", 60)]
    assert bad.of(ClockStart) == [ClockStart(54)]  # the next sixteenth
    assert good.notes() == [("on", 60), ("off", 60)] * 2


def test_an_output_that_is_there_again_is_told_the_controllers(stage: Stage) -> None:
    bad, good = Recorder("bad"), Recorder()
    (outlet, _) = stage.add(bad, good)
    turned = [(1, 7, 110), (2, 10, 32)]
    for index in range(2):
        music = bar(index, [(1, 60, 0, 24)], controllers=turned)
        stage.dispatch.offer("study", index, 0, BEGIN + index * BAR, music)
    bad.broken = OSError("gone")
    stage.play_until(BEGIN + BAR // 2)
    bad.broken = None
    stage.dispatch.found(outlet)
    assert bad.of(Controller) == [Controller(1, 7, 110), Controller(2, 10, 32)]
    stage.play_until(BEGIN + 2 * BAR)
    assert len(bad.of(Controller)) == len(good.of(Controller)) == 2


def test_a_report_that_nobody_can_take_disturbs_nothing(stage: Stage) -> None:
    def closed(report: PortReport) -> None:
        raise RuntimeError("the loop is closed")

    stage.dispatch = Dispatch(lambda: stage.now, closed)
    bad, good = Recorder(), Recorder()
    stage.add(bad, good)
    bad.broken = OSError("gone")
    stage.dispatch.offer("study", 0, 0, BEGIN, bar(0, [(1, 60, 0, 24)]))
    stage.play_until(BEGIN + BAR)
    assert good.notes() == [("on", 60), ("off", 60)]


def test_a_fault_in_one_stream_leaves_the_others_playing(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    ill, well = Recorder(), Recorder()
    stage.add(ill, stream="ill")
    stage.add(well)
    broken = bar(0, [(1, 60, 0, 24)], programs=None)  # type: ignore[arg-type]
    stage.dispatch.offer("ill", 0, 0, BEGIN, broken)
    stage.dispatch.offer("study", 0, 0, BEGIN, bar(0, [(1, 60, 0, 24)]))
    stage.play_until(BEGIN + BAR)
    assert stage.dispatch.faults == 1
    assert "ill: a fault of ours" in caplog.text
    assert ill.calls == ["silence"]
    stage.dispatch.offer("ill", 1, 0, BEGIN + BAR, bar(1, [(1, 62, 0, 24)]))
    stage.play_until(BEGIN + 2 * BAR)
    assert ill.notes() == [("on", 62), ("off", 62)]
    assert well.notes() == [("on", 60), ("off", 60)]


@pytest.mark.parametrize("end", ["remove", "close", "stop"])
def test_on_any_end_what_sounds_is_ended(stage: Stage, end: str) -> None:
    output = Recorder(wants_clock=True)
    stage.add(output)
    pressed = bar(0, [(1, 60, 0, 96)], pedals=[(1, 0, 96)])
    stage.dispatch.offer("study", 0, 0, BEGIN, pressed)
    stage.play_until(BEGIN)
    assert output.of(Sustain) == [Sustain(1, down=True)]
    getattr(stage.dispatch, end)(*([] if end == "close" else ["study"]))
    ended = [event for _, event in output.heard][-3:]
    assert ended == [NoteOff(1, 60), Sustain(1, down=False), ClockStop()]
    assert output.calls == ([] if end == "stop" else ["silence", "close"])
    stage.play_until(BEGIN + BAR)
    assert output.notes() == [("on", 60), ("off", 60)]


def test_a_panic_uses_all_means_and_the_music_goes_on(stage: Stage) -> None:
    output = Recorder()
    stage.add(output)
    stage.dispatch.offer("study", 0, 0, BEGIN, bar(0, [(1, 60, 0, 96), (1, 64, 48, 24)]))
    stage.play_until(BEGIN)
    stage.dispatch.panic("study")
    assert output.notes() == [("on", 60), ("off", 60)]
    assert output.calls == ["silence"]
    stage.play_until(BEGIN + BAR)
    assert output.notes()[2:] == [("on", 64), ("off", 64)]


def test_what_was_removed_is_not_taken_up_again(stage: Stage) -> None:
    output = Recorder()
    (outlet,) = stage.add(output)
    stage.dispatch.lost(outlet, "it vanished")
    stage.dispatch.remove("study")
    stage.dispatch.found(outlet)
    assert output.calls == ["close", "close"]
    assert output.heard == []


def test_an_output_that_two_streams_share_is_closed_after_the_last(stage: Stage) -> None:
    output = Recorder()
    stage.add(output)
    stage.add(output, stream="radio")
    stage.dispatch.offer("study", 0, 0, BEGIN, bar(0, [(1, 60, 0, 96)]))
    stage.play_until(BEGIN)
    stage.dispatch.remove("study")
    assert output.notes() == [("on", 60), ("off", 60)]
    assert output.calls == []
    stage.dispatch.remove("radio")
    assert output.calls == ["silence", "close"]


# -- the threads -----------------------------------------------------------------------------------


def playing(player: Player, output: Recorder) -> None:
    """A bar that lasts for hours, whose first note is struck at once."""
    player.add("study", [output])
    player.start()
    now = player._clock()
    player.offer("study", 0, 0, now, bar(0, [(1, 60, 0, 96)], tempo=10**10))
    assert output.struck.wait(10)


def test_the_thread_plays_and_close_ends_everything() -> None:
    player, output = Player(), Recorder()
    playing(player, output)
    assert output.notes() == [("on", 60)]
    player.close()
    assert output.notes() == [("on", 60), ("off", 60)]
    assert output.closed.is_set()
    assert not player._thread.is_alive()
    assert player.lateness.count > 0


def test_orders_are_obeyed_in_order() -> None:
    player, output = Player(), Recorder()
    playing(player, output)
    player.stop("study")
    player.restart("study")
    player.send_now("study", NoteOn(2, 50, 99, 0))
    player.panic("study")
    player.remove("study")
    assert output.closed.wait(10)
    player.close()
    assert output.notes() == [("on", 60), ("off", 60), ("on", 50), ("off", 50)]
    assert output.calls == ["silence", "silence", "close"]
    assert player.outputs() == []


def test_a_vanished_output_is_noticed_and_taken_up_again() -> None:
    noticed: list[bool] = []
    gone, back = threading.Event(), threading.Event()

    def report(change: PortReport) -> None:
        noticed.append(change.alive)
        (back if change.alive else gone).set()

    player, output = Player(report), Recorder()
    playing(player, output)
    output.alive = False
    assert gone.wait(10)
    assert back.wait(10)
    assert player.outputs() == [("study", "recorder", True)]
    player.close()
    assert noticed == [False, True]


def test_an_order_that_fails_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    player, output = Player(), Recorder()
    player.offer("study", "zero", 0, 0, None)  # type: ignore[arg-type]
    player.add("study", [output])
    player.offer("study", 0, 0, 0, None)  # type: ignore[arg-type]
    playing(player, output)
    player.close()
    assert "a fault of ours" in caplog.text
    assert player.faults == 1


FORGETFUL = """
import time
from server.playing.outputs import NoteOff, NoteOn
from server.playing.player import Player
from tests.server.bars import bar
from tests.server.test_playing_player import Recorder, playing

class Printer(Recorder):
    def send(self, event, due):
        super().send(event, due)
        if isinstance(event, NoteOn | NoteOff):
            print(type(event).__name__, event.pitch, flush=True)

playing(Player(), Printer())
"""


def test_a_program_that_forgets_to_close_leaves_nothing_sounding() -> None:
    words = [sys.executable, "-c", FORGETFUL]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["NoteOn", "60", "NoteOff", "60"]


@pytest.mark.parametrize(
    ("refusal", "granted", "said"),
    [
        (None, True, "with real-time priority"),
        (PermissionError(), False, "permit it with 'ulimit -r"),
        (AttributeError(), False, "this system has no such thing"),
    ],
)
def test_priority_is_asked_for_and_the_answer_logged(
    refusal: Exception | None,
    granted: bool,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked: list[int] = []

    def scheduler(thread: int, policy: int, parameters: object) -> None:
        asked.append(thread)
        if refusal is not None:
            raise refusal

    for name, value in {"SCHED_FIFO": 1, "SCHED_RESET_ON_FORK": 1 << 30}.items():
        monkeypatch.setattr(os, name, value, raising=False)
    monkeypatch.setattr(os, "sched_param", lambda priority: priority, raising=False)
    monkeypatch.setattr(os, "sched_setscheduler", scheduler, raising=False)
    caplog.set_level("INFO")
    player, output = Player(), Recorder()
    playing(player, output)
    player.close()
    assert player.real_time == granted
    assert said in caplog.text
    assert asked == [player._thread.native_id]
