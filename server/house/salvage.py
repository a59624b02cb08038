"""What can be found of a station whose place is lost: its last snapshot, and its last log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.control_log import ControlLog, read
from engine.errors import PerpetuoError
from engine.files import LOG, SNAPSHOT, read_bytes
from server.composing.keeper import snapshot_name
from server.composing.messages import LoggedChange
from server.house.chronicle import logs_of
from server.house.shelf import Place
from server.house.stream import PLAYING

if TYPE_CHECKING:
    from engine.snapshot import Told

log = logging.getLogger("perpetuo.house")


def salvaged(
    name: str, snapshots: Path, logs: Path | None, configured: Mapping[str, Any]
) -> Place | None:
    """A place put together: at the bar of the snapshot, under the changes that the log has since,
    with the model and what it began with from there. None if they do not belong together, or
    there is nothing."""
    from engine.snapshot import told_by  # the runtime comes with it, and is hardly ever needed

    path = snapshots / snapshot_name(name)
    try:
        snapshot = told_by(read_bytes(path, SNAPSHOT))
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
    snapshot: Told, path: Path, found: ControlLog | None, configured: Mapping[str, Any]
) -> Place:
    changes = [one for one in found.changes if one.bar >= snapshot.bar] if found else []
    return Place(
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
            LoggedChange(
                one.bar, dict(one.set), {b: dict(c) for b, c in one.plan.items()}, one.to, one.tick
            )
            for one in changes
        ),
    )
