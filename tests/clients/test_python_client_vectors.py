"""The cases of the protocol that every client should pass: `tests/vectors/`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, cast

import pytest
from perpetuo_client.bars import bar_from
from perpetuo_client.clock import ClockSample, ServerClock
from perpetuo_client.messages import Prompt, Request, decode, encode
from perpetuo_client.scheduler import Scheduler
from perpetuo_client.server import Server
from perpetuo_client.stream import Heard, Stream

VECTORS = Path(__file__).parent.parent / "vectors"


def cases(name: str) -> list[Any]:
    found = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))["cases"]
    return [pytest.param(case, id=case["name"]) for case in found]


@pytest.mark.parametrize("case", cases("server_messages"))
def test_messages_of_the_server_are_read(case: dict[str, Any]) -> None:
    message = decode(case["text"])
    assert {name: message.get(name) for name in case["meaning"]} == case["meaning"]


@pytest.mark.parametrize(
    "case", [case for case in cases("server_messages") if "stream" in case.values[0]["meaning"]]
)
def test_what_happens_to_a_stream_is_followed(case: dict[str, Any]) -> None:
    message, stream = decode(case["text"]), Stream(cast(Server, Standing()), "study")
    stream.receive(message)
    for name in ("state", "epoch", "seed", "preset", "reason"):
        if name in message:
            assert getattr(stream, name) == message[name]
    assert stream.controls == message.get("controls", {})
    assert stream.timeline.panics == (message["type"] == "panic")
    assert len(stream.timeline.bars) == (message["type"] == "bar")


@pytest.mark.parametrize(
    "case", [case for case in cases("server_messages") if "sounds" in case.values[0]]
)
def test_notes_sound_when_they_should(case: dict[str, Any]) -> None:
    message = decode(case["text"])
    bar = bar_from(message["bar"], due=message["due"], epoch=message["epoch"])
    assert bar.end == case["ends"]
    assert list(bar.notes) == [tuple(note) for note in case["meaning"]["bar"]["notes"]]
    scheduler = Scheduler()
    scheduler.add(bar, bar.due)
    assert [[p.part, *bar.span_of(p)] for p in bar.pedals] == case["pressed"]
    begun, ended = {}, {}
    while scheduler.next_due is not None:
        for due, (kind, *rest) in scheduler.take(scheduler.next_due):
            if kind & 0xF0 == 0x90:
                begun[kind & 15, rest[0]] = due, rest[1]
            elif kind & 0xF0 == 0x80:
                ended[kind & 15, rest[0]] = due
    for part, pitch, velocity, on, off in case["sounds"]:
        key = (9 if part == 8 else part - 1, pitch)
        # A note tied on ends on the bar line as long as no bar goes on with it; one from before
        # is struck where listening begins.
        assert begun[key] == (bar.due if on is None else on, velocity)
        assert ended[key] == (bar.end if off is None else off)


@pytest.mark.parametrize("case", cases("postponements"))
def test_a_change_is_told_in_the_latest_bar_that_was_told_of_it(case: dict[str, Any]) -> None:
    stream = Stream(cast(Server, Answering(case)), "study")
    known: dict[int, Heard] = {}
    for message in case["messages"]:
        if message["type"] == "ack":
            answer = asyncio.run(stream.steer(density=6))
            assert answer._asdict() == case["answer"]
            continue
        stream.receive(message)
        for row in (*message.get("history", ()), message):
            if message["type"] != "postponed" and "change" in row:
                known[row["change"]] = Heard(row["bar"], row["due"], row["change"])
    for told in case["told"]:
        heard = stream.latest(known[told["change"]])
        assert (heard.bar, heard.due) == (told["bar"], told["due"])


class Standing:
    """A server at which it is always now."""

    def now(self) -> int:
        return 0


class Answering(Standing):
    """A server that acknowledges what it is asked, as the case says."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.connection = self
        acks = (one for one in case["messages"] if one["type"] == "ack")
        self._answer: dict[str, Any] = next(acks, {})

    async def ask(self, request: Request) -> dict[str, Any]:
        assert request == {"type": "steer", "stream": "study", "controls": {"density": 6}}
        return self._answer


@pytest.mark.parametrize("case", cases("clock"))
def test_the_clock_is_known_as_well_as_the_best_sample_tells(case: dict[str, Any]) -> None:
    clock = ServerClock()
    for sample in case["samples"]:
        clock.add(ClockSample(*sample))
    sent, _, received = case["samples"][case["best"]]
    assert abs(clock.offset - case["offset"]) <= (received - sent) / 2
    assert clock.round_trip == received - sent


@pytest.mark.parametrize(
    "case", [case for case in cases("client_messages") if "meaning" in case.values[0]]
)
def test_messages_of_clients_are_written_as_the_cases_mean_them(case: dict[str, Any]) -> None:
    meaning = dict(case["meaning"])
    if isinstance(meaning.get("prompt"), dict):
        meaning["prompt"] = Prompt(**meaning["prompt"]).plain()
    written = json.loads(encode(meaning))
    assert written == {name: value for name, value in case["meaning"].items() if value is not None}
