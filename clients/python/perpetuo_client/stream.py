"""A stream of a server: its bars as they come, and the ways to steer it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from perpetuo_client.bars import Bar, bar_from
from perpetuo_client.errors import StreamEnded
from perpetuo_client.messages import Prompt, Request
from perpetuo_client.protocol import Ack, Change, FromServer, State, Steer, TurnedMessage
from perpetuo_client.timeline import (
    ENDED,
    STOPPED,
    CommittedCursor,
    Cursor,
    PlannedCursor,
    Timeline,
)

if TYPE_CHECKING:
    from perpetuo_client.server import Server


MOST_POSTPONED = 256  # changes that were postponed and are remembered


class Heard(NamedTuple):
    """From where on a change is heard."""

    bar: int  # its index
    due: int  # microseconds of the server's clock
    change: int | None = None  # its number; None: it is never postponed
    saved: bool | None = None  # on the server's disk; None: of an own stream nothing is


class Postponed(NamedTuple):
    """A change is heard later than was told."""

    change: int  # as `Heard.change`
    bar: int
    due: int  # microseconds of the server's clock


class Stream:
    """A station or an own stream that this client listens to; made by `Server`.

    Attributes are for reading and follow what the server tells. `controls` are all controls in
    force for what is composed from now on; `timeline` holds the bars known.
    """

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name = server, name
        self.timeline = Timeline()
        self.title = name  # as it is shown to people
        self.is_station = False
        self.seed = 0
        self.model = ""
        self.styles: tuple[str, ...] = ()
        self.preset: str | None = None
        self.controls: dict[str, Any] = {}
        self.unfollowed: dict[str, str] = {}  # controls that its model does not follow, and why
        self.late_bars = 0  # bridged by the server, as far as it has told
        self._stopped_at = 0  # when that was heard, while it is stopped
        self._woken = asyncio.Event()
        self._postponed: dict[int, Postponed] = {}  # by number of the change
        self._watching: list[Callable[[Postponed], None]] = []

    def __repr__(self) -> str:
        return f"<Stream {self.name!r}, {self.state}>"

    @property
    def state(self) -> str:
        """ "playing", "stopped" or "ended"."""
        return self.timeline.state

    @property
    def reason(self) -> str:
        """Why the state is what it is; a sentence, "" if nothing was told."""
        return self.timeline.reason

    @property
    def epoch(self) -> int:
        """How often the stream has begun anew."""
        return self.timeline.epoch

    @property
    def playing(self) -> Bar | None:
        """The bar that sounds now, or in which the stream is stopped."""
        now = self._stopped_at if self.state == STOPPED else self.server.now()
        begun = [bar for bar in self.timeline.bars.values() if bar.due <= now]
        return max(begun, key=lambda bar: bar.index, default=None)

    # -- hearing ---------------------------------------------------------------------------------

    def __aiter__(self) -> Bars:
        return self.bars()

    def bars(self, *, ahead: bool = False, lead: float | None = None) -> Bars:
        """Its bars, until it ends or the server is closed.

        Each bar once, `lead` seconds before it sounds, in its newest revision, beginning with the
        one that sounds now; no `lead` is the server's horizon: it revises none as late as that.
        With `ahead` every planned revision at once. Who is slow holds nothing up; who is slower
        than 256 bars misses some. Several may read one stream.
        """
        cursor: Cursor
        if ahead:
            cursor = PlannedCursor(self.timeline)
        else:
            horizon = self.server.capabilities.horizon
            early = horizon if lead is None else round(lead * 1e6)
            cursor = CommittedCursor(self.timeline, early)
        return Bars(self, cursor)

    async def wait(self, until: int | None = None) -> bool:
        """Until something happens to the stream, or that time of the server's clock has come.

        Whether anything is to be expected: False when the stream has ended or the server was
        closed; Disconnected when the server is lost.
        """
        if self.server.failure is not None:
            raise self.server.failure
        if self.state == ENDED or self.server.is_closed:
            return False
        seconds = None if until is None else max(0.0, (until - self.server.now()) / 1e6)
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass
        return True

    # -- what became of changes ------------------------------------------------------------------

    def latest(self, heard: Heard) -> Heard:
        """Where a change is heard by what is known now: the server postpones what it cannot have
        composed in time, at the latest when that bar begins."""
        later = self._postponed.get(heard.change or 0)
        if later is None or later.bar <= heard.bar:
            return heard
        return heard._replace(bar=later.bar, due=later.due)

    def watch_postponed(self, told: Callable[[Postponed], None]) -> Callable[[], None]:
        """Have `told` called with every change that is postponed, whoever made it, in the event
        loop; it must not block. Call what is given back to be told no more."""
        self._watching.append(told)

        def end() -> None:
            if told in self._watching:
                self._watching.remove(told)

        return end

    # -- steering --------------------------------------------------------------------------------

    async def steer(
        self, *, plan: Mapping[int, Mapping[str, int]] | None = None, **controls: Any
    ) -> Heard:
        """Change controls by name, or the plan of coming bars, by their index.

        Refused, and nothing is changed, if a value is none. `Server.controls` tells what there is.
        """
        request: Steer = {"type": "steer", "stream": self.name, "controls": controls}
        if plan is not None:
            request["plan"] = {str(bar): dict(row) for bar, row in plan.items()}
        return self._announced(await self._ask(request))

    async def choose_preset(self, name: str) -> Heard:
        """Set every control as the preset has it."""
        answer = await self._ask({"type": "preset", "stream": self.name, "name": name})
        return self._announced(answer)

    async def start(self) -> None:
        """Begin anew with the same seed."""
        await self._ask({"type": "transport", "stream": self.name, "action": "start"})

    async def stop(self) -> None:
        """Pause: what sounds ends at once."""
        await self._ask({"type": "transport", "stream": self.name, "action": "stop"})

    async def go_on(self) -> None:
        """Go on from the beginning of the bar in which the stream was stopped."""
        await self._ask({"type": "transport", "stream": self.name, "action": "continue"})

    async def panic(self) -> None:
        """End all that sounds; the music goes on with the next note."""
        await self._ask({"type": "transport", "stream": self.name, "action": "panic"})

    async def reseed(self, seed: int) -> None:
        """Begin anew with other music."""
        await self._ask({"type": "seed", "stream": self.name, "seed": seed})

    async def load(self, model: str) -> None:
        """Begin anew with another model."""
        await self._ask({"type": "load", "stream": self.name, "model": model})

    async def prompt(self, music: Prompt) -> None:
        """Begin anew with this music in mind."""
        await self._ask({"type": "prompt", "stream": self.name, "prompt": music.plain()})

    async def leave(self) -> None:
        """Listen no longer. An own stream to which nobody listens ends after a while."""
        await self._ask({"type": "unlisten", "stream": self.name})
        self.ended("not listened to any more")
        self.server.forget(self)

    async def close(self) -> None:
        """End an own stream."""
        await self._ask({"type": "close", "stream": self.name})

    async def _ask(self, request: Request) -> Ack:
        if self.state == ENDED:
            raise StreamEnded(f"The stream '{self.name}' has ended: {self.reason}.")
        return await self.server.connection.ask(request)

    def _announced(self, answer: Ack) -> Heard:
        """A change may be postponed before it is acknowledged."""
        bar, due = cast(int, answer["bar"]), cast(int, answer["due"])  # of a change both are known
        return self.latest(Heard(bar, due, answer.get("change"), answer.get("saved")))

    # -- what the server tells ---------------------------------------------------------------------

    def receive(self, message: FromServer) -> None:
        timeline = self.timeline
        match message["type"]:
            case "bar":
                due, epoch = message["due"], message["epoch"]
                timeline.put(bar_from(message["bar"], due=due, epoch=epoch))
            case "state":
                self._describe(message)
                self.is_station = message.get("station", self.is_station)
                self.title = message.get("title", self.title)
                self.late_bars = message.get("late_bars", self.late_bars)
                if message.get("id") is None:
                    self._reset_changes(message.get("history", ()))
                    self._note_stop(message["state"])
                    timeline.expect_all(message["state"], message["epoch"])
            case "steered":
                self.controls.update(message["controls"])
                self.preset = message.get("preset", self.preset)
            case "postponed":
                self._postpone(Postponed(message["change"], message["bar"], message["due"]))
            case "moved":
                timeline.move(message["bar"], message["later"])
            case "turned":
                self._describe(message)
                self._note_stop(message["state"])
                timeline.turn(message["state"], message["epoch"], message["reason"])
            case "panic":
                timeline.panic()
        self.wake()

    def _note_stop(self, state: str) -> None:
        if state == STOPPED and self.state != STOPPED:
            self._stopped_at = self.server.now()

    def _describe(self, message: State | TurnedMessage) -> None:
        self.seed, self.model = message["seed"], message["model"]
        self.styles, self.preset = tuple(message["styles"]), message["preset"]
        self.controls = dict(message["controls"])
        self.unfollowed = dict(message.get("unfollowed", {}))

    def _postpone(self, postponed: Postponed) -> None:
        self._postponed.pop(postponed.change, None)
        self._postponed[postponed.change] = postponed
        while len(self._postponed) > MOST_POSTPONED:
            del self._postponed[next(iter(self._postponed))]
        for told in tuple(self._watching):
            told(postponed)

    def _reset_changes(self, history: Iterable[Change]) -> None:
        """All is told anew, perhaps by a server that counts changes from the beginning: what it
        tells of the latest ones is what is known."""
        rows = (row for row in history if row.get("change"))
        self._postponed = {r["change"]: Postponed(r["change"], r["bar"], r["due"]) for r in rows}

    def ended(self, reason: str) -> None:
        self.timeline.turn(ENDED, self.epoch, reason)
        self.wake()

    def wake(self) -> None:
        """Wake all who wait."""
        self._woken.set()
        self._woken = asyncio.Event()


class Bars(AsyncIterator[Bar]):
    """What `Stream.bars` gives. `missed` counts the bars for which the reader was too slow."""

    def __init__(self, stream: Stream, cursor: Cursor) -> None:
        self._stream, self._cursor = stream, cursor

    @property
    def missed(self) -> int:
        return self._cursor.missed

    async def __anext__(self) -> Bar:
        while True:
            found = self._cursor.next(self._stream.server.now())
            if isinstance(found, Bar):
                return found
            if not await self._stream.wait(found):
                raise StopAsyncIteration
