"""What tests of sound have in common: programs that listen, and sounds to listen to."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pytest

from common.errors import AudioError
from server.audio import libraries
from server.audio.format import CHANNELS, RATE, Samples

RAW = ("-f", "f32le", "-ar", str(RATE), "-ac", str(CHANNELS))
PATIENCE = 60.0  # seconds
# What ffmpeg says of every file without a table of contents, and of every plain WAV.
HARMLESS = ("Estimating duration", "Guessed Channel Layout")
PACKAGES = {"ffprobe": "ffmpeg"}


def need(*programs: str) -> None:
    """Skip the test if a program of the system is missing."""
    for program in programs:
        if shutil.which(program) is None:
            package = PACKAGES.get(program, program)
            pytest.skip(f"{program} is not installed (apt-get install {package})")


def need_libraries() -> None:
    """Skip the test if sound cannot be made here."""
    try:
        libraries.fluidsynth()
        libraries.av()
        libraries.lameenc()
    except AudioError as error:
        pytest.skip(str(error))


def ffmpeg(*words: object, given: bytes | None = None) -> tuple[bytes, str]:
    """What it writes on standard output, and what it says."""
    need("ffmpeg")
    line = ["ffmpeg", "-hide_banner", "-nostdin", *map(str, words)]
    if given is not None:
        line.remove("-nostdin")
    done = subprocess.run(line, input=given, capture_output=True, timeout=PATIENCE, check=False)
    said = done.stderr.decode("utf-8", "replace")
    assert done.returncode == 0, said
    return done.stdout, said


def decoded(source: object, *before: object, seconds: float | None = None) -> Samples:
    """What ffmpeg hears, without a single complaint."""
    until = ("-t", seconds) if seconds else ()
    raw, said = ffmpeg("-v", "warning", *before, "-i", source, *until, *RAW, "-")
    complaints = [line for line in said.splitlines() if not any(map(line.__contains__, HARMLESS))]
    assert not complaints, said
    return np.frombuffer(raw, np.float32).reshape(-1, CHANNELS)


def loudness_by_ffmpeg(samples: Samples) -> tuple[float, float]:
    """LUFS, and the true peak in decibels of full scale."""
    words = (*RAW, "-i", "-", "-af", "ebur128=peak=true", "-f", "null", "-")
    _, said = ffmpeg("-nostats", *words, given=samples.astype(np.float32).tobytes())
    summary = said[said.rindex("Summary:") :]
    loudness, peak = (re.search(rf"{key}: *(-?[\d.]+|-inf)", summary) for key in ("I", "Peak"))
    assert loudness is not None, summary
    assert peak is not None, summary
    return float(loudness[1]), float(peak[1])


def noise(seconds: float, level: float, seed: int = 1) -> Samples:
    """Pink enough to be music to a meter; `level` in decibels of its root mean square."""
    frames = round(seconds * RATE)
    white = np.random.default_rng(seed).standard_normal((frames, CHANNELS))
    spectrum = np.fft.rfft(white, axis=0)
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 20.0))[:, None]
    pink = np.fft.irfft(spectrum, frames, axis=0)
    scaled = pink / np.sqrt((pink**2).mean()) * 10 ** (level / 20)
    return np.asarray(scaled, np.float32)


def sine(hertz: float, seconds: float, amplitude: float = 1.0) -> Samples:
    """The same in both channels."""
    wave = amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    return np.repeat(wave[:, None], CHANNELS, axis=1).astype(np.float32)


def _track(*events: bytes) -> bytes:
    body = b"".join(events) + b"\x00\xff\x2f\x00"
    return b"MTrk" + len(body).to_bytes(4, "big") + body


def midi(*events: bytes, division: int = 480) -> bytes:
    """A file of one track."""
    head = b"MThd" + (6).to_bytes(4, "big") + b"\x00\x00\x00\x01" + division.to_bytes(2, "big")
    return head + _track(*events)


def at(ticks: int, *message: int) -> bytes:
    """An event, so many ticks after the one before."""
    assert ticks < 1 << 14
    delta = [ticks & 0x7F] if ticks < 128 else [ticks >> 7 | 0x80, ticks & 0x7F]
    return bytes([*delta, *message])
