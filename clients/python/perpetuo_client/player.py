"""A thread that plays bars into a MIDI port at absolute times of the monotonic clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from perpetuo_client.bars import Bar
from perpetuo_client.errors import PortError
from perpetuo_client.ports import Port
from perpetuo_client.scheduler import MidiMessage, Scheduler


def local_now() -> int:
    """Microseconds of this machine's monotonic clock."""
    return time.monotonic_ns() // 1000


class MidiPlayer:
    """Plays what it is given, on time, and ends every note that it began.

    All methods may be called from any thread; `on_failure` is called by the player's own one when
    the port is gone. `worst_lateness` is in microseconds.
    """

    def __init__(self, port: Port, on_failure: Callable[[], None] = lambda: None) -> None:
        self._port, self._on_failure = port, on_failure
        self._scheduler = Scheduler()
        self._changed = threading.Condition()
        self._closed = False
        self.failure: PortError | None = None
        self.worst_lateness = 0
        self._thread = threading.Thread(target=self._run, name="perpetuo player", daemon=True)
        self._thread.start()

    def add(self, bar: Bar) -> None:
        """A committed bar, its `due` in local microseconds."""
        with self._changed:
            self._scheduler.add(bar, local_now())
            self._changed.notify()

    def drop(self) -> None:
        """Void the bars that have not begun."""
        with self._changed:
            self._scheduler.drop(local_now())
            self._changed.notify()

    def stop(self) -> None:
        """End all that sounds and void all bars."""
        with self._changed:
            self._send(self._scheduler.stop())

    def silence(self) -> None:
        """End all that sounds; the music goes on with the next note."""
        with self._changed:
            self._send(self._scheduler.silence())

    def close(self) -> None:
        """End all that sounds, and the thread."""
        with self._changed:
            if not self._closed:
                self._closed = True
                self._send(self._scheduler.stop())
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        with self._changed:
            while not self._closed and self.failure is None:
                self._play_what_is_due()
                due = self._scheduler.next_due
                wait = None if due is None else (due - local_now()) / 1e6
                if wait is None or wait > 0:
                    self._changed.wait(wait)
        if self.failure is not None:
            self._on_failure()

    def _play_what_is_due(self) -> None:
        now = local_now()
        for due, message in self._scheduler.take(now):
            self._send([message])
            if message[0] & 0xF0 == 0x90:
                self.worst_lateness = max(self.worst_lateness, now - due)

    def _send(self, messages: Iterable[MidiMessage]) -> None:
        for message in messages:
            try:
                self._port.send_message(message)
            except Exception as error:  # of whatever kind the port's library has
                self.failure = PortError(f"The MIDI port is gone: {error}.")
                self._changed.notify()
