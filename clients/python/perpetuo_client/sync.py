"""The client without async: the same names and words, for scripts and the interactive prompt.

    with connect() as server:
        stream = server.listen()
        for bar in stream:
            print(bar.index, bar.key, *bar.chords)

An event loop in a thread does the work. Everything here may be called from any thread, blocks
until it is done, and can be interrupted by Ctrl-C.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from perpetuo_client import playing as _playing
from perpetuo_client import server as _server
from perpetuo_client import stream as _stream
from perpetuo_client.bars import Bar, TimedNote
from perpetuo_client.capabilities import Capabilities, Control, Preset, Station
from perpetuo_client.errors import Disconnected
from perpetuo_client.messages import Prompt
from perpetuo_client.ports import Port
from perpetuo_client.stream import Heard

__all__ = ["Server", "Stream", "connect"]

T = TypeVar("T")
CHECK_EVERY = 0.5  # seconds after which a waiting thread looks whether it was interrupted (Windows)
CLEAN_UP = 5.0  # seconds that what was interrupted has to end notes and write files


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="perpetuo client", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Have it done, and wait. When interrupted, it is cancelled and given time to clean up."""
        if self._loop.is_closed():
            work.close()
            raise Disconnected("The connection is closed.")
        over = threading.Event()

        async def watched() -> T:
            try:
                return await work
            finally:
                over.set()

        future = asyncio.run_coroutine_threadsafe(watched(), self._loop)
        try:
            while True:
                try:
                    return future.result(CHECK_EVERY)
                except TimeoutError:
                    if future.done():
                        raise
        except BaseException:
            if future.cancel():
                over.wait(CLEAN_UP)
            raise

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Server:
    """A session with a server, made by `connect`; see `perpetuo_client.Server`."""

    def __init__(self, loop: LoopThread, server: _server.Server) -> None:
        self._loop, self._server = loop, server

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the server; own streams end there."""
        if not self._server.is_closed:
            self._loop.run(self._server.close())
            self._loop.close()

    @property
    def capabilities(self) -> Capabilities:
        return self._server.capabilities

    @property
    def controls(self) -> Mapping[str, Control]:
        return self._server.controls

    @property
    def stations(self) -> Mapping[str, Station]:
        return self._server.stations

    @property
    def presets(self) -> Mapping[str, Preset]:
        return self._server.presets

    def now(self) -> int:
        """Microseconds of the server's clock, as well as is known."""
        return self._server.now()

    def local_time(self, due: int) -> float:
        """The moment of `time.monotonic` at which the server's clock shows `due`."""
        return self._server.local_time(due)

    def local_notes(self, bar: Bar) -> tuple[TimedNote, ...]:
        """The notes of a bar with when they begin and end, in seconds of `time.monotonic`."""
        return self._server.local_notes(bar)

    def listen(self, station: str | None = None, *, past: int = 0) -> Stream:
        """Listen to a station, the first one if none is named."""
        return Stream(self._loop, self._loop.run(self._server.listen(station, past=past)))

    def open(
        self,
        *,
        preset: str | None = None,
        seed: int | None = None,
        prompt: Prompt | None = None,
        **controls: Any,
    ) -> Stream:
        """Begin an own stream and listen to it."""
        opening = self._server.open(preset=preset, seed=seed, prompt=prompt, **controls)
        return Stream(self._loop, self._loop.run(opening))


class Stream:
    """A stream that is listened to; see `perpetuo_client.Stream`."""

    def __init__(self, loop: LoopThread, stream: _stream.Stream) -> None:
        self._loop, self._stream = loop, stream

    @property
    def name(self) -> str:
        return self._stream.name

    @property
    def state(self) -> str:
        """ "playing", "stopped" or "ended"."""
        return self._stream.state

    @property
    def seed(self) -> int:
        return self._stream.seed

    @property
    def preset(self) -> str | None:
        return self._stream.preset

    @property
    def controls(self) -> Mapping[str, Any]:
        """All controls in force for what is composed from now on."""
        return self._stream.controls

    def __iter__(self) -> Iterator[Bar]:
        return self.bars()

    def bars(self, *, ahead: bool = False, lead: float | None = None) -> Iterator[Bar]:
        """Its bars until it ends: each just before it sounds, or with `ahead` as it is planned."""

        async def begin() -> _stream.Bars:
            return self._stream.bars(ahead=ahead, lead=lead)

        async def following() -> Bar | None:
            return await anext(source, None)

        source = self._loop.run(begin())
        while (bar := self._loop.run(following())) is not None:
            yield bar

    def steer(
        self, *, plan: Mapping[int, Mapping[str, int]] | None = None, **controls: Any
    ) -> Heard:
        """Change controls by name, or the plan of coming bars; from where on it is heard."""
        return self._loop.run(self._stream.steer(plan=plan, **controls))

    def choose_preset(self, name: str) -> Heard:
        """Set every control as the preset has it."""
        return self._loop.run(self._stream.choose_preset(name))

    def latest(self, heard: Heard) -> Heard:
        """Where a change is heard by what is known now: it may have been postponed."""
        return self._stream.latest(heard)

    def start(self) -> None:
        """Begin anew with the same seed."""
        self._loop.run(self._stream.start())

    def stop(self) -> None:
        """Pause: what sounds ends at once."""
        self._loop.run(self._stream.stop())

    def go_on(self) -> None:
        """Go on from the beginning of the bar in which the stream was stopped."""
        self._loop.run(self._stream.go_on())

    def panic(self) -> None:
        """End all that sounds; the music goes on with the next note."""
        self._loop.run(self._stream.panic())

    def reseed(self, seed: int) -> None:
        """Begin anew with other music."""
        self._loop.run(self._stream.reseed(seed))

    def load(self, model: str) -> None:
        """Begin anew with another model."""
        self._loop.run(self._stream.load(model))

    def prompt(self, music: Prompt) -> None:
        """Begin anew with this music in mind."""
        self._loop.run(self._stream.prompt(music))

    def leave(self) -> None:
        """Listen no longer."""
        self._loop.run(self._stream.leave())

    def close(self) -> None:
        """End an own stream."""
        self._loop.run(self._stream.close())

    def play(self, port: str | Port | None = None) -> None:
        """Play into a MIDI port until the stream ends, or Ctrl-C."""
        self._loop.run(_playing.play(self._stream, port))

    @contextmanager
    def playing(self, port: str | Port | None = None) -> Iterator[None]:
        """Play into a MIDI port for as long as the `with` lasts; a lost port is raised after it."""

        async def begin() -> asyncio.Task[None]:
            return asyncio.create_task(_playing.play(self._stream, port))

        async def end(task: asyncio.Task[None]) -> None:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

        task = self._loop.run(begin())
        try:
            yield
        finally:
            self._loop.run(end(task))

    def record(
        self, path: str | Path, *, bars: int | None = None, seconds: float | None = None
    ) -> int:
        """Write what is heard from now on into a MIDI file, until Ctrl-C or so many bars or
        seconds of music; how many bars it holds."""
        return self._loop.run(_playing.record(self._stream, path, bars=bars, seconds=seconds))


def connect(
    address: str = _server.DEFAULT_ADDRESS,
    *,
    token: str | None = None,
    patience: float = _server.PATIENCE,
) -> Server:
    """`with connect() as server:`; see `perpetuo_client.connect`."""

    async def begin() -> _server.Server:
        return await _server.connect(address, token=token, patience=patience)

    loop = LoopThread()
    try:
        return Server(loop, loop.run(begin()))
    except BaseException:
        loop.close()
        raise
