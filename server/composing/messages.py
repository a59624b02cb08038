"""What the server and the composing process say to each other, and how the process is set up.

Each message is one msgpack-encoded value of `Order` or `Report`, preceded by its length in four
bytes (big-endian). Times are microseconds of the machine's monotonic clock, which both share.
Streams are named by a number that is never used again: what a stream that has left still sends
finds nobody.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from server.base.framing import Frames
from server.child.heartbeat import Alive

SUFFIX = ".stream"


class JoinOrder(msgspec.Struct, frozen=True, tag="join"):
    """Begin a stream. Answered by `JoinReport` or `RefusalReport`.

    `due` is when its first bar is to sound, 0: as soon as may be. `prompt` is
    `engine.files.prompt.Prompt.plain()`. With `resume` it goes on from a snapshot; seed,
    controls and prompt are then those of the snapshot.
    """

    request: int
    stream: int
    name: str  # of the files it keeps
    model: str  # a model's name or path
    seed: int
    number: int  # the engine's stream number, part of what is drawn
    controls: dict[str, Any]
    due: int = 0
    prompt: Any = None
    resume: ResumePoint | None = None
    asked: tuple[str, ...] = ()  # controls that the model must follow; others are left out


class PastChange(msgspec.Struct, frozen=True):
    """A change as the control log has it: the first bar composed under it. Or a leap (see
    `LeapReport`): what would have been `bar` is bar number `to`, and begins at `tick`."""

    bar: int
    set: dict[str, Any]
    plan: dict[int, dict[str, int]]
    to: int | None = None
    tick: int = 0


class ResumePoint(msgspec.Struct, frozen=True):
    """Where a stream goes on: from the snapshot file, under these changes since, composing
    silently up to `bar`, which is due at `due` (0: as soon as may be). `revisions` are those of
    the bars from there on that listeners hold: what is composed anew gets higher ones. Without a
    snapshot ("") it is composed from its beginning. `changes` are all whose bar is that of the
    snapshot (`SnapshotReport.bar`) or later; if that comes after `bar`, the stream goes on from
    there. `change` is the number of the last one, `kept` the bar that the snapshot must have
    reached: it may have been written again since."""

    snapshot: str
    changes: tuple[PastChange, ...]
    bar: int
    due: int
    revisions: dict[int, int] = {}
    change: int = 0
    kept: int = 0


class LeaveOrder(msgspec.Struct, frozen=True, tag="leave"):
    """End a stream. `forget`: its snapshot is of no use any more."""

    stream: int
    forget: bool = False


class ChangeOrder(msgspec.Struct, frozen=True, tag="change"):
    """Steer a stream. Answered by `ChangeReport` or `RefusalReport`. `change` is its number, which
    rises: bars that are composed under it have it."""

    request: int
    stream: int
    set: dict[str, Any]
    plan: dict[int, dict[str, int]] = {}
    change: int = 0
    by_preset: bool = False  # what the model does not follow is left out, not refused


class ShiftOrder(msgspec.Struct, frozen=True, tag="shift"):
    """All bars of a stream from `bar` on are due later by so many microseconds."""

    stream: int
    bar: int
    later: int


class RestOrder(msgspec.Struct, frozen=True, tag="rest"):
    """A stream was stopped in this bar, which is not composed again; what comes after it is, as
    far as the lookahead goes. It ends with a `GoOnOrder`."""

    stream: int
    bar: int


class GoOnOrder(msgspec.Struct, frozen=True, tag="go on"):
    """The next bar that is wanted is `bar`, due at `due`; it begins at `tick` of the stream. Those
    before it were not there in time. If composing is behind, it is pushed back: see
    `LeapReport`."""

    stream: int
    bar: int
    due: int
    tick: int


class SnapshotOrder(msgspec.Struct, frozen=True, tag="keep"):
    """Save a snapshot now. Answered by `SnapshotReport` or `RefusalReport`."""

    request: int
    stream: int


class CloseOrder(msgspec.Struct, frozen=True, tag="close"):
    """Save every stream and end. The end of the line means the same, without saving."""


Order = (
    JoinOrder
    | LeaveOrder
    | ChangeOrder
    | ShiftOrder
    | RestOrder
    | GoOnOrder
    | SnapshotOrder
    | CloseOrder
)


class ComposerReady(msgspec.Struct, frozen=True, tag="ready"):
    """The first report: the default model is loaded and measured."""

    model: str
    sha256: str
    styles: tuple[str, ...]
    speed: float  # notes a second that it composes alone and together
    pid: int


class JoinReport(msgspec.Struct, frozen=True, tag="joined"):
    """The stream has begun. `controls` are all of them, with what a prompt lent; `first` is the
    index of the first bar that it composes."""

    request: int
    stream: int
    sha256: str  # of the model's file
    model: str
    controls: dict[str, Any]
    first: int
    due: int  # when that one sounds
    styles: tuple[str, ...] = ()  # that the model knows
    unfollowed: dict[str, str] = {}  # controls that it does not follow, with a sentence each
    left_out: tuple[str, ...] = ()  # those of them that the order had set


class RefusalReport(msgspec.Struct, frozen=True, tag="refused"):
    """`kind` is the name of the PerpetuoError, `message` its sentence for the user."""

    request: int
    stream: int
    kind: str
    message: str


class ChangeReport(msgspec.Struct, frozen=True, tag="changed"):
    """`bar` is the first one composed under the change; `controls` the values that it set, as
    they were understood."""

    request: int
    stream: int
    bar: int
    due: int
    controls: dict[str, Any]


class BarReport(msgspec.Struct, frozen=True, tag="composed"):
    """A bar, encoded by `server.base.wire.encode_bar`; index and revision as in there."""

    stream: int
    index: int
    revision: int
    due: int
    length: int  # microseconds
    bar: bytes
    change: int = 0  # the last one that it was composed under


class LeapReport(msgspec.Struct, frozen=True, tag="leapt"):
    """What would have been `bar` is bar number `to`, which begins at `tick`: a `GoOnOrder` found
    composing behind. Changes that were to be composed after `bar` are so after `to`."""

    stream: int
    bar: int
    to: int
    tick: int


class SnapshotReport(msgspec.Struct, frozen=True, tag="kept"):
    """A snapshot was written: the stream can go on from `bar` with the changes since."""

    request: int  # 0: of its own accord
    stream: int
    bar: int
    path: str


class LoadReport(msgspec.Struct, frozen=True, tag="load"):
    """Once a second: how hard it works."""

    streams: int
    speed: float  # notes a second that it can compose
    demand: float  # notes a second that the streams take
    notes: int  # composed since the start
    bars: int
    busy: float  # share of the last second spent composing
    memory: int  # resident bytes of the process
    guards: dict[str, int] = {}  # bars in which each guard was awake, over all streams
    processes: int = 1  # that this tells of


class FailureReport(msgspec.Struct, frozen=True, tag="failed"):
    """A stream that could not be composed on, and is not composed here any more; all others are,
    undisturbed. `message` is a sentence."""

    stream: int
    message: str


class TroubleReport(msgspec.Struct, frozen=True, tag="trouble"):
    """Something went wrong that did not end it: a full disk, a snapshot not written."""

    stream: int
    message: str


Report = (
    Alive
    | ComposerReady
    | JoinReport
    | RefusalReport
    | ChangeReport
    | BarReport
    | LeapReport
    | SnapshotReport
    | LoadReport
    | TroubleReport
    | FailureReport
)

_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
_reports: msgspec.msgpack.Decoder[Report] = msgspec.msgpack.Decoder(Report)


def order_frames() -> Frames[Order]:
    return Frames(_orders)


def report_frames() -> Frames[Report]:
    return Frames(_reports)


class ComposerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times in microseconds. `directory` holds the snapshots; "": none are kept."""

    model: str = "default"
    device: str = "cpu"
    threads: int = 1
    lookahead: int = 4  # bars beyond the one that sounds
    horizon: int = 150_000  # bars due within it are not composed again
    most: int = 1024  # streams at once
    rows: int = 0  # streams that one call of the network serves; 0: as it is fastest
    directory: str = ""
    keep_every: int = 8  # bars between snapshots of a stream
    speed: float = 1.0  # of the clock, and when it was the machine's: see `server.base.clock`
    origin: int = 0

    def argument(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def read(cls, argument: str) -> ComposerSettings:
        return msgspec.json.decode(argument, type=cls)


def snapshot_name(name: str) -> str:
    """The file name of a stream's snapshot: safe, whatever the stream is called."""
    return quote(name, safe=" ()+,=@") + SUFFIX
