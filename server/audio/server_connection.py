"""The process's end of the line to the server: orders in, reports out."""

from __future__ import annotations

import select
import socket

import msgspec

from server.audio.messages import Order, Report
from server.base.framing import Frames, FramingError, encode

_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
_reports: msgspec.msgpack.Decoder[Report] = msgspec.msgpack.Decoder(Report)
_CHUNK = 1 << 18


def order_frames() -> Frames[Order]:
    return Frames(_orders)


def report_frames() -> Frames[Report]:
    return Frames(_reports)


class SoundServerConnection:
    """`is_open` becomes false when the other end is gone. The server always reads, so to send may
    wait."""

    def __init__(self, connection: socket.socket) -> None:
        self.is_open = True
        self._socket = connection
        self._frames = order_frames()

    def report(self, report: Report) -> None:
        try:
            self._socket.sendall(encode(report))
        except (BrokenPipeError, ConnectionResetError):
            self.is_open = False

    def listen(self, seconds: float) -> list[Order]:
        """The orders that are there, waiting so long for the first one at most."""
        readable, _, _ = select.select([self._socket], [], [], max(seconds, 0.0))
        if not readable:
            return []
        try:
            data = self._socket.recv(_CHUNK)
        except ConnectionResetError:
            data = b""
        if not data:
            self.is_open = False
            return []
        orders = []
        for order in self._frames.feed(data):
            if isinstance(order, FramingError):
                raise order
            orders.append(order)
        return orders

    def close(self) -> None:
        self._socket.close()
