"""What the server sends, protocol version 1: the one source of schema, tables and checks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from server.base.wire import WireBar
from server.web.terms import Controls, Plan, RequestId, Whole

Unfollowed = Annotated[
    dict[str, str],
    Meta(description="Controls that its model does not follow, each with a sentence why."),
]
StreamState = Literal["playing", "stopped", "ended"]
Microseconds = Annotated[int, Meta(description="Microseconds of the server's monotonic clock.")]
Event = Annotated[
    Whole, Meta(description="Number of this message in its session, rising by 1 from 1.")
]


class ServerMessage(Struct, frozen=True, kw_only=True, tag_field="type"):
    """What the server sends. Clients must pass over fields and types that they do not know."""


class ControlRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One control, as `perpetuo controls --json` has it."""

    name: str
    kind: str
    role: str
    group: str
    default: Any
    open: Annotated[bool, Meta(description="Whether null leaves it to the model or the plan.")]
    low: float | None
    high: float | None
    unit: str
    choices: tuple[str | float, ...]
    per: Annotated[str | None, Meta(description="May be given by model field, part or style.")]
    accepts: Annotated[str, Meta(description="What may be given, in words.")]
    help: str


class StationRow(Struct, frozen=True, kw_only=True):
    """A station, in short."""

    name: str
    title: Annotated[str, Meta(description="As it is shown to people.")]
    state: str
    preset: str | None
    seed: int
    model: str
    listeners: int
    streams: Annotated[
        dict[str, str],
        Meta(description="Paths of its sound over HTTP, by form: mp3, opus, hls."),
    ] = {}


class PresetRow(Struct, frozen=True, kw_only=True):
    """A preset: what it does not name stands at its default."""

    name: str
    title: str
    help: str
    controls: Controls
    by_seed: Annotated[
        tuple[str, ...],
        Meta(description="Controls that the seed chooses, which are not among `controls`."),
    ] = ()


class Limits(Struct, frozen=True, kw_only=True):
    """What the server allows one client."""

    message: Annotated[int, Meta(description="Bytes of the largest message.")]
    rate: Annotated[int, Meta(description="Messages a second.")]
    own_streams: Annotated[int, Meta(description="Own streams from one network address.")]
    grace: Annotated[float, Meta(description="Seconds in which a session can be resumed.")]


class Capabilities(Struct, frozen=True, kw_only=True):
    """What this server has and can."""

    controls: tuple[ControlRow, ...]
    roles: Annotated[dict[str, str], Meta(description="What the roles of controls mean.")]
    parts: Annotated[int, Meta(description="Number of parts; the last one is percussion.")]
    ticks: Annotated[int, Meta(description="Ticks of a quarter note.")]
    styles: Annotated[tuple[str, ...], Meta(description="That the control `style` mixes.")]
    models: tuple[str, ...]
    stations: tuple[StationRow, ...]
    presets: tuple[PresetRow, ...]
    may_steer_stations: bool
    horizon: Annotated[
        int,
        Meta(description="Microseconds before its bar line from which on a bar is not changed."),
    ]
    limits: Limits


class Welcome(ServerMessage, frozen=True, kw_only=True, tag="welcome"):
    """The answer to `hello`. Not numbered."""

    protocol: int
    server: Annotated[str, Meta(description="Version of the server.")]
    session: Annotated[str, Meta(description="Secret name, needed to resume.")]
    you: Annotated[str, Meta(description="Public name: the `by` of what this client changes.")]
    resumed: Annotated[
        bool, Meta(description="Whether what was missed follows; else every `state` comes anew.")
    ]
    listening: Annotated[tuple[str, ...], Meta(description="Streams that this session hears.")]
    own: Annotated[tuple[str, ...], Meta(description="Own streams of this session.")]
    time: Microseconds
    capabilities: Capabilities


class Change(Struct, frozen=True, kw_only=True):
    """A change of controls or plan, heard from `bar` on."""

    controls: Controls
    plan: Plan
    bar: int
    due: Microseconds
    by: Annotated[str, Meta(description="Who did it.")]
    change: Annotated[int, Meta(description="Its number, which `postponed` names.")] = 0


class State(ServerMessage, frozen=True, kw_only=True, tag="state"):
    """All about a stream. After `listen`, `bars` messages `bar` follow it."""

    id: RequestId = None
    stream: str
    title: Annotated[str, Meta(description="As it is shown to people.")]
    station: bool
    epoch: Annotated[int, Meta(description="How often it began anew.")]
    state: StreamState
    seed: int
    model: str
    styles: tuple[str, ...]
    preset: str | None
    controls: Annotated[dict[str, Any], Meta(description="All of them, in force for new bars.")]
    bar: Annotated[int | None, Meta(description="The one that sounds, null: none yet.")]
    bars: Annotated[int, Meta(description="How many messages `bar` follow at once.")]
    late_bars: Annotated[int, Meta(description="Bars so far that had to be bridged.")]
    history: Annotated[tuple[Change, ...], Meta(description="The latest changes, oldest first.")]
    unfollowed: Unfollowed = {}
    event: Event = 0


