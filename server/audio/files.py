"""Sound into files: events are played twice, once to measure how loud they are, once to be written.

So the loudness is right over the whole, and what is between its loud and quiet places stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from common.errors import OutputError
from common.files import as_text
from server.audio.format import BLOCK, RATE, Samples, amplitude_of
from server.audio.libraries import av
from server.audio.limiter import DELAY, Limiter
from server.audio.master import CEILING, LEAST, MOST
from server.audio.meter import LoudnessMeter
from server.audio.synth import FluidSynth, Instrument, play
from server.midi.messages import Message

TAIL = 3.0  # seconds for the last notes to fade away
FADE = 2.0  # seconds over which what is cut off fades out
Events = Sequence[tuple[int, Message]]
Tell = Callable[[float], object]  # so many seconds of work are done


class _Kind(NamedTuple):
    """An encoder and its container, as PyAV knows them, and the samples that it takes."""

    codec: str
    container: str
    form: str
    kbps: int | None = None
    options: tuple[tuple[str, str], ...] = ()


KINDS = {
    ".wav": _Kind("pcm_s16le", "wav", "s16"),
    ".flac": _Kind("flac", "flac", "s16"),
    ".mp3": _Kind("libmp3lame", "mp3", "fltp", 192, (("compression_level", "2"),)),
    ".opus": _Kind("libopus", "ogg", "flt", 128),
}


def kind_of(path: Path) -> _Kind:
    """OutputError if a file of this name could not be written."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise OutputError(f"{path} should end in one of {', '.join(KINDS)}: choose what to write")
    return kind


class SoundedMusic(NamedTuple):
    """What is to be heard: `frames` of it, and whether its end is cut off."""

    events: Events
    frames: int
    is_cut: bool


def piece_of(events: Events, seconds: float | None) -> SoundedMusic:
    """All of it until the last note has faded away, or so many seconds."""
    end = max((frame for frame, _ in events), default=0)
    whole = end + round(TAIL * RATE)
    wanted = whole if seconds is None else round(seconds * RATE)
    return SoundedMusic(events, wanted, is_cut=wanted < whole)


def sound_of(piece: SoundedMusic, instrument: Instrument) -> Iterator[Samples]:
    """Blocks of `BLOCK` frames; what is too much of the last one is silent."""
    position = 0
    for begin in range(0, piece.frames, BLOCK):
        here = []
        while position < len(piece.events) and piece.events[position][0] < begin + BLOCK:
            frame, message = piece.events[position]
            here.append((frame - begin, message))
            position += 1
        yield play(instrument, here, BLOCK)


def measure(piece: SoundedMusic, instrument: Instrument, tell: Tell) -> float:
    """How loud it is, in LUFS; -inf for silence."""
    meter = LoudnessMeter()
    for samples in sound_of(piece, instrument):
        meter.feed(samples)
        tell(len(samples) / RATE)
    return meter.integrated


def mastered(
    piece: SoundedMusic, instrument: Instrument, gain: float, tell: Tell
) -> Iterator[Samples]:
    """All its frames, raised by so many decibels, no peak too high."""
    limiter, factor = Limiter(CEILING), np.float32(amplitude_of(gain))
    position = -DELAY
    longer = piece._replace(frames=piece.frames + DELAY)
    for samples in sound_of(longer, instrument):
        out = limiter.process(samples * factor)
        kept = out[max(0, -position) : piece.frames - position]
        yield kept * _fade(piece, max(position, 0), len(kept))[:, None]
        position += len(samples)
        tell(len(samples) / RATE)


def _fade(piece: SoundedMusic, begin: int, frames: int) -> Samples:
    """The gain by which the end fades out, if it is cut off."""
    if not piece.is_cut:
        return np.ones(frames, np.float32)
    length = min(round(FADE * RATE), piece.frames // 2)
    left = piece.frames - begin - np.arange(frames)
    found: Samples = (np.clip(left / length, 0, 1) ** 2).astype(np.float32)
    return found


class SoundFile:
    """A file that is written block by block; `tags` are what is told about it inside."""

    def __init__(self, path: Path, kind: _Kind, tags: dict[str, str]) -> None:
        self._av, self._kind = av(), kind
        self._container: Any = self._av.open(str(path), "w", format=kind.container)
        self._container.metadata.update({name: as_text(tag) for name, tag in tags.items()})
        self._stream: Any = self._container.add_stream(
            kind.codec, rate=RATE, layout="stereo", options=dict(kind.options)
        )
        self._stream.format = kind.form
        if kind.kbps is not None:
            self._stream.bit_rate = 1000 * kind.kbps
        self._chance = np.random.default_rng(0)
        self._written = 0

    def write(self, samples: Samples) -> None:
        frame = self._av.AudioFrame.from_ndarray(
            self._laid_out(samples), format=self._kind.form, layout="stereo"
        )
        frame.sample_rate, frame.pts = RATE, self._written
        self._written += len(samples)
        self._container.mux(self._stream.encode(frame))

    def _laid_out(self, samples: Samples) -> Any:
        if self._kind.form == "fltp":
            return np.ascontiguousarray(samples.T)
        if self._kind.form == "s16":
            samples = self._dithered(samples)
        return np.ascontiguousarray(samples.reshape(1, -1))

    def _dithered(self, samples: Samples) -> Any:
        """In 16 bits, with the noise that keeps quiet endings from growing coarse."""
        noise = self._chance.random((2, *samples.shape), np.float32)
        scaled = samples * 32_767 + noise[0] - noise[1]
        return np.clip(np.rint(scaled), -32_768, 32_767).astype(np.int16)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if error is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()


class Rendered(NamedTuple):
    seconds: float
    gain: float  # decibels
    measured: float  # LUFS, before it


def render(
    piece: SoundedMusic,
    soundfont: Path,
    loudness: float,
    path: Path,
    kind: _Kind,
    tags: dict[str, str],
    tell: Tell,
) -> Rendered:
    """Write a piece into a file, so many LUFS loud; `tell` is called for the seconds of both
    passes."""
    synth = FluidSynth(soundfont)
    try:
        measured = measure(piece, synth, tell)
    finally:
        synth.close()
    gain = min(max(loudness - measured, LEAST), MOST) if measured != -np.inf else 0.0
    synth = FluidSynth(soundfont)
    try:
        with SoundFile(path, kind, tags) as file:
            for samples in mastered(piece, synth, gain, tell):
                file.write(samples)
    finally:
        synth.close()
    return Rendered(piece.frames / RATE, gain, measured)
