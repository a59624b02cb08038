"""The log of a stream: what must be known to compose the same bars again.

JSON lines. The first names the model, the seed and the setting at bar 0; each line after it what a
performer changed, and the first bar that was composed under the change; the last where it ended:

    {"perpetuo_log":1,"model":"m","sha256":"…","seed":7,"stream":0,"bars":null,"controls":{…},…}
    {"bar":12,"set":{"density":4.0}}
    {"bar":14,"plan":{"16":{"chord":9}}}
    {"late":[20]}
    {"heard":{"bar":20,"tick":1920,"metre":"4/4","tempo":500000,"notes":[…],…}}
    {"leap":{"bar":20,"to":21,"tick":2016}}
    {"end":64}

Bars that are `late` were not there in time: what was heard in their places was made by
`engine.composing.fallback`, and what was composed for them is left out, or comes after them: a
`leap` tells that what would have been bar 20 was heard as bar 21, which begins at that tick of the
stream; all that is composed after it counts on from there. What was `heard` stands there as it was
where composing does not give it back: fallbacks, and bars whose revision came too late to be heard.
A piece that comes to a close names its `last` bar in the header.
Of a stream that plays for months, each log is a segment: its header names a `snapshot`, a file
beside the log, and the bar `from` which it goes on.

A log can be written line by line while the stream plays; if that stops in the middle of a line,
what stands before it is still read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from common.errors import ControlError, LogError
from common.nesting import shallow
from common.words import listed, shown
from engine.controls.controls import Controls
from engine.controls.values import Json
from engine.files.bar_as_heard import BarAsHeard
from engine.files.prompt import Prompt
from engine.music.fields import CONTEXT
from engine.music.plan import BarPlan

VERSION = 1
MAX_LINE = 2**20  # bytes; bounds what one line can make of memory
MAX_BAR = 2**40
MAX_TICK = 2**50
MAX_SEED, MAX_STREAM = 2**63 - 1, 2**47 - 1
MAX_NAME = 200

_HEADER = (
    *("perpetuo_log", "model", "sha256", "seed", "stream", "bars", "controls", "prompt"),
    *("snapshot", "from", "last"),
)
# One that leads nowhere else, whatever the system.
_FILE = re.compile(r"(?!\.\.?$)[^/\\:\x00-\x1f]{1,200}")
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
# Which context field bounds each value of a bar's plan; `source` names a bar.
_PLAN_LIMITS = {
    name: CONTEXT["chord" if name == "half_chord" else name].size - 1
    for name in BarPlan._fields
    if name != "source"
}


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """What a performer changed; `bar` is the first bar composed under it.

    `set` holds controls as plain JSON, `plan` values of `BarPlan` by bar. Or a leap, which nobody
    made: what would have been `bar` is bar number `to`, and is told to begin at `tick`.
    """

    bar: int
    set: Mapping[str, Json] = field(default_factory=dict)
    plan: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    to: int | None = None
    tick: int = 0


def with_leap(changes: Sequence[LoggedChange], leap: LoggedChange) -> tuple[LoggedChange, ...]:
    """The changes with a leap among them that came after they were made: those that were to be
    composed after it are so under their new numbers."""
    assert leap.to is not None, "a leap leads somewhere"
    by = leap.to - leap.bar
    before = [change for change in changes if change.bar <= leap.bar]
    after = [replace(change, bar=change.bar + by) for change in changes if change.bar > leap.bar]
    return (*before, leap, *after)


@dataclass(frozen=True, slots=True)
class ControlLog:
    """A whole log. `bars` is how many were asked for, None for an endless stream.

    `end` is the bar before which it ended (a prompt's bars come first and count), None where the
    log has no end line; `cut` tells that its last line was broken off and is left out. `sha256` is
    that of the model file, in small hex digits. A segment goes on from bar `first` as `snapshot`,
    the name of a file beside it, has the stream. `late` are the bars that were bridged, rising,
    `heard` those that stand in the log as they were heard. `last` is the bar with which the piece
    closes, None if it just goes on.
    """

    model: str
    sha256: str
    seed: int
    stream: int = 0
    bars: int | None = None
    controls: Controls = field(default_factory=Controls)
    prompt: Prompt | None = None
    changes: tuple[LoggedChange, ...] = ()
    end: int | None = None
    cut: bool = False
    late: tuple[int, ...] = ()
    snapshot: str | None = None
    first: int = 0
    heard: tuple[BarAsHeard, ...] = ()
    last: int | None = None


def header_line(log: ControlLog) -> bytes:
    """The first line; every control is written, so that new defaults do not change old logs.

    LogError if the prompt is too long for a line that `read` takes.
    """
    header: dict[str, Json] = {
        "perpetuo_log": VERSION,
        "model": log.model,
        "sha256": log.sha256,
        "seed": log.seed,
        "stream": log.stream,
        "bars": log.bars,
        "controls": log.controls.complete(),
        "prompt": log.prompt.plain() if log.prompt else None,
    }
    if log.snapshot is not None:
        header |= {"snapshot": log.snapshot, "from": log.first}
    if log.last is not None:
        header["last"] = log.last
    line = _line(header)
    if len(line) > MAX_LINE:
        raise LogError(
            f"the prompt takes {len(line)} bytes, and a control log holds {MAX_LINE}: give a"
            " shorter one"
        )
    return line


def change_line(change: LoggedChange) -> bytes:
    if change.to is not None:
        return _line({"leap": {"bar": change.bar, "to": change.to, "tick": change.tick}})
    line: dict[str, Json] = {"bar": change.bar}
    if change.set:
        line["set"] = dict(change.set)
    if change.plan:
        line["plan"] = {str(bar): dict(values) for bar, values in change.plan.items()}
    return _line(line)


def late_line(*bars: int) -> bytes:
    return _line({"late": list(bars)})


def heard_line(heard: BarAsHeard) -> bytes:
    return _line({"heard": heard.plain()})


def end_line(bars: int) -> bytes:
    return _line({"end": bars})


def write(log: ControlLog) -> bytes:
    """The log as bytes, of which `read` makes an equal one."""
    lines = [header_line(log), *map(change_line, log.changes)]
    if log.late:
        lines.append(late_line(*log.late))
    lines += map(heard_line, log.heard)
    return b"".join(lines if log.end is None else [*lines, end_line(log.end)])


def read(data: bytes) -> ControlLog:
    """The log that these bytes hold; LogError names the line and what to do."""
    lines = _lines(data)
    first = next(lines, None)
    if first is None:
        raise LogError(
            "this is no control log, or it breaks off in its first line: nothing to replay"
        )
    log = _header(first)
    controls, bar, end, cut = log.controls, log.first, None, False
    changes: list[LoggedChange] = []
    late: set[int] = set()
    heard: dict[int, BarAsHeard] = {}
    for line in lines:
        if line is None:
            cut = True
            break
        if end is not None:
            line.refuse("it comes after the end")
        if "end" in line.content:
            line.only("end")
            # Changes that were to be heard later came to nothing: the stream began anew before.
            end = line.integer("end", log.first, MAX_BAR)
            continue
        if "late" in line.content:
            line.only("late")
            late.update(_late(line, log.first))
            continue
        if "heard" in line.content:
            found = _heard(line, log.first)
            heard[found.bar] = found
            continue
        if "leap" in line.content:
            leap = _leap(line, log.first)
            changes = list(with_leap(changes, leap))
            bar = max(leap.to or 0, *(change.bar for change in changes))
            continue
        change = _change(line, bar)
        try:
            controls = controls.with_values(change.set)
        except ControlError as error:
            line.refuse(str(error))
        bar = change.bar
        changes.append(change)
    return replace(
        log,
        changes=tuple(changes),
        end=end,
        cut=cut,
        late=tuple(sorted(late)),
        heard=tuple(heard[bar] for bar in sorted(heard)),
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """One line: its number from 1, and its content."""

    number: int
    content: dict[str, Any]

    def refuse(self, what: str, remedy: str = "correct or remove the line") -> NoReturn:
        raise LogError(f"control log, line {self.number}: {what}; {remedy}")

    def only(self, *names: str) -> None:
        for name in self.content:
            if name not in names:
                self.refuse(f"'{name[:40]}' is not known here, only {listed(names)}")

    def integer(self, name: str, low: int, high: int) -> int:
        value = self.content.get(name)
        if type(value) is not int or not low <= value <= high:
            self.refuse(
                f"{name} cannot be {shown(value)}: give a whole number from {low} to {high}"
            )
        return value

    def entries(self, name: str) -> dict[str, Any]:
        value = self.content.get(name, {})
        if not isinstance(value, dict) or (name in self.content and not value):
            self.refuse(f"{name} must be an object with something in it")
        return value


def _lines(data: bytes) -> Iterator[_Line | None]:
    """The lines of a log; None in place of a last one that was broken off."""
    start = number = 0
    while start < len(data):
        number += 1
        newline = data.find(b"\n", start)
        stop = len(data) if newline < 0 else newline
        if stop - start > MAX_LINE:
            raise LogError(
                f"control log, line {number}: it has {stop - start} bytes; at most {MAX_LINE} are"
                " read: is this a control log?"
            )
        try:
            yield _Line(number, _parse(data[start:stop]))
        except _NotJson as error:
            # Written lines end in a newline, and no beginning of an object is an object.
            if newline >= 0:
                raise LogError(
                    f"control log, line {number}: {error}; correct or remove the line"
                ) from None
            yield None
        start = stop + 1


class _NotJson(Exception):
    """A line is no JSON object."""


def _parse(text: bytes) -> dict[str, Any]:
    try:
        content = shallow(
            json.loads(text.decode(), object_pairs_hook=_no_doubles, parse_constant=_no_constant)
        )
    except (ValueError, RecursionError):
        raise _NotJson("it is no JSON object as a control log holds them") from None
    if not isinstance(content, dict):
        raise _NotJson("it is JSON, but no object")
    return content


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return content


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _header(line: _Line) -> ControlLog:
    own_log = "take a log that was written by perpetuo"
    version = line.content.get("perpetuo_log")
    if version is None:
        line.refuse("it does not begin a control log", own_log)
    if type(version) is not int or version != VERSION:
        line.refuse(f"its version is {shown(version)}, read is {VERSION}", "update perpetuo")
    line.only(*_HEADER)
    model, sha256 = line.content.get("model"), line.content.get("sha256")
    if not isinstance(model, str) or len(model) > MAX_NAME or not model.isprintable():
        line.refuse(f"model must be a name of at most {MAX_NAME} characters", own_log)
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        line.refuse("sha256 must be 64 hexadecimal digits", own_log)
    snapshot = line.content.get("snapshot")
    if snapshot is not None and not (isinstance(snapshot, str) and _FILE.fullmatch(snapshot)):
        line.refuse("snapshot must be the name of a file beside the log", own_log)
    if snapshot is None and "from" in line.content:
        line.refuse("it begins from a bar, and names no snapshot", own_log)
    prompt, bars = line.content.get("prompt"), line.content.get("bars")
    controls = line.content.get("controls", {})
    if not isinstance(controls, dict):
        line.refuse("controls must be an object", own_log)
    try:
        return ControlLog(
            model,
            sha256,
            line.integer("seed", 0, MAX_SEED),
            line.integer("stream", 0, MAX_STREAM),
            None if bars is None else line.integer("bars", 0, MAX_BAR),
            Controls.from_dict(controls),
            None if prompt is None else Prompt.read(prompt),
            snapshot=snapshot,
            first=0 if snapshot is None else line.integer("from", 0, MAX_BAR),
            last=line.integer("last", 0, MAX_BAR) if "last" in line.content else None,
        )
    except (ControlError, ValueError) as error:
        line.refuse(str(error))


def _change(line: _Line, since: int) -> LoggedChange:
    line.only("bar", "set", "plan")
    if len(line.content) < 2:
        line.refuse("it sets nothing")
    bar = line.integer("bar", since, MAX_BAR)
    return LoggedChange(bar, line.entries("set"), _plan(line))


def _late(line: _Line, since: int) -> list[int]:
    bars = line.content["late"]
    fitting = isinstance(bars, list) and bars and all(type(bar) is int for bar in bars)
    if not fitting or min(bars) < since or max(bars) > MAX_BAR:
        line.refuse(f"late must be a list of bars from {since} to {MAX_BAR}")
    found: list[int] = bars
    return found


def _heard(line: _Line, since: int) -> BarAsHeard:
    line.only("heard")
    try:
        heard = BarAsHeard.read(line.content["heard"])
    except ValueError as error:
        line.refuse(f"what was heard is not understood: {error}")
    if not since <= heard.bar <= MAX_BAR:
        line.refuse(f"what was heard must be of a bar from {since} to {MAX_BAR}")
    return heard


def _leap(line: _Line, since: int) -> LoggedChange:
    line.only("leap")
    fields = _Line(line.number, line.entries("leap"))
    fields.only("bar", "to", "tick")
    bar = fields.integer("bar", since, MAX_BAR)
    return LoggedChange(
        bar, to=fields.integer("to", bar + 1, MAX_BAR), tick=fields.integer("tick", 0, MAX_TICK)
    )


def _plan(line: _Line) -> dict[int, dict[str, int]]:
    plan = {}
    for name, values in line.entries("plan").items():
        if not re.fullmatch(r"0|[1-9][0-9]{0,12}", name, re.ASCII):
            line.refuse(f"a plan is given by bar, and {shown(name)} is none")
        bar = int(name)
        if not isinstance(values, dict) or not values:
            line.refuse(f"the plan of bar {bar} must be an object with something in it")
        fields = _Line(line.number, values)
        fields.only(*BarPlan._fields)
        for field_name in values:
            high = bar - 1 if field_name == "source" else _PLAN_LIMITS[field_name]
            fields.integer(field_name, -1 if field_name == "source" else 0, high)
        plan[bar] = values
    return plan


def _line(content: dict[str, Json]) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode() + b"\n"
