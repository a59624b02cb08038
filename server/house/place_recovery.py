"""What can be found of a station whose place is lost: its last snapshot, and its last log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import PerpetuoError
from common.files import LOG, SNAPSHOT, read_bytes
from engine.files.control_log import ControlLog, read
from server.composing.messages import PastChange, snapshot_name
from server.house.log_writer import logs_of
from server.house.places import StationPlace
from server.house.stream import PLAYING

if TYPE_CHECKING:
    from engine.composing.snapshot import SnapshotSummary

log = logging.getLogger("perpetuo.house")


def salvaged(
    name: str, snapshots: Path, logs: Path | None, configured: Mapping[str, Any]
) -> StationPlace | None:
    """A place put together: at the bar of the snapshot, under the changes that the log has since,
    with the model and what it began with from there. None if they do not belong together, or
    there is nothing."""
    from engine.composing.snapshot import (
        summary_of,  # the runtime comes with it, and is hardly ever needed
    )

    path = snapshots / snapshot_name(name)
    try:
        snapshot = summary_of(read_bytes(path, SNAPSHOT))
    except PerpetuoError as error:
        log.warning("no snapshot of %s helps: %s", name, error)
        return None
    found = _last_log(name, logs)
    if found is not None and (found.seed, found.sha256) != (snapshot.seed, snapshot.model):
        found = None  # of another beginning
    return _place(snapshot, path, found, configured)


def _last_log(name: str, logs: Path | None) -> ControlLog | None:
    for path in reversed(logs_of(logs, name) if logs is not None else []):
        try:
            return read(read_bytes(path, LOG))
        except PerpetuoError as error:
            log.warning("%s does not help: %s", path, error)
    return None


def _place(
    snapshot: SnapshotSummary, path: Path, found: ControlLog | None, configured: Mapping[str, Any]
) -> StationPlace:
    changes = [one for one in found.changes if one.bar >= snapshot.bar] if found else []
    return StationPlace(
        seed=snapshot.seed,
        model=found.model if found else configured["model"],
        sha256=snapshot.model,
        preset=configured["preset"],
        configured=dict(configured),
        begun_with=(found.controls if found else snapshot.controls).complete(),
        prompt=found.prompt.plain() if found and found.prompt else None,
        bar=snapshot.bar,
        state=PLAYING,
        kept_bar=snapshot.bar,
        kept_path=str(path),
        changes=tuple(
            PastChange(
                one.bar, dict(one.set), {b: dict(c) for b, c in one.plan.items()}, one.to, one.tick
            )
            for one in changes
        ),
    )
