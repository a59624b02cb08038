"""Where each station stands, on disk: enough to go on at that bar after a restart.

One small JSON file a station, written whole, beside the snapshots of the composing process. What
was lost in a crash since the last snapshot is composed again from the changes that are kept here.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from common.errors import StreamError
from server.base.wire import WireBar
from server.composing.messages import PastChange
from server.house.resume_state import ResumeState
from server.house.stream import Stream

log = logging.getLogger("perpetuo.house")

MAX_BYTES = 16 * 2**20
# A station goes on where it was by composing silently from its snapshot; further than this from it
# no server of ours ever was, and it would take minutes.
FURTHEST = 4096


class StationPlace(msgspec.Struct, frozen=True):
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
    changes: tuple[PastChange, ...]
    late: tuple[int, ...] = ()
    heard: tuple[WireBar, ...] = ()
    composed: int | None = None  # from this bar on to `bar` there were only fallbacks
    tick: int = 0  # at which `bar` began

    @property
    def kept(self) -> ResumeState:
        """What composing goes on from. What would have come in the place of the last fallbacks
        comes at `bar`: it is not composed to be thrown away."""
        kept = ResumeState(
            self.kept_bar,
            self.kept_path,
            list(self.changes),
            {bar for bar in self.late if bar < self.bar},
            {bar.index: bar for bar in self.heard if bar.index < self.bar},
        )
        if self._reached < self.bar:
            kept.leap(self._reached, self.bar, self.tick)
        return kept

    @property
    def _reached(self) -> int:
        """The bar at which composing stood."""
        return self.bar if self.composed is None else max(self.composed, self.kept_bar)

    def check(self) -> None:
        """ValueError if no server can have noted this."""
        if not 0 <= self.kept_bar <= self.bar + 64 or self._reached - self.kept_bar > FURTHEST:
            raise ValueError(f"bar {self._reached} cannot follow a snapshot of bar {self.kept_bar}")
        if self.seed < 0 or any(change.bar < 0 for change in self.changes):
            raise ValueError("it counts below 0")


def encoded(stream: Stream, configured: Mapping[str, Any], now: int) -> bytes:
    """Where a stream is, as its file holds it. StreamError if that cannot be written down."""
    kept, bar = stream.kept, stream.resting_bar(now)
    sounding = stream.bars.get(bar)
    place = StationPlace(
        stream.seed,
        stream.model,
        stream.sha256,
        stream.preset,
        dict(configured),
        stream.begun_with.complete(),
        stream.prompt.plain() if stream.prompt else None,
        bar,
        stream.state,
        kept.bar,
        kept.path,
        tuple(kept.changes),
        tuple(sorted(kept.late)),
        tuple(kept.heard[one] for one in sorted(kept.heard)),
        stream.composed_until if stream.composed_until < bar else None,
        sounding.bar.tick if sounding is not None else 0,
    )
    data = msgspec.json.encode(place)
    if len(data) > MAX_BYTES:
        raise StreamError(f"where {stream.name} is takes {len(data)} bytes: too much to be noted")
    return data


@dataclass(frozen=True, slots=True)
class PlaceStore:
    """The folder of these files."""

    directory: Path

    def path(self, name: str) -> Path:
        return self.directory / f"{name}.place"

    def take(self, name: str) -> StationPlace | None:
        """What was noted of a station; None if nothing. A damaged file is put aside, and said:
        StreamError."""
        path = self.path(name)
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ValueError("it is far too long")
            place = msgspec.json.decode(path.read_bytes(), type=StationPlace)
            place.check()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StreamError(f"{path} cannot be read ({error.strerror})") from error
        except (ValueError, RecursionError) as error:
            aside = self._put_aside(path)
            raise StreamError(f"{path} is damaged ({error}); it was kept as {aside}") from error
        return place

    def _put_aside(self, path: Path) -> str:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        aside = path.with_name(f"{path.name}.damaged-{stamp}")
        try:
            os.replace(path, aside)
        except OSError as error:
            return f"it was ({error.strerror})"
        return aside.name


def same_configuration(place: StationPlace, configured: Mapping[str, Any]) -> bool:
    """Whether a station is configured as it was: else it begins anew."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(configured)))
    return place.configured == plain
