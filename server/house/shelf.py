"""Where each station stands, on disk: enough to go on at that bar after a restart.

One small JSON file a station, written whole, beside the snapshots of the composing process. What
was lost in a crash since the last snapshot is composed again from the changes that are kept here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from engine.files import write_whole
from server.composing.messages import LoggedChange
from server.house.stream import Kept, Stream


class Place(msgspec.Struct, frozen=True):
    """Where a station was when this was written."""

    seed: int
    model: str
    sha256: str
    preset: str | None
    configured: dict[str, Any]  # the configuration that it was begun with
    begun_with: dict[str, Any]  # controls with which its epoch began
    prompt: Any  # with which it began, as plain JSON
    bar: int  # that sounded
    state: str
    kept_bar: int
    kept_path: str
    changes: tuple[LoggedChange, ...]

    @property
    def kept(self) -> Kept:
        return Kept(self.kept_bar, self.kept_path, list(self.changes))


@dataclass(frozen=True, slots=True)
class Shelf:
    """The folder of these files."""

    directory: Path

    def path(self, name: str) -> Path:
        return self.directory / f"{name}.place"

    def put(self, stream: Stream, configured: Mapping[str, Any], now: int) -> None:
        """Note where a stream is. OSError or PerpetuoError if the disk does not take it."""
        place = Place(
            stream.seed,
            stream.model,
            stream.sha256,
            stream.preset,
            dict(configured),
            stream.begun_with.complete(),
            stream.prompt.plain() if stream.prompt else None,
            stream.resting_bar(now),
            stream.state,
            stream.kept.bar,
            stream.kept.path,
            tuple(stream.kept.changes),
        )
        write_whole(self.path(stream.name), msgspec.json.encode(place), force=True)

    def take(self, name: str) -> Place | None:
        """What was noted of a station; None if nothing, or nothing that can be read."""
        try:
            return msgspec.json.decode(self.path(name).read_bytes(), type=Place)
        except (OSError, msgspec.MsgspecError):
            return None


def same_configuration(place: Place, configured: Mapping[str, Any]) -> bool:
    """Whether a station is configured as it was: else it begins anew."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(configured)))
    return place.configured == plain
