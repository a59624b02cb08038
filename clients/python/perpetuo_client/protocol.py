"""The messages of the protocol, as they are read out of JSON and written into it.

Made of docs/protocol.schema.json by `make protocol`: change nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict


class Hello(TypedDict):
    """The first message of a connection; answered by `welcome`."""

    type: Literal["hello"]
    # Version that the client speaks: 1.
    protocol: int
    # The secret, if the server asks.
    token: NotRequired[str]
    resume: NotRequired[Resume | None]


class Resume(TypedDict):
    """Where a client was when its connection was cut."""

    # As `welcome` gave it.
    session: str
    # Number of the last message that arrived, 0: none.
    event: int


class Listen(TypedDict):
    """Hear a stream: `ack`, then its `state`, its planned bars, and whatever happens to it."""

    type: Literal["listen"]
    # Chosen by the client; the one `ack` or `error` that answers repeats it.
    id: NotRequired[int | None]
    # Name of a station or of an own stream.
    stream: str
    # Bars before the sounding one that are sent too.
    past: NotRequired[int]


class Unlisten(TypedDict):
    """Hear a stream no longer. An own stream to which nobody listens ends after a while."""

    type: Literal["unlisten"]
    # Chosen by the client; the one `ack` or `error` that answers repeats it.
    id: NotRequired[int | None]
    # Name of a station or of an own stream.
    stream: str


class Open(TypedDict):
    """Begin an own stream and listen to it; `ack` tells its name."""

    type: Literal["open"]
    # Chosen by the client; the one `ack` or `error` that answers repeats it.
    id: NotRequired[int | None]
    preset: NotRequired[str | None]
    # Which music; null: any.
    seed: NotRequired[int | None]
    # Values by name, see controls.md.
    controls: NotRequired[Mapping[str, Any]]
    prompt: NotRequired[PromptMusic | None]


class PromptMusic(TypedDict):
    """Music that a stream begins with in mind; it is not played."""

    # Part, pitch, velocity, tick of the onset, length in ticks.
    notes: Sequence[Sequence[int]]
    metre: NotRequired[str]
    # Microseconds a quarter.
    tempo: NotRequired[int]
    # General MIDI programs by part, from 0.
    programs: NotRequired[Sequence[int]]


class Close(TypedDict):
    """End an own stream."""

    type: Literal["close"]
    # Chosen by the client; the one `ack` or `error` that answers repeats it.
    id: NotRequired[int | None]
    # Name of a station or of an own stream.
    stream: str


class Steer(TypedDict):
    """Change controls, or the plan of coming bars; `ack` tells from which bar on it is heard."""

    type: Literal["steer"]
    # Chosen by the client; the one `ack` or `error` that answers repeats it.
    id: NotRequired[int | None]
    # Name of a station or of an own stream.
    stream: str
    # Values by name, see controls.md.
    controls: NotRequired[Mapping[str, Any]]
    # Values of the plan by bar: what stands there is not planned by the server.
    plan: NotRequired[Mapping[str, Mapping[str, int]]]


class ChoosePreset(TypedDict):
    """Set all controls as a preset has them."""

    type: Literal["preset"]
    # Chosen by the client; the one `ack` or `error` that answers repeats it.
    id: NotRequired[int | None]
    # Name of a station or of an own stream.
    stream: str
    name: str


class Transport(TypedDict):
    """Begin anew with the same seed, pause, go on from the bar of the pause, or silence at once."""

    type: Literal["transport"]
    # Chosen by the client; the one `ack` or `error` that answers repeats it.
    id: NotRequired[int | None]
    # Name of a station or of an own stream.
    stream: str
    action: Literal["continue", "panic", "start", "stop"]


class Reseed(TypedDict):
    """Begin anew with another seed."""

    type: Literal["seed"]
    # Chosen by the client; the one `ack` or `error` that answers repeats it.
    id: NotRequired[int | None]
    # Name of a station or of an own stream.
    stream: str
    seed: int


class LoadModel(TypedDict):
    """Begin anew with another model, one of those that `welcome` lists."""

    type: Literal["load"]
    # Chosen by the client; the one `ack` or `error` that answers repeats it.
    id: NotRequired[int | None]
    # Name of a station or of an own stream.
    stream: str
    model: str


class GivePrompt(TypedDict):
    """Begin anew with this music in mind."""

    type: Literal["prompt"]
    # Chosen by the client; the one `ack` or `error` that answers repeats it.
    id: NotRequired[int | None]
    # Name of a station or of an own stream.
    stream: str
    prompt: PromptMusic


class Get(TypedDict):
    """Ask without listening; answered by `stations`, `presets` or `state` instead of an `ack`."""

    type: Literal["get"]
    # Chosen by the client; the one `ack` or `error` that answers repeats it.
    id: NotRequired[int | None]
    what: Literal["presets", "state", "stations"]
    # Needed for `state` alone.
    stream: NotRequired[str]


class Ping(TypedDict):
    """Ask for the server's time; answered by `pong` at once."""

    type: Literal["ping"]
    # The client's time; `pong` repeats it.
    t: float
    # Number of the last message that arrived: need not be kept any more.
    event: NotRequired[int]


