"""Presets against real music: a learner that cannot be flattered, and figures of part-writing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.controls.controls import Controls
from engine.files.midi import write
from engine.music.score import NOTE, Score
from engine.music.time import Metre
from export.commands import evaluate as evaluate_command
from export.evaluation.against.comparing import RealSide, against, sample, to_json
from export.evaluation.against.features import FEATURES, NAMES, feature_table, measured
from export.evaluation.against.form import form_of
from export.evaluation.against.part_writing import part_writing, rates
from export.evaluation.against.prompts import prompted
from export.evaluation.against.text import text
from export.evaluation.against.two_sample import (
    RESAMPLED,
    Judged,
    Sample,
    auc,
    interval,
    real_control,
    two_sample,
)
from export.evaluation.against.windows import BARS, at_home, windows
from export.evaluation.music import opened, read_music
from export.evaluation.pictures import against_picture
from tests.bundles import tiny
from tests.tunes import tune

QUARTER, BAR = 24, 96


def score(*rows: tuple[int, int, int, int]) -> Score:
    """Of (onset, duration, pitch, part)."""
    notes = np.array([(on, long, pitch, 80, part) for on, long, pitch, part in rows], NOTE)
    return Score(notes, metres=((0, Metre(4, 4)),))


def chorale(*chords: tuple[int, ...], length: int = QUARTER) -> Score:
    """Chords from the highest part down, a quarter each."""
    return score(
        *(
            (i * length, length, pitch, part)
            for i, chord in enumerate(chords)
            for part, pitch in enumerate(chord)
        )
    )


def walk(seed: int, bars: int = 4 * BARS, step: int = 2) -> Score:
    """Something like a melody over something like a bass."""
    dice = np.random.Generator(np.random.Philox(key=seed))
    top = 72 + np.clip(np.cumsum(dice.integers(-step, step + 1, 4 * bars)), -12, 12)
    rows = [(i * QUARTER, QUARTER, int(pitch), 0) for i, pitch in enumerate(top)]
    rows += [(i * QUARTER, QUARTER, int(48 + 5 * dice.integers(0, 3)), 1) for i in range(4 * bars)]
    return score(*rows)


def test_windows_are_whole_and_begin_at_their_bar_lines() -> None:
    found = list(windows(walk(1, 2 * BARS + 3), "a"))
    assert [one.bars for one in found] == [BARS, BARS]
    assert all(one.strikes[0] == 0 and one.bounds[-1] == BARS * BAR for one in found)


def test_every_feature_is_named_once_explained_and_a_number_of_ordinary_music() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(feature.help for feature in FEATURES)
    rows = measured(list(windows(walk(1), "a")))
    known = ~np.isnan(rows).all(axis=0)
    assert [name for name, one in zip(NAMES, known, strict=True) if not one] == ["triads"]


def test_the_page_has_the_table_of_features() -> None:
    page = Path(__file__).parents[2] / "docs" / "evaluation.md"
    assert feature_table() in page.read_text("utf-8"), feature_table()


def test_loudness_length_and_key_change_no_feature() -> None:
    plain = walk(3)
    notes = plain.notes.copy()
    notes["velocity"] = 20
    notes["duration"] = np.maximum(1, notes["duration"] // 2)
    notes["pitch"] += 3
    other = Score(notes, metres=plain.metres)
    first, second = (measured(list(windows(at_home(s), "a"))) for s in (plain, other))
    np.testing.assert_allclose(first, second, equal_nan=True)


def test_auc_is_the_chance_of_the_right_order() -> None:
    assert auc(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1])) == 1.0
    assert auc(np.array([0.9, 0.8, 0.2, 0.1]), np.array([0, 0, 1, 1])) == 0.0
    assert auc(np.array([0.5, 0.5, 0.5, 0.5]), np.array([0, 1, 0, 1])) == 0.5
    assert auc(np.array([0.1, 0.6, 0.4, 0.9]), np.array([0, 0, 1, 1])) == 0.75


def side(seeds: range, step: int) -> Sample:
    return sample([walk(seed, step=step) for seed in seeds], [str(seed) for seed in seeds])


def test_what_is_of_one_kind_is_not_told_apart_and_what_is_of_two_is() -> None:
    same = two_sample(side(range(12), 2), side(range(100, 112), 2))
    other = two_sample(side(range(12), 2), side(range(100, 112), 7))
    assert same is not None
    assert other is not None
    assert same.low < 0.6 < other.low
    assert 0.3 < other.control < 0.7
    assert other.by[0][0] in ("top steps", "top leaps", "span", "peaks by bar", "height by bar")
    assert other == two_sample(side(range(12), 2), side(range(100, 112), 7))
    known = real_control(side(range(12), 2))
    assert other == two_sample(side(range(12), 2), side(range(100, 112), 7), control=known)


def test_pieces_stay_whole_so_that_being_one_piece_is_no_help() -> None:
    """Every piece with a mark of its own: known by heart it would be told at once."""
    dice = np.random.Generator(np.random.Philox(key=5))

    def marked(first: int) -> Sample:
        marks = dice.standard_normal((20, len(FEATURES)))
        return Sample(
            np.repeat(marks, 6, axis=0), tuple(str(first + i) for i in range(20) for _ in range(6))
        )

    found = two_sample(marked(0), marked(100))
    assert found is not None
    assert 0.25 < found.auc < 0.75


def test_the_interval_is_that_of_pieces_drawn_again() -> None:
    """The slow way: windows of the drawn pieces end to end, judged anew each time."""
    dice = np.random.Generator(np.random.Philox(key=3))
    groups = np.repeat(np.arange(10), dice.integers(1, 6, 10))
    is_real = (groups >= 4).astype(np.int64)
    scores = np.round(dice.standard_normal(len(groups)) + is_real, 1)  # with ties
    drawn = np.random.Generator(np.random.Philox(key=9)).integers(10, size=(RESAMPLED, 10))
    rows = [np.concatenate([np.flatnonzero(groups == i) for i in one]) for one in drawn]
    found = [auc(scores[one], is_real[one]) for one in rows if 0 < is_real[one].mean() < 1]
    low, high = interval(Judged(scores, is_real, groups, ()), 9)
    np.testing.assert_allclose((low, high), np.percentile(found, (2.5, 97.5)))


def test_too_few_pieces_are_not_judged() -> None:
    assert two_sample(side(range(3), 2), side(range(100, 112), 2)) is None


def test_parallels_are_counted_where_both_parts_move_the_same_way() -> None:
    fifths = part_writing(chorale((67, 60), (69, 62), (69, 62)))
    assert (fifths.parallel_fifths, fifths.parallel_octaves, fifths.changes) == (1, 0, 1)
    octaves = part_writing(chorale((72, 60), (74, 62)))
    assert (octaves.parallel_fifths, octaves.parallel_octaves) == (0, 1)
    contrary = part_writing(chorale((72, 60), (67, 67)))
    assert contrary.parallel_octaves == 0
    assert rates([fifths])["parallel fifths"] == 100


def test_doubled_notes_full_chords_and_crossings() -> None:
    found = rates([part_writing(chorale((72, 67, 64, 60), (72, 72, 64, 60)))])
    assert found["doubled notes"] == pytest.approx(1 / 8)
    assert found["full chords"] == 0.5
    assert part_writing(chorale((72, 60), (62, 65), (74, 58))).crossings == 1


def test_closes_are_told_by_the_bass_and_what_stands_over_it() -> None:
    """Quarters that come to rest on a long chord."""

    def close(before: tuple[int, ...], last: tuple[int, ...]) -> Score:
        led = chorale(*[(72, 67, 64, 48)] * 3, before)
        held = score(*((4 * QUARTER, 4 * QUARTER, pitch, p) for p, pitch in enumerate(last)))
        after = score((8 * QUARTER, QUARTER, 72, 0))
        notes = np.concatenate((led.notes, held.notes, after.notes))
        return Score(notes, metres=led.metres)

    authentic = part_writing(close((71, 67, 62, 55), (72, 67, 64, 60)))
    assert (authentic.closes, authentic.authentic, authentic.plagal) == (1, 1, 0)
    assert authentic.resolved == 1
    plagal = part_writing(close((69, 65, 60, 53), (67, 64, 60, 48)))
    assert (plagal.authentic, plagal.plagal) == (0, 1)
    half = part_writing(close((72, 69, 65, 53), (71, 67, 62, 55)))
    assert (half.authentic, half.plagal, half.half) == (0, 0, 1)


def test_lines_move_by_step_or_fall_a_fifth() -> None:
    found = part_writing(chorale((72, 55), (74, 48), (76, 53), (72, 55)))
    assert (found.top_moves, found.top_steps) == (3, 2)
    assert (found.bass_moves, found.bass_steps, found.bass_fifths) == (3, 1, 2)


def test_form_tells_what_comes_back_and_what_stands_still() -> None:
    bars = [walk(seed, 1) for seed in (1, 2)]

    def made(order: str) -> Score:
        rows = []
        for i, letter in enumerate(order):
            for note in bars["ab".index(letter)].notes:
                rows.append(
                    (int(note["onset"]) + i * BAR, int(note["duration"]), *note.item()[2:3], 0)
                )
        return score(*rows)

    alternating, standing = form_of([made("ab" * 8)]), form_of([made("a" * 16)])
    assert alternating.similarity[2] == 1.0
    assert alternating.similarity[1] is not None
    assert alternating.similarity[1] < 0.7
    assert alternating.runs == 0
    assert standing.runs == 1.0
    assert standing.breath == 0.0


def test_presets_are_held_against_a_folder_and_told_in_two_ways(tmp_path) -> None:
    for seed in range(12):
        (tmp_path / f"{seed}.mid").write_bytes(write(tune(seed, 200)))
    network = tiny("gpt")
    with opened(tmp_path, "notes") as dataset:
        real = RealSide(read_music(dataset, "test", dataset.codec, 0, 0))
    told = []
    rows = against(network, {"plain": lambda seed: Controls()}, real, range(4), 16, told.append)
    assert sum(told) == 64
    (row,) = rows
    assert (row.streams, row.bars) == (4, 64)
    assert row.styles == ("all styles",)
    found = prompted(network, real.scores(), 3, 0)
    assert found is not None
    told_json = json.loads(to_json(rows, found))
    assert told_json["presets"][0]["preset"] == "plain"
    assert told_json["prompts"]["prompts"] == 3
    page = text(rows, found)
    assert "after 3 prompts" in page
    assert "prompts" not in text(rows, None)
    assert all(
        word in page
        for word in (
            "plain",
            "AUC",
            "parallel fifths",
            "sections, any close",
            "alike after 8",
            "keys",
        )
    )
    assert against_picture(rows).startswith(b"\x89PNG")
    again = against(network, {"plain": lambda seed: Controls()}, real, range(4), 16)
    assert again == rows


def test_streams_of_a_preset_are_as_their_seeds_have_them(tmp_path) -> None:
    for seed in range(12):
        (tmp_path / f"{seed}.mid").write_bytes(write(tune(seed, 200)))
    network = tiny("gpt")
    with opened(tmp_path, "notes") as dataset:
        real = RealSide(read_music(dataset, "test", dataset.codec, 0, 0))

    def by_seed(seed: int) -> Controls:
        key, metre = ("D minor", "F major", "G major")[seed % 3], ("3/4", "4/4")[seed % 2]
        return Controls().with_values({"key": key, "metre": metre, "tempo": 60 + 10 * seed})

    (row,) = against(network, {"open": by_seed}, real, range(4), 16)
    assert (row.variety.keys, row.variety.tempos, row.variety.metres) == (3, 4, 2)


def test_who_goes_on_with_the_same_motif_in_the_same_place_is_told_so() -> None:
    """The network's part is played by nobody here: what truly follows is measured all the same."""
    bars, network = BARS + 16, tiny("gpt")
    again = score(*((i * QUARTER, QUARTER, 60 + i % 4, 0) for i in range(4 * bars)))
    strange = score(
        *((i * QUARTER, QUARTER, 60 + i % 4, 0) for i in range(4 * BARS)),
        *((4 * BARS * QUARTER + i * 12, 12, 84 + (i * i) % 7, 1) for i in range(8 * (bars - BARS))),
    )
    same, other = (prompted(network, [one], 1, 0) for one in (again, strange))
    assert same is not None
    assert other is not None
    assert (same.true.motifs, same.true.register, same.true.density, same.true.parts) == (
        1,
        0,
        0,
        1,
    )
    assert other.true.motifs == 0
    assert other.true.register > 20
    assert other.true.density == pytest.approx(1)
    assert other.true.parts == 0
    assert prompted(network, [score((0, QUARTER, 60, 0))], 1, 0) is None


def test_music_is_named_once(tmp_path) -> None:
    import argparse

    from common.errors import ConfigError

    parser = argparse.ArgumentParser()
    evaluate_command.add_arguments(parser)
    words = ["default", str(tmp_path), "--against", str(tmp_path)]
    with pytest.raises(ConfigError, match="named once"):
        evaluate_command.run(parser.parse_args(words))
