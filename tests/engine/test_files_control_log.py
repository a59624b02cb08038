"""Laws of the control log: what is written is read, and nothing else than a log or its error."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from control_strategies import control_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import LogError
from engine.controls.controls import Controls
from engine.files.control_log import (
    MAX_BAR,
    MAX_LINE,
    MAX_SEED,
    MAX_STREAM,
    ControlLog,
    LoggedChange,
    change_line,
    end_line,
    header_line,
    late_line,
    read,
    write,
)
from engine.files.prompt import Prompt
from engine.music.score import NOTE, Score, note_order
from engine.music.time import Metre

SHA = "0123456789abcdef" * 4
HEADER = header_line(ControlLog("m", SHA, 7))

prompts = st.builds(
    Prompt,
    st.lists(
        st.tuples(*(st.integers(a, b) for a, b in ((0, 999), (1, 99), (0, 127), (0, 127), (0, 7))))
    ).map(tuple),
    st.sampled_from([((0, "4/4"),), ((0, "3/4"), (72, "6/8"))]),
    st.sampled_from([((0, 500_000),), ((0, 400_000), (5, 24))]),
    st.tuples(*[st.integers(0, 127)] * 8),
)
edits = st.dictionaries(
    st.integers(0, 99),
    st.fixed_dictionaries({}, optional={"chord": st.integers(0, 73), "echo": st.integers(0, 4)})
    .map(lambda values: values or {"source": -1}),
    max_size=3,
)  # fmt: skip


@st.composite
def logs(draw: st.DrawFn) -> ControlLog:
    changes = []
    snapshot = draw(st.sampled_from([None, "a.stream", "Übung 3 (b).stream"]))
    first = bar = draw(st.integers(0, 99)) if snapshot else 0
    for _ in range(draw(st.integers(0, 4))):
        bar += draw(st.integers(0, 5))
        # The range stays as it is, so that every order of changes is valid.
        values = {k: v for k, v in draw(control_settings()).items() if not k.endswith("_pitch")}
        plan = draw(edits)
        changes.append(
            LoggedChange(bar, Controls.from_dict(values).as_dict() or {"swing": 0.5}, plan)
        )
    return ControlLog(
        draw(st.text(st.characters(categories=["L", "N"]), max_size=9)),
        SHA,
        draw(st.integers(0, MAX_SEED)),
        draw(st.integers(0, MAX_STREAM)),
        draw(st.none() | st.integers(0, MAX_BAR)),
        Controls.from_dict(draw(control_settings())),
        draw(st.none() | prompts),
        tuple(changes),
        draw(st.none() | st.integers(bar, MAX_BAR)),
        late=tuple(sorted(draw(st.sets(st.integers(first, 200), max_size=3)))),
        snapshot=snapshot,
        first=first,
        last=draw(st.none() | st.integers(first, MAX_BAR)),
    )


@settings(max_examples=50)
@given(logs())
def test_what_is_written_is_read(log: ControlLog) -> None:
    assert read(write(log)) == log


@settings(max_examples=50)
@given(logs(), st.data())
def test_a_log_cut_anywhere_is_read_up_to_there(log: ControlLog, data: st.DataObject) -> None:
    whole = write(log)
    at = data.draw(st.integers(whole.index(b"\n"), len(whole)))
    found = read(whole[:at])
    # Where each line ends; one that lacks nothing but its newline is whole.
    ends = [i for i, byte in enumerate(whole) if byte == ord("\n")]
    complete = sum(end <= at for end in ends)
    assert found.changes == log.changes[: complete - 1]
    assert found.cut == (at > ends[complete - 1] + 1)
    assert found.end == (log.end if complete == len(ends) else None)


def test_a_log_written_line_by_line_equals_the_whole() -> None:
    changes = (
        LoggedChange(3, {"density": 4.0}),
        LoggedChange(3, {}, {9: {"chord": 5, "source": 2}}),
    )
    log = ControlLog("m", SHA, 7, changes=changes, end=12)
    assert write(log) == HEADER + b"".join(map(change_line, changes)) + end_line(12)
    assert write(replace(log, end=None)) == HEADER + b"".join(map(change_line, changes))


def test_late_bars_may_stand_anywhere_and_are_read_in_order() -> None:
    lines = (
        late_line(7),
        change_line(LoggedChange(3, {"density": 4.0})),
        late_line(9, 4),
        late_line(7),
    )
    log = read(HEADER + b"".join(lines) + end_line(12))
    assert log.late == (4, 7, 9)
    assert log.changes == (LoggedChange(3, {"density": 4.0}),)


def test_a_log_without_a_snapshot_says_nothing_of_it() -> None:
    assert b"snapshot" not in HEADER
    assert b"late" not in write(ControlLog("m", SHA, 7, end=3))


def test_a_segment_begins_at_the_bar_of_its_snapshot() -> None:
    header = header_line(ControlLog("m", SHA, 7, snapshot="a.stream", first=40))
    assert read(header + change_line(LoggedChange(40, {"density": 4.0}))).first == 40
    for line in (b'{"bar":39,"set":{"density":4.0}}\n', late_line(39), b'{"end":39}\n'):
        assert "line 2" in refusal_of(header + line)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "c:a", "a\\b", "a\n", 3, "x" * 201])
def test_a_snapshot_lies_beside_its_log_and_nowhere_else(name: object) -> None:
    content = json.loads(HEADER) | {"snapshot": name, "from": 3}
    assert "beside the log" in refusal_of(json.dumps(content).encode() + b"\n")


@pytest.mark.parametrize(
    "late", ["[]", "3", "[-1]", "[1.5]", "[true]", '["3"]', "[99999999999999]"]
)
def test_late_bars_are_bars(late: str) -> None:
    assert "late must be a list of bars" in refusal_of(HEADER + b'{"late":%b}\n' % late.encode())


def refusal_of(data: bytes) -> str:
    """Why these bytes are no log; empty if they are one, which then survives being written."""
    try:
        log = read(data)
    except LogError as error:
        return str(error)
    whole = replace(log, cut=False)
    assert read(write(whole)) == whole
    return ""


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_log_or_a_log_error(data: bytes) -> None:
    for text in (data, HEADER + data):
        assert len(refusal_of(text)) < 1500


@settings(max_examples=100)
@given(logs(), st.data())
def test_a_damaged_log_is_a_log_or_a_log_error(log: ControlLog, data: st.DataObject) -> None:
    damaged = bytearray(write(log))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged)))
        until = at + data.draw(st.integers(0, 3))
        damaged[at:until] = data.draw(st.binary(max_size=3) | st.sampled_from([b"9" * 30, b"[]"]))
    assert len(refusal_of(bytes(damaged))) < 1500


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(max_examples=200)
@given(st.sampled_from(sorted(json.loads(HEADER))), json_values)
def test_any_value_in_the_header_is_read_or_refused(name: str, value: object) -> None:
    line = json.dumps(json.loads(HEADER) | {name: value}).encode() + b"\n"
    refusal = refusal_of(line)
    assert not refusal or refusal.startswith("control log, line 1: ")


@settings(max_examples=200)
@given(st.sampled_from(["bar", "set", "plan", "end", "sett"]), json_values)
def test_any_value_in_a_change_is_read_or_refused(name: str, value: object) -> None:
    line = json.dumps({"bar": 1, name: value}).encode() + b"\n"
    refusal = refusal_of(HEADER + line)
    assert not refusal or refusal.startswith("control log, line 2: ")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"[1]", "no object"),
        (b"", "no JSON object"),
        (b'{"bar":1,"set":{"swing":NaN}}', "no JSON object"),
        (b'{"bar":1,"bar":2,"set":{"swing":1}}', "no JSON object"),
        (b'{"bar":1,"set":' + b"[" * 100_000, "no JSON object"),
        (b'{"bar":' + b"9" * 5000 + b',"set":{"swing":1}}', "no JSON object"),
        (b"\xff\xfe", "no JSON object"),
        (b'{"bar":1e999,"set":{"swing":1}}', "bar cannot be"),
        (b'{"bar":99999999999999999999,"set":{"swing":1}}', "bar cannot be a number that large"),
        (b'{"bar":true,"set":{"swing":1}}', "bar cannot be true"),
        (b'{"bar":2,"set":{"swing":1}}', "a whole number from 3 to"),
        (b'{"bar":4}', "sets nothing"),
        (b'{"bar":4,"set":{}}', "set must be an object"),
        (b'{"bar":4,"sett":{}}', "'sett' is not known here, only bar, set or plan"),
        (b'{"bar":4,"set":{"densty":4}}', "did you mean 'density'"),
        (b'{"bar":4,"set":{"density":40}}', "from 0.1 to 16"),
        (b'{"bar":4,"plan":{"05":{"chord":1}}}', "given by bar"),
        (b'{"bar":4,"plan":{"5":{"chord":999}}}', "chord cannot be 999"),
        (b'{"bar":4,"plan":{"5":{"source":5}}}', "source cannot be 5"),
        (b'{"bar":4,"plan":{"5":{"colour":1}}}', "'colour' is not known"),
        (b'{"end":-1}', "end cannot be -1"),
        (b'{"end":4,"bar":4}', "'bar' is not known here, only end"),
        (b'{"end":4}\n{"end":4}', "line 4: it comes after the end"),
        (b"{" + b" " * MAX_LINE + b"}", "at most 1048576 are read"),
    ],
)
def test_a_bad_line_is_named_with_what_is_wrong(line: bytes, what: str) -> None:
    with pytest.raises(LogError, match=re.escape(what)) as caught:
        read(HEADER + b'{"bar":3,"set":{"swing":1}}\n' + line + b"\n")
    assert re.match(r"control log, line [34]: ", str(caught.value))


def test_what_is_no_log_says_so() -> None:
    for data in (b"", HEADER[:-2], b"MThd\x00\x00"):
        with pytest.raises(LogError, match="nothing to replay"):
            read(data)
    with pytest.raises(LogError, match="line 1: it does not begin a control log"):
        read(b"{}\n")
    with pytest.raises(LogError, match="version is 2, read is 1; update perpetuo"):
        read(HEADER.replace(b'"perpetuo_log":1', b'"perpetuo_log":2'))


def test_a_header_holds_every_control_so_that_defaults_may_change() -> None:
    assert json.loads(HEADER)["controls"] == Controls().complete()


@pytest.mark.parametrize(
    "change",
    [
        {"notes": [[0, 0, 60, 64, 0]]},
        {"notes": [[0, 1, 60, 64]]},
        {"notes": [[2**31 - 1, 2**31 - 1, 60, 64, 0]]},
        {"notes": {}},
        {"metres": []},
        {"metres": [[0, "4/4"], [0, "3/4"]]},
        {"metres": [[0, 4]]},
        {"metres": [[0, "9" * 5000]]},
        {"tempos": [[24, 500_000]]},
        {"tempos": [[0, 1]]},
        {"programs": [0]},
        {"extra": 0},
    ],
)
def test_a_bad_prompt_is_refused(change: dict[str, object]) -> None:
    good = {"notes": [], "metres": [[0, "4/4"]], "tempos": [[0, 500_000]], "programs": [0] * 8}
    header = json.loads(HEADER)
    assert read(json.dumps(header | {"prompt": good}).encode()).prompt is not None
    with pytest.raises(LogError, match=r"line 1: .*(prompt|metre)"):
        read(json.dumps(header | {"prompt": good | change}).encode())


def test_a_prompt_is_the_score_it_was_made_of() -> None:
    notes = note_order(np.array([(0, 24, 60, 80, 0), (24, 12, 36, 0, 7)], NOTE))
    score = Score(notes, ((0, Metre(3, 4)), (72, Metre(6, 8))), ((0, 480_000),), (5,) * 8)
    back = Prompt.of(score).score()
    assert (back.notes == score.notes).all()
    assert (back.metres, back.tempos, back.programs) == (
        *(score.metres, score.tempos, score.programs),
    )
    assert Prompt.of(back) == Prompt.of(score)
    assert len(Prompt.of(replace(score, notes=notes[:0])).score().notes) == 0


def test_a_prompt_too_long_to_be_read_again_is_not_written() -> None:
    score = Score(np.zeros(100_000, NOTE))
    with pytest.raises(LogError, match="give a shorter one"):
        header_line(ControlLog("m", SHA, 7, prompt=Prompt.of(score)))