class Welcome(TypedDict):
    """The answer to `hello`. Not numbered."""

    type: Literal["welcome"]
    protocol: int
    # Version of the server.
    server: str
    # Secret name, needed to resume.
    session: str
    # Public name: the `by` of what this client changes.
    you: str
    # Whether what was missed follows; else every `state` comes anew.
    resumed: bool
    # Streams that this session hears.
    listening: Sequence[str]
    # Own streams of this session.
    own: Sequence[str]
    # Microseconds of the server's monotonic clock.
    time: int
    capabilities: Capabilities


class Capabilities(TypedDict):
    """What this server has and can."""

    controls: Sequence[ControlRow]
    # What the roles of controls mean.
    roles: Mapping[str, str]
    # Number of parts; the last one is percussion.
    parts: int
    # Ticks of a quarter note.
    ticks: int
    # That the control `style` mixes.
    styles: Sequence[str]
    models: Sequence[str]
    stations: Sequence[StationRow]
    presets: Sequence[PresetRow]
    may_steer_stations: bool
    # Microseconds before its bar line from which on a bar is not changed.
    horizon: int
    limits: Limits


class ControlRow(TypedDict):
    """One control, as `perpetuo controls --json` has it."""

    name: str
    kind: str
    role: str
    group: str
    default: Any
    # Whether null leaves it to the model or the plan.
    open: bool
    low: float | None
    high: float | None
    unit: str
    choices: Sequence[str | float]
    # May be given by model field, part or style.
    per: str | None
    # What may be given, in words.
    accepts: str
    help: str


class StationRow(TypedDict):
    """A station, in short."""

    name: str
    # As it is shown to people.
    title: str
    state: str
    preset: str | None
    seed: int
    model: str
    listeners: int
    # Paths of its sound over HTTP, by form: mp3, opus, hls.
    streams: NotRequired[Mapping[str, str]]


class PresetRow(TypedDict):
    """A preset: what it does not name stands at its default."""

    name: str
    title: str
    help: str
    # Values by name, see controls.md.
    controls: Mapping[str, Any]
    # Controls that the seed chooses, which are not among `controls`.
    by_seed: NotRequired[Sequence[str]]


class Limits(TypedDict):
    """What the server allows one client."""

    # Bytes of the largest message.
    message: int
    # Messages a second.
    rate: int
    # Own streams from one network address.
    own_streams: int
    # Seconds in which a session can be resumed.
    grace: float


class State(TypedDict):
    """All about a stream. After `listen`, `bars` messages `bar` follow it."""

    type: Literal["state"]
    # Chosen by the client; the one `ack` or `error` that answers repeats it.
    id: NotRequired[int | None]
    stream: str
    # As it is shown to people.
    title: str
    station: bool
    # How often it began anew.
    epoch: int
    state: Literal["ended", "playing", "stopped"]
    seed: int
    model: str
    styles: Sequence[str]
    preset: str | None
    # All of them, in force for new bars.
    controls: Mapping[str, Any]
    # The one that sounds, null: none yet.
    bar: int | None
    # How many messages `bar` follow at once.
    bars: int
    # Bars so far that had to be bridged.
    late_bars: int
    # The latest changes, oldest first.
    history: Sequence[Change]
    # Controls that its model does not follow, each with a sentence why.
    unfollowed: NotRequired[Mapping[str, str]]
    # Number of this message in its session, rising by 1 from 1.
    event: NotRequired[int]


class Change(TypedDict):
    """A change of controls or plan, heard from `bar` on."""

    # Values by name, see controls.md.
    controls: Mapping[str, Any]
    # Values of the plan by bar: what stands there is not planned by the server.
    plan: Mapping[str, Mapping[str, int]]
    bar: int
    # Microseconds of the server's monotonic clock.
    due: int
    # Who did it.
    by: str
    # Its number, which `postponed` names.
    change: NotRequired[int]


class BarMessage(TypedDict):
    """A bar, new or of a higher revision: it replaces what the client holds of this index."""

    type: Literal["bar"]
    stream: str
    epoch: int
    # When its bar line sounds.
    due: int
    bar: WireBar
    # Number of this message in its session, rising by 1 from 1.
    event: NotRequired[int]


class WireBar(TypedDict):
    """One composed bar, as it sounds; a higher revision replaces what a listener holds."""

    # From 0.
    index: int
    revision: int
    # Ticks of the stream at the bar line.
    tick: int
    # Its length.
    ticks: int
    # Such as 4/4.
    metre: str
    # Microseconds a quarter.
    tempo: int
    # As it sounds, such as A minor.
    key: str
    # Heard in its halves, such as Am; empty until the first one is heard.
    chords: Sequence[str]
    # Of the form, empty outside one.
    section: str
    # The bar that it takes up again, -1: none.
    echo: int
    # General MIDI programs by part, from 0.
    programs: Sequence[int]
    notes: Sequence[WireNote]
    # Made from bars before it, because the composed one was not there in time.
    late: NotRequired[bool]
    # When the sustain pedal of a part is down. May be passed over.
    pedals: NotRequired[Sequence[WirePedal]]
    # What is asked for of level, place, attack and reverb of parts, before its first note. May be
    # passed over.
    controllers: NotRequired[Sequence[WireController]]


