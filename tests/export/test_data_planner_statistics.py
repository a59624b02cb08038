"""The learner finds again what was put into made-up plans."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.music.fields import (
    CHORDS,
    ECHO_EXACT,
    ECHO_NEW,
    ENDING_FAR,
    ENDING_LAST,
    NO_CHORD,
    PHRASE_BARS,
)
from engine.music.harmony import CHORD_SHIFT, chord_id, key_id
from engine.music.plan import BarPlan
from engine.planning.planner_table import MAX_BYTES, PlannerTable
from export.data.dataset import PIECE
from export.data.planner_statistics import Bars, learn, learn_from
from export.data.sources import SPLITS

C, F, G, AM, DM, E7 = (
    chord_id(*chord)
    for chord in ((0, "maj"), (5, "maj"), (7, "maj"), (9, "min"), (2, "min"), (4, "7"))
)
HOME, HOME_MINOR = key_id(0, False), key_id(9, True)


def piece(chords: list[int], bars: int = 40, **columns: object) -> dict[str, np.ndarray]:
    """One chord a bar, going round; everything else constant unless given."""
    plans = BarPlan(HOME, 0, 0, ECHO_NEW, -1, 5, 5, 5, 5, 5, ENDING_FAR)._asdict() | columns
    made = {name: np.broadcast_to(np.asarray(v), bars).copy() for name, v in plans.items()}
    made["chord"] = np.resize(chords, bars)
    made["half_chord"] = made["chord"]
    made["ending"] = np.maximum(ENDING_LAST - np.arange(bars)[::-1], ENDING_FAR)
    return made


def corpus(
    pieces: list[dict[str, np.ndarray]],
    styles: list[int] | None = None,
    minor: bool = False,
    names: tuple[str, ...] = ("plain",),
    parts: list[int] | None = None,
) -> PlannerTable:
    lengths = [len(p["chord"]) for p in pieces]
    owner = np.repeat(np.arange(len(pieces)), lengths)
    of_piece = np.array(styles or [0] * len(pieces))
    bars = Bars(
        plans={n: np.concatenate([p[n] for p in pieces]).astype(np.int64) for n in pieces[0]},
        piece=owner,
        number=np.concatenate([np.arange(n) for n in lengths]),
        style=of_piece[owner],
        minor=np.full(len(owner), minor),
    )
    return learn_from(names, bars, of_piece, np.array(parts or [1] * len(pieces)))


def after(table: PlannerTable, before: int, last: int, half: int, minor: bool = False) -> int:
    return int(table.chord_weights(table.weights({}), before, last, minor, half).argmax())


def test_progressions_are_learned() -> None:
    table = corpus([piece([C, F, G, C, AM, DM])] * 10)
    assert after(table, C, C, 1) == C
    assert [after(table, x, x, 0) for x in (F, G, AM, DM)] == [G, C, DM, C]
    assert after(table, NO_CHORD, NO_CHORD, 0) == C


@given(st.integers(0, 11))
def test_another_local_key_speaks_the_same_language(steps: int) -> None:
    moved = [int(CHORD_SHIFT[steps, chord]) for chord in (C, F, G)]
    table = corpus([piece(moved, key=key_id(steps, False))] * 10)
    assert [after(table, x, x, 0) for x in (C, F, G)] == [F, G, C]


def test_minor_keys_are_counted_apart() -> None:
    table = corpus([piece([AM, DM, E7], key=HOME_MINOR)] * 10, minor=True)
    assert after(table, E7, E7, 0, minor=True) == AM
    weights = table.chord_weights(table.weights({}), E7, E7, False, 0)
    assert weights.max() == pytest.approx(weights[E7])


def test_styles_lean_on_all_music_and_differ() -> None:
    one, two = piece([C, F]), piece([C, G])
    table = corpus([one, two] * 30, [0, 1] * 30, names=("fourths", "fifths"))
    for style, chord in (("fourths", F), ("fifths", G)):
        weights = table.chord_weights(table.weights({style: 1.0}), C, C, False, 0)
        assert weights.argmax() == chord
        assert weights.min() >= 0


def test_phrase_and_close_tilt_the_chords() -> None:
    table = corpus([piece([C, F, C, G, C, F, G, AM], 41)] * 200)
    assert table.phrase_tilt[0, 7, 0, AM] > 2
    assert table.phrase_tilt[0, 0, 0, AM] < 0.8
    assert table.ending_tilt[0, ENDING_LAST, 0, C] > 1.3


def test_attributes_are_measured() -> None:
    rng = np.random.default_rng(1)
    pieces = []
    for _ in range(60):
        wander = np.zeros(100)
        for i in range(1, 100):
            wander[i] = 0.8 * wander[i - 1] + 0.6 * rng.normal()
        level = np.clip(np.floor(6 + 1.2 * wander + rng.random(100)), 1, 12)
        pieces.append(piece([C], 100, density=level, register=level, polyphony=0))
    table = corpus(pieces)
    density, register = table.means[0, 0], table.means[0, 1]
    assert density == pytest.approx(6, abs=0.2)
    assert register == density
    assert table.spreads[0, 0] == pytest.approx(1.2, abs=0.15)
    assert table.persistence[0, 0] == pytest.approx(0.8, abs=0.06)
    correlation = table.mixing @ table.mixing.T
    assert correlation[0, 1] > 0.8
    assert np.diag(correlation) == pytest.approx(1, abs=1e-5)
    assert table.means[0, 2] == PlannerTable.plain().means[0, 2]  # never known


def test_echo_habits_are_learned() -> None:
    bars = np.arange(48)
    late = bars % PHRASE_BARS >= 4
    source = np.where(late, bars - 4, -1)
    table = corpus([piece([C], 48, echo=np.where(late, ECHO_EXACT, ECHO_NEW), source=source)] * 30)
    levels = table.echo_levels[0]
    assert levels[ECHO_NEW - 1, 4].argmax() == ECHO_EXACT - 1
    assert levels[ECHO_EXACT - 1, 0].argmax() == ECHO_NEW - 1
    assert levels.sum(axis=2) == pytest.approx(np.ones((4, PHRASE_BARS)), abs=1e-5)
    assert table.echo_distances[0].argmax() == 4 - 1
    assert table.echo_goes_on[0] > 0.9


def test_keys_leave_and_return_in_proportion() -> None:
    away = np.where(np.arange(40) % 20 >= 15, key_id(7, False), HOME)
    table = corpus([piece([C], 40, key=away)] * 20)
    assert table.key_moves[0].argmax() == key_id(7, False)
    leave, back = float(table.key_leave[0]), float(table.key_return[0])
    assert leave == pytest.approx(1 / 15, rel=0.2)
    assert leave / (leave + back) == pytest.approx(0.25, abs=0.02)


def test_part_sets_are_weighed_by_style() -> None:
    table = corpus([piece([C])] * 4, [0, 0, 0, 1], names=("band", "solo"), parts=[7, 7, 3, 1])
    assert table.part_masks.tolist() == [1, 3, 7]
    assert table.part_weights[0].tolist() == pytest.approx([0, 1 / 3, 2 / 3])
    assert table.part_set(table.weights({"solo": 1.0}), 0.99) == 1


def test_large_corpora_still_fit() -> None:
    rng = np.random.default_rng(2)
    noise = [piece(rng.integers(2, CHORDS, 3000).tolist(), 3000) for _ in range(20)]
    table = corpus(noise, list(range(20)), names=tuple(f"style {i}" for i in range(20)))
    data = table.to_bytes()
    assert len(data) <= MAX_BYTES
    assert PlannerTable.from_bytes(data).styles == table.styles


def test_bars_without_chords_or_music_are_gaps() -> None:
    gaps = piece([C, NO_CHORD, F, 0])
    table = corpus([gaps] * 10)
    weights = table.chord_weights(table.weights({}), C, C, False, 0)
    assert weights.argmax() == F
    assert weights[[0, NO_CHORD]].tolist() == [0, 0]


def test_one_split_of_a_prepared_set_is_learned() -> None:
    """Bars before the first note count as empty: phrases begin with the music."""
    first, second = piece([C, F, C, G, C, F, G, AM], 42), piece([E7], 30)
    columns = [np.stack([p[n] for n in BarPlan._fields], axis=1) for p in (second, first)]
    pieces = np.zeros(2, PIECE)
    pieces["bar_count"], pieces["first_bar"] = (30, 42), (0, 30)
    pieces["count"], pieces["start"] = (10, 12), (0, 10)
    pieces["split"] = SPLITS.index("test"), SPLITS.index("train")
    pieces["parts"] = 3
    dataset = SimpleNamespace(
        pieces=pieces,
        plans=np.concatenate(columns).astype(np.int16),
        bars=np.concatenate((np.arange(10), 30 + 2 + np.arange(12))).astype(np.int32),
        style_names=("plain",),
        pieces_of=lambda split: np.flatnonzero(pieces["split"] == SPLITS.index(split)),
    )
    table = learn(dataset)
    assert after(table, AM, AM, 0) == C
    assert table.chord_weights((1.0, 0.0), 0, 0, False, 0)[E7] < 0.02
    assert table.part_masks.tolist() == [3]
    # Two empty bars come first, so the eighth chord stands in the sixth bar of the phrase.
    assert table.phrase_tilt[0, :, 0, AM].argmax() == 5
