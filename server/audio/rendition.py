"""A stream as it sounds: bars in, blocks of samples out. No clock, no socket, no thread.

What happens to the stream is told with the time at which it happened, and obeyed when the sound
gets there. So a rendition that lags behind the stream sounds as the stream did, only later; and it
may begin in the past.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

from engine.music.score import DRUMS
from server.audio.format import BLOCK, Samples, frames_of, microseconds_of
from server.audio.messages import BarOrder, Happening, MoveOrder, NameOrder, TurnOrder
from server.audio.synth import DRUM_CHANNEL, Instrument, play, seated, unasked
from server.base.wire import decode_bar
from server.midi.messages import Message, messages
from server.playing.outputs import BarBegin, Controller, Event
from server.playing.schedule import Schedule, TimedEvent

# How far time goes at a step: a schedule leaves out notes that are 100 ms late.
STEP = 20_000


class SoundBlock(NamedTuple):
    samples: Samples
    title: str  # at its end
    is_new: bool  # what it is called has changed in it: this may be quite other music


class Rendition:
    """Times in microseconds of the stream's clock. `time` is up to when it has sounded."""

    def __init__(self, instrument: Instrument, begin: int) -> None:
        self._instrument = instrument
        self._schedule = Schedule()
        self._begin, self._frames = begin, 0
        self._told: list[tuple[int, int, Happening]] = []
        self._count = 0
        self._name = self._section = ""
        for message in seated():
            instrument.send(message)

    @property
    def time(self) -> int:
        return self._begin + microseconds_of(self._frames)

    @property
    def title(self) -> str:
        return f"{self._name} ({self._section})" if self._section else self._name

    def tell(self, happening: Happening) -> None:
        """Something that happened to the stream, or will; in the order in which it did."""
        self._count += 1
        heapq.heappush(self._told, (happening.at, self._count, happening))

    def skip_to(self, time: int) -> None:
        """Leave out what should have sounded meanwhile: nobody waits for it any more."""
        for _, event in self._schedule.silence(self.time):
            for message in _messages(event):
                self._instrument.send(message)
        self._begin += time - self.time

    def render(self) -> SoundBlock:
        """The next `BLOCK` frames."""
        name, begin = self._name, self.time
        end = self._begin + microseconds_of(self._frames + BLOCK)
        heard: list[tuple[int, Message]] = []
        for due, event in self._until(begin, end):
            if isinstance(event, BarBegin):
                self._section = event.section
            frame = max(0, frames_of(due - begin))
            heard += [(frame, message) for message in _messages(event)]
        self._frames += BLOCK
        return SoundBlock(play(self._instrument, heard, BLOCK), self.title, self._name != name)

    def _until(self, now: int, end: int) -> list[TimedEvent]:
        events: list[TimedEvent] = []
        while now < end:
            now = min(now + STEP, end)
            while self._told and self._told[0][0] <= now:
                told, _, happening = heapq.heappop(self._told)
                at = max(told, now - STEP)  # what comes late is obeyed when it comes
                events += self._schedule.due_events(at)
                events += self._obey(happening, at)
            events += self._schedule.due_events(now)
        return events

    def _obey(self, happening: Happening, at: int) -> list[TimedEvent]:
        """What sounds because of it at once."""
        schedule = self._schedule
        match happening:
            case BarOrder(_, _, index, revision, due, bar):
                schedule.offer(index, revision, due, decode_bar(bar))
            case MoveOrder(_, _, bar, later):
                schedule.move(bar, later)
            case TurnOrder(to="stop"):
                return schedule.stop(at)
            case TurnOrder(to="go on"):
                schedule.go_on()
            case TurnOrder(to="anew"):
                schedule.restart(at)
            case TurnOrder(to="silence"):
                return schedule.silence(at)
            case NameOrder(_, _, name):
                self._name = name
        return []


def _messages(event: Event) -> list[Message]:
    if isinstance(event, Controller) and event.value is None:
        event = event._replace(value=unasked(event.part, event.number))
    return messages(event, _channel_of)


def _channel_of(part: int) -> int:
    """Channels as musicians count them, of parts from 1."""
    return DRUM_CHANNEL + 1 if part == DRUMS + 1 else part
