"""`perpetuo bench live hand --loaded`: what became of changes, and whether a replay gives back what
was heard, is judged rightly; a real server is judged by it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.files.control_log import ControlLog
from server.base.wire import WireBar, WireNote, WirePedal
from server.benches.live import under_load
from server.benches.live.change_accounts import BarPlace, Fate, Known, fate, marks
from server.benches.live.processes import at_once, busy
from server.benches.live.repeating import Compared, compare, segments
from server.benches.live.under_load_client import SentChange, SteeringRecord
from server.commands.cli import main
from server.web.outgoing import (
    Ack,
    BarMessage,
    FromServer,
    MovedMessage,
    PostponedMessage,
    State,
    SteeredMessage,
    TurnedMessage,
)
from tests.bundles import tiny_bytes

pytestmark = pytest.mark.in_time

BAR = 1_000_000  # microseconds
EARLY = 2 * BAR
NOTES = (WireNote(1, 60, 80, 0, 24, 0, 0), WireNote(2, 64, 80, 0, 24, 0, 0))


def wire_bar(index: int, revision: int = 0, mark: int = 0, **more: Any) -> WireBar:
    """The mark stands in the place of its key."""
    return WireBar(
        index, revision, 48 * index, 48, "2/4", 500_000, str(int(mark)), ("", ""), "", -1, (0,) * 8,
        NOTES, **more,
    )  # fmt: skip


def mark_of(bar: WireBar) -> int:
    return int(bar.key)


class Server:
    """Says what a server would, to a client that hears it at the time that is given."""

    def __init__(self) -> None:
        self.known, self.epoch = Known(), 0

    def says(self, message: FromServer, at: int = 0) -> None:
        self.known.take(message, at)

    def plans(self, bar: WireBar, at: int | None = None) -> None:
        due = BAR * bar.index
        heard_at = due - EARLY if at is None else at
        self.says(BarMessage(stream="s", epoch=self.epoch, due=due, bar=bar), heard_at)

    def steers(self, change: int, bar: int) -> None:
        self.says(
            SteeredMessage(stream="s", controls={}, plan={}, bar=bar, due=0, by="me", change=change)
        )

    def acknowledges(self, change: int, bar: int, id: int = 1, saved: bool = True) -> Ack:
        ack = Ack(id=id, stream="s", bar=bar, due=0, change=change, saved=saved)
        self.says(ack)
        return ack

    def postpones(self, change: int, bar: int) -> None:
        self.says(PostponedMessage(stream="s", change=change, bar=bar, due=0))

    def begins_anew(self, at: int) -> None:
        self.epoch += 1
        self.says(
            TurnedMessage(
                stream="s", state="playing", epoch=self.epoch, reason="", seed=1, model="m",
                styles=(), preset=None, controls={},
            ),
            at,
        )  # fmt: skip

    def fate(self, mark: int, change: int) -> Fate:
        heard = self.known.heard(100 * BAR)
        return fate(mark, self.known.announced[change], marks(heard, mark_of))


# -- where changes are heard -----------------------------------------------------------------------


def test_a_change_that_is_heard_in_the_bar_of_its_answer_is_as_announced() -> None:
    server = Server()
    for bar in range(6):
        server.plans(wire_bar(bar))
    server.steers(1, 3)
    server.acknowledges(1, 3)
    for bar in range(3, 6):
        server.plans(wire_bar(bar, 1, mark=1), BAR * bar - 500_000)
    assert server.known.announced[1] == [BarPlace(0, 3)]
    assert server.fate(1, 1) == Fate.AS_ANNOUNCED


@given(st.integers(1, 6), st.integers(-2, 3))
def test_a_change_must_be_heard_where_it_was_announced_last(steps: int, off: int) -> None:
    server = Server()
    for bar in range(12):
        server.plans(wire_bar(bar))
    server.steers(1, 3)
    for step in range(1, steps):
        server.postpones(1, 3 + step)
    heard_in = 3 + steps - 1 + off
    for bar in range(heard_in, 12):
        server.plans(wire_bar(bar, 1, mark=1), BAR * bar - 500_000)
    expected = Fate.POSTPONED if steps > 1 else Fate.AS_ANNOUNCED
    assert server.fate(1, 1) == (Fate.UNACCOUNTED if off else expected)


def test_an_answer_that_names_another_bar_than_the_last_word_is_noticed() -> None:
    server = Server()
    for bar in range(6):
        server.plans(wire_bar(bar, mark=bar > 3))
    server.steers(1, 3)
    server.postpones(1, 4)
    server.acknowledges(1, 3)
    assert server.fate(1, 1) == Fate.UNACCOUNTED


def test_a_change_that_is_never_heard_is_unaccounted() -> None:
    server = Server()
    for bar in range(6):
        server.plans(wire_bar(bar))
    server.steers(1, 3)
    assert server.fate(1, 1) == Fate.UNACCOUNTED


def test_a_later_change_in_the_same_bar_counts_for_the_one_before_it() -> None:
    server = Server()
    for bar in range(6):
        server.plans(wire_bar(bar, mark=2 * (bar >= 3)))
    server.steers(1, 3)
    server.steers(2, 3)
    assert server.fate(1, 1) == server.fate(2, 2) == Fate.AS_ANNOUNCED


def test_a_bridged_bar_is_composed_under_nothing() -> None:
    """However it sounds: it is made from others."""
    server = Server()
    for bar in range(3):
        server.plans(wire_bar(bar))
    server.steers(1, 3)
    server.plans(wire_bar(3, mark=1, late=True))
    server.plans(wire_bar(4, mark=1))
    assert server.fate(1, 1) == Fate.UNACCOUNTED
    server.postpones(1, 4)
    assert server.fate(1, 1) == Fate.POSTPONED


def test_a_revision_that_comes_after_its_line_is_not_heard_and_counted() -> None:
    server = Server()
    server.plans(wire_bar(3))
    server.plans(wire_bar(3, 1, mark=1), 3 * BAR + 1)
    assert mark_of(server.known.heard(3 * BAR)[BarPlace(0, 3)]) == 0
    assert server.known.too_late == 1


def test_bars_of_before_the_client_came_are_not_late() -> None:
    server = Server()
    state = State(
        stream="s", title="", station=True, epoch=0, state="playing", seed=1, model="m", styles=(),
        preset=None, controls={}, bar=1, bars=2, late_bars=0, history=(),
    )  # fmt: skip
    server.says(state)
    for bar in (1, 2):
        server.plans(wire_bar(bar), 2 * BAR + 5)
    assert server.known.too_late == 0
    server.plans(wire_bar(3), 3 * BAR + 5)
    assert server.known.too_late == 1
    assert sorted(server.known.bars) == [BarPlace(0, 1), BarPlace(0, 2), BarPlace(0, 3)]


def test_what_is_moved_begins_later() -> None:
    server = Server()
    for bar in range(5):
        server.plans(wire_bar(bar))
    server.says(MovedMessage(stream="s", bar=3, later=BAR))
    assert sorted(place.bar for place in server.known.heard(3 * BAR)) == [0, 1, 2]
    assert server.known.next_line(2 * BAR) == 4 * BAR


def test_what_is_announced_is_awaited_until_its_bar_has_begun() -> None:
    server = Server()
    server.plans(wire_bar(3))
    server.steers(1, 3)
    assert server.known.awaits(3 * BAR - 1)
    assert not server.known.awaits(3 * BAR)
    server.postpones(1, 4)
    assert server.known.awaits(9 * BAR)


def test_a_new_beginning_voids_what_was_to_come() -> None:
    server = Server()
    for bar in range(6):
        server.plans(wire_bar(bar, mark=bar >= 2))
    server.steers(1, 2)
    server.steers(2, 5)
    server.begins_anew(at=3 * BAR)
    server.plans(wire_bar(4, mark=0))
    assert server.known.void == {2}
    assert not server.known.awaits(9 * BAR)
    assert sorted(server.known.heard(9 * BAR)) == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 4)]
    assert server.fate(1, 1) == Fate.AS_ANNOUNCED


def test_every_answered_change_has_a_fate_and_those_astray_are_shown() -> None:
    server = Server()
    for bar in range(8):
        server.plans(_by_tempo(bar, mark=-1 if bar < 3 else 0 if bar < 6 else 2))
    steering = SteeringRecord("daw", server.known, until=20 * BAR)
    for mark, bar in enumerate((3, 5, 6)):  # the second one is heard a bar too late
        server.steers(mark + 1, bar)
        ack = server.acknowledges(mark + 1, bar, saved=mark > 0)
        steering.turned[mark] = SentChange(mark, 0, ack, 3000)
    steering.turned[3] = SentChange(3, 0)  # never answered
    found = under_load.figures_of([steering], [Compared(8, "")], 4, 1.0, True, _nothing_counted())
    assert (found.as_announced, found.postponed, found.unaccounted) == (2, 0, 1)
    assert (found.acknowledged, found.unsaved, found.repeated) == (3, 1, 8)
    assert found.ack == (3.0, 3.0, 3.0)
    (line,) = found.astray
    assert "change 2 with mark 1: announced in [5], marks by bar {3: 0, 4: 0, 5: 0, 6: 2" in line
    assert not found.holds


@pytest.mark.parametrize("fault", ["a change astray", "a replay that differs", "no answer", ""])
def test_it_holds_only_if_nothing_is_wrong(fault: str) -> None:
    figures = under_load.figures_of([], [], 0, 1.0, True, _nothing_counted())
    wrong: dict[str, dict[str, Any]] = {
        "a change astray": {"unaccounted": 1},
        "a replay that differs": {"differences": ("bar 3",)},
        "no answer": {"changes": 1},
        "": {},
    }
    assert replace(figures, **wrong[fault]).holds == (not fault)


def _by_tempo(bar: int, mark: int) -> WireBar:
    return msgspec.structs.replace(wire_bar(bar), tempo=under_load.quarter_of(mark))


def _nothing_counted() -> dict[str, float]:
    return dict.fromkeys(under_load.COUNTED.values(), 0.0)


# -- what is replayed ------------------------------------------------------------------------------


def music(*bars: WireBar) -> dict[BarPlace, WireBar]:
    return {BarPlace(0, bar.index): bar for bar in bars}


def test_the_same_music_is_equal_whatever_its_revisions_and_the_order_of_a_chord() -> None:
    again = msgspec.structs.replace(wire_bar(1, 4), notes=NOTES[::-1])
    assert compare(music(wire_bar(0), wire_bar(1)), music(wire_bar(0), again)) == (2, "")


@pytest.mark.parametrize(
    "other",
    [
        {"tempo": 500_001},
        {"tick": 49},
        {"metre": "3/4"},
        {"programs": (1,) * 8},
        {"notes": NOTES[:1]},
        {"pedals": (WirePedal(1, 5, 9),)},
        {"notes": (NOTES[0], msgspec.structs.replace(NOTES[1], shift=1))},
    ],
)
def test_the_first_difference_is_told(other: dict[str, Any]) -> None:
    heard = music(wire_bar(0), wire_bar(1), wire_bar(2))
    again = music(
        wire_bar(0),
        msgspec.structs.replace(wire_bar(1), **other),
        msgspec.structs.replace(wire_bar(2), **other),
    )
    (name,) = other
    assert compare(heard, again).difference.startswith(f"bar 1 of epoch 0: {name} ")


def test_a_bar_that_is_not_repeated_is_a_difference() -> None:
    assert compare(music(wire_bar(0), wire_bar(1)), music(wire_bar(0))) == (
        2,
        "bar 1 of epoch 0 is not repeated",
    )


def test_segments_of_one_epoch_follow_each_other_and_a_log_of_its_own_is_another_epoch() -> None:
    whole = ControlLog("m", "0" * 64, 1)
    logs = [
        whole,
        replace(whole, snapshot="a.stream", first=30),
        replace(whole, snapshot="b.stream", first=60),
        whole,
    ]
    found = list(segments([(Path(str(i)), log) for i, log in enumerate(logs)]))
    assert [(one.epoch, one.end) for one in found] == [(0, 30), (0, 60), (0, None), (1, None)]


# -- beside it -------------------------------------------------------------------------------------


def test_busy_loops_are_ended_whatever_happens() -> None:
    before, during = _children(), set()

    def fail() -> None:
        with busy(2):
            during.update(_children() - before)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert len(during) == 2
    assert not during & _children()


def test_real_time_priority_is_given_back() -> None:
    before = os.sched_getscheduler(0)
    with at_once() as permitted:
        assert permitted == (os.sched_getscheduler(0) != before)
    assert os.sched_getscheduler(0) == before


def _children() -> set[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for path in tasks for pid in path.read_text().split()}


# -- a real server ---------------------------------------------------------------------------------


@pytest.mark.alone  # others would have no core
def test_a_real_server_is_judged_beside_busy_loops(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the machine: each change has a fate, and the replay is equal."""
    model = tmp_path / "tiny.onnx"
    model.write_bytes(tiny_bytes("gpt"))
    words = ["hand", "--loaded", "--changes", "12", "--json"]
    code = main(["bench", "live", "--model", str(model), *words])
    out, err = capsys.readouterr()
    assert err == ""
    found = json.loads(out)["loaded"]
    assert json.loads(out)["hand"] is None
    assert found["errors"] == found["differences"] == []
    assert found["acknowledged"] == found["changes"] == 12
    fates = ("as_announced", "postponed", "unaccounted", "void")
    assert sum(found[name] for name in fates) == 12
    assert found["repeated"] > 4
    assert (code == 0) == found["holds"] == (not found["unaccounted"])
