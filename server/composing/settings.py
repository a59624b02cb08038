"""How the composing process is set up: one JSON argument on its command line."""

from __future__ import annotations

import msgspec


class ComposerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times in microseconds. `directory` holds the snapshots; "": none are kept."""

    model: str = "default"
    device: str = "cpu"
    threads: int = 1
    lookahead: int = 4  # bars beyond the one that sounds
    horizon: int = 150_000  # bars due within it are not composed again
    most: int = 1024  # streams at once
    rows: int = 0  # streams that one call of the network serves; 0: as it is fastest
    directory: str = ""
    keep_every: int = 8  # bars between snapshots of a stream
    speed: float = 1.0  # of the clock, and when it was the machine's: see `server.base.clock`
    origin: int = 0

    def argument(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def read(cls, argument: str) -> ComposerSettings:
        return msgspec.json.decode(argument, type=cls)
