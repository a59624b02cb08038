"""What a run of `perpetuo bench live` found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from server.benches.live.dispatch import DispatchFigures
    from server.benches.live.listening import AudioFigures
    from server.benches.live.starting import SoakFigures, StartFigures
    from server.benches.live.steering import SteeringFigures
    from server.benches.live.streams import StreamsFigures
    from server.benches.live.under_load import UnderLoadFigures


@dataclass
class Figures:
    """What was measured, part by part; nothing of those that were not asked for."""

    streams: list[StreamsFigures] = field(
        default_factory=list
    )  # every number that was tried, in order
    most: int | None = None  # the largest number of streams that holds, if it was searched
    hand: SteeringFigures | None = None
    loaded: UnderLoadFigures | None = None
    dispatch: list[DispatchFigures] = field(default_factory=list)  # alone, then loaded
    start: StartFigures | None = None
    soak: SoakFigures | None = None
    audio: AudioFigures | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        import msgspec

        found = msgspec.to_builtins(self)
        for plain, one in zip(found["streams"], self.streams, strict=True):
            plain |= {"holds": one.holds, "faults": one.faults, "limit": one.limit}
        if self.audio is not None:
            found["audio"] |= {"holds": self.audio.holds, "more": self.audio.more}
        if self.loaded is not None:
            found["loaded"] |= {"holds": self.loaded.holds}
        return cast(dict[str, Any], found)
