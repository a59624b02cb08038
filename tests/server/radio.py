"""A radio without a process: tests say what it reports, and see what it is told.

    def test_x(time: Time) -> None: ...

with `from tests.server.radio import time` in the test module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from server.audio import radio as radio_module
from server.audio.messages import Order, Report, SoundSettings
from server.audio.radio import Radio
from server.audio.settings import AudioSettings
from tests.server.web_house import WebHouse

PROCESS = SoundSettings(soundfont="", loudness=-16.0, held=4.0)


class FakeLink:
    """Takes orders down; tests say what the process reports."""

    def __init__(
        self,
        settings: SoundSettings,
        on_report: Callable[[Report], None],
        on_end: Callable[[], None],
    ) -> None:
        self.report, self.end = on_report, on_end
        self.sent: list[Order] = []
        self.trouble, self.is_up, self.restarts = "", True, 0

    def send(self, order: Order) -> None:
        self.sent.append(order)

    def taken(self) -> list[Order]:
        taken, self.sent = self.sent, []
        return taken


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(radio_module, "monotonic", time)
    monkeypatch.setattr(radio_module, "SoundClient", FakeLink)
    return time


def opened(**settings: Any) -> tuple[Radio, FakeLink, WebHouse]:
    house = WebHouse()
    house.observers = []  # type: ignore[attr-defined]
    titles = {"study": "A quiet room", "dance": "Dance"}
    radio = Radio(house, AudioSettings(**settings), PROCESS, titles)  # type: ignore[arg-type]
    radio.open()
    for stream in house.streams.values():
        house.listen(stream, radio)
    client: Any = radio.client
    return radio, client, house


class Recorder:
    def __init__(self, name: str = "somebody", takes: bool = True) -> None:
        self.name, self.takes = name, takes
        self.heard: list[bytes] = []
        self.title, self.waiting, self.is_cut = "", 0, False

    def write(self, data: bytes, title: str) -> None:
        self.heard.append(data)
        self.title = title
        self.waiting += 0 if self.takes else len(data)

    def cut(self) -> None:
        self.is_cut = True

    @property
    def all(self) -> bytes:
        return b"".join(self.heard)
