"""Who is heard, and how much of it: allowed senders, messages a second, complaints a minute."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from server.osc.packets import MAX_MESSAGES

MAX_SENDERS = 256  # hosts that are told apart
COMPLAINT_EVERY = 60.0  # seconds between log lines of one kind
ANSWER_EVERY = 1.0  # seconds between errors about a flood or garbage to one host


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a text spells, IPv4 in IPv6 as IPv4; None if it is none."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class Gate:
    """Knows which hosts are heard."""

    def __init__(self, networks: Sequence[IPv4Network | IPv6Network]) -> None:
        self._networks = tuple(networks)

    def admits(self, host: str) -> bool:
        address = address_of(host)
        return address is not None and any(address in network for network in self._networks)


@dataclass(slots=True)
class _Allowance:
    left: float
    since: float
    answered: float = float("-inf")


class Allowances:
    """How many messages each host may still send: `rate` a second, as many (or one full datagram)
    at once.

    Hosts are told apart without their ports, or a flood from many ports would pass. Times are
    seconds of the loop's clock.
    """

    def __init__(self, rate: int) -> None:
        self._rate, self._most = rate, max(rate, MAX_MESSAGES)
        self._hosts: OrderedDict[str, _Allowance] = OrderedDict()

    def takes(self, host: str, messages: int, now: float) -> bool:
        """Whether so many more messages are within what the host may send now."""
        own = self._of(host, now)
        own.left = min(self._most, own.left + (now - own.since) * self._rate)
        own.since = now
        if own.left < messages:
            return False
        own.left -= messages
        return True

    def may_answer(self, host: str, now: float) -> bool:
        """Whether a host may be told once more that it sends too much, or garbage."""
        own = self._of(host, now)
        if now - own.answered < ANSWER_EVERY:
            return False
        own.answered = now
        return True

    def _of(self, host: str, now: float) -> _Allowance:
        if host not in self._hosts:
            self._hosts[host] = _Allowance(self._most, now)
            if len(self._hosts) > MAX_SENDERS:
                self._hosts.popitem(last=False)
        self._hosts.move_to_end(host)
        return self._hosts[host]


class Complaint:
    """A warning that is logged at most once a minute, with how often it was due since."""

    def __init__(self, log: logging.Logger, text: str) -> None:
        self._log, self._text = log, text
        self._unsaid = 0
        self._said = float("-inf")

    def make(self, about: str, now: float) -> None:
        self._unsaid += 1
        if now - self._said >= COMPLAINT_EVERY:
            more = f" ({self._unsaid} since the last such line)" if self._unsaid > 1 else ""
            self._log.warning("%s%s", self._text.format(about), more)
            self._unsaid, self._said = 0, now
