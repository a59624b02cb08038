"""What a server is told about OSC: the [osc] table of a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from server.configuration.options import option

DUE, AHEAD = "due", "ahead"
MODES = (DUE, AHEAD)
NOTES, BARS, CHORDS, SECTIONS, CONTROLS = "notes", "bars", "chords", "sections", "controls"
WHAT = (NOTES, BARS, CHORDS, SECTIONS, CONTROLS)
PORT = 8771
TRIED = 100  # ports from that one on, where none is named

_MODE_HELP = (
    "When music is sent: at its due time, or ahead of it in bundles whose timetags say when it is"
    " due."
)


@dataclass(frozen=True)
class OscTarget:
    """A program that is sent what happens without having asked, [[osc.target]]."""

    host: str = option("127.0.0.1", "Where it runs: an address or a name.")
    port: int = option(57120, "The UDP port on which it listens.", low=1, high=65535)
    mode: str = option(DUE, _MODE_HELP, choices=MODES)
    what: tuple[str, ...] = option(WHAT, "What it is sent.", choices=WHAT)
    stations: tuple[str, ...] = option((), "Names of the stations that it hears; none: all.")


@dataclass(frozen=True)
class OscSettings:
    """The OSC door of a server."""

    enabled: bool = option(True, "Whether there is OSC at all.")
    host: str = option(
        "127.0.0.1",
        "Address to listen on; anything but 127.0.0.1 or ::1 lets other machines in.",
    )
    port: int | None = option(
        None,
        "UDP port; 0: any that is free; none: 8771, or the next one above it that is free.",
        low=0,
        high=65535,
    )
    allow: tuple[str, ...] = option(
        ("127.0.0.0/8", "::1"),
        "Addresses or networks whose messages are heard; others get no answer.",
    )
    targets: tuple[OscTarget, ...] = option((), "Who is sent what happens without asking.")
    max_subscribers: int = option(
        32, "Most clients that may subscribe at a time.", low=0, high=1000
    )
    rate: int = option(
        500, "Messages a second that one sender may send; more are dropped.", low=1, high=100_000
    )
    ahead: int = option(
        100,
        "Milliseconds before its bar line at which a bar is sent to those that want it ahead;"
        " must be less than the horizon.",
        low=10,
        high=10_000,
    )

    def __post_init__(self) -> None:
        self.networks()

    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """What `allow` names; ValueError says which entry is none."""
        try:
            return tuple(ip_network(entry, strict=False) for entry in self.allow)
        except ValueError as error:
            raise ValueError(
                f"allow: {error}: write addresses or networks such as 192.168.1.20 or"
                " 192.168.1.0/24"
            ) from None
