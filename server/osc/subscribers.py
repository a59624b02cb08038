"""Who is sent what: configured targets and clients that subscribed."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass, field

from server.osc.addresses import OscError
from server.osc.packets import Value, encode
from server.osc.settings import MODES, WHAT

Address = tuple[str, int]  # a numeric host and a UDP port

LIFETIME = 60  # seconds after which a subscription is to be renewed
GRACE = 15  # seconds that it lasts beyond that


@dataclass(slots=True)
class OscCounts:
    """Totals since the start."""

    received: int = 0  # datagrams
    garbage: int = 0  # that were no OSC
    strangers: int = 0  # from senders that are not allowed
    flooded: int = 0  # dropped because their sender sent too many
    refused: int = 0  # messages answered by an error
    sent: int = 0  # datagrams, but for notes at their due time
    unsent: int = 0  # that the network did not take


class DatagramSender:
    """Sends datagrams without ever waiting; for one thread. `counts` may be shared with the same
    thread only."""

    def __init__(self, own: socket.socket, counts: OscCounts) -> None:
        self._socket, self.counts = own, counts

    def send(self, datagram: bytes, addresses: Iterable[Address]) -> None:
        for address in addresses:
            try:
                self._socket.sendto(datagram, address)
            except OSError:  # a full buffer, nobody there, no network: the music goes on
                self.counts.unsent += 1
            else:
                self.counts.sent += 1

    def message(self, addresses: Iterable[Address], address: str, *values: Value) -> None:
        self.send(encode(address, *values), addresses)


@dataclass(frozen=True, slots=True)
class Subscription:
    """One listener's wish. `stations` empty: all; `until` in seconds of the loop's clock."""

    address: Address
    mode: str
    what: tuple[str, ...]
    stations: tuple[str, ...] = ()
    until: float = field(default=float("inf"))


class Subscribers:
    """All listeners. Changed in the event loop's thread; `of` may be called in any."""

    def __init__(self, targets: Iterable[Subscription], max_subscribers: int) -> None:
        self._targets = tuple(targets)
        self._max = max_subscribers
        self._subscribers: dict[tuple[str, Address], Subscription] = {}
        self._table: dict[tuple[str, str, str], tuple[Address, ...]] = {}
        self._stations: set[str] = set()

    def open_for(self, station: str) -> None:
        """From now on this station can be heard."""
        self._stations.add(station)
        self._settle()

    def subscribe(self, station: str, wish: Subscription) -> None:
        """Begin or renew; OscError if there are too many."""
        key = (station, wish.address)
        if key not in self._subscribers and len(self._subscribers) >= self._max:
            raise OscError(f"all {self._max} subscriptions are taken: try again later")
        self._subscribers[key] = wish
        self._settle()

    def unsubscribe(self, station: str, address: Address) -> bool:
        """Whether there was such a subscription."""
        known = self._subscribers.pop((station, address), None) is not None
        self._settle()
        return known

    def expire(self, now: float) -> None:
        """Let go whoever has not renewed."""
        self._subscribers = {k: w for k, w in self._subscribers.items() if w.until > now}
        self._settle()

    def of(self, station: str, what: str, mode: str) -> tuple[Address, ...]:
        return self._table.get((station, what, mode), ())

    def everyone(self, station: str, what: str) -> tuple[Address, ...]:
        """Whatever their mode."""
        both = (address for mode in MODES for address in self.of(station, what, mode))
        return tuple(dict.fromkeys(both))

    def _settle(self) -> None:
        """Make the table anew; it is replaced as a whole, so that other threads see old or new."""
        wishes = {
            station: [
                *(t for t in self._targets if not t.stations or station in t.stations),
                *(wish for (named, _), wish in self._subscribers.items() if named == station),
            ]
            for station in self._stations
        }
        self._table = {
            (station, what, mode): tuple(
                dict.fromkeys(w.address for w in found if what in w.what and w.mode == mode)
            )
            for station, found in wishes.items()
            for what in WHAT
            for mode in MODES
        }
