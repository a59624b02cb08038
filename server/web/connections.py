"""Which connections there are and what each is at, and which of them has to go.

A connection *asks* from the moment it is accepted until its request is there in full, TLS
handshake and body included; then it is *served*; between two requests it *rests*. Asking costs
nothing, so it has a time limit, and each address may have so many such connections. What is served
is never cut here: behind a proxy everybody comes from one address.

Knows no sockets and no loop: time is asked for, and what cuts a connection is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

MOST_ASKING = 1024  # of all addresses together
# Beyond the most that there may be: for whoever asks after health or metrics, and is told so of
# everything else.
SPARE = 32

ASKING, SERVED, RESTING = "asking", "served", "resting"


@dataclass(eq=False, slots=True)
class Connection:
    """One of `Connections`, whom all changes are told."""

    network: str  # address; of IPv6 that of its network, which one visitor has to himself
    cut: Callable[[], None]  # ends it at once
    phase: str = ASKING
    due: float = 0.0  # when its request must be there


class Connections:
    """See the module. `most` connections in all are for everything; `most_of_one` of an address may
    ask at a time, each for `seconds`."""

    def __init__(
        self, most: int, most_of_one: int, seconds: float, now: Callable[[], float]
    ) -> None:
        self._most, self._most_of_one, self._seconds = most, most_of_one, seconds
        self._now = now
        # Dictionaries for their order: the oldest stands first.
        self._asking: dict[Connection, None] = {}
        self._of_one: dict[str, dict[Connection, None]] = {}
        self._resting: dict[Connection, None] = {}
        self._served: set[Connection] = set()
        self.cuts: Counter[str] = Counter()  # by reason

    def __len__(self) -> int:
        return len(self._asking) + len(self._resting) + len(self._served)

    @property
    def asking(self) -> int:
        return len(self._asking)

    @property
    def is_crowded(self) -> bool:
        """Whether only health and metrics can be answered."""
        return len(self._served) + len(self._resting) > self._most

    def enter(self, address: str, cut: Callable[[], None]) -> Connection | None:
        """A new connection, which asks from now on, or None: there is no room for it."""
        connection = Connection(network_of(address), cut)
        if len(self) >= self._most + SPARE and not self.make_room():
            self.cuts["full"] += 1
            return None
        self._begin_to_ask(connection)
        return connection

    def ask(self, connection: Connection) -> None:
        """Something of its request came, which is not there in full: the time runs from the first
        such moment, however many bytes follow."""
        if connection.phase != ASKING:
            self.leave(connection)
            self._begin_to_ask(connection)

    def serve(self, connection: Connection) -> None:
        """Its request is there."""
        self.leave(connection)
        connection.phase = SERVED
        self._served.add(connection)

    def rest(self, connection: Connection) -> None:
        """It was answered, and nothing of another request is there."""
        self.leave(connection)
        connection.phase = RESTING
        self._resting[connection] = None

    def leave(self, connection: Connection) -> None:
        """It is gone, if it was not already."""
        self._asking.pop(connection, None)
        self._resting.pop(connection, None)
        self._served.discard(connection)
        of_one = self._of_one.get(connection.network, {})
        of_one.pop(connection, None)
        if not of_one:
            self._of_one.pop(connection.network, None)

    def expire(self) -> None:
        """Cut who did not ask in time."""
        now = self._now()
        while self._asking and (oldest := next(iter(self._asking))).due <= now:
            self._cut(oldest, "slow")

    def make_room(self) -> bool:
        """Cut the connection that can best be done without, if there is one."""
        for spared in (self._asking, self._resting):
            if spared:
                self._cut(next(iter(spared)), "room")
                return True
        return False

    def _begin_to_ask(self, connection: Connection) -> None:
        of_one = self._of_one.setdefault(connection.network, {})
        if len(of_one) >= self._most_of_one:
            self._cut(next(iter(of_one)), "half_open")
        elif len(self._asking) >= MOST_ASKING:
            self._cut(next(iter(self._asking)), "half_open")
        connection.phase, connection.due = ASKING, self._now() + self._seconds
        self._asking[connection] = None
        self._of_one.setdefault(connection.network, {})[connection] = None

    def _cut(self, connection: Connection, reason: str) -> None:
        self.cuts[reason] += 1
        self.leave(connection)
        connection.cut()


def network_of(address: str) -> str:
    """What one visitor has to himself: an IPv4 address, or 64 bits of an IPv6 one."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(known, IPv6Address):
        return str(known)
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return known.exploded[:19]
