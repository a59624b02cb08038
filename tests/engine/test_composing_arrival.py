"""Laws of closes as they are heard: the bass on its root, and a rest."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.composing.arrival import Arrival, bass_below, hold_of, late_arrival
from engine.composing.composer import Composer
from engine.composing.step_context import EchoNote
from engine.controls.controls import Controls
from engine.library.bars import open_model
from engine.library.models import model_file
from engine.music.bars import Bar
from engine.music.fields import CHORDS, FIRST_CHORD, MELODIC_PITCHES, NO_CHORD
from engine.music.harmony import CHORD_TONES, chord_id, chord_parts
from engine.music.score import DRUMS, PARTS, TIED_FROM
from engine.music.time import Metre
from engine.planning.form import FormBar
from engine.planning.form_state import NO_CLOSE
from tests.engine.sessions import advance, check_bars
from tests.fakes import TableNetwork

TABLE = TableNetwork()
G = chord_id(7, "maj")


def note(tick: int, pitch: int) -> EchoNote:
    return EchoNote(tick, tick, 1 + pitch, 1, 1)


def test_the_bass_is_the_lowest_of_late_and_all_of_a_single_line() -> None:
    assert bass_below(()) == MELODIC_PITCHES
    assert bass_below([note(0, 60), note(24, 55)]) == MELODIC_PITCHES
    chord = [note(0, 72), note(0, 64), note(0, 48), note(24, 50)]
    assert 50 < bass_below(chord) < 64
    drums = [note(0, MELODIC_PITCHES + 2), note(0, MELODIC_PITCHES + 9)]
    assert bass_below(drums) == MELODIC_PITCHES


@pytest.mark.parametrize("metre", ["4/4", "3/4", "2/4", "6/8", "3/8", "7/8", "5/4", "1/8"])
def test_a_close_is_held_for_its_bar_or_all_but_the_last_beat(metre: str) -> None:
    parsed = Metre.parse(metre)
    held = hold_of(parsed)
    assert 0 < held <= parsed.ticks
    assert held == parsed.ticks or held >= 48


@given(st.integers(FIRST_CHORD, CHORDS - 1), st.integers(40, 70), st.integers(0, 95))
def test_where_it_arrives_only_tones_of_the_chord_are_left_and_its_root_below(
    chord: int, bass: int, tick: int
) -> None:
    bias = np.zeros((1 + PARTS, 1 + MELODIC_PITCHES + 47), np.float32)
    Arrival(0, 48, bass).meet(bias, tick, chord)
    row = bias[1, 1 : 1 + MELODIC_PITCHES]
    assert (bias[:, 0] == 0).all()
    assert (bias[:, 1 + MELODIC_PITCHES :] == 0).all()
    assert (bias[1:] == bias[1]).all()
    if tick:
        assert not bias.any()
        return
    pitches = np.arange(MELODIC_PITCHES)
    free = CHORD_TONES[chord][pitches % 12]
    free &= (pitches >= bass) | (pitches % 12 == chord_parts(chord)[0])
    assert (row[free] == 0).all()
    assert (row[~free] <= -8).all()


@pytest.mark.parametrize("metre", ["4/4", "3/4", "2/4", "6/8", "9/8", "3/8", "7/8", "1/8"])
def test_a_tune_comes_home_late_in_the_bar_that_closes_it(metre: str) -> None:
    parsed = Metre.parse(metre)
    late = late_arrival(parsed)
    assert late.start == parsed.half < late.stop
    assert late.stop <= max(parsed.ticks, late.start + 1)
    for tick in range(parsed.ticks):
        bias = np.zeros((1 + PARTS, 1 + MELODIC_PITCHES + 47), np.float32)
        Arrival(0, parsed.half, MELODIC_PITCHES, late).meet(bias, tick, G)
        home = np.arange(MELODIC_PITCHES) % 12 == 7
        row = bias[1, 1 : 1 + MELODIC_PITCHES]
        assert (row[home] == 0).all()
        assert (row[~home] <= -8).all() if tick in late else not row.any()
        Arrival(1, parsed.half, MELODIC_PITCHES, late).meet(bias := bias * 0, tick, G)
        assert not bias.any()


@given(st.integers(FIRST_CHORD, CHORDS - 1), st.integers(40, 70), st.integers(0, 95))
def test_on_the_way_the_bass_alone_leans_to_the_root(chord: int, bass: int, tick: int) -> None:
    bias = np.zeros((1 + PARTS, 1 + MELODIC_PITCHES + 47), np.float32)
    Arrival(1, 48, bass).meet(bias, tick, chord)
    row = bias[1, 1 : 1 + MELODIC_PITCHES]
    pitches = np.arange(MELODIC_PITCHES)
    leaning = (pitches < bass) & (pitches % 12 != chord_parts(chord)[0])
    assert (row[~leaning] == 0).all()
    assert (row[leaning] < 0).all() == (tick >= 48)


def test_a_bar_without_a_chord_owes_it_nothing() -> None:
    bias = np.zeros((1 + PARTS, 1 + MELODIC_PITCHES + 47), np.float32)
    for left in (0, 1):
        Arrival(left, 48, 60).meet(bias, 0, NO_CHORD)
    assert not bias.any()


# -- in composed music --------------------------------------------------------------------------


def composed(composer: Composer, bars: int) -> list[tuple[FormBar, Bar]]:
    """Bars with what the form asked of each."""
    found = []
    for _ in range(bars):
        line = composer.lines[-1]
        section = composer.plan_ahead.form_of(line.planned_as, line.form, composer.setting.form)
        found.append((section, composer.compose_bar()))
    return found


@cache
def embedded() -> list[tuple[FormBar, Bar]]:
    network = open_model(model_file("default"))
    asked = {"form": "phrases", "parts": [1, 2, 3, 4], "style": {"sacred": 1}, "density": 5}
    asked["breath"] = 1  # or who asks for five notes hears five at closes too
    found = []
    for seed in (1, 2):
        composer = Composer(network, network.pool(1), seed, 0, Controls.from_dict(asked))
        found += composed(composer, 48)
    return found


def test_the_embedded_models_phrases_arrive_with_the_root_in_the_bass() -> None:
    roots = tones = closes = notes = 0
    for section, bar in embedded():
        first = [n for n in bar.notes if n.onset == bar.start and not n.tie & TIED_FROM]
        if section.close == NO_CLOSE or section.left or len(first) < 3:
            continue
        closes += 1
        roots += min(first, key=lambda n: n.pitch).pitch % 12 == chord_parts(bar.plan.chord)[0]
        notes += len(first)
        tones += sum(bool(CHORD_TONES[bar.plan.chord][n.pitch % 12]) for n in first)
    assert closes >= 6
    assert roots >= 0.8 * closes
    assert tones >= 0.9 * notes


def rests(found: list[tuple[FormBar, Bar]]) -> tuple[int, int]:
    """How many phrases closed, and in how many nothing is struck while their last chord holds."""
    closes = [bar for section, bar in found if section.close != NO_CLOSE and section.left == 0]
    held = [
        not any(
            bar.start < n.onset < bar.start + hold_of(bar.metre)
            for n in bar.notes
            if n.part != DRUMS
        )
        for bar in closes
    ]
    return len(closes), sum(held)


def test_music_comes_to_rest_at_some_closes() -> None:
    closes, held = rests(embedded())
    assert closes >= 12
    assert 0.35 * closes <= held < closes


def test_who_asks_for_notes_hears_them_at_closes_unless_levels_breathe() -> None:
    def held(breath: float) -> int:
        asked = {"form": "phrases", "density": 5, "breath": breath}
        composer = Composer(TABLE, TABLE.pool(1), 4, 0, Controls.from_dict(asked))  # type: ignore[arg-type]
        return len(stepped(composer, 64)[1])

    assert held(0) == 0
    assert held(0.3) < held(1)


def stepped(composer: Composer, bars: int) -> tuple[list[Bar], set[tuple[int, int]]]:
    """Bars, and from tick to tick where they were held."""
    found: list[Bar] = []
    spans: set[tuple[int, int]] = set()
    while len(found) < bars:
        bar = advance(composer)
        found += [] if bar is None else [bar]
        outline = composer._outline
        if outline is not None and outline.limits.hold is not None:
            spans.add(outline.limits.hold)
    return found, {span for span in spans if span[1] <= found[-1].end}


@pytest.mark.parametrize("form", ["off", "dance", "strains"])
@pytest.mark.parametrize("grid", ["free", "1/8"])
def test_forms_that_go_on_are_never_held(form: str, grid: str) -> None:
    controls = Controls.from_dict({"form": form, "grid": grid})
    composer = Composer(TABLE, TABLE.pool(1), 2, 0, controls)  # type: ignore[arg-type]
    assert not stepped(composer, 24)[1]


@pytest.mark.parametrize("metre", ["4/4", "3/4", "7/8", "6/8", "2/4", "3/8", "8/4"])
@pytest.mark.parametrize("grid", ["free", "1/4", "1/8", "1/32"])
def test_while_a_close_is_held_nothing_begins_and_nothing_ends(metre: str, grid: str) -> None:
    network = TableNetwork(haste=1.0)
    asked = {"form": "phrases", "metre": metre, "grid": grid, "max_rest": 1, "articulation": None}
    composer = Composer(network, network.pool(1), 4, 0, Controls.from_dict(asked))  # type: ignore[arg-type]
    bars, spans = stepped(composer, 40)
    assert spans
    check_bars(bars)
    notes = [n for bar in bars for n in bar.notes if not n.tie & TIED_FROM]
    for span in spans:
        assert not [n for n in notes if span[0] < n.onset < span[1]]
    if grid != "free":
        step = {"1/4": 24, "1/8": 12, "1/32": 1}[grid]
        assert not any((n.onset - bar.start) % step for bar in bars for n in bar.notes)
