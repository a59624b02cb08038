"""Accepts connections, and gives each to a protocol of its own.

asyncio's own server counts nothing before a TLS handshake is over, and writes a traceback for
every connection that it cannot accept, thousands a second. So this is done here.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Iterator

import uvicorn

from server.web.connections import Connection, Connections
from server.web.line import HttpLine

log = logging.getLogger("perpetuo.web")

AT_ONCE = 64  # connections that are accepted before something else has its turn
PAUSE = 0.5  # seconds without accepting, when the system has no room for a connection
SAY_EVERY = 60.0  # seconds between two lines about that
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Acceptor:
    """Begins at once, in the running loop; `close` and `wait_closed` are as of an asyncio server.

    `protocol` makes what a connection is spoken to by; whoever made it is told that it is gone.
    """

    def __init__(
        self,
        listening: socket.socket,
        connections: Connections,
        protocol: Callable[[Connection], asyncio.Protocol],
        tls: ssl.SSLContext | None,
    ) -> None:
        self._listening, self._connections = listening, connections
        self._protocol, self._tls = protocol, tls
        self._beginning: set[asyncio.Task[None]] = set()
        self._said_at: float | None = None
        self._loop = asyncio.get_running_loop()
        self._running = asyncio.create_task(self._run())

    def close(self) -> None:
        self._running.cancel()
        for task in self._beginning:
            task.cancel()

    async def wait_closed(self) -> None:
        await asyncio.gather(self._running, *self._beginning, return_exceptions=True)

    async def _run(self) -> None:
        with self._listening:
            while True:
                try:
                    for _ in range(AT_ONCE):
                        self._take(*await self._loop.sock_accept(self._listening))
                    await asyncio.sleep(0)
                except ConnectionAbortedError:
                    continue  # its client has gone again
                except OSError as error:
                    self._say(error)
                    self._connections.make_room()
                    await asyncio.sleep(PAUSE)
                except Exception:
                    log.exception("a connection could not be taken")
                    await asyncio.sleep(PAUSE)

    def _say(self, error: OSError) -> None:
        """Once in a while: it happens to one connection after the other."""
        now = self._loop.time()
        if self._said_at is None or now >= self._said_at + SAY_EVERY:
            self._said_at = now
            advice = "allow more open files (ulimit -n)" if error.errno in _NO_ROOM else "look why"
            reason = error.strerror or error
            log.warning("no connection can be accepted now (%s): %s", reason, advice)

    def _take(self, accepted: socket.socket, address: tuple[str, int]) -> None:
        task: asyncio.Task[None] | None = None

        def cut() -> None:
            if task is not None:
                task.cancel()

        connection = self._connections.enter(address[0], cut)
        if connection is None:
            accepted.close()
            return

        def begun(task: asyncio.Task[None]) -> None:
            self._beginning.discard(task)
            if task.cancelled() or task.exception() is not None:
                self._connections.leave(connection)
                accepted.close()

        task = asyncio.create_task(self._begin(accepted, connection))
        self._beginning.add(task)
        task.add_done_callback(begun)

    async def _begin(self, accepted: socket.socket, connection: Connection) -> None:
        """Up to the end of the TLS handshake, if there is one."""
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._protocol(connection), accepted, ssl=self._tls
            )
        except OSError as error:  # what failed is the client's handshake
            self._connections.leave(connection)
            log.debug("a connection did not come about: %s", error)


class HttpServer(uvicorn.Server):
    """uvicorn, which leaves signals and accepting to us, and tells when it has begun."""

    def __init__(
        self, config: uvicorn.Config, listening: socket.socket, connections: Connections
    ) -> None:
        super().__init__(config)
        self.begun = asyncio.Event()
        self._listening, self._connections = listening, connections

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        acceptor = Acceptor(self._listening, self._connections, self._line, self.config.ssl)
        self.servers = [acceptor]  # type: ignore[list-item]
        self.started = True
        self.begun.set()

    def _line(self, connection: Connection) -> HttpLine:
        line = HttpLine(self.config, self.server_state, {})
        line.watch(self._connections, connection)
        return line
