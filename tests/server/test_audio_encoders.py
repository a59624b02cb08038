"""What encoders give can be begun with anywhere, and ffmpeg hears it without complaint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from server.audio import ogg
from server.audio.encoders import Encoder, HlsEncoder, Mp3Encoder, OpusEncoder
from server.audio.format import BLOCK, BLOCK_SECONDS, RATE, Samples
from server.audio.fragments import Fragments, boxes
from tests.server.sound import decoded, ffmpeg, need_libraries, sine

SECONDS = 12.0
TONE = sine(440, SECONDS, 0.5)
BLOCKS = TONE[: len(TONE) // BLOCK * BLOCK].reshape(-1, BLOCK, 2)


@pytest.fixture(autouse=True)
def libraries() -> None:
    need_libraries()


def encoded(encoder: Encoder) -> list[tuple[bytes, float]]:
    return [piece for block in BLOCKS for piece in encoder.encode(block)]


def is_the_tone(samples: Samples) -> bool:
    """Away from its ends: a sine of this height and strength (LAME lowers it by a few percent)."""
    middle = samples[len(samples) // 3 : len(samples) // 3 + RATE, 0]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    strength = np.sqrt(2 * (middle**2).mean())
    return int(spectrum.argmax()) == 440 and 0.46 < strength < 0.52


@pytest.mark.parametrize("first", [0, 1, 17])
def test_mp3_may_be_begun_with_at_any_piece(first: int, tmp_path: Path) -> None:
    pieces = encoded(Mp3Encoder(128))
    for data, seconds in pieces:
        assert data[:2] == b"\xff\xfb"
        assert len(data) == round(seconds * 128_000 / 8)
    path = tmp_path / "joined.mp3"
    path.write_bytes(b"".join(data for data, _ in pieces[first:]))
    samples = decoded(path)
    assert is_the_tone(samples)
    assert len(samples) / RATE == pytest.approx(sum(s for _, s in pieces[first:]), abs=0.1)


@pytest.mark.parametrize("kbps", [64, 320])
def test_mp3_of_any_bitrate_is_cut_into_whole_frames(kbps: int) -> None:
    for data, seconds in encoded(Mp3Encoder(kbps)):
        frames = round(seconds * RATE / 1152)
        assert len(data) == frames * 3 * kbps
        assert all(data[3 * kbps * i] == 0xFF for i in range(frames))


@pytest.mark.parametrize("first", [0, 1, 17])
def test_opus_may_be_begun_with_at_any_page_after_its_head(first: int, tmp_path: Path) -> None:
    encoder = OpusEncoder(96)
    pieces = encoded(encoder)
    assert sum(seconds for _, seconds in pieces) == pytest.approx(SECONDS, abs=BLOCK_SECONDS)
    head = ogg.headers(encoder.head, encoder.serial, {"TITLE": "Ünder ’n’ over", "ARTIST": ""})
    path = tmp_path / "joined.opus"
    path.write_bytes(head + b"".join(data for data, _ in pieces[first:]))
    assert is_the_tone(decoded(path))
    _, said = ffmpeg("-i", path, "-f", "null", "-")
    assert "Ünder ’n’ over" in said
    assert "ARTIST" not in said


def test_pages_have_the_checksum_that_ogg_asks_for() -> None:
    page = ogg.page([b"a" * 600, b""], serial=7, number=3, granule=960)
    assert page[26:31] == bytes([4, 255, 255, 90, 0])
    bare = page[:22] + bytes(4) + page[26:]
    assert ogg.checksum(bare) == int.from_bytes(page[22:26], "little")
    assert ogg.checksum(b"123456789") == 0x89A1897F


def test_hls_segments_with_their_head_are_the_sound(tmp_path: Path) -> None:
    encoder = HlsEncoder(128)
    segments = encoded(encoder)
    assert [seconds for _, seconds in segments] == pytest.approx([4.0] * len(segments), abs=0.05)
    assert len(segments) == 2
    path = tmp_path / "joined.mp4"
    for chosen in (segments, segments[1:]):
        path.write_bytes(encoder.head + b"".join(data for data, _ in chosen))
        assert is_the_tone(decoded(path))


def test_fragments_are_given_when_they_are_whole() -> None:
    def box(name: bytes, content: bytes) -> bytes:
        return (8 + len(content)).to_bytes(4, "big") + name + content

    run = box(b"trun", bytes(4) + (3).to_bytes(4, "big"))
    moof = box(b"moof", box(b"mfhd", b"x") + box(b"traf", box(b"tfhd", b"") + run))
    whole = box(b"ftyp", b"f") + box(b"moov", b"mm") + moof + box(b"mdat", b"sound")
    fragments = Fragments()
    fragments.write(whole[:15])
    assert fragments.head() == b""
    fragments.write(whole[15:-1])
    assert fragments.head() == whole[:19]
    assert list(fragments.segments()) == []
    fragments.write(whole[-1:])
    assert list(fragments.segments()) == [(whole[19:], 3)]
    assert [name for name, _, _ in boxes(whole, 0, len(whole))] == [
        b"ftyp",
        b"moov",
        b"moof",
        b"mdat",
    ]
