"""One station as sound: rendition, master and encoders. No clock and no socket: whoever calls says
what time it is (microseconds)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import numpy as np

from server.audio.encoders import Encoder
from server.audio.format import BLOCK_SECONDS, SECOND, Samples
from server.audio.master import Master
from server.audio.messages import (
    LAG,
    ChunkReport,
    EncoderReport,
    Happening,
    Report,
    StationSoundLoad,
)
from server.audio.rendition import Rendition
from server.audio.synth import Instrument

LATE = SECOND  # so much later than that, and listeners may run dry
LOST = 10 * SECOND  # so much more than what is held, and what was missed is left out
_BLOCK = round(BLOCK_SECONDS * SECOND)


class Sounding:
    """`held` seconds of sound are kept for encoders that begin later. `seconds` and `underruns`
    count from what they are given."""

    def __init__(
        self,
        station: str,
        instrument: Instrument,
        master: Master,
        make: Callable[[str], Encoder],
        begin: int,
        held: float,
    ) -> None:
        self.station = station
        self.rendition = Rendition(instrument, begin)
        self.seconds, self.underruns = 0.0, 0
        self._master, self._make = master, make
        self._encoders: dict[str, Encoder] = {}
        self._held: deque[tuple[Samples, str]] = deque(maxlen=max(1, round(held / BLOCK_SECONDS)))
        self._is_behind = True  # what is past is made first, and that is no underrun
        self._most_behind = round(held * SECOND) + LOST

    def tell(self, happening: Happening) -> None:
        self.rendition.tell(happening)

    def encode(self, form: str, seconds: float) -> Iterator[Report]:
        """Begin to encode in this form as well, with so many seconds of what is held."""
        if form in self._encoders:
            return
        encoder = self._encoders[form] = self._make(form)
        yield EncoderReport(self.station, form, encoder.head, encoder.serial)
        for samples, title in tuple(self._held)[-round(seconds / BLOCK_SECONDS) :]:
            yield from self._encoded(form, encoder, samples, title)

    def leave(self, form: str) -> None:
        self._encoders.pop(form, None)

    @property
    def due(self) -> int:
        """When the next block can be made: all that is to be told of it was told."""
        return self.rendition.time + _BLOCK + LAG

    def make(self, now: int) -> Iterator[Report]:
        """The next block, as the encoders have it."""
        self._look_at(now - self.due)
        block = self.rendition.render()
        if block.is_new:
            self._master.begin_anew()
        samples = self._master.process(block.samples)
        self._held.append((samples, block.title))
        self.seconds += BLOCK_SECONDS
        for form, encoder in self._encoders.items():
            yield from self._encoded(form, encoder, samples, block.title)

    def load(self) -> StationSoundLoad:
        loudness = self._master.told.integrated
        told = None if loudness == -np.inf else loudness
        return StationSoundLoad(self.seconds, self.underruns, told, self._master.gain)

    def _look_at(self, behind: int) -> None:
        """Count underruns; what is due since too long is left out rather than made."""
        if behind < LATE:
            self._is_behind = False
            return
        if not self._is_behind:
            self._is_behind = True
            self.underruns += 1
        if behind > self._most_behind:
            self.rendition.skip_to(self.rendition.time + behind)

    def _encoded(
        self, form: str, encoder: Encoder, samples: Samples, title: str
    ) -> Iterator[Report]:
        for data, seconds in encoder.encode(samples):
            yield ChunkReport(self.station, form, data, title, seconds)
