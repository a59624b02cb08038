"""The socket that the web door listens at, and how many connections the system permits."""

from __future__ import annotations

import logging
import os
import socket

from common.errors import PortError
from server.web.settings import WebSettings

log = logging.getLogger("perpetuo.web")

# What the system may hold for one connection: slow clients are noticed sooner.
SEND_BUFFER = 262_144


def look_for_room(settings: WebSettings) -> None:
    """PortError if the address of the settings cannot be listened on: better told at once than
    when everything else has begun."""
    bound_to(settings).close()


def bound_to(settings: WebSettings) -> socket.socket:
    """A socket that listens at the address of the settings."""
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        # Named, or asyncio does not switch off Nagle's delays (40 ms) for what is accepted.
        own = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise PortError(f"web.host '{host}' is no address here: {error.strerror}") from error
    try:
        if os.name == "posix":  # elsewhere it would let two servers share a port
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        own.bind(address)
        own.listen(2048)
        own.setblocking(False)
    except OSError as error:
        own.close()
        raise PortError(
            f"port {port} at {host} cannot be listened on ({error.strerror}): another server may"
            " have it; choose one with web.port or --port, 0 for any"
        ) from error
    return own


def allow_files(count: int) -> int:
    """Let this process hold so many files and connections at once, as far as the system permits;
    how many it may hold."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return count
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return count if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < count:
        log.warning("the system allows %d open files, %d were better: see 'ulimit -n'", most, count)
    return most
