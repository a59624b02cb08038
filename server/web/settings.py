"""What a server is told about its WebSocket and HTTP port: the [web] table of a configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from server.configuration.options import option

PORT = 8770
EVERYONE, TOKEN, NOBODY = "everyone", "token", "nobody"
_ORIGIN = re.compile(r"https?://[^/\s]+|\*")
_HOST = re.compile(r"[\w.-]{1,253}|\*", re.ASCII)


@dataclass(frozen=True)
class WebSettings:
    """The web door of a server."""

    enabled: bool = option(True, "Whether there are a page, WebSocket and HTTP at all.")
    host: str = option(
        "127.0.0.1",
        "Address to listen on; 0.0.0.0 or :: lets other machines in.",
    )
    port: int = option(PORT, "TCP port; 0: any that is free.", low=0, high=65535)
    token: str | None = option(
        None,
        "A secret that clients show; none: there is none.",
        pattern=r"[!-~]{8,200}",
        form="8 to 200 visible ASCII characters",
    )
    token_file: Path | None = option(None, "File that holds the token, instead of `token`.")
    enter: str = option(
        TOKEN,
        "Who may listen and open own streams: everyone, or, if there is a token, who has it.",
        choices=(EVERYONE, TOKEN),
    )
    steer_stations: str = option(
        TOKEN,
        "Who may steer stations: everyone, nobody, or who has the token (without one: whoever"
        " connects from this machine).",
        choices=(EVERYONE, TOKEN, NOBODY),
    )
    origins: tuple[str, ...] = option(
        (),
        "Web sites, beside the server's own page, whose scripts may connect, such as"
        ' "https://example.org"; "*" is all.',
    )
    hosts: tuple[str, ...] = option(
        (),
        "Names by which browsers reach it, such as a proxy's, beside its addresses, localhost and"
        ' the name of this machine; "*" is all.',
    )
    tls_certificate: Path | None = option(
        None, "Certificate (PEM, with its chain) for https and wss; none: http and ws."
    )
    tls_key: Path | None = option(None, "Private key of the certificate (PEM).")
    max_clients: int = option(2000, "Most WebSocket connections at a time.", low=1, high=1_000_000)
    max_address_clients: int = option(
        500,
        "Most WebSocket connections of one network address that is not this machine.",
        low=1,
        high=1_000_000,
    )
    max_half_open: int = option(
        128,
        "Most connections of one network address whose request is not there in full; for more, the"
        " oldest of them are closed.",
        low=4,
        high=1000,
    )
    request_seconds: float = option(
        10.0,
        "Seconds within which a request must be there in full, TLS handshake included.",
        low=0.1,
        high=600,
    )
    max_own_streams: int = option(
        8, "Most own streams of clients of one network address.", low=0, high=1_000_000
    )
    max_message: int = option(
        65_536, "Bytes of the largest message that is read.", low=1024, high=16_777_216
    )
    rate: int = option(50, "Messages a second that one client may send.", low=1, high=100_000)
    queue: int = option(
        1_048_576,
        "Bytes that may wait for one client; it is let go if there are more.",
        low=65_536,
        high=1_073_741_824,
    )
    idle_seconds: int = option(
        60, "After so long without a listener an own stream ends.", low=1, high=86_400
    )
    grace: float = option(
        60.0,
        "Seconds for which a client that was cut off may come back to its session.",
        low=0,
        high=3600,
    )

    def __post_init__(self) -> None:
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"origins: '{origin[:80]}' is none: write it without a path, such as"
                    ' "https://example.org", or "*" for all'
                )
        for host in self.hosts:
            if not _HOST.fullmatch(host):
                raise ValueError(
                    f"hosts: '{host[:80]}' is none: write a name without scheme and port, such as"
                    ' "radio.example.org", or "*" for all'
                )
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together: give both or none")
