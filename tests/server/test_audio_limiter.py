"""No peak passes the limiter, and what needs no limit passes as it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.audio.format import CHANNELS, Samples, amplitude_of
from server.audio.limiter import DELAY, STEP, Limiter, true_peaks
from tests.server.sound import loudness_by_ffmpeg, noise, sine

CEILING = -1.5
FRAMES = 64 * STEP
# What the short filter that looks between samples does not see.
UNSEEN = 0.3  # decibels

bursts = st.lists(st.tuples(st.integers(0, FRAMES - 1), st.floats(0, 30)), max_size=8)


def bursting(spots: list[tuple[int, float]]) -> Samples:
    """Quiet noise with outbreaks."""
    sound = noise(FRAMES / 48_000, -20)[:FRAMES]
    for at, level in spots:
        sound[at : at + 40] *= np.float32(level)
    return sound


def limited(sound: Samples, cuts: list[int] | None = None) -> Samples:
    limiter = Limiter(CEILING)
    pieces = np.split(sound, sorted(STEP * cut for cut in cuts or []))
    return np.concatenate([limiter.process(piece) for piece in pieces if len(piece)])


@given(bursts)
def test_no_peak_is_above_the_ceiling(spots: list[tuple[int, float]]) -> None:
    out = limited(np.concatenate([bursting(spots), np.zeros((512, CHANNELS), np.float32)]))
    assert np.abs(out).max() <= amplitude_of(CEILING) * 1.0001


@given(bursts, st.lists(st.integers(1, 63), max_size=6, unique=True))
def test_however_sound_is_cut_it_is_limited_alike(
    spots: list[tuple[int, float]], cuts: list[int]
) -> None:
    sound = bursting(spots)
    np.testing.assert_allclose(limited(sound, cuts), limited(sound), atol=1e-5)


@given(st.floats(0, 0.2))
def test_what_is_below_the_ceiling_is_only_delayed(level: float) -> None:
    sound = bursting([]) * np.float32(level)
    out = limited(sound)
    np.testing.assert_array_equal(out[DELAY:], sound[:-DELAY])
    assert not out[:DELAY].any()


def test_after_an_outbreak_everything_is_as_before() -> None:
    limiter = Limiter(CEILING)
    limiter.process(bursting([(100, 30)]))
    assert limiter.reduction > 6
    quiet = sine(440, 2.0, 0.3)[: 90_000 // STEP * STEP]
    out = limiter.process(quiet)
    np.testing.assert_array_equal(out[-10_000:], quiet[-10_000 - DELAY : -DELAY])
    limiter.process(quiet[:FRAMES])
    assert limiter.reduction == 0


def test_the_gain_moves_softly() -> None:
    """One channel bursts out, both are lowered: the other, a slow sine, stays without an edge."""
    slow = sine(100, 1.0, 0.5)[: 48_000 // STEP * STEP]
    loud = slow.copy()
    loud[20_000:20_100, 1] = 9.0
    loud[30_000:, 1] *= 10
    of_the_sine = np.abs(np.diff(slow[:, 0])).max()
    steps = np.abs(np.diff(limited(loud)[:, 0]))
    assert steps.max() <= of_the_sine + 0.5 / (DELAY - STEP) * 2.5


def test_peaks_between_samples_are_seen() -> None:
    """A sine at a quarter of the rate, whose samples all miss its top."""
    angle = 2 * np.pi * np.arange(960) / 4 + np.pi / 4
    sound = np.repeat(np.sin(angle)[:, None], CHANNELS, axis=1).astype(np.float32)
    assert np.abs(sound).max() == pytest.approx(0.7071, abs=0.001)
    assert true_peaks(sound.T[None]) == pytest.approx(1.0, abs=0.02)


def test_ffmpeg_sees_no_peak_above_the_ceiling() -> None:
    sound = noise(4, 3)
    _, peak = loudness_by_ffmpeg(limited(sound[: len(sound) // STEP * STEP]))
    assert CEILING - 0.5 <= peak <= CEILING + UNSEEN
