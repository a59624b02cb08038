"""What a server is told about a station: a [[station]] table of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from common.settings import Table

MAX_SEED = 2**53 - 1  # that JSON carries exactly
_Name = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z0-9_-]{1,40}\Z",
        title="a name of at most 40 small letters, digits, - and _",
    ),
]
_Seed = Annotated[int, Meta(ge=0, le=MAX_SEED)]


class StationSettings(Table, frozen=True):
    """A stream that is always on, shared by all listeners: [[station]]."""

    name: Annotated[_Name, "In addresses, such as /perpetuo/NAME/density."]
    title: Annotated[str, "As it is shown to people; nothing: the name."] = ""
    preset: Annotated[str | None, "Preset that it begins with, see 'perpetuo presets'."] = None
    seed: Annotated[
        _Seed | None,
        "Which music; none: drawn at the first start, then kept in the state folder.",
    ] = None
    model: Annotated[str | None, "Model of this station, if not that of all."] = None
    controls: Annotated[
        Mapping[str, Any],
        Meta(title="controls by name"),
        "Controls by name, on top of the preset, see controls.md.",
    ] = {}
    start: Annotated[
        Literal["playing", "stopped"], "How it begins at first; later it goes on as it was left."
    ] = "playing"
