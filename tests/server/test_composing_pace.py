"""What the composing process knows of its own speed and work, and where it keeps streams."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.composing.load_meter import EVERY, LoadMeter
from server.composing.pace import FEW, MANY, measure, pace_of
from server.composing.server_connection import Waker
from server.composing.snapshots import SnapshotWriter, StreamSnapshot, snapshot_name
from tests.bundles import tiny


def test_many_are_stepped_together_only_where_that_is_worth_it() -> None:
    assert pace_of(0.001, {8: 0.004, 32: 0.014}).rows == 8
    assert pace_of(0.001, {8: 0.004, 32: 0.008}).rows == 32


def test_a_pace_tells_what_it_was_made_from() -> None:
    pace = pace_of(0.001, {8: 0.0045})
    assert pace.seconds(1) == pytest.approx(0.001)
    assert pace.seconds(8) == pytest.approx(0.0045)
    assert pace.speed == pytest.approx(8 / 0.0045)


@given(st.floats(1e-4, 1e-1), st.floats(1e-4, 1e-1), st.integers(1, 64))
def test_whatever_was_measured_time_passes(alone: float, together: float, rows: int) -> None:
    pace = pace_of(alone, {8: together})
    assert 0 < pace.seconds(rows) < pace.seconds(rows + 1)


@given(
    st.lists(st.integers(1, 8), min_size=300, max_size=400),
    st.floats(0.2, 5),
)
def test_a_slower_machine_is_noticed_whatever_the_rows(rows: list[int], slower: float) -> None:
    pace = pace_of(0.002, {8: 0.009})
    speeds = [pace.took(slower * pace.seconds(count), count) for count in rows]
    told = [speed for speed in speeds if speed is not None]
    assert told == pytest.approx([pace.speed / slower] * len(told))
    assert told or slower < 1


def test_a_network_is_measured() -> None:
    pace = measure(tiny("gpt"))
    assert pace.rows in (FEW, MANY)
    assert pace.speed > 0
    assert measure(tiny("lstm"), 5).rows == 5


def test_a_load_counts_since_the_start_and_is_busy_since_the_last() -> None:
    meter = LoadMeter(1_000)
    assert meter.due == 1_000 + EVERY
    meter.composed(7)
    meter.composed(3)
    meter.worked(0.25)
    meter.left({"looping_bars": 2, "surprise": 1.5})
    load = meter.load(meter.due, 1, 8.0, 3.0, [{"looping_bars": 1, "silent_bars": 4}])
    assert (load.notes, load.bars, load.busy) == (10, 2, 0.25)
    assert load.guards == {"looping_bars": 3, "silent_bars": 4}
    assert load.memory > 1_000_000
    again = meter.load(meter.due, 0, 8.0, 0.0, [])
    assert (again.notes, again.busy, again.guards) == (10, 0.0, {"looping_bars": 2})


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_every_stream_has_a_file_of_its_own_in_the_folder(one: str, other: str) -> None:
    if any(0xD800 <= ord(sign) < 0xE000 for sign in one + other):
        return
    assert (snapshot_name(one) == snapshot_name(other)) == (one == other)
    assert os.sep not in snapshot_name(one)
    assert Path(snapshot_name(one)).name == snapshot_name(one)


def test_what_is_kept_is_written_whole_in_order_and_told(tmp_path: Path) -> None:
    waker = Waker()
    writer = SnapshotWriter(waker)
    for number, data in enumerate((b"old", b"new")):
        writer.keep(StreamSnapshot(number, 5, number, tmp_path / "a.stream", data))
    writer.keep(StreamSnapshot(2, 5, 2, tmp_path / "gone" / "a.stream", b""))
    writer.close()
    written = writer.written()
    assert [(w.snapshot.request, bool(w.failure)) for w in written] == [
        (0, False),
        (1, False),
        (2, True),
    ]
    assert "No such file" in written[2].failure
    assert waker.socket.recv(9) == b"!!!"
    waker.close()
    assert (tmp_path / "a.stream").read_bytes() == b"new"
    assert writer.waiting == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.stream"]
