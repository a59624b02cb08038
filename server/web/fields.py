"""Types of fields that messages of both directions hold."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

PROTOCOL = 1
MAX_INTEGER = 2**53 - 1  # that JSON carries exactly

Name = Annotated[str, Meta(max_length=80)]
Whole = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
RequestId = Annotated[
    Whole | None,
    Meta(description="Chosen by the client; the one `ack` or `error` that answers repeats it."),
]
Controls = Annotated[dict[Name, Any], Meta(description="Values by name, see controls.md.")]
Plan = Annotated[
    dict[Whole, dict[Name, int]],
    Meta(description="Values of the plan by bar: what stands there is not planned by the server."),
]
