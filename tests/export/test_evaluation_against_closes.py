"""Closes of phrases, church modes and lengths: made music whose figures are known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from engine.composing.composer import Composer
from engine.controls.controls import Controls
from engine.music.score import NOTE, Score, note_order
from engine.music.time import Metre
from export.evaluation.against.closes import Closes, ScoreHarmony
from export.evaluation.against.modes import MODES, modes
from export.evaluation.against.part_writing import WRITTEN, part_writing, rates
from export.evaluation.against.phrases import closes, phrases, planned_ends, resting_bars
from export.evaluation.composing import score_of, streams_of
from tests.bundles import tiny

QUARTER, BAR = 24, 96
Chord = tuple[int, int, int, int]

# From the soprano down.
ONE: Chord = (72, 67, 64, 48)
IV: Chord = (72, 69, 65, 53)
V: Chord = (71, 67, 62, 55)
VI: Chord = (72, 64, 60, 57)
II: Chord = (74, 69, 65, 50)
I6: Chord = (72, 67, 60, 52)
SHARP_II: Chord = (74, 69, 66, 50)  # D major, whose F sharp leads to G
G: Chord = (74, 71, 67, 43)
PHRASE = (
    ONE,
    IV,
    II,
    I6,
    ONE,
    VI,
    IV,
    ONE,
    II,
    IV,
    ONE,
)  # quarters before the last one of its third bar


def chorale(*ends: tuple[Chord, Chord], shift: int = 0) -> Score:
    """Phrases of four bars of quarters, the last bar of each a whole note."""
    rows, tick = [], 0
    for led, last in ends:
        for chord, length in [*((c, QUARTER) for c in (*PHRASE, led)), (last, BAR)]:
            rows += [(tick, length, pitch + shift, 80, part) for part, pitch in enumerate(chord)]
            tick += length
    return Score(np.array(rows, NOTE), metres=((0, Metre(4, 4)),))


AUTHENTIC, PLAGAL, HALF, DECEPTIVE = (V, ONE), (IV, ONE), (II, V), (V, VI)


@pytest.mark.parametrize("shift", [0, -5, 4])
def test_closes_of_a_chorale_are_told_in_any_key(shift: int) -> None:
    score = chorale(HALF, AUTHENTIC, DECEPTIVE, PLAGAL, HALF, AUTHENTIC, shift=shift)
    found = phrases(score).found
    assert found == Closes(ends=6, authentic=2, plagal=1, half=2, deceptive=1)
    assert found.true == 6


def test_what_leads_to_another_key_by_its_own_leading_note_closes_there() -> None:
    assert phrases(chorale(AUTHENTIC, (SHARP_II, G), AUTHENTIC)).found.authentic == 3
    # C to F is no close where nothing makes F the home.
    assert phrases(chorale(AUTHENTIC, (ONE, IV), AUTHENTIC)).found.authentic == 2


def test_a_close_has_the_root_in_the_bass() -> None:
    upside_down = phrases(chorale(AUTHENTIC, (V, I6), AUTHENTIC, AUTHENTIC)).found
    assert (upside_down.ends, upside_down.true) == (4, 3)


def test_a_phrase_that_comes_to_rest_on_what_stood_before_does_not_close() -> None:
    still = Score(
        np.array([(t, QUARTER, p, 80, 0) for t in range(0, 800, 24) for p in (60, 64)], NOTE)
    )
    found = phrases(still).found
    assert found.ends > 0
    assert found.true == 0


def test_a_line_alone_is_not_judged() -> None:
    line = Score(np.array([(24 * i, 24, 60 + i % 5, 80, 0) for i in range(64)], NOTE))
    assert phrases(line).found == Closes()
    above = line.notes.copy()
    above["pitch"] += 12
    octaves = Score(note_order(np.concatenate((line.notes, above))))
    assert phrases(octaves).found.ends > 0
    assert phrases(line).rates["phrase ends, any close"] is None
    assert phrases(line).rates["phrase ends judged"] == 0
    assert phrases(Score(np.array([], NOTE))).found == Closes()


def test_phrases_end_where_bars_rest() -> None:
    rests = np.array([0.25] * 32)
    assert resting_bars(rests) == list(range(3, 32, 4))  # nothing speaks for another place
    rests[2::4] = 0.5
    assert resting_bars(rests) == list(range(2, 32, 4))
    rests[:] = 0.25
    rests[4::8] = 1.0
    assert resting_bars(rests) == [4, 12, 20, 28]
    assert resting_bars(np.array([0.25, 1.0])) == []


def test_the_other_bars_are_what_closes_are_worth_by_chance() -> None:
    found = phrases(chorale(*[AUTHENTIC] * 4))
    assert found.others.ends == 12
    assert found.others.true < 12


def test_the_asked_tonic_is_looked_for_in_the_bass() -> None:
    harmony = ScoreHarmony(chorale(HALF, AUTHENTIC))
    assert closes(harmony, (3, 7), tonic=0).ours == 1
    assert closes(harmony, (3, 7), tonic=7).ours == 1
    assert closes(harmony, (3, 7, 99)).ours == 0  # silent bars at the end are none


def test_planned_ends_are_those_of_the_form_that_is_composed() -> None:
    controls = Controls().with_values({"form": "phrases", "section_bars": 8, "style": "calm"})
    network = tiny("gpt")
    composer = Composer(network, network.pool(1), 3, 0, controls)
    (bars,) = streams_of([composer], 32, lambda bars: None)
    ends = planned_ends(composer.setting.form, 32, 3)
    assert [end.bar for end in ends] == [7, 15, 23, 31]
    changes = [bar.index for bar, then in pairwise(bars) if bar.section != then.section]
    sections = [end.bar for end in ends if end.section and end.bar < 31]
    assert sections
    assert set(sections) <= set(changes) <= {end.bar for end in ends}
    assert planned_ends(composer.setting.form._replace(form="off"), 32, 3) == []
    found = phrases(score_of(bars), ends, controls.key.tonic)
    assert found.planned.ends <= len(ends)


def test_modes_are_asked_for_one_by_one() -> None:
    told: list[int] = []
    found = modes(tiny("gpt"), range(2), 16, told.append)
    assert [mode.key for mode in found] == list(MODES)
    assert sum(told) == len(MODES) * 2 * 16
    assert all(0 <= mode.tonic <= 1 and mode.streams == 2 for mode in found)
    assert modes(tiny("gpt"), range(0), 16) == []


def test_lengths_are_note_values_or_not() -> None:
    assert {24, 36, 16, 12, 8, 6, 3, 96, 192} <= set(WRITTEN)
    rows = [(24 * i, length, 60, 80, 0) for i, length in enumerate((24, 23, 12, 11))]
    made = rates([part_writing(Score(np.array(rows, NOTE)))])
    assert made["lengths off the note values"] == 0.5
