"""Laws that hold for every representation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import BundleError
from engine.music.analysis import Analysis, analyse
from engine.music.fields import CONTEXT, MELODIC_PITCHES
from engine.music.grids import GRIDS, places, widest
from engine.music.score import DRUMS, PARTS, Note, Score, as_array
from engine.planning.correction import Leaning
from engine.planning.rhythm import MOST
from engine.representations.codec import Codec, codec, field_offsets
from engine.representations.limits import MASKED, Limits
from tests.engine.score_strategies import scores, small_piece

CODECS = tuple(codec(name) for name in ("notes", "performance"))
each_codec = pytest.mark.parametrize("coder", CODECS, ids=lambda coder: coder.name)
OPEN = Limits(np.zeros(MELODIC_PITCHES, np.float32), (True,) * PARTS, 99, 10_000, 0)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    """Any limits that controls can set."""
    bias = np.full(MELODIC_PITCHES, MASKED, np.float32)
    low = draw(st.integers(0, 116))
    bias[low : low + draw(st.integers(11, 88)) + 1] = 0.0
    bias[low + draw(st.integers(0, 11)) :: 12] -= draw(st.sampled_from([0.0, 2.5]))
    on = draw(st.sets(st.integers(0, PARTS - 1), min_size=1))
    return Limits(
        np.maximum(bias, np.float32(MASKED)),
        tuple(part in on for part in range(PARTS)),
        draw(st.integers(1, 8)),
        draw(st.integers(6, 200)),
        0,
    )


class Walk:
    """Draws at random whatever the masks leave, as a network without taste would."""

    def __init__(self, coder: Codec, seed: int, start: int = 0) -> None:
        self.coder, self.cursor = coder, coder.cursor(start)
        self.random = np.random.default_rng(seed)
        offsets = field_offsets(coder.fields)
        self.spans = [slice(a, b) for a, b in pairwise(offsets)]
        self.bias = np.zeros(offsets[-1], np.float32)
        self.end = start
        self.events: list[list[int]] = []

    def bar(self, ticks: int, limits: Limits) -> list[Note]:
        start, self.end = self.end, self.end + ticks
        self.coder.write_bias(self.bias, limits)
        notes = self.cursor.enter_bar(start, self.end)
        while self.cursor.tick < self.end:
            self.cursor.constrain(self.bias, limits)
            event = [self._choice(span) for span in self.spans]
            note = self.cursor.accept(event, limits)
            self.events.append(event)
            notes += [] if note is None else [note]
        return notes + self.cursor.leave_bar(self.end)

    def _choice(self, span: slice) -> int:
        allowed = 1 + np.flatnonzero(self.bias[span][1:] > MASKED / 2)
        assert len(allowed), "a field without a choice"
        return int(self.random.choice(allowed))


def longest_silence(notes: Sequence[Note], start: int) -> int:
    heard, longest = start, 0
    for note in sorted(notes):
        longest = max(longest, note.onset - heard)
        heard = max(heard, note.onset + note.duration)
    return longest


def most_sounding(notes: Sequence[Note]) -> int:
    changes = sorted(
        [(note.onset, 1) for note in notes] + [(note.onset + note.duration, -1) for note in notes]
    )
    return int(np.cumsum([change for _, change in changes]).max(initial=0))


def test_an_unknown_representation_is_named_with_the_known_ones() -> None:
    with pytest.raises(BundleError, match=r"'pianoroll'.*notes, performance"):
        codec("pianoroll")


@each_codec
@given(score=scores())
@settings(max_examples=25)
def test_events_and_context_are_in_range(coder: Codec, score: Score) -> None:
    encoded = coder.encode(analyse(score))
    sizes = np.array([field.size for field in coder.fields])
    assert (encoded.events < sizes).all()
    assert (encoded.context < [CONTEXT[name].size for name in coder.context]).all()
    positions = [i for i, name in enumerate(coder.context) if CONTEXT[name].group == "position"]
    assert (encoded.context[:, positions] > 0).all()
    assert (np.diff(encoded.onsets) >= 0).all()
    assert (np.diff(encoded.bars) >= 0).all()
    assert len(encoded.events) == len(encoded.context) == len(encoded.onsets) == len(encoded.bars)


@each_codec
@given(
    seed=st.integers(0, 1 << 32),
    bounds=limits(),
    bars=st.lists(st.sampled_from([12, 72, 96, 192]), min_size=1, max_size=4),
)
@settings(max_examples=40)
def test_whatever_is_drawn_keeps_the_limits(
    coder: Codec, seed: int, bounds: Limits, bars: list[int]
) -> None:
    walk = Walk(coder, seed, start=960)
    pieces = [note for ticks in bars for note in walk.bar(ticks, bounds)]
    joined = [Note(*row) for row in as_array(pieces).tolist()]
    assert most_sounding(joined) <= bounds.max_polyphony
    assert longest_silence(joined, 960) <= bounds.max_rest
    for note in joined:
        assert coder.name == "performance" or bounds.parts_on[note.part]
        assert note.part == DRUMS or bounds.pitch_bias[note.pitch] > MASKED / 2
        assert note.duration > 0
        assert 1 <= note.velocity <= 127


GRIDDED = {"seed": st.integers(0, 1 << 32), "bounds": limits(), "grid": st.sampled_from(GRIDS)}


@given(**GRIDDED, bar=st.sampled_from([12, 36, 72, 84, 96, 192]))
@settings(max_examples=60)
def test_onsets_keep_to_the_grid(seed: int, bounds: Limits, grid: str, bar: int) -> None:
    walk = Walk(codec("notes"), seed)
    held = replace(bounds, places=places(grid), max_rest=max(bounds.max_rest, widest(grid)))
    notes = [note for _ in range(5) for note in walk.bar(bar, held)]
    assert len(notes) > 1 or bar < held.max_rest
    assert longest_silence(notes, 0) <= held.max_rest
    assert all(held.places[note.onset % bar % 24] for note in notes if held.places)


@given(**GRIDDED, tick=st.integers(1, 95))
@settings(max_examples=300)
def test_who_stands_off_the_grid_comes_back_to_it(
    seed: int, bounds: Limits, grid: str, tick: int
) -> None:
    walk = Walk(codec("notes"), seed)
    """With one short step between, at the most."""
    walk.cursor.tick = tick
    held = replace(bounds, places=places(grid), max_rest=max(bounds.max_rest, widest(grid)))
    onsets = sorted({note.onset for note in walk.bar(192, held)} - {tick})
    assert all(held.places[onset % 24] for onset in onsets[1:] if held.places)
    onsets = [note.onset for note in walk.bar(192, held)]
    assert all(held.places[onset % 24] for onset in onsets if held.places)


WORN = st.tuples(st.integers(0, 400), st.floats(0, MOST))
LEANS = st.builds(
    Leaning, st.floats(-9, 9), st.floats(3, 240), st.floats(-9, 9), st.floats(-9, 9), worn=WORN
)


@each_codec
@given(seed=st.integers(0, 1 << 32), bounds=limits(), lean=LEANS)
@settings(max_examples=25)
def test_leaning_opens_nothing_and_shuts_nothing(
    coder: Codec, seed: int, bounds: Limits, lean: Leaning
) -> None:
    upright = Walk(coder, seed)
    leant = Walk(coder, seed)
    inclined = replace(bounds, lean=coder.leaning(lean))
    for ticks in (96, 24, 192):
        assert leant.bar(ticks, inclined) == upright.bar(ticks, bounds)


@each_codec
@given(seed=st.integers(0, 1 << 32), bars=st.lists(limits(), min_size=2, max_size=5))
@settings(max_examples=25)
def test_limits_that_change_at_bar_lines_never_leave_a_field_without_a_choice(
    coder: Codec, seed: int, bars: list[Limits]
) -> None:
    walk = Walk(coder, seed)
    for bounds in bars:
        held = len(getattr(walk.cursor, "held", ()))
        notes = walk.bar(96, bounds)
        assert most_sounding(notes) <= max(bounds.max_polyphony, held) or coder.name == "notes"


@each_codec
@given(seed=st.integers(0, 1 << 32), bounds=limits())
@settings(max_examples=20)
def test_a_copied_cursor_goes_on_the_same_and_leaves_the_first_alone(
    coder: Codec, seed: int, bounds: Limits
) -> None:
    walk = Walk(coder, seed)
    walk.bar(96, bounds)
    kept, state = walk.cursor.copy(), walk.random.bit_generator.state
    first = walk.bar(96, bounds)
    walk.cursor, walk.end = kept.copy(), 96
    walk.random.bit_generator.state = state
    assert walk.bar(96, bounds) == first
    assert (kept.tick, kept.rank) != (walk.cursor.tick, walk.cursor.rank) or kept.tick >= 192


@each_codec
@pytest.mark.parametrize("semitones", [-12, -5, 0, 1, 7])
def test_pitch_shift_moves_every_melodic_note_and_no_drum(coder: Codec, semitones: int) -> None:
    analysis = analyse(small_piece())
    encoded = coder.encode(analysis)
    before = coder.decode(encoded)
    for column, table in coder.pitch_shift(semitones).items():
        assert table[0] == 0
        encoded.events[:, column] = table[encoded.events[:, column]]
    after = coder.decode(encoded)
    moved = np.where(before["part"] == DRUMS, 0, semitones)
    assert (after["pitch"].astype(int) == before["pitch"].astype(int) + moved).all()
    for name in ("onset", "duration", "velocity", "part"):
        assert (after[name] == before[name]).all()


@each_codec
@given(semitones=st.integers(-40, 40))
def test_pitch_shift_stays_among_pitches(coder: Codec, semitones: int) -> None:
    """Also moved to another key and by an octave at once: the lowest fold back twice."""
    for column, table in coder.pitch_shift(semitones).items():
        size = coder.fields[column].size
        assert len(table) == size
        assert (table[1:] > 0).all()
        assert (table < size).all()


@each_codec
@pytest.mark.parametrize("steps", [-40, -2, 0, 3, 40])
def test_loudness_shift_moves_velocities_only(coder: Codec, steps: int) -> None:
    encoded = coder.encode(analyse(small_piece()))
    before = coder.decode(encoded)
    for column, table in coder.loudness_shift(steps).items():
        assert table[0] == 0
        encoded.events[:, column] = table[encoded.events[:, column]]
    after = coder.decode(encoded)
    assert (after["velocity"] == np.clip(before["velocity"].astype(int) + 4 * steps, 2, 126)).all()
    for name in ("onset", "duration", "pitch", "part"):
        assert (after[name] == before[name]).all()


def analysed(coder: Codec, score: Score) -> Analysis:
    """As the codec's own scores are: the performance has one metre."""
    if coder.name == "performance":
        score = Score(score.notes, ((0, coder.metre),))
    return analyse(score)


@each_codec
@given(score=scores(metres=1), seed=st.integers(0, 9))
@settings(max_examples=25)
def test_a_bridge_leads_to_the_bar_line(coder: Codec, score: Score, seed: int) -> None:
    analysis = analysed(coder, score)
    encoded = coder.encode(analysis)
    if not len(encoded.events):
        return
    end = int(analysis.grid.starts[-1]) + analysis.grid.metres[-1].ticks
    bridged = coder.bridge(encoded, end)
    cursor = coder.cursor(int(bridged.onsets[-1]))
    cursor.accept(bridged.events[-1].tolist(), OPEN)
    assert abs(cursor.tick - end) <= 12  # half of the widest step between lengths
    assert (bridged.onsets <= end).all()
    assert len({len(part) for part in (bridged.events, bridged.context, bridged.onsets)}) == 1
