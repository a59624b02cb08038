"""What a server is told about its WebSocket and HTTP port: the [web] table of a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta

from common.settings import Table

PORT = 8770
Secret = Annotated[
    str, Meta(pattern=r"\A[!-~]{8,200}\Z", title="8 to 200 visible ASCII characters")
]
EVERYONE: Final = "everyone"
TOKEN: Final = "token"
NOBODY: Final = "nobody"
_Origin = Annotated[
    str,
    Meta(
        pattern=r"\A(https?://[^/\s]+|\*)\Z",
        title='a site without a path, such as "https://example.org", or "*" for all',
    ),
]
_Host = Annotated[
    str,
    Meta(
        pattern=r"\A([A-Za-z0-9_.-]{1,253}|\*)\Z",
        title='a name without scheme and port, such as "radio.example.org", or "*" for all',
    ),
]


class WebSettings(Table, frozen=True):
    """The web door of a server."""

    enabled: Annotated[bool, "Whether there are a page, WebSocket and HTTP at all."] = True
    host: Annotated[str, "Address to listen on; 0.0.0.0 or :: lets other machines in."] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=0, le=65535), "TCP port; 0: any that is free."] = PORT
    token: Annotated[Secret | None, "A secret that clients show; none: there is none."] = None
    token_file: Annotated[Path | None, "File that holds the token, instead of `token`."] = None
    enter: Annotated[
        Literal["everyone", "token"],
        "Who may listen and open own streams: everyone, or, if there is a token, who has it.",
    ] = TOKEN
    steer_stations: Annotated[
        Literal["everyone", "token", "nobody"],
        "Who may steer stations: everyone, nobody, or who has the token (without one: whoever"
        " connects from this machine).",
    ] = TOKEN
    origins: Annotated[
        tuple[_Origin, ...],
        "Web sites, beside the server's own page, whose scripts may connect, such as"
        ' "https://example.org"; "*" is all.',
    ] = ()
    hosts: Annotated[
        tuple[_Host, ...],
        "Names by which browsers reach it, such as a proxy's, beside its addresses, localhost and"
        ' the name of this machine; "*" is all.',
    ] = ()
    tls_certificate: Annotated[
        Path | None, "Certificate (PEM, with its chain) for https and wss; none: http and ws."
    ] = None
    tls_key: Annotated[Path | None, "Private key of the certificate (PEM)."] = None
    max_clients: Annotated[
        int, Meta(ge=1, le=1_000_000), "Most WebSocket connections at a time."
    ] = 2000
    max_address_clients: Annotated[
        int,
        Meta(ge=1, le=1_000_000),
        "Most WebSocket connections of one network address that is not this machine.",
    ] = 500
    max_half_open: Annotated[
        int,
        Meta(ge=4, le=1000),
        "Most connections of one network address whose request is not there in full; for more, the"
        " oldest of them are closed.",
    ] = 128
    request_seconds: Annotated[
        float,
        Meta(ge=0.1, le=600),
        "Seconds within which a request must be there in full, TLS handshake included.",
    ] = 10.0
    max_own_streams: Annotated[
        int, Meta(ge=0, le=1_000_000), "Most own streams of clients of one network address."
    ] = 8
    max_message: Annotated[
        int, Meta(ge=1024, le=16_777_216), "Bytes of the largest message that is read."
    ] = 65_536
    rate: Annotated[int, Meta(ge=1, le=100_000), "Messages a second that one client may send."] = 50
    queue: Annotated[
        int,
        Meta(ge=65_536, le=1_073_741_824),
        "Bytes that may wait for one client; it is let go if there are more.",
    ] = 1_048_576
    idle_seconds: Annotated[
        int, Meta(ge=1, le=86_400), "After so long without a listener an own stream ends."
    ] = 60
    grace: Annotated[
        float,
        Meta(ge=0, le=3600),
        "Seconds for which a client that was cut off may come back to its session.",
    ] = 60.0

    def __post_init__(self) -> None:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together: give both or none")
