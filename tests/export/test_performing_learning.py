"""What is learned of players, from performances made by rule."""

import numpy as np
import pytest

from engine.files.midi import read, write
from engine.music.bars import Pedal
from engine.music.score import NOTE, Score, note_order
from engine.performing import learned as shipped
from engine.performing.figures import PlayerFigures
from export.performing.learning import learned, written
from export.performing.report import report_of

BARS = 40
BREATH = 8  # bars from one to the next


def pianist():
    """Chords in bars of 4/4: the melody ten steps above the inner voices, which are ten above the
    bass; every eighth bar sparse and a tenth slower, the last bars slower still; a pedal a bar,
    down six ticks after the bar line."""
    rows, tempos = [], []
    for bar in range(BARS):
        onsets = (0,) if bar % BREATH == BREATH - 1 else (0, 24, 48, 72)
        for onset in onsets:
            for pitch, velocity in ((72, 80), (60, 70), (48, 60)):
                rows.append((96 * bar + onset, 96 // len(onsets), pitch, velocity, 0))
        slow = 1.1 if bar % BREATH == BREATH - 1 else 1
        slow *= {BARS - 2: 1.2, BARS - 1: 1.5}.get(bar, 1)
        tempos.append((96 * bar, round(500_000 * slow)))
    notes = note_order(np.array(rows, NOTE))
    pedals = [Pedal(96 * bar + 6, 90, 0) for bar in range(BARS)]
    return read(write(Score(notes, tempos=tuple(tempos)), pedals=pedals))


def drummer():
    """Sixteenths at 120, hands and feet a file tick apart, off-beats 12 ms late."""
    rows, shifts = [], []
    for place in range(16 * 8):
        for pitch, apart in ((36, 0), (42, 10)):
            rows.append((6 * place, 3, pitch, 80, 7))
            shifts.append(apart + (12 if place % 4 == 2 else 0))
    return read(write(Score(np.array(rows, NOTE)), shifts=np.array(shifts)))


@pytest.fixture(scope="module")
def figures():
    return learned([pianist()], [drummer()])


def test_tempo_is_learned_by_phrase_and_close(figures):
    shape = figures.phrase_tempo
    assert max(shape) == shape[-1] == pytest.approx(np.log(1.1) * 7 / 8, abs=0.01)
    assert sum(shape) == pytest.approx(0, abs=0.002)
    assert figures.phrase_depth[4] == pytest.approx(1, abs=0.1)
    assert figures.close_tempo[-1] == pytest.approx(np.log(1.5 * 1.1), abs=0.01)
    assert figures.close_tempo[-2] == pytest.approx(np.log(1.2), abs=0.01)
    assert figures.close_tempo[:3] == (0, 0, 0)
    assert max(map(abs, figures.close_slope)) < 0.001


def test_voices_are_learned_beside_their_bar(figures):
    assert figures.voice_loudness == pytest.approx((1 / 7, 0, -1 / 7), abs=0.001)
    assert max(map(abs, figures.phrase_loudness)) < 0.01


def test_drummers_are_learned_by_place(figures):
    late = np.array(figures.drum_places)
    assert late[2::4] - late[::4] == pytest.approx([12.5] * 4, abs=0.3)
    assert figures.together_spread == pytest.approx(10.4, abs=0.1)


def test_the_pedal_is_learned_against_the_bar(figures):
    assert figures.pedal_delay == 6
    assert figures.pedal_rests == (0, 0, 0, 0)


def test_a_report_tells_the_same_of_one_piece():
    report = report_of(pianist())
    minutes = BARS * 4 * 500_000 / 60e6
    assert report.pedals == pytest.approx(BARS / minutes, rel=0.1)
    assert report.pedal_down == pytest.approx(90 / 96, abs=0.01)
    assert report.pedal_changes == 1 - 1 / BARS  # no bar begins where the last one ends
    assert (report.contrast, report.spread) == (10, 0)


def test_the_shipped_figures_are_as_they_were_written():
    with open(shipped.__file__, encoding="utf-8") as file:
        assert written(shipped.LEARNED) == file.read()


def test_all_figures_have_the_size_that_the_player_reads(figures):
    for name in PlayerFigures.__slots__:
        ours, theirs = getattr(figures, name), getattr(shipped.LEARNED, name)
        assert np.shape(ours) == np.shape(theirs), name
