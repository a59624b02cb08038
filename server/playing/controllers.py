"""Which controllers a stream has sent as it is played."""

from __future__ import annotations

from collections.abc import Sequence

from server.base.wire import WireController
from server.playing.outputs import Controller

_UNKNOWN = -1  # it may not have been sent


class SentControllers:
    """Those of a stream that ever were asked for; None: asked for no longer."""

    def __init__(self) -> None:
        self._values: dict[tuple[int, int], int | None] = {}

    def changes(self, asked: Sequence[WireController]) -> list[Controller]:
        """What is to be sent, so that these hold."""
        wanted: dict[tuple[int, int], int | None] = dict.fromkeys(self._values)
        wanted |= {(part, number): value for part, number, value in map(_plain, asked)}
        changed = sorted(
            key for key, value in wanted.items() if self._values.get(key, _UNKNOWN) != value
        )
        self._values = wanted
        return [Controller(*key, wanted[key]) for key in changed]

    def held(self) -> list[Controller]:
        """All that were sent, for an output that was away."""
        known = {key: value for key, value in self._values.items() if value != _UNKNOWN}
        return [Controller(*key, value) for key, value in sorted(known.items())]

    def forget(self) -> None:
        """Some may not have been sent: all are sent again."""
        self._values = dict.fromkeys(self._values, _UNKNOWN)


def _plain(controller: WireController) -> tuple[int, int, int]:
    return controller.part, controller.number, controller.value
