"""Words of the protocol that messages of both directions use: types of fields, codes of errors and
of ends."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

ERRORS = {
    "bad_message": "the message was no JSON, of no known type, or a field was wrong",
    "unknown_stream": "there is no such stream",
    "bad_control": "a control, a preset or a value of the plan was unknown or out of range",
    "bad_prompt": "the music given as a prompt was wrong",
    "bad_model": "the model is unknown or cannot be used",
    "refused": "the stream cannot do this now",
    "capacity": "one more own stream, or client, cannot be served",
    "too_fast": "messages came faster than `limits.rate`; this one was dropped",
    "too_large": "a request is larger than is taken",
    "unauthorised": "the token is missing or wrong, or stations may not be steered from here",
    "version": "the server speaks another version of the protocol",
    "internal": "a fault of the server, which has logged it",
}
# Ends of connections: the code of `bye`, the WebSocket close code, what it means.
ENDS = {
    "shutdown": (1001, "the server ends or restarts: come back in a while"),
    "binary": (1003, "only text frames are understood"),
    "too_large": (1009, "a message was larger than `limits.message` (sent without `bye`)"),
    "no_hello": (1008, "`hello` did not come within ten seconds"),
    "flood": (1008, "messages kept coming far too fast"),
    "no_answer": (1011, "the client answered no WebSocket ping for 20 s (sent without `bye`)"),
    "full": (1013, "there are too many clients: try again later"),
    "taken_over": (4001, "another connection resumed this session"),
    "version": (4002, "the server speaks another version of the protocol"),
    "unauthorised": (4003, "the token is missing or wrong"),
    "slow": (4008, "the client read too slowly: it may come back and resume"),
}


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
