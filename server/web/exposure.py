"""Who can reach the web door: under which addresses, and what they may do there."""

from __future__ import annotations

import socket

from server.web.admission import is_loopback
from server.web.settings import EVERYONE, WebSettings

ANYWHERE = ("0.0.0.0", "::", "")
# Of networks that are there for examples alone: nothing is sent, the system only says by which of
# its addresses it would go.
_FAR = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def page_address(settings: WebSettings, port: int) -> str:
    """The page, for this machine where that is possible."""
    host = "localhost" if settings.host in ANYWHERE else settings.host
    return _address(settings, host, port)


def others(settings: WebSettings, port: int) -> tuple[str, ...]:
    """The page, for other machines, where it listens to all of them."""
    if settings.host not in ANYWHERE:
        return ()
    families = [far for far in _FAR if settings.host != "0.0.0.0" or far[0] == socket.AF_INET]
    own = (_own_address(family, far) for family, far in families)
    return tuple(_address(settings, host, port) for host in own if host and not is_loopback(host))


def openness(settings: WebSettings) -> str:
    """What everybody in the network may do, "" if nobody is let in without a token."""
    if is_loopback(settings.host) or settings.token is not None:
        return ""
    may = "listen and have streams of their own"
    if settings.steer_stations == EVERYONE:
        may += ", and steer every station"
    return (
        f"there is no token: whoever reaches this machine at {settings.host or 'any address'} may"
        f" {may}; set web.token or web.token_file to keep them out, or web.host to 127.0.0.1"
    )


def _own_address(family: socket.AddressFamily, far: str) -> str:
    """By which this machine goes to others; "" if it does not."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def _address(settings: WebSettings, host: str, port: int) -> str:
    scheme = "https" if settings.tls_certificate else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"
