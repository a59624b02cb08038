"""What happens to streams, and how they stand, as messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import msgspec

from common.words import without_folders
from server.house.events import (
    BarKeptAsItWas,
    BarPlanned,
    BarsLeapt,
    BarsMoved,
    ChangeAnnounced,
    ChangePostponed,
    Panicked,
    PlannedBar,
    StateTurned,
    StreamEvent,
)
from server.web.backlog import Body
from server.web.outgoing import (
    Change,
    FromServer,
    MovedMessage,
    PanicMessage,
    PostponedMessage,
    PresetRow,
    State,
    StationRow,
    SteeredMessage,
    StreamState,
    TurnedMessage,
    encode,
)

if TYPE_CHECKING:
    from engine.library.presets import Preset
    from server.house.stream import Stream

HISTORY = 32  # changes that a `state` tells of
_text = msgspec.json.Encoder().encode


def body_of(message: FromServer) -> Body:
    """A message of a type that is numbered, without its number."""
    encoded = encode(message)
    assert encoded.endswith(b'"event":0}'), "only messages whose last field is `event`"
    return (encoded[:-2],)


def bar_body(stream: Stream, planned: PlannedBar) -> Body:
    """`BarMessage`, around the JSON of the bar that all listeners share."""
    head = b'{"type":"bar","stream":%b,"epoch":%d,"due":%d,"bar":' % (
        _text(stream.name),
        stream.epoch,
        planned.due,
    )
    return head, planned.encoded, b',"event":'


class StreamMessages:
    """Makes the body of each event once, however many sessions hear it.

    The house tells one listener after the other of the same event, so that the last one is enough
    to remember.
    """

    def __init__(self) -> None:
        self._last: tuple[Stream, StreamEvent] | None = None
        self._body: Body = ()

    def body(self, stream: Stream, event: StreamEvent) -> Body:
        last = self._last
        if last is None or last[0] is not stream or last[1] is not event:
            self._last, self._body = (stream, event), _body(stream, event)
        return self._body


def _body(stream: Stream, event: StreamEvent) -> Body:
    match event:
        case BarPlanned(planned):
            return bar_body(stream, planned)
        case ChangeAnnounced(controls, plan, bar, due, by, change):
            return body_of(
                SteeredMessage(
                    stream=stream.name,
                    controls=dict(controls),
                    plan=_plain_plan(plan),
                    bar=bar,
                    due=due,
                    by=by,
                    preset=stream.preset,
                    change=change,
                )
            )
        case ChangePostponed(change, bar, due):
            return body_of(PostponedMessage(stream=stream.name, change=change, bar=bar, due=due))
        case BarsMoved(bar, later):
            return body_of(MovedMessage(stream=stream.name, bar=bar, later=later))
        case StateTurned(state, epoch, reason):
            return body_of(
                TurnedMessage(
                    stream=stream.name,
                    state=cast(StreamState, state),
                    epoch=epoch,
                    reason=without_folders(reason),
                    seed=stream.seed,
                    model=stream.model_name,
                    styles=stream.styles,
                    preset=stream.preset,
                    controls=stream.controls.complete(),
                    unfollowed=stream.unfollowed,
                )
            )
        case Panicked():
            return body_of(PanicMessage(stream=stream.name))
        case BarKeptAsItWas() | BarsLeapt():
            return ()  # for those who write down what was heard


def sounding(stream: Stream, now: int) -> int | None:
    """Index of the bar that sounds, or in which the stream was stopped."""
    begun = [index for index, planned in stream.bars.items() if planned.due <= now]
    return max(begun, default=None)


def bars_from(stream: Stream, now: int, past: int) -> list[PlannedBar]:
    """The sounding bar, some before it, and all after it, in order."""
    first = (sounding(stream, now) or 0) - past
    return [stream.bars[index] for index in sorted(stream.bars) if index >= first]


def state_of(stream: Stream, now: int, bars: int, id: int | None = None) -> State:
    """How a stream stands; `bars` is how many bars will follow the message."""
    history = list(stream.history)[-HISTORY:]
    return State(
        id=id,
        stream=stream.name,
        title=stream.title,
        station=stream.is_station,
        epoch=stream.epoch,
        state=cast(StreamState, stream.state),
        seed=stream.seed,
        model=stream.model_name,
        styles=stream.styles,
        preset=stream.preset,
        controls=stream.controls.complete(),
        bar=sounding(stream, now),
        bars=bars,
        late_bars=stream.late_bars,
        history=tuple(
            Change(
                controls=dict(e.controls),
                plan=_plain_plan(e.plan),
                bar=e.bar,
                due=e.due,
                by=e.by,
                change=e.change,
            )
            for e in history
        ),
        unfollowed=stream.unfollowed,
    )


def station_row(stream: Stream, streams: Mapping[str, str]) -> StationRow:
    """`streams` are the paths of its sound, by form."""
    return StationRow(
        name=stream.name,
        title=stream.title,
        state=stream.state,
        preset=stream.preset,
        seed=stream.seed,
        model=stream.model_name,
        listeners=len(stream.listeners),
        streams=dict(streams),
    )


def preset_row(preset: Preset) -> PresetRow:
    return PresetRow(
        name=preset.name,
        title=preset.title,
        help=preset.help,
        controls=dict(preset.controls),
        by_seed=preset.by_seed.names,
    )


def _plain_plan(plan: Mapping[int, Mapping[str, int]]) -> dict[int, dict[str, int]]:
    return {bar: dict(values) for bar, values in plan.items()}