class SteeredMessage(TypedDict):
    """Somebody changed controls or the plan; heard from `bar` on. `preset` is the one that was
    chosen last."""

    type: Literal["steered"]
    stream: str
    # Values by name, see controls.md.
    controls: Mapping[str, Any]
    # Values of the plan by bar: what stands there is not planned by the server.
    plan: Mapping[str, Mapping[str, int]]
    bar: int
    # Microseconds of the server's monotonic clock.
    due: int
    by: str
    preset: NotRequired[str | None]
    # Number of the change, which `postponed` names.
    change: NotRequired[int]
    # Number of this message in its session, rising by 1 from 1.
    event: NotRequired[int]


class PostponedMessage(TypedDict):
    """A change is not heard in the bar that was announced, which could not be composed anew in
    time: it is heard from `bar` on."""

    type: Literal["postponed"]
    stream: str
    # As `ack` and `steered` gave it.
    change: int
    bar: int
    # Microseconds of the server's monotonic clock.
    due: int
    # Number of this message in its session, rising by 1 from 1.
    event: NotRequired[int]


class MovedMessage(TypedDict):
    """All bars from `bar` on are due later by `later` microseconds."""

    type: Literal["moved"]
    stream: str
    bar: int
    later: int
    # Number of this message in its session, rising by 1 from 1.
    event: NotRequired[int]


class TurnedMessage(TypedDict):
    """The stream stopped, went on, began anew (a higher `epoch`), or ended. With a higher epoch,
    bars of earlier ones that have not begun are void."""

    type: Literal["turned"]
    stream: str
    state: Literal["ended", "playing", "stopped"]
    epoch: int
    reason: str
    seed: int
    model: str
    styles: Sequence[str]
    preset: str | None
    controls: Mapping[str, Any]
    # Controls that its model does not follow, each with a sentence why.
    unfollowed: NotRequired[Mapping[str, str]]
    # Number of this message in its session, rising by 1 from 1.
    event: NotRequired[int]


class PanicMessage(TypedDict):
    """End everything of the stream that sounds now; the music goes on with the next note."""

    type: Literal["panic"]
    stream: str
    # Number of this message in its session, rising by 1 from 1.
    event: NotRequired[int]


class Ack(TypedDict):
    """The request was carried out."""

    type: Literal["ack"]
    # Chosen by the client; the one `ack` or `error` that answers repeats it.
    id: NotRequired[int | None]
    stream: str
    # From which it is heard, where that is known.
    bar: int | None
    # When that bar line sounds.
    due: int | None
    # Number of the change of controls, which `postponed` names.
    change: NotRequired[int | None]
    # Whether it is on disk; if not, it is lost if the server dies now. null: of an own stream
    # nothing is.
    saved: NotRequired[bool | None]
    # Number of this message in its session, rising by 1 from 1.
    event: NotRequired[int]


class Pong(TypedDict):
    """The answer to `ping`. Not numbered."""

    type: Literal["pong"]
    t: float
    # Microseconds of the server's monotonic clock.
    time: int


class Stations(TypedDict):
    """The stations, in the order of the configuration."""

    type: Literal["stations"]
    # Chosen by the client; the one `ack` or `error` that answers repeats it.
    id: NotRequired[int | None]
    stations: Sequence[StationRow]
    # Number of this message in its session, rising by 1 from 1.
    event: NotRequired[int]


class Presets(TypedDict):
    """The presets, by name."""

    type: Literal["presets"]
    # Chosen by the client; the one `ack` or `error` that answers repeats it.
    id: NotRequired[int | None]
    presets: Sequence[PresetRow]
    # Number of this message in its session, rising by 1 from 1.
    event: NotRequired[int]


class ErrorMessage(TypedDict):
    """Something was not done; nothing else changed. Not numbered before `welcome`."""

    type: Literal["error"]
    # Chosen by the client; the one `ack` or `error` that answers repeats it.
    id: NotRequired[int | None]
    # One of the table of errors.
    code: str
    # A sentence for people.
    message: str
    # Number of this message in its session, rising by 1 from 1.
    event: NotRequired[int]


class Bye(TypedDict):
    """The connection is closed after this. Not numbered."""

    type: Literal["bye"]
    # One of the table of ends.
    code: str
    # A sentence for people.
    reason: str


FromClient: TypeAlias = (
    Hello
    | Listen
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
    | Ping
)

FromServer: TypeAlias = (
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

# A note, as an array of seven numbers.
WireNote: TypeAlias = Sequence[int]

# The sustain pedal of a part is down, as an array of three numbers: controller 64 is sent as 127,
# and as 0 at the end. It is up at every bar line.
WirePedal: TypeAlias = Sequence[int]

# A controller of a part that stands at a value in this bar, as an array of three numbers. One that
# is in no list any more goes back to what is usual: 7 to 100, 10 and 73 to 64, 91 to 40.
WireController: TypeAlias = Sequence[int]
