"""From samples to what listeners take: MP3, Opus in Ogg, AAC in segments for HLS."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from server.audio import ogg
from server.audio.format import CHANNELS, RATE, Samples
from server.audio.fragments import AAC_FRAME, Fragments
from server.audio.hls import SEGMENT_SECONDS
from server.audio.libraries import av, lameenc
from server.audio.messages import SoundSettings
from server.audio.settings import MP3, OPUS

# LAME's own scale, 0 the best and slowest: below 2 % of a core a stream.
_LAME_QUALITY = 4
_OPUS_FRAME = 960  # samples
_FULL_SCALE = 32_767


class Encoder(Protocol):
    """`head` and `serial` are those of `messages.Opened`."""

    head: bytes
    serial: int

    def encode(self, samples: Samples) -> Iterator[tuple[bytes, float]]:
        """What is complete with these samples, and how many seconds it lasts."""
        ...


def encoder(form: str, settings: SoundSettings) -> Encoder:
    if form == MP3:
        return Mp3Encoder(settings.mp3)
    return OpusEncoder(settings.opus) if form == OPUS else HlsEncoder(settings.hls)


class Mp3Encoder:
    """Whole frames of MP3."""

    head, serial = b"", 0

    def __init__(self, kbps: int) -> None:
        lame = lameenc()
        self._lame = lame.Encoder()
        self._lame.silence()
        self._lame.set_in_sample_rate(RATE)
        self._lame.set_channels(CHANNELS)
        self._lame.set_bit_rate(kbps)
        self._lame.set_quality(_LAME_QUALITY)
        # At 48 kHz all frames are of one length: 1152 samples, without padding.
        self._frame = 144 * 1000 * kbps // RATE
        self._seconds = 1152 / RATE
        self._held = bytearray()

    def encode(self, samples: Samples) -> Iterator[tuple[bytes, float]]:
        whole_numbers = np.rint(np.clip(samples, -1, 1) * _FULL_SCALE).astype("<i2")
        self._held += self._lame.encode(whole_numbers.tobytes())
        frames = len(self._held) // self._frame
        if frames:
            data = bytes(self._held[: frames * self._frame])
            del self._held[: frames * self._frame]
            yield data, frames * self._seconds


class OpusEncoder:
    """Pages of an Ogg stream; `head` is its identification header."""

    def __init__(self, kbps: int) -> None:
        self._context: Any = av().CodecContext.create("libopus", "w")
        self._context.sample_rate, self._context.layout = RATE, "stereo"
        self._context.format, self._context.bit_rate = "flt", 1000 * kbps
        self._context.open()
        self.head = bytes(self._context.extradata)
        self.serial = secrets.randbits(32)
        self._frames = _Frames("flt")
        self._pages, self._granule = 2, 0  # two pages of headers come first

    def encode(self, samples: Samples) -> Iterator[tuple[bytes, float]]:
        frame = self._frames.of(samples)
        packets = [bytes(packet) for packet in self._context.encode(frame)]
        if packets:
            count = _OPUS_FRAME * len(packets)
            self._granule += count
            yield self._page(packets), count / RATE
            self._pages += 1

    def _page(self, packets: list[bytes]) -> bytes:
        return ogg.page(packets, serial=self.serial, number=self._pages, granule=self._granule)


class HlsEncoder:
    """Segments of fragmented MP4 with AAC; `head` is the initialisation segment."""

    serial = 0

    def __init__(self, kbps: int) -> None:
        self._sink = Fragments()
        options = {
            "movflags": "empty_moov+default_base_moof",
            "frag_duration": str(round(SEGMENT_SECONDS * 1e6)),
        }
        self._container: Any = av().open(self._sink, "w", format="mp4", options=options)
        self._stream: Any = self._container.add_stream("aac", rate=RATE, layout="stereo")
        self._stream.bit_rate = 1000 * kbps
        self._container.start_encoding()
        self._frames = _Frames("fltp")
        self.head = self._sink.head()

    def encode(self, samples: Samples) -> Iterator[tuple[bytes, float]]:
        for packet in self._stream.encode(self._frames.of(samples)):
            self._container.mux(packet)
        for data, frames in self._sink.segments():
            yield data, frames * AAC_FRAME / RATE


class _Frames:
    """Samples as PyAV takes them, one after the other; `form` is "flt" or "fltp"."""

    def __init__(self, form: str) -> None:
        self._make = av().AudioFrame.from_ndarray
        self._form, self._fed = form, 0

    def of(self, samples: Samples) -> Any:
        plain = samples.T if self._form == "fltp" else samples.reshape(1, -1)
        frame = self._make(np.ascontiguousarray(plain), format=self._form, layout="stereo")
        frame.sample_rate, frame.pts = RATE, self._fed
        self._fed += len(samples)
        return frame
