"""The meter measures as the recommendation says, however its sound is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.audio.format import RATE, Samples
from server.audio.meter import STEP, LoudnessMeter
from tests.server.sound import loudness_by_ffmpeg, noise, sine

SOUND = noise(2.0, -20.0)


def whole_steps(samples: Samples) -> Samples:
    return samples[: len(samples) // STEP * STEP]


def measured(samples: Samples) -> float:
    meter = LoudnessMeter()
    meter.feed(whole_steps(samples))
    return meter.integrated


def test_the_sine_of_the_recommendation_has_the_loudness_that_it_says() -> None:
    both = sine(997, 4)
    left = both * np.array([1, 0], np.float32)
    assert measured(left) == pytest.approx(-3.01, abs=0.02)
    assert measured(both) == pytest.approx(0.0, abs=0.02)


@given(st.lists(st.integers(1, 200), max_size=20))
def test_however_sound_is_cut_it_is_as_loud(cuts: list[int]) -> None:
    sound = whole_steps(SOUND)
    meter = LoudnessMeter()
    for cut in cuts:
        meter.feed(sound[: cut * STEP])
        sound = sound[cut * STEP :]
    meter.feed(sound)
    assert meter.integrated == pytest.approx(measured(SOUND), abs=1e-6)


@given(st.floats(-25, 15))
def test_what_is_raised_by_decibels_is_so_many_units_louder(decibels: float) -> None:
    raised = SOUND * np.float32(10 ** (decibels / 20))
    assert measured(raised) == pytest.approx(measured(SOUND) + decibels, abs=0.01)


def test_silence_is_not_counted_and_quiet_places_little() -> None:
    silence = np.zeros((4 * RATE, 2), np.float32)
    assert measured(silence) == -np.inf
    # Three of four gating blocks overlap the edge, which is why it is not quite the same.
    assert measured(np.concatenate([SOUND, silence])) == pytest.approx(measured(SOUND), abs=0.5)
    long = noise(10, -20)
    quiet = np.concatenate([long, noise(10, -45)])
    assert measured(quiet) == pytest.approx(measured(long), abs=0.3)


def test_a_window_forgets_what_is_older() -> None:
    meter = LoudnessMeter(hops=20)
    meter.feed(whole_steps(noise(3, -10)))
    meter.feed(whole_steps(noise(3, -40)))
    assert meter.integrated == pytest.approx(measured(noise(3, -40)), abs=0.5)
    meter.forget()
    assert meter.integrated == -np.inf
    assert meter.heard == 0


def test_ffmpeg_hears_the_same() -> None:
    sound = np.concatenate([noise(5, -30, 1), noise(5, -12, 2), noise(5, -70, 3), sine(80, 5, 0.2)])
    by_ffmpeg, _ = loudness_by_ffmpeg(sound)
    assert measured(sound) == pytest.approx(by_ffmpeg, abs=0.1)
