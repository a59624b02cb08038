"""What a server is told about OSC: the [osc] table of a configuration."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal, get_args

from msgspec import Meta, field

from common.settings import Table

Mode = Literal["due", "ahead"]
MODES: tuple[Mode, ...] = get_args(Mode)
DUE, AHEAD = MODES
What = Literal["notes", "bars", "chords", "sections", "controls"]
WHAT: tuple[What, ...] = get_args(What)
NOTES, BARS, CHORDS, SECTIONS, CONTROLS = WHAT
PORT = 8771
TRIED = 100  # ports from that one on, where none is named

_Port = Annotated[int, Meta(ge=0, le=65535)]
_MODE_HELP = (
    "When music is sent: at its due time, or ahead of it in bundles whose timetags say when it is"
    " due."
)


class OscTarget(Table, frozen=True):
    """A program that is sent what happens without having asked, [[osc.target]]."""

    host: Annotated[str, "Where it runs: an address or a name."] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535), "The UDP port on which it listens."] = 57120
    mode: Annotated[Mode, _MODE_HELP] = DUE
    what: Annotated[tuple[What, ...], "What it is sent."] = WHAT
    stations: Annotated[tuple[str, ...], "Names of the stations that it hears; none: all."] = ()


class OscSettings(Table, frozen=True):
    """The OSC door of a server."""

    enabled: Annotated[bool, "Whether there is OSC at all."] = True
    host: Annotated[
        str, "Address to listen on; anything but 127.0.0.1 or ::1 lets other machines in."
    ] = "127.0.0.1"
    port: Annotated[
        _Port | None,
        "UDP port; 0: any that is free; none: 8771, or the next one above it that is free.",
    ] = None
    allow: Annotated[
        tuple[str, ...], "Addresses or networks whose messages are heard; others get no answer."
    ] = ("127.0.0.0/8", "::1")
    # Who is sent what happens without asking.
    targets: tuple[OscTarget, ...] = field(name="target", default=())
    max_subscribers: Annotated[
        int, Meta(ge=0, le=1000), "Most clients that may subscribe at a time."
    ] = 32
    rate: Annotated[
        int, Meta(ge=1, le=100_000), "Messages a second that one sender may send; more are dropped."
    ] = 500
    ahead: Annotated[
        int,
        Meta(ge=10, le=10_000),
        "Milliseconds before its bar line at which a bar is sent to those that want it ahead;"
        " must be less than the horizon.",
    ] = 100

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
