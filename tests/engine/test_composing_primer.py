"""Laws of prompts: a stream that goes on from given music."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import MidiError
from engine.composing.composer import Composer
from engine.composing.primer import MAX_EVENTS, primer_of
from engine.composing.step_context import recalled
from engine.controls.controls import Controls
from engine.music.analysis import analyse
from engine.music.score import DRUMS, NOTE, Score
from engine.music.time import Metre
from engine.planning.planner_table import MAX_ECHO
from engine.representations.codec import codec
from tests.bundles import CODECS, NETWORKS, tiny
from tests.engine.score_strategies import scores, small_piece
from tests.engine.sessions import as_heard, check_bars, compose
from tests.fakes import TableNetwork

TABLES = {name: TableNetwork(name) for name in CODECS}
each_codec = pytest.mark.parametrize("name", CODECS)


def as_read(name: str, score: Score) -> Score:
    """As the codec reads it from a file: performances know one metre and one part."""
    if name == "notes":
        return score
    notes = score.notes.copy()
    notes["part"][notes["part"] != DRUMS] = 0
    return Score(notes, ((0, codec(name).metre),), ((0, 240_000),))


@pytest.mark.parametrize("kind", [(k, c) for k in NETWORKS for c in CODECS])
def test_hearing_a_prompt_at_once_equals_stepping_it(kind: tuple[str, str]) -> None:
    network = tiny(*kind)
    primer, _ = primer_of(as_read(kind[1], small_piece()), network.specification)
    pool = network.pool(2)
    at_once, stepped = pool.acquire(), pool.acquire()
    pool.prefill(at_once, primer.inputs, primer.ticks)
    for told, tick in zip(primer.inputs, primer.ticks.tolist(), strict=True):
        pool.inputs[stepped, 0], pool.ticks[stepped] = told, tick
        pool.run([stepped])
    assert pool.steps[at_once, 0] == pool.steps[stepped, 0] == len(primer.inputs)
    for row in (at_once, stepped):
        pool.inputs[row, 0, : len(primer.events)] = primer.events
        pool.inputs[row, 0, len(primer.events) :] = 1
        pool.ticks[row] = primer.end
    pool.run([at_once, stepped])
    assert (pool.event[at_once] == pool.event[stepped]).all()
    assert np.abs(pool.likelihood[at_once] - pool.likelihood[stepped]).max() < 1e-4


@each_codec
@given(score=scores(metres=2))
@settings(max_examples=20)
def test_inputs_are_the_events_one_step_late_with_their_places(name: str, score: Score) -> None:
    score = as_read(name, score)
    coder = codec(name)
    if not len(coder.encode(analyse(score)).events):
        return
    primer, _ = primer_of(score, TABLES[name].specification)
    fields = len(coder.fields)
    assert (primer.inputs[0, :fields] == 0).all()
    encoded = coder.encode(analyse(score))
    # The last event that is kept, and what may follow it, leads on to the bar line.
    onsets = encoded.onsets - encoded.onsets[0] + primer.ticks[0]
    same = int((onsets < primer.end).sum()) - 1
    assert (primer.inputs[1 : same + 1, :fields] == encoded.events[:same]).all()
    assert (primer.inputs[: same + 1, fields:] == encoded.context[: same + 1]).all()
    assert (primer.ticks[: same + 1] == onsets[: same + 1]).all()
    assert (np.diff(primer.ticks) >= 0).all()
    assert 0 <= primer.ticks[0] <= primer.ticks[-1] <= primer.end
    assert len(primer.ticks) == len(primer.inputs) <= MAX_EVENTS
    assert all(0 <= bar < primer.bars for bar in primer.heard)
    assert all(bar < primer.bars and plan.source < bar for bar, plan in primer.planner.memory)


@each_codec
def test_a_network_that_knows_fewer_fields_is_told_those(name: str) -> None:
    full = TABLES[name].specification
    fewer = replace(full, context=full.context[1::2])
    whole, _ = primer_of(as_read(name, small_piece()), full)
    part, _ = primer_of(as_read(name, small_piece()), fewer)
    fields = len(full.event)
    assert (part.inputs[:, :fields] == whole.inputs[:, :fields]).all()
    assert (part.inputs[:, fields:] == whole.inputs[:, fields + 1 :: 2]).all()


@each_codec
def test_the_stream_goes_on_where_the_prompt_ends(name: str) -> None:
    network = TABLES[name]
    primer, suggested = primer_of(as_read(name, small_piece()), network.specification)
    controls = Controls.from_dict({key: suggested[key] for key in ("metre", "tempo")})
    composer = Composer(network, network.pool(1), 3, 0, controls, primer)
    assert composer.next_bar == composer.first_open == composer.committed == primer.bars
    bars = compose(composer, 6)
    check_bars(bars)
    assert (bars[0].index, bars[0].start) == (primer.bars, primer.end)
    plain = Composer(network, network.pool(1), 3, 0, controls)
    assert [bar.notes for bar in bars] != [bar.notes for bar in compose(plain, 6)]
    composer.rewind(primer.bars)
    assert [as_heard(bar) for bar in compose(composer, 6)] == [as_heard(bar) for bar in bars]


def test_bars_of_the_prompt_can_be_echoed() -> None:
    network = TABLES["notes"]
    primer, _ = primer_of(small_piece(bars=12), network.specification)
    assert sorted(primer.heard) == list(range(12))
    assert [bar for bar, _ in primer.planner.memory] == list(range(12))
    composer = Composer(network, network.pool(1), 3, primer=primer)
    composer.change(plan={12: {"echo": 4, "source": 5}})
    told = []
    while composer.next_bar == 12:
        if composer.finished() is None:
            composer.prepare()
            told.append(composer.pool.inputs[composer.row, 0].tolist())
            composer.pool.run([composer.row])
            composer.absorb()
    at = 5 + composer.names.index("echo_pitch")
    assert told[0][at] in {note.pitch for note in recalled(primer.heard[5])}


@pytest.mark.parametrize("semitones", [-5, -2, 0, 3, 6])
def test_the_key_of_the_prompt_is_suggested(semitones: int) -> None:
    names = {-5: "G", -2: "Bb", 0: "C", 3: "Eb", 6: "F#"}
    _, suggested = primer_of(small_piece(semitones), TABLES["notes"].specification)
    assert suggested["key"] == f"{names[semitones]} major"


def test_a_minor_prompt_is_suggested_in_minor() -> None:
    chords = ((57, 60, 64), (57, 62, 65), (56, 59, 64), (57, 60, 64)) * 2
    notes = [(96 * i, 96, pitch, 70, 0) for i, chord in enumerate(chords) for pitch in chord]
    notes += [(96 * i, 96, chord[0] - 12, 70, 1) for i, chord in enumerate(chords)]
    score = Score(np.array(sorted(notes), NOTE))
    _, suggested = primer_of(score, TABLES["notes"].specification)
    assert suggested["key"] == "A minor"


def test_the_rest_is_suggested_as_it_stands_at_the_end() -> None:
    piece = small_piece()
    score = replace(
        piece,
        metres=((0, Metre(4, 4)), (384, Metre(3, 4))),
        tempos=((0, 500_000), (400, 800_000)),
    )
    _, suggested = primer_of(score, TABLES["notes"].specification)
    assert suggested["metre"] == "3/4"
    assert suggested["tempo"] == 75.0
    assert suggested["parts"] == [1, 2, 3, 8]
    assert suggested["programs"] == {"1": 0, "2": 48, "3": 32, "8": 0}
    Controls.from_dict(suggested)  # and all of it can be set


@pytest.mark.parametrize("tempo", [60_000_000 // 700, 60_000_000 // 7])
def test_a_suggested_tempo_can_always_be_set(tempo: int) -> None:
    score = replace(small_piece(), tempos=((0, tempo),))
    _, suggested = primer_of(score, TABLES["notes"].specification)
    assert Controls.from_dict(suggested).tempo in (20.0, 300.0)


@each_codec
def test_a_prompt_longer_than_can_be_heard_keeps_its_last_bars(name: str) -> None:
    bars = 200
    score = as_read(name, small_piece(bars=bars))
    network = TABLES[name]
    primer, _ = primer_of(score, network.specification)
    assert MAX_EVENTS - 100 < len(primer.inputs) <= MAX_EVENTS
    assert 0 < primer.bars < bars
    assert primer.end == primer.bars * codec(name).metre.ticks
    assert len(primer.planner.memory) <= MAX_ECHO
    fields = len(codec(name).fields)
    assert primer.inputs[-1, fields:].max() > 0
    check_bars(compose(Composer(network, network.pool(1), 3, primer=primer), 3))


def test_a_performance_is_let_go_at_the_end_of_its_last_bar() -> None:
    """A last note that rings on must not make time go back where composing begins."""
    notes = [(0, 900, 60, 64, 0), (100, 20, 64, 64, 0)]
    spec = TABLES["performance"].specification
    primer, _ = primer_of(Score(np.array(notes, NOTE), ((0, Metre(8, 4)),)), spec)
    assert primer.end == 192
    assert primer.ticks[-1] == 192


def test_a_prompt_without_notes_is_refused() -> None:
    with pytest.raises(MidiError, match="no notes"):
        primer_of(Score(np.zeros(0, NOTE)), TABLES["notes"].specification)
    drums = small_piece()
    drums = replace(drums, notes=drums.notes[drums.notes["part"] == DRUMS])
    primer_of(drums, TABLES["notes"].specification)
    with pytest.raises(MidiError, match="'performance' can hear"):
        primer_of(drums, TABLES["performance"].specification)


@given(st.integers(0, 50))
@settings(max_examples=5)
def test_a_prompt_of_one_note_is_enough(onset: int) -> None:
    score = Score(np.array([(onset, 24, 67, 64, 0)], NOTE))
    for name, network in TABLES.items():
        primer, _ = primer_of(as_read(name, score), network.specification)
        check_bars(compose(Composer(network, network.pool(1), 1, primer=primer), 2))


def test_what_follows_lies_where_the_prompt_lay_and_brings_it_back() -> None:
    network = TABLES["notes"]
    primer, _ = primer_of(small_piece(bars=8), network.specification)
    composer = Composer(network, network.pool(1), 3, primer=primer)
    plans = [bar.plan for bar in compose(composer, 14)]
    assert [plan.source for plan in plans if plan.source >= 0] == [
        i % 8 for i, plan in enumerate(plans) if plan.source >= 0
    ]
    assert sum(plan.source >= 0 for plan in plans) >= 10
    prompt = [level for _, plan in primer.planner.memory for level in [plan.register] if level]
    mean = sum(prompt) / len(prompt)
    assert primer.planner.lent[1] == mean
    assert np.mean([plan.register for plan in plans]) == pytest.approx(mean, abs=1)
