"""What clients send, protocol version 1: the one source of schema, tables and checks.

Every message is a JSON object in a text frame; `type` names it. docs/protocol.md tells what they
mean and when they are sent; `server.serving.protocol_doc` derives its tables from here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from server.web.terms import PROTOCOL, Controls, Name, Plan, RequestId, Whole

MAX_PAST = 64
MAX_PROMPT_NOTES = 4096

StreamName = Annotated[Name, Meta(description="Name of a station or of an own stream.")]


class ClientMessage(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"
):
    """What a client sends. Unknown fields are refused, so that slips are told."""


class Resume(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a client was when its connection was cut."""

    session: Annotated[Name, Meta(description="As `welcome` gave it.")]
    event: Annotated[Whole, Meta(description="Number of the last message that arrived, 0: none.")]


class Hello(ClientMessage, frozen=True, kw_only=True, tag="hello"):
    """The first message of a connection; answered by `welcome`."""

    protocol: Annotated[Whole, Meta(description=f"Version that the client speaks: {PROTOCOL}.")]
    token: Annotated[str, Meta(max_length=200, description="The secret, if the server asks.")] = ""
    resume: Resume | None = None


class Request(ClientMessage, frozen=True, kw_only=True):
    """A message that is answered by exactly one `ack` or `error`."""

    id: RequestId = None


class Listen(Request, frozen=True, kw_only=True, tag="listen"):
    """Hear a stream: `ack`, then its `state`, its planned bars, and whatever happens to it."""

    stream: StreamName
    past: Annotated[
        int, Meta(ge=0, le=MAX_PAST, description="Bars before the sounding one that are sent too.")
    ] = 0


class Unlisten(Request, frozen=True, kw_only=True, tag="unlisten"):
    """Hear a stream no longer. An own stream to which nobody listens ends after a while."""

    stream: StreamName


Midi = Annotated[int, Meta(ge=0, le=127)]
Tick = Annotated[int, Meta(ge=0, le=2**31 - 1)]
PromptNote = tuple[
    Annotated[int, Meta(title="part", ge=1, le=8)],
    Annotated[Midi, Meta(title="pitch")],
    Annotated[Midi, Meta(title="velocity")],
    Annotated[Tick, Meta(title="tick")],
    Annotated[Tick, Meta(title="length")],
]


class PromptMusic(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Music that a stream begins with in mind; it is not played."""

    notes: Annotated[
        tuple[PromptNote, ...],
        Meta(
            min_length=1,
            max_length=MAX_PROMPT_NOTES,
            description="Part, pitch, velocity, tick of the onset, length in ticks.",
        ),
    ]
    metre: Annotated[str, Meta(max_length=10)] = "4/4"
    tempo: Annotated[int, Meta(ge=200_000, le=3_000_000, description="Microseconds a quarter.")] = (
        500_000
    )
    programs: Annotated[
        tuple[Midi, Midi, Midi, Midi, Midi, Midi, Midi, Midi],
        Meta(description="General MIDI programs by part, from 0."),
    ] = (0,) * 8


class Open(Request, frozen=True, kw_only=True, tag="open"):
    """Begin an own stream and listen to it; `ack` tells its name."""

    preset: Name | None = None
    seed: Annotated[Whole | None, Meta(description="Which music; null: any.")] = None
    controls: Controls = {}
    prompt: PromptMusic | None = None


class Close(Request, frozen=True, kw_only=True, tag="close"):
    """End an own stream."""

    stream: StreamName


class Steer(Request, frozen=True, kw_only=True, tag="steer"):
    """Change controls, or the plan of coming bars; `ack` tells from which bar on it is heard."""

    stream: StreamName
    controls: Controls = {}
    plan: Plan = {}


class ChoosePreset(Request, frozen=True, kw_only=True, tag="preset"):
    """Set all controls as a preset has them."""

    stream: StreamName
    name: Name


class Transport(Request, frozen=True, kw_only=True, tag="transport"):
    """Begin anew with the same seed, pause, go on from the bar of the pause, or silence at once."""

    stream: StreamName
    action: Literal["start", "stop", "continue", "panic"]


class Reseed(Request, frozen=True, kw_only=True, tag="seed"):
    """Begin anew with another seed."""

    stream: StreamName
    seed: Whole


class LoadModel(Request, frozen=True, kw_only=True, tag="load"):
    """Begin anew with another model, one of those that `welcome` lists."""

    stream: StreamName
    model: Name


class GivePrompt(Request, frozen=True, kw_only=True, tag="prompt"):
    """Begin anew with this music in mind."""

    stream: StreamName
    prompt: PromptMusic


class Get(Request, frozen=True, kw_only=True, tag="get"):
    """Ask without listening; answered by `stations`, `presets` or `state` instead of an `ack`."""

    what: Literal["stations", "presets", "state"]
    stream: Annotated[Name, Meta(description="Needed for `state` alone.")] = ""


class Ping(ClientMessage, frozen=True, kw_only=True, tag="ping"):
    """Ask for the server's time; answered by `pong` at once."""

    t: Annotated[float, Meta(description="The client's time; `pong` repeats it.")]
    event: Annotated[
        Whole,
        Meta(description="Number of the last message that arrived: need not be kept any more."),
    ] = 0


AnyRequest = (
    Listen
    | Unlisten
    | Open
    | Close
    | Steer
    | ChoosePreset
    | Transport
    | Reseed
    | LoadModel
    | GivePrompt
    | Get
)
FromClient = Hello | AnyRequest | Ping

_decoder = msgspec.json.Decoder(FromClient)


def decode_request(text: str | bytes) -> FromClient:
    """ValueError or RecursionError if it is no message of a client."""
    message: FromClient = _decoder.decode(text)
    return message
