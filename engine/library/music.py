"""Music as a value: what was composed, to be looked at, sliced, saved and handed on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from common.errors import OutputError, PerpetuoError
from common.files import write_whole
from engine.controls.values import Json
from engine.files.midi import DRUM_CHANNEL, performance_times, read
from engine.library.bars import midi_bytes, notes_of
from engine.library.interchange import mido_of, pretty_midi_of
from engine.library.piano_roll import piano_roll
from engine.music.bars import Bar
from engine.music.score import PARTS
from engine.music.time import TICKS_PER_QUARTER

if TYPE_CHECKING:
    from engine.library.interchange import MidiFile, PrettyMIDI

ENDINGS = (".mid", ".midi")
DRAWN = 64  # bars of a piano roll
# Times in seconds and in quarters from the beginning, as they are played; parts from 1, 8 is
# percussion.
SOUNDING = np.dtype(
    [
        *(("start", "<f8"), ("end", "<f8"), ("quarter", "<f8"), ("length", "<f8")),
        *(("pitch", "u1"), ("velocity", "u1"), ("part", "u1"), ("program", "u1")),
    ]
)


@dataclass(frozen=True, slots=True, repr=False)
class Music:
    """Bars in a row; equal to other music if the bars are.

    `seed`, `model` and `controls` are what it was composed with, `controls` as they were at its
    first bar: whatever differs from the defaults. `music[3]` is a bar, `music[4:8]` is music.
    """

    bars: tuple[Bar, ...]
    seed: int = field(compare=False)
    model: str = field(compare=False)
    controls: Mapping[str, Json] = field(compare=False)

    def __len__(self) -> int:
        return len(self.bars)

    def __iter__(self) -> Iterator[Bar]:
        return iter(self.bars)

    @overload
    def __getitem__(self, place: int) -> Bar: ...
    @overload
    def __getitem__(self, place: slice) -> Music: ...
    def __getitem__(self, place: int | slice) -> Bar | Music:
        if not isinstance(place, slice):
            return self.bars[place]
        if place.step not in (None, 1):
            raise PerpetuoError("music is cut out in one piece: write music[4:8], without a step")
        return replace(self, bars=self.bars[place])

    @property
    def midi(self) -> bytes:
        """The MIDI file: what `perpetuo compose` writes, byte for byte."""
        return midi_bytes(self.bars)

    @property
    def notes(self) -> NDArray[np.void]:
        """The notes as they are played, by their start: one row of `SOUNDING` each."""
        smf = read(self.midi)
        notes = np.zeros(len(smf.notes), SOUNDING)
        for name in ("start", "end"):
            notes[name] = performance_times(smf, smf.notes[name]) / 1e6
        notes["quarter"] = smf.notes["start"] / smf.division
        notes["length"] = (smf.notes["end"] - smf.notes["start"]) / smf.division
        for name in ("pitch", "velocity", "program"):
            notes[name] = smf.notes[name]
        channel = smf.notes["channel"]
        notes["part"] = np.where(channel == DRUM_CHANNEL, PARTS, channel + 1)
        order = np.lexsort((notes["pitch"], notes["part"], smf.notes["start"]))
        ordered: NDArray[np.void] = notes[order]
        return ordered

    @property
    def duration(self) -> float:
        """Seconds up to the last bar line, beyond which what sounds there may go on a little."""
        return sum(bar.length for bar in self.bars) / 1e6

    def save(self, path: str | Path) -> None:
        """Write the MIDI file, in place of one that is there. OutputError if it cannot be."""
        if Path(path).suffix.lower() not in ENDINGS:
            endings = " or ".join(ENDINGS)
            raise OutputError(f"{path} should end in {endings}: what is written is a MIDI file")
        write_whole(path, self.midi, force=True)

    def to_mido(self) -> MidiFile:
        """The same as a `mido.MidiFile`."""
        return mido_of(self.midi)

    def to_pretty_midi(self) -> PrettyMIDI:
        """The same as a `pretty_midi.PrettyMIDI`."""
        return pretty_midi_of(self.midi)

    def __repr__(self) -> str:
        minutes, seconds = divmod(round(self.duration), 60)
        notes = sum(map(notes_of, self.bars))
        return (
            f"<music: {len(self)} bars, {notes} notes, {minutes}:{seconds:02d}, seed {self.seed}>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: a piano roll, of long music its beginning."""
        drawn = self[:DRAWN]
        if not drawn.bars:
            return repr(self)[1:-1]
        first = drawn.bars[0].start
        lines = [(bar.start - first) / TICKS_PER_QUARTER for bar in drawn]
        lines.append((drawn.bars[-1].end - first) / TICKS_PER_QUARTER)
        more = f", the first {DRAWN} of them" if len(self) > DRAWN else ""
        return f"<div>{piano_roll(drawn.notes, lines)}<small>{repr(self)[1:-1]}{more}</small></div>"
