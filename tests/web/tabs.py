"""Tabs of a Chromium that nobody pretends to look at.

Playwright keeps every page awake as if it were in front. Here a browser is driven as its own tools
drive it, so that a tab behind another one is as hidden, and its timers as slow, as people have it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.web.browsing import ARGUMENTS, PATIENCE, chromium_path

WITHIN = PATIENCE / 1000  # seconds


class Tab:
    """One tab: what it shows, and whether it is in front."""

    def __init__(self, browser: Tabs, target: str) -> None:
        self._browser, self._target = browser, target
        told = browser.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = told["sessionId"]

    def ask(self, expression: str) -> Any:
        """The value of an expression of JavaScript."""
        told = self._browser.call(
            "Runtime.evaluate",
            self._session,
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true. Asked from here: its own timers may be slow."""
        end = monotonic() + WITHIN
        while not self.ask(expression):
            assert monotonic() < end, f"never came true: {expression}"
            sleep(0.1)

    def to_front(self) -> None:
        self._browser.call("Target.activateTarget", targetId=self._target)


class Tabs:
    """The tabs of one window."""

    def __init__(self, wire: ClientConnection) -> None:
        self._wire = wire
        self._numbers = count(1)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        order = {"id": number, "method": method, "params": parameters}
        self._wire.send(json.dumps(order | ({"sessionId": session} if session else {})))
        while True:
            told = json.loads(self._wire.recv(WITHIN))
            if told.get("id") == number:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result

    def open(self, address: str) -> Tab:
        """A new tab, in front of all others."""
        return Tab(self, self.call("Target.createTarget", url=address)["targetId"])


@contextmanager
def tabs(profile: Path) -> Iterator[Tabs]:
    arguments = [
        chromium_path(),
        "--headless",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
    ]
    process = subprocess.Popen(
        [*arguments, *ARGUMENTS, "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with connect(_address(profile, process), max_size=None) as wire:
            yield Tabs(wire)
    finally:
        process.terminate()
        process.wait()


def _address(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """Where it wants to be driven from: it writes that down once it is ready."""
    file, end = profile / "DevToolsActivePort", monotonic() + WITHIN
    while monotonic() < end:
        assert process.poll() is None, "chromium has ended"
        told = file.read_text("ascii").split() if file.exists() else []
        if len(told) == 2:
            return f"ws://127.0.0.1:{told[0]}{told[1]}"
        sleep(0.1)
    raise AssertionError("chromium does not begin")
