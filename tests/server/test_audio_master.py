"""Whatever comes in goes out about as loud as wanted, without losing its dynamics."""

from __future__ import annotations

import numpy as np
import pytest

from server.audio.format import BLOCK, RATE, Samples, amplitude_of
from server.audio.master import CEILING, HASTE, MOST, START_GAIN, TOO_LOUD, Master
from server.audio.meter import LoudnessMeter
from tests.server.sound import loudness_by_ffmpeg, noise

WANTED = -16.0


def blocks(samples: Samples) -> Samples:
    return samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK, 2)


def through(master: Master, samples: Samples) -> Samples:
    return np.concatenate([master.process(block) for block in blocks(samples)])


def loudness(samples: Samples) -> float:
    meter = LoudnessMeter()
    meter.feed(samples[: len(samples) // 96 * 96])
    return meter.integrated


@pytest.mark.parametrize("level", [-39, -30, -20, -8])
def test_steady_music_of_any_level_is_as_loud_as_wanted(level: float) -> None:
    out = through(Master(WANTED), noise(40, level))
    settled = out[20 * RATE :]
    assert loudness(settled) == pytest.approx(WANTED, abs=0.6)
    by_ffmpeg, peak = loudness_by_ffmpeg(settled)
    assert by_ffmpeg == pytest.approx(WANTED, abs=0.6)
    assert peak <= CEILING + 0.3


def test_passages_keep_the_difference_between_them() -> None:
    quiet, loud = noise(6, -32, 1), noise(6, -22, 2)
    out = through(Master(WANTED), np.concatenate([loud, quiet] * 6))
    last = out[-12 * RATE - 2 * BLOCK : -2 * BLOCK]
    first, second = last[RATE : 5 * RATE], last[7 * RATE : 11 * RATE]
    assert abs(loudness(first) - loudness(second)) == pytest.approx(10, abs=2.5)


def test_what_is_far_too_loud_is_soon_brought_down() -> None:
    master = Master(WANTED)
    through(master, noise(40, -38))
    out = through(master, noise(12, -14))
    seconds_needed = 24 / HASTE
    after = out[round((seconds_needed + 3) * RATE) :]
    assert loudness(after) <= WANTED + TOO_LOUD + 0.5


def test_silence_changes_nothing() -> None:
    master = Master(WANTED)
    through(master, np.zeros((20 * BLOCK, 2), np.float32))
    assert master.gain == START_GAIN
    through(master, noise(30, -30))
    gain = master.gain
    out = through(master, np.zeros((200 * BLOCK, 2), np.float32))
    assert master.gain == pytest.approx(gain, abs=0.5)
    assert not out[BLOCK:].any()


def test_other_music_is_learned_anew() -> None:
    """A preset of strings gives way to a soft piano: half a minute of strings says nothing."""
    slow, quick = Master(WANTED), Master(WANTED)
    for master in (slow, quick):
        through(master, noise(40, -14))
    quick.begin_anew()
    soft = noise(8, -34)
    through(slow, soft)
    through(quick, soft)
    wanted = WANTED - loudness(soft)
    assert quick.gain == pytest.approx(wanted, abs=1)
    assert slow.gain < wanted - 5


def test_the_gain_has_bounds_and_moves_without_an_edge() -> None:
    master = Master(WANTED)
    gains = []
    for block in blocks(noise(30, -60)):
        master.process(block)
        gains.append(master.gain)
    assert max(gains) <= MOST
    assert np.abs(np.diff(gains)).max() <= 12 * BLOCK / RATE + 1e-9
    steady = np.full((40 * BLOCK, 2), 0.01, np.float32)
    steps = np.abs(np.diff(through(Master(WANTED), steady)[BLOCK:, 0]))
    assert steps.max() < 0.01 * (amplitude_of(12 / RATE) - 1) * amplitude_of(MOST) * 2
