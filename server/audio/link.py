"""The server's end of the line to the process that makes sound: starts it, and starts it again.

Everything is called, and calls back, in the thread of the event loop, and nothing waits but `start`
and `close`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
from collections.abc import Callable
from time import monotonic

from server.audio.line import report_frames
from server.audio.messages import Order, Ready, Report, Settings, Unable
from server.child import CHUNK, Outbox, next_wait, reap, spawn
from server.composing.framing import LineError, encode

log = logging.getLogger("perpetuo.audio")

MOST_WAITING = 8 * 2**20  # bytes that a process may leave unread before it is taken for hanging
END_WITHIN = 2.0  # seconds
# Its products of matrices are small: threads would cost more than they bring.
ALONE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Link:
    """One process at a time. `on_report` hears all that it reports, `Ready` at each beginning
    included; `on_end` is called when one has ended that was not asked to, and the next is begun."""

    def __init__(
        self, settings: Settings, on_report: Callable[[Report], None], on_end: Callable[[], None]
    ) -> None:
        self._settings, self._on_report, self._on_end = settings, on_report, on_end
        self.trouble = ""  # why no sound can be made here, a sentence
        self.restarts = 0
        self.is_up = False
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._frames = report_frames()
        self._out: Outbox | None = None
        self._first: asyncio.Future[None] | None = None
        self._begun, self._wait = 0.0, 0.0
        self._heard = 0.0
        self._is_closing = False
        self._reviving: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def silent_for(self) -> float:
        """Seconds since the process last said anything; it does every second."""
        return monotonic() - self._heard if self.is_up else 0.0

    def kill(self) -> None:
        """End a process that hangs; another one follows."""
        log.error("the process that makes sound hangs: it is killed")
        if self._process is not None:
            self._process.kill()

    async def start(self) -> None:
        """Returns when the process can make sound, or has said in `trouble` why it cannot."""
        ours, theirs = socket.socketpair()
        with theirs:
            argument = self._settings.argument()
            self._process = await asyncio.to_thread(spawn, "server.audio", theirs, argument, ALONE)
        ours.setblocking(False)
        self._socket, self._frames = ours, report_frames()
        self._out = Outbox(ours)
        self._begun = monotonic()
        loop = asyncio.get_running_loop()
        self._first = loop.create_future()
        loop.add_reader(ours, self._read)
        await self._first

    async def close(self) -> None:
        """The end of the line ends the process; it is killed if it takes long."""
        self._is_closing = True
        if self._reviving is not None:
            self._reviving.cancel()
            await asyncio.gather(self._reviving, return_exceptions=True)
        self._end()
        await self._reap()

    def send(self, order: Order) -> None:
        """What is sent to nobody is lost: who begins anew is told all of it again."""
        if self._socket is None or self._out is None:
            return
        if len(self._out) > MOST_WAITING:
            self.kill()
            self._lost()
            return
        self._out.put(encode(order))

    def _read(self) -> None:
        assert self._socket is not None, "it is read from while it is there"
        try:
            data = self._socket.recv(CHUNK)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        self._heard = monotonic()
        try:
            for report in self._frames.feed(data):
                if isinstance(report, LineError):
                    raise report
                self._take(report)
        except LineError as error:
            log.error("the process that makes sound is ended: %s", error)
            if self._process is not None:
                self._process.kill()
            data = b""
        if not data:
            self._lost()

    def _take(self, report: Report) -> None:
        if isinstance(report, Unable):
            self.trouble = report.message
        elif isinstance(report, Ready):
            self.is_up = True
        if isinstance(report, Unable | Ready) and self._first and not self._first.done():
            self._first.set_result(None)
        self._on_report(report)

    def _lost(self) -> None:
        self._end()
        if self._is_closing or self.trouble:
            return
        log.error("the process that makes sound has died: it is started again")
        self.restarts += 1
        self._on_end()
        self._reviving = asyncio.create_task(self._revive())

    async def _revive(self) -> None:
        await self._reap()
        lived = monotonic() - self._begun
        self._wait = next_wait(self._wait, lived)
        await asyncio.sleep(self._wait)
        await self.start()

    def _end(self) -> None:
        """The line has ended, by whatever cause."""
        if self._socket is None or self._out is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket)
        self._out.close()
        self._socket.close()
        self._socket, self.is_up = None, False
        if self._first is not None and not self._first.done():
            self.trouble = "the process that makes sound ended before it began: see the log"
            self._first.set_result(None)

    async def _reap(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await reap(process, END_WITHIN)
