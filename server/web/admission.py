"""Who comes in at the door: origins of web pages, tokens, network addresses."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs, urlsplit

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
    """Whether a page of this origin may connect. Programs, which send none, always may.

    A server that only this machine should reach is not to be reached under a foreign name that
    was made to lead here (DNS rebinding).
    """
    origin = header(scope, b"origin")
    if not origin or named(settings, origin):
        return True
    if origin.partition("://")[2].lower() != header(scope, b"host").lower():
        return False
    return not is_loopback(settings.host) or is_loopback(_host_of(origin))


def named(settings: WebSettings, origin: str) -> bool:
    """Whether the settings name this origin."""
    return "*" in settings.origins or origin in settings.origins


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