class BarMessage(ServerMessage, frozen=True, kw_only=True, tag="bar"):
    """A bar, new or of a higher revision: it replaces what the client holds of this index."""

    stream: str
    epoch: int
    due: Annotated[Microseconds, Meta(description="When its bar line sounds.")]
    bar: WireBar
    event: Event = 0


class SteeredMessage(ServerMessage, frozen=True, kw_only=True, tag="steered"):
    """Somebody changed controls or the plan; heard from `bar` on. `preset` is the one that was
    chosen last."""

    stream: str
    controls: Controls
    plan: Plan
    bar: int
    due: Microseconds
    by: str
    preset: str | None = None
    change: Annotated[int, Meta(description="Number of the change, which `postponed` names.")] = 0
    event: Event = 0


class PostponedMessage(ServerMessage, frozen=True, kw_only=True, tag="postponed"):
    """A change is not heard in the bar that was announced, which could not be composed anew in
    time: it is heard from `bar` on."""

    stream: str
    change: Annotated[int, Meta(description="As `ack` and `steered` gave it.")]
    bar: int
    due: Microseconds
    event: Event = 0


class MovedMessage(ServerMessage, frozen=True, kw_only=True, tag="moved"):
    """All bars from `bar` on are due later by `later` microseconds."""

    stream: str
    bar: int
    later: int
    event: Event = 0


class TurnedMessage(ServerMessage, frozen=True, kw_only=True, tag="turned"):
    """The stream stopped, went on, began anew (a higher `epoch`), or ended.

    With a higher epoch, bars of earlier ones that have not begun are void.
    """

    stream: str
    state: StreamState
    epoch: int
    reason: str
    seed: int
    model: str
    styles: tuple[str, ...]
    preset: str | None
    controls: dict[str, Any]
    unfollowed: Unfollowed = {}
    event: Event = 0


class PanicMessage(ServerMessage, frozen=True, kw_only=True, tag="panic"):
    """End everything of the stream that sounds now; the music goes on with the next note."""

    stream: str
    event: Event = 0


class Ack(ServerMessage, frozen=True, kw_only=True, tag="ack"):
    """The request was carried out."""

    id: RequestId = None
    stream: str
    bar: Annotated[int | None, Meta(description="From which it is heard, where that is known.")]
    due: Annotated[int | None, Meta(description="When that bar line sounds.")]
    change: Annotated[
        int | None, Meta(description="Number of the change of controls, which `postponed` names.")
    ] = None
    saved: Annotated[
        bool | None,
        Meta(
            description="Whether it is on disk; if not, it is lost if the server dies now."
            " null: of an own stream nothing is."
        ),
    ] = None
    event: Event = 0


class Pong(ServerMessage, frozen=True, kw_only=True, tag="pong"):
    """The answer to `ping`. Not numbered."""

    t: float
    time: Microseconds


class Stations(ServerMessage, frozen=True, kw_only=True, tag="stations"):
    """The stations, in the order of the configuration."""

    id: RequestId = None
    stations: tuple[StationRow, ...]
    event: Event = 0


class Presets(ServerMessage, frozen=True, kw_only=True, tag="presets"):
    """The presets, by name."""

    id: RequestId = None
    presets: tuple[PresetRow, ...]
    event: Event = 0


class ErrorMessage(ServerMessage, frozen=True, kw_only=True, tag="error"):
    """Something was not done; nothing else changed. Not numbered before `welcome`."""

    id: RequestId = None
    code: Annotated[str, Meta(description="One of the table of errors.")]
    message: Annotated[str, Meta(description="A sentence for people.")]
    event: Event = 0


class Bye(ServerMessage, frozen=True, kw_only=True, tag="bye"):
    """The connection is closed after this. Not numbered."""

    code: Annotated[str, Meta(description="One of the table of ends.")]
    reason: Annotated[str, Meta(description="A sentence for people.")]


FromServer = (
    Welcome
    | State
    | BarMessage
    | SteeredMessage
    | PostponedMessage
    | MovedMessage
    | TurnedMessage
    | PanicMessage
    | Ack
    | Pong
    | Stations
    | Presets
    | ErrorMessage
    | Bye
)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(FromServer)


def encode(message: FromServer) -> bytes:
    return _encoder.encode(message)


def decode(text: str | bytes) -> FromServer:
    """ValueError if it is no message of a server."""
    message: FromServer = _decoder.decode(text)
    return message
