"""Who comes in at the door: origins of web pages, tokens, network addresses."""

from __future__ import annotations

import socket
from collections.abc import Iterable, MutableMapping
from functools import cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs

from server.web.sessions import Visitor
from server.web.settings import WebSettings

Scope = MutableMapping[str, Any]
Header = tuple[bytes, bytes]


def header(scope: Scope, name: bytes) -> str:
    """The first header of this name (in small letters), "" if there is none."""
    headers: Iterable[Header] = scope["headers"]
    return next((value.decode("latin-1") for key, value in headers if key == name), "")


def query(scope: Scope) -> dict[str, str]:
    """The last value of each name."""
    raw = scope.get("query_string", b"").decode("latin-1")
    try:
        parsed = parse_qs(raw, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in parsed.items()}


def shown_token(scope: Scope) -> str:
    """The token of the header `Authorization: Bearer` or of `?token=`."""
    kind, _, token = header(scope, b"authorization").partition(" ")
    return token.strip() if kind.lower() == "bearer" else query(scope).get("token", "")


def visitor(scope: Scope) -> Visitor:
    """Whoever comes through a proxy is local only if the proxy says so of its client."""
    client = scope.get("client")
    address = client[0] if client else ""
    return Visitor(address, is_loopback(address), shown_token(scope))


def admits(settings: WebSettings, scope: Scope) -> bool:
    """Whether a page of this origin may connect. Programs, which send none, always may."""
    origin = header(scope, b"origin")
    if not origin or named(settings, origin):
        return True
    return origin.partition("://")[2].lower() == header(scope, b"host").lower()


def knows_host(settings: WebSettings, scope: Scope) -> bool:
    """Whether the server goes by the name under which it is asked.

    A page of another site may have its own name lead here (DNS rebinding), and would then read
    what this server answers as if that were its own. It can have no IP address for a name, nor one
    that this machine calls itself by.
    """
    host = _without_port(header(scope, b"host")).lower().rstrip(".")
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
