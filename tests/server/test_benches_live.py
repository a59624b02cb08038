"""`perpetuo bench live`: what it counts is counted rightly, and real servers can be measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.music.time import microseconds_per_quarter, quarters_per_minute
from server.base.clock import Clock, monotonic_us, seconds_until
from server.benches.live import starting, steering, streams
from server.benches.live.bar_ledger import TIGHT, Arrival, Ledger, percentiles
from server.benches.live.jack import ReceivedNote
from server.benches.live.judging import PROMISED, AcknowledgedChange, ArrivedBar, heard, judge
from server.benches.live.strike_lateness import compare
from server.commands.cli import main
from tests.bundles import tiny_bytes

pytestmark = pytest.mark.in_time

BAR = 500_000
SOON = 100_000


def arrival(bar: int, revision: int = 0, margin: int = SOON, epoch: int = 0) -> Arrival:
    due = BAR * bar
    return Arrival(epoch, bar, revision, due, BAR, False, due - margin)


def ledger_of(arrivals: list[Arrival]) -> Ledger:
    ledger = Ledger()
    for one in arrivals:
        ledger.take(one)
    return ledger


# -- the ledger ------------------------------------------------------------------------------------


@given(
    st.integers(0, 1000),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=20),
)
def test_bars_in_order_with_their_revisions_have_no_gap_and_no_double(
    first: int, rewinds: list[tuple[int, int]]
) -> None:
    arrivals, newest = [arrival(first)], first
    versions = {first: 0}
    for back, on in rewinds:
        begin = max(first, newest - back)
        newest = max(newest, begin + on)
        for bar in range(begin, newest + 1):
            versions[bar] = versions.get(bar, -1) + 1
            arrivals.append(arrival(bar, versions[bar]))
    found = ledger_of(arrivals).found
    assert (found["gaps"], found["doubles"]) == (0, 0)
    assert found["bars"] == len(arrivals)


@given(st.sets(st.integers(1, 48)), st.lists(st.integers(0, 49)))
def test_every_bar_that_is_left_out_is_a_gap_and_every_repetition_a_double(
    lost: set[int], repeated: list[int]
) -> None:
    bars = [bar for bar in range(50) if bar not in lost]
    again = [bar for bar in repeated if bar not in lost]
    found = ledger_of([arrival(bar) for bar in bars + again]).found
    assert found["gaps"] == len(lost)
    assert found["doubles"] == len(again)


@given(st.lists(st.integers(-3 * TIGHT, 3 * TIGHT)))
def test_what_comes_after_its_line_is_late_and_what_comes_close_to_it_tight(
    margins: list[int],
) -> None:
    ledger = ledger_of([arrival(bar, margin=margin) for bar, margin in enumerate(margins)])
    assert ledger.found["late"] == sum(margin < 0 for margin in margins)
    assert ledger.found["late"] + ledger.found["tight"] == sum(m < TIGHT for m in margins)
    assert ledger.margins == margins


def test_a_stream_that_begins_anew_has_its_first_bars_again() -> None:
    again = [arrival(bar, epoch=1) for bar in range(3)]
    ledger = ledger_of([*(arrival(bar) for bar in range(5)), *again])
    assert (ledger.found["gaps"], ledger.found["doubles"]) == (0, 0)


def test_counting_begins_anew_but_remembers_what_is_held() -> None:
    ledger = ledger_of([arrival(0), arrival(2)])
    ledger.begin()
    assert not ledger.found["gaps"]
    ledger.take(arrival(2))
    ledger.take(arrival(4))
    assert (ledger.found["bars"], ledger.found["gaps"], ledger.found["doubles"]) == (2, 1, 1)


def test_a_stream_is_silent_when_all_that_came_has_sounded() -> None:
    ledger = ledger_of([arrival(0), arrival(1)])
    assert not ledger.is_silent(2 * BAR)
    assert ledger.is_silent(2 * BAR + 1)
    assert Ledger().is_silent(0)


@given(st.lists(st.integers(), min_size=1), st.floats(0, 100))
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(
    values: list[int], percent: float
) -> None:
    (found,) = percentiles(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * percent / 100
    assert sum(value < found for value in values) <= max(0, len(values) * percent / 100)
    assert percentiles([], 50, 99) == [None, None]


# -- hand to ear -----------------------------------------------------------------------------------


def stream_that_obeys(
    moments: list[int], horizon: int
) -> tuple[list[AcknowledgedChange], list[ArrivedBar]]:
    """Bars as a server sends them that puts each change into the first bar whose line is at least
    `horizon` away."""
    bars = range(max(moments) // BAR + 10)
    arrivals = [ArrivedBar(bar, 0, BAR * bar, 0, -1) for bar in bars]
    sent = []
    for number, at in enumerate(moments):
        first = -(-(at + horizon) // BAR)
        sent.append(AcknowledgedChange(at, at + 1000, first))
        arrivals += [
            ArrivedBar(bar, number + 1, BAR * bar, at + 2000, number)
            for bar in bars
            if bar >= first
        ]
    return sent, arrivals


moments = st.lists(st.integers(0, 20 * BAR), min_size=1, max_size=20).map(sorted)


@given(moments, st.integers(10_000, PROMISED))
def test_a_server_with_a_short_horizon_keeps_what_is_promised(
    times: list[int], horizon: int
) -> None:
    sent, arrivals = stream_that_obeys(times, horizon)
    bars = heard(arrivals)
    for number, one in enumerate(sent):
        verdict = judge(number, one, bars)
        assert verdict is not None
        assert verdict.kept
        assert verdict.margin >= 0
        later = any(other.bar == one.bar for other in sent[number + 1 :])
        assert verdict.told_true or later
        assert horizon <= verdict.to_ear <= horizon + BAR


@given(moments)
def test_a_bar_too_late_is_noticed(times: list[int]) -> None:
    sent, arrivals = stream_that_obeys(times, PROMISED + BAR)
    bars = heard(arrivals)
    verdict = judge(len(sent) - 1, sent[-1], bars)
    assert verdict is not None
    assert not verdict.kept
    wrong = judge(len(sent) - 1, sent[-1]._replace(bar=sent[-1].bar - 1), bars)
    assert wrong is not None
    assert not wrong.told_true


def test_a_revision_that_comes_after_its_line_is_not_heard() -> None:
    planned, late = ArrivedBar(3, 0, 3 * BAR, 0, -1), ArrivedBar(3, 1, 3 * BAR, 3 * BAR + 1, 0)
    assert heard([planned, late]) == {3: planned}
    assert judge(0, AcknowledgedChange(0, 0, 3), heard([planned, late])) is None


@given(st.integers(-1, steering.MOST_CHANGES - 1))
def test_a_tempo_tells_the_change_that_it_marks(change: int) -> None:
    tempo = quarters_per_minute(steering.quarter_of(change))
    assert 20 <= tempo <= 300
    assert steering.change_of(microseconds_per_quarter(tempo)) == change


# -- notes over JACK -------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(60, 62), st.integers(0, 9000), st.booleans()),
        max_size=40,
    )
)
def test_every_note_is_found_again_however_late(
    notes: list[tuple[int, int, int, bool]],
) -> None:
    planned = [
        ReceivedNote(i * 20_000, channel, pitch) for i, (channel, pitch, _, _) in enumerate(notes)
    ]
    came = [
        note._replace(at=note.at + late)
        for note, (_, _, late, is_lost) in zip(planned, notes, strict=True)
        if not is_lost
    ]
    found = compare(planned, came)
    assert len(found.lateness) + found.missing == len(notes)
    assert found.missing >= sum(is_lost for *_, is_lost in notes)
    if not any(is_lost for *_, is_lost in notes):
        assert sorted(found.lateness) == sorted(late for _, _, late, _ in notes)


# -- the search ------------------------------------------------------------------------------------


@given(st.integers(0, 4000), st.integers(1, 500))
def test_the_search_comes_near_to_the_limit_from_below(limit: int, first: int) -> None:
    tried: list[int] = []

    def holds(count: int) -> bool:
        tried.append(count)
        return count <= limit

    found = streams.search(holds, first, 4000)
    assert found <= limit
    assert limit - found <= max(1, streams.NEAR * found)
    assert len(tried) == len(set(tried)) <= 20


@pytest.mark.parametrize(
    ("faults", "shares", "words"),
    [
        ({}, (0.9, 0.95, 0.1, 0.0), "none"),
        ({"not let in": 3}, (0.2, 0.2, 0.1, 0.0), "admission: no room"),
        ({"late": 1}, (0.2, 0.95, 0.1, 0.0), "composing"),
        ({"late": 1}, (0.93, 0.5, 0.1, 0.0), "the event loop"),
        ({"late": 1}, (0.3, 0.4, 0.95, 0.0), "the bench's own clients"),
        ({"late": 1}, (0.6, 0.7, 0.6, 0.0), "the machine"),
        ({"late": 1}, (0.3, 0.6, 0.1, 0.9), "other work on the machine"),
        ({"late": 1}, (0.1, 0.2, 0.1, 0.1), "none of the processes"),
    ],
)
def test_the_limit_is_what_is_used_up(
    faults: dict[str, int], shares: tuple[float, float, float, float], words: str
) -> None:
    found = streams.limit_of(faults, "no room", streams.Shares(*shares), cores=2)
    assert found.startswith(words)


# -- the clock -------------------------------------------------------------------------------------


def test_a_clock_of_speed_1_is_the_machines() -> None:
    before, now, after = monotonic_us(), Clock()(), monotonic_us()
    assert before <= now <= after


@given(st.integers(1, 100))
def test_a_faster_clock_begins_with_the_machines_and_waits_less(speed: int) -> None:
    origin = monotonic_us()
    clock = Clock(speed, origin)
    passed, most = clock() - origin, monotonic_us() - origin
    assert 0 <= passed <= most * speed
    assert Clock(speed, origin)() >= origin + passed
    assert seconds_until(0, clock) == 0
    assert seconds_until(clock() + speed * 1_000_000, clock) <= 1.0
    assert seconds_until(2_000_000, lambda: 500_000) == 1.5


# -- real servers ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(tiny_bytes("gpt"))
    return path


def test_streams_and_a_hand_are_measured(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steering, "AFTERWARDS", 1.5)
    words = ["streams", "hand", "--streams", "3", "--seconds", "1", "--changes", "6", "--json"]
    assert main(["bench", "live", "--model", str(model), *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found = json.loads(out)
    (row,) = found["streams"]
    assert row["opened"]["streams"] == row["streams"] == 3
    assert row["counted"]["errors"] == {}
    assert row["counted"]["found"].get("gaps", 0) == row["counted"]["found"].get("doubles", 0) == 0
    assert row["holds"] == (not row["faults"])
    assert min(row["serving_bytes"], row["composing_bytes"]) > 1_000_000
    assert min(row["shares"].values()) >= 0
    turned = found["hand"]
    assert turned["errors"] == []
    assert turned["changes"] == turned["judged"] == 6
    assert found["machine"]["cores"] >= 1
    assert [found[part] for part in ("dispatch", "start", "soak", "most")] == [[], None, None, None]


def test_start_and_soak_are_measured_and_shown(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "STARTS", 1)
    monkeypatch.setattr(starting, "PLAYED", 0.0)
    words = ["start", "soak", "--seconds", "2"]
    assert main(["bench", "live", "--model", str(model), *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = [line.strip() for line in out.splitlines()]
    assert all(len(line) <= 100 for line in lines)
    assert any(line.startswith("first note due") for line in lines)
    assert any(line.startswith("grown") and line.endswith("MB") for line in lines)


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (["stream"], 1, "did you mean 'streams'?"),
        (["--seconds", "0"], 2, "seconds, 1 or more"),
        (["--changes", "5000"], 2, "4000 at most"),
        (["--streams", "1,8"], 2, "whole number from 1"),
        (["--model", "missing.onnx"], 1, "missing.onnx does not exist"),
    ],
)
def test_whatever_is_wrong_is_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], code: int, complaint: str
) -> None:
    assert main(["bench", "live", *words]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert complaint in err
