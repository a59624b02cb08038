"""What comes in: checked, counted, carried out at its time, answered.

Everything runs in the event loop's thread. The loop reads one datagram a turn, and a datagram holds
a bounded number of messages, so that no flood keeps anything else waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from common.errors import PerpetuoError
from common.words import without_folders
from engine.controls.controls import CONTROL
from engine.controls.table import CONTROLS
from server.house.events import ChangePostponed
from server.osc import settings as osc
from server.osc.addresses import (
    ListNames,
    Nothing,
    OscError,
    OscPing,
    Query,
    QueryAll,
    ReloadPresets,
    SetControl,
    SetModel,
    SetPreset,
    SetSeed,
    SetTransport,
    Subscribe,
    Unsubscribe,
    request_of,
    unknown,
)
from server.osc.limits import Allowances, Complaint, Gate, address_of
from server.osc.packets import GarbageError, PacketMessage, Value, decode, encode
from server.osc.request_steering import Asker, OscSteering
from server.osc.subscribers import (
    GRACE,
    LIFETIME,
    Address,
    DatagramSender,
    OscCounts,
    Subscribers,
    Subscription,
)
from server.osc.timetags import Timers, TimetagScheduler
from server.osc.values import arguments_of

if TYPE_CHECKING:
    from server.house.house import House
    from server.house.stream import Stream

log = logging.getLogger("perpetuo.osc")

ASKABLE = ("seed", "preset", "load", "state")  # besides the controls
MAX_QUOTED = 120  # characters of a bad address that go back to its sender


class Receiver(asyncio.DatagramProtocol):
    """The listening end. `own` is the address it listens on, `clock` gives microseconds since
    1970, `reload` reads the presets again (a PerpetuoError if they are bad)."""

    def __init__(
        self,
        house: House,
        settings: osc.OscSettings,
        audience: Subscribers,
        outlet: DatagramSender,
        *,
        own: Address,
        timers: Timers,
        clock: Callable[[], int],
        reload: Callable[[], object] | None = None,
    ) -> None:
        self._house, self._audience, self._outlet = house, audience, outlet
        self._own, self._timers, self._reload = own, timers, reload
        self._gate = Gate(settings.networks())
        self._allowances = Allowances(settings.rate)
        self._rate = settings.rate
        self._agenda = TimetagScheduler(timers, clock)
        self._steering = OscSteering(house, self)
        self._strangers = Complaint(log, "OSC from {} is not allowed: add it to osc.allow if meant")
        self._garbage = Complaint(log, "what {} is no OSC message or bundle")
        self._floods = Complaint(log, "{} sends too many OSC messages: some are dropped")

    @property
    def counts(self) -> OscCounts:
        return self._outlet.counts

    async def close(self) -> None:
        self._agenda.clear()
        await self._steering.close()

    # -- datagrams -------------------------------------------------------------------------------

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        sender, now = (addr[0], addr[1]), self._timers.time()
        self.counts.received += 1
        if not self._gate.admits(sender[0]):
            self.counts.strangers += 1
            self._strangers.make(sender[0], now)
        elif not self._allowances.takes(sender[0], 1, now):
            self._too_many(sender, now)
        else:
            self._take(data, sender, now)

    def _take(self, data: bytes, sender: Address, now: float) -> None:
        try:
            found = decode(data)
        except GarbageError as error:
            self.counts.garbage += 1
            self._garbage.make(f"{sender[0]} sent ({error})", now)
            if self._allowances.may_answer(sender[0], now):
                self._error(sender, "", f"this is no OSC: {error}")
            return
        more = sum(len(timed.messages) for timed in found) - 1
        if more > 0 and not self._allowances.takes(sender[0], more, now):
            self._too_many(sender, now)
            return
        for timed in found:
            try:
                self._agenda.at(timed.timetag, partial(self._carry_out, sender, timed.messages))
            except OscError as error:
                self._refuse(Asker(sender, timed.messages[0].address), str(error))

    def _too_many(self, sender: Address, now: float) -> None:
        self.counts.flooded += 1
        self._floods.make(sender[0], now)
        if self._allowances.may_answer(sender[0], now):
            self._error(sender, "", f"more than {self._rate} messages a second: some were dropped")

    # -- messages --------------------------------------------------------------------------------

    def _carry_out(self, sender: Address, messages: tuple[PacketMessage, ...]) -> None:
        for message in messages:
            asker = Asker(sender, message.address)
            try:
                self._serve(message, asker)
            except OscError as error:
                self._refuse(asker, str(error))
            except PerpetuoError as error:
                self.refused(asker, str(error))

    def _serve(self, message: PacketMessage, asker: Asker) -> None:
        match request_of(message.address, message.values):
            case SetControl() | SetTransport() | SetPreset() | SetSeed() | SetModel() as request:
                self._steering.take(self._stream(request.stream), request, asker)
            case Query(name, word):
                self._reply(asker, asker.address, *self._answer(self._stream(name), word))
            case QueryAll(name):
                stream = self._stream(name)
                for word in (*CONTROL, *ASKABLE):
                    self._reply(asker, _of(stream, word), *self._answer(stream, word))
            case Subscribe() as wish:
                self._subscribe(wish, asker)
            case Unsubscribe(name, host, port):
                stream, address = self._stream(name), self._whereto(host, port, asker)
                if not self._audience.unsubscribe(stream.name, address):
                    raise OscError(f"{address[0]} port {address[1]} had not subscribed")
                self._reply(asker, _of(stream, "unsubscribed"), *address)
            case ListNames(word):
                self._reply(asker, f"/perpetuo/{word}", *self._names(word))
            case ReloadPresets():
                if self._reload is None:
                    raise OscError("this server has no presets to read again")
                self._reload()
                self._reply(asker, "/perpetuo/done", "reload")
            case OscPing(values):
                self._reply(asker, "/perpetuo/pong", *values)
            case Nothing():
                pass

    def _stream(self, name: str | None) -> Stream:
        """A station; own streams are steered by their clients alone."""
        if name is None:
            return self._house.first_station()
        stations = self._house.stations
        if name not in stations:
            raise unknown(name, stations)
        return stations[name]

    def _answer(self, stream: Stream, word: str) -> tuple[Value, ...]:
        """What would have to be sent to make it so."""
        if word in CONTROL:
            return arguments_of(word, stream.controls.plain(word))
        known: dict[str, Value] = {"seed": stream.seed, "load": stream.model_name}
        known |= {"preset": stream.preset or "", "state": stream.state}
        return (known[word],)

    def _names(self, word: str) -> tuple[str, ...]:
        if word == "controls":
            return tuple(control.name for control in CONTROLS)
        return tuple(self._house.stations if word == "stations" else self._house.presets)

    def _subscribe(self, wish: Subscribe, asker: Asker) -> None:
        stream, address = self._stream(wish.stream), self._whereto(wish.host, wish.port, asker)
        until = self._timers.time() + LIFETIME + GRACE
        self._audience.subscribe(
            stream.name, Subscription(address, wish.mode, wish.what, (), until)
        )
        self._reply(asker, _of(stream, "subscribed"), *address, LIFETIME, wish.mode, *wish.what)

    def _whereto(self, host: str | None, port: int | None, asker: Asker) -> Address:
        """Where a subscriber wants it; nobody can have it sent to who may not ask for it."""
        named = "127.0.0.1" if host == "localhost" else host or asker.sender[0]
        address = (named, port or asker.sender[1])
        if not self._gate.admits(named):
            raise OscError(f"nothing is sent to '{named[:40]}': give an address that is allowed")
        if is_self(address, self._own):
            raise OscError("nothing is sent to this server itself: give the port of a listener")
        return address

    # -- answers ---------------------------------------------------------------------------------

    def refused(self, asker: Asker, message: str) -> None:
        """For a reason that lies behind the door, and may name files."""
        self._refuse(asker, without_folders(message))

    def _refuse(self, asker: Asker, message: str) -> None:
        self.counts.refused += 1
        self._error(asker.sender, asker.address[:MAX_QUOTED], message)

    def done(self, asker: Asker, stream: Stream, what: str) -> None:
        self._reply(asker, _of(stream, "done"), what)

    def heard(self, asker: Asker, stream: Stream, what: str, bar: int) -> None:
        told_anyway = self._audience.everyone(stream.name, osc.CONTROLS)
        if what in CONTROL and asker.sender not in told_anyway:
            self._reply(asker, _of(stream, what), *self._answer(stream, what))
        self._reply(asker, _of(stream, "heard"), what, bar)

    def unchanged(self, asker: Asker, stream: Stream, control: str) -> None:
        """Says nothing of the value, or two servers that hear each other would never end."""
        bar = stream.resting_bar(self._house.now())
        self._reply(asker, _of(stream, "heard"), control, bar)

    def tell_postponed(self, stream: Stream, event: ChangePostponed) -> None:
        """Something was announced for a bar in which it is not heard."""
        self._steering.postponed(stream, event)

    def postponed(self, asker: Asker, stream: Stream, what: str, bar: int) -> None:
        if asker.sender not in self._audience.everyone(stream.name, osc.CONTROLS):
            self._reply(asker, _of(stream, "postponed"), what, bar)

    def unsaved(self, asker: Asker, stream: Stream, what: str) -> None:
        self._reply(asker, _of(stream, "unsaved"), what)

    def _reply(self, asker: Asker, address: str, *values: Value) -> None:
        self._outlet.send(encode(address, *values), (asker.sender,))

    def _error(self, sender: Address, address: str, message: str) -> None:
        self._outlet.message((sender,), "/perpetuo/error", address, message)


def _of(stream: Stream, word: str) -> str:
    return f"/perpetuo/{stream.name}/{word}"


def is_self(address: Address, own: Address) -> bool:
    """Whether what is sent there comes back in here, as far as can be told."""
    there = address_of(address[0])
    local = there is not None and (there.is_loopback or there.is_unspecified)
    return address[1] == own[1] and (local or address[0] == own[0])
