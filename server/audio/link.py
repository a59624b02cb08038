"""The server's end of the line to the process that makes sound: starts it, and starts it again.

Everything is called, and calls back, in the thread of the event loop, and nothing waits but `start`
and `close`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from server.audio.line import report_frames
from server.audio.messages import Order, Ready, Report, Settings, Unable
from server.composing.framing import LineError, encode

log = logging.getLogger("perpetuo.audio")

_ROOT = Path(__file__).parents[2]
_CHUNK = 1 << 18
MOST_WAITING = 8 * 2**20  # bytes that a process may leave unread before it is taken for hanging
END_WITHIN = 2.0  # seconds
LIVED, FIRST_WAIT, LONGEST_WAIT = 30.0, 0.25, 15.0  # seconds


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
        self._out = bytearray()
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
            self._process = await asyncio.to_thread(_spawn, theirs, self._settings)
        ours.setblocking(False)
        self._socket, self._frames = ours, report_frames()
        self._out.clear()
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
        if self._socket is None:
            return
        if len(self._out) > MOST_WAITING:
            self._out.clear()
            self.kill()
            return
        if not self._out:
            asyncio.get_running_loop().add_writer(self._socket, self._write)
        self._out += encode(order)
        self._write()

    def _write(self) -> None:
        if self._socket is None:
            return
        try:
            while self._out:
                sent = self._socket.send(memoryview(self._out)[:_CHUNK])
                del self._out[:sent]
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            self._out.clear()  # its end is read next
        asyncio.get_running_loop().remove_writer(self._socket)

    def _read(self) -> None:
        assert self._socket is not None, "it is read from while it is there"
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        self._heard = monotonic()
        for report in self._frames.feed(data):
            if isinstance(report, LineError):
                raise report
            self._take(report)
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
        self._wait = 0.0 if lived > LIVED else min(max(2 * self._wait, FIRST_WAIT), LONGEST_WAIT)
        await asyncio.sleep(self._wait)
        await self.start()

    def _end(self) -> None:
        """The line has ended, by whatever cause."""
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket)
        loop.remove_writer(self._socket)
        self._socket.close()
        self._socket, self.is_up = None, False
        if self._first is not None and not self._first.done():
            self.trouble = "the process that makes sound ended before it began: see the log"
            self._first.set_result(None)

    async def _reap(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            await asyncio.to_thread(process.wait, END_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)


def _spawn(theirs: socket.socket, settings: Settings) -> subprocess.Popen[bytes]:
    """Start the process with its end of the line. Its standard error is ours; what is typed at
    the terminal, an interrupt included, does not reach it."""
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    # Its products of matrices are small: threads would cost more than they bring.
    alone = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "server.audio", str(theirs.fileno()), settings.argument()],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **alone, "PYTHONPATH": os.pathsep.join(paths)},
        process_group=0,
    )
