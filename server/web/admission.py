"""Who comes in at the door: origins of web pages, tokens, network addresses."""

from __future__ import annotations

import socket
from functools import cache
from ipaddress import ip_address
from urllib.parse import parse_qs

from starlette.requests import HTTPConnection

from server.web.sessions import Visitor
from server.web.settings import WebSettings


def query(request: HTTPConnection) -> dict[str, str]:
    """The last value of each name. (Starlette's own takes as many names as there come.)"""
    raw = request.scope.get("query_string", b"").decode("latin-1")
    try:
        parsed = parse_qs(raw, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in parsed.items()}


def shown_token(request: HTTPConnection) -> str:
    """The token of the header `Authorization: Bearer` or of `?token=`."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else query(request).get("token", "")


def visitor(request: HTTPConnection) -> Visitor:
    """Whoever comes through a proxy is local only if the proxy says so of its client."""
    address = request.client.host if request.client else ""
    return Visitor(address, is_loopback(address), shown_token(request))


def asks_for_a_websocket(request: HTTPConnection) -> bool:
    options = ",".join(request.headers.getlist("connection")).lower().split(",")
    upgrade = request.headers.get("upgrade", "").lower()
    is_meant = upgrade == "websocket" and "upgrade" in map(str.strip, options)
    return is_meant and request.scope["method"] == "GET"


def admits(settings: WebSettings, request: HTTPConnection) -> bool:
    """Whether a page of this origin may connect. Programs, which send none, always may."""
    origin = request.headers.get("origin", "")
    if not origin or named(settings, origin):
        return True
    host = request.headers.get("host", "")
    return origin.partition("://")[2].lower() == host.lower()


def knows_host(settings: WebSettings, request: HTTPConnection) -> bool:
    """Whether the server goes by the name under which it is asked.

    A page of another site may have its own name lead here (DNS rebinding), and would then read
    what this server answers as if that were its own. It can have no IP address for a name, nor one
    that this machine calls itself by.
    """
    host = _without_port(request.headers.get("host", "")).lower().rstrip(".")
    if not host or is_address(host) or is_loopback(host):
        return True  # no browser leaves it out
    if "." not in host and not is_loopback(settings.host):
        return True  # a name in this network, which nobody outside of it can give
    return host in _names(settings) or "*" in _names(settings)


@cache
def _names(settings: WebSettings) -> frozenset[str]:
    """The names by which it goes, in small letters."""
    machine = socket.gethostname().lower()
    of_origins = (
        _without_port(origin.partition("://")[2] or origin) for origin in settings.origins
    )
    known = (*settings.hosts, *of_origins, settings.host, machine)
    first = machine.partition(".")[0]
    return frozenset(name.lower().rstrip(".") for name in (*known, f"{first}.local"))


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def named(settings: WebSettings, origin: str) -> bool:
    """Whether the settings name this origin."""
    return "*" in settings.origins or origin in settings.origins


def is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
