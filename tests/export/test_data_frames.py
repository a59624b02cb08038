"""Benchmarks of frames: nothing is lost, nothing is told ahead, likelihoods are counted right."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import DatasetError
from engine.library.loading import load_network
from engine.music.fields import CONTEXT, LENGTHS
from engine.representations.notes import DELTA, DELTA_TICKS, DURATION, PART, PITCH, VELOCITY
from export.commands import data as data_command
from export.data.build import DatasetOptions
from export.data.dataset import Dataset
from export.data.frames import (
    SILENT,
    FrameFile,
    as_sets,
    build_frames,
    frames_of,
    is_frames,
    prepare_frames,
    read_frames,
    score_of,
    voiced,
)
from export.evaluation.baselines import Likelihood
from export.evaluation.benchmark import benchmark
from export.evaluation.forcing import GIVEN, OPEN
from export.evaluation.whole import EvaluationOptions as EvaluationOptions
from export.evaluation.whole import evaluate
from export.networks.bundling import bundle_bytes, specification_of
from export.networks.modules import Network
from export.training.batches import Sampler
from export.training.feeding import as_tensors
from export.training.trainer import field_losses, network_shape, train, validation_batches
from tests.export.trainings import unvaried

SETS = {
    "train": [[[60, 64, 67], [60, 65, 69], [], [59, 62, 67]] * 6, [[62], [65, 50]] * 9],
    "valid": [[[61, 66], [], [], [73, 61, 66, 70]] * 4],
    "test": [[[60, 64], [67]] * 5, [[66, 61, 58], [66]] * 7],
}
VOICES = {
    "train": [[[72, 64, 55, 48]] * 8 + [[71, 62, 55, 43]] * 4, [[70, SILENT, 54, 50]] * 9],
    "valid": [[[73, 64, 56, 49], [73, 66, 56, SILENT]] * 8],
    "test": [[[74, 65, 57, 50]] * 3 + [[74, 67, 58, 51]] * 5],
}


def file_of(name: str, content: Any, folder: Path) -> Path:
    path = folder / name
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module", params=["sets", "voices"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def path(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    name, content = ("quarter.json", SETS) if kind == "sets" else ("Four16th.json", VOICES)
    return file_of(name, content, tmp_path_factory.mktemp("frames"))


@pytest.fixture(scope="module")
def dataset(path: Path) -> Dataset:
    target = path.parent / "set"
    build_frames(path, target, None, DatasetOptions())
    return Dataset.open(target)


def sets_of(ticks: int = 24) -> FrameFile:
    return FrameFile({}, 0, ticks)


def runs(frame: st.SearchStrategy[list[int]]) -> st.SearchStrategy[list[list[int]]]:
    """Frames that stay for a while, longer than any length of a note."""
    stretches = st.lists(st.tuples(frame, st.integers(1, 90)), min_size=1, max_size=6)
    return stretches.map(lambda found: [list(frame) for frame, n in found for _ in range(n)])


@settings(max_examples=60, deadline=None)
@given(runs(st.lists(st.integers(0, 127), max_size=5)), st.sampled_from([6, 12, 24]))
def test_sets_come_back(frames: list[list[int]], ticks: int) -> None:
    if not any(frames):
        return
    piece = as_sets(frames)
    assert {len(set(frame)) - len(frame) for frame in piece} == {0}
    score, prepared = prepare_frames(piece, sets_of(ticks))
    assert frames_of(score.notes, sets_of(ticks), len(piece) * ticks) == piece
    rests = sum(frame == [] for frame in piece)
    assert sum(map(len, piece)) <= len(prepared.events) <= sum(map(len, piece)) + rests


@settings(max_examples=60, deadline=None)
@given(runs(st.lists(st.integers(SILENT, 127), min_size=3, max_size=3)))
def test_voices_come_back(frames: list[list[int]]) -> None:
    if all(max(frame) == SILENT for frame in frames):
        return
    piece = voiced(frames)
    file = FrameFile({}, 3, 6)
    assert frames_of(score_of(piece, file).notes, file, len(piece) * 6) == piece
    _, prepared = prepare_frames(piece, file)
    ends = np.append(prepared.onsets, len(piece) * 6)
    deltas = np.array(DELTA_TICKS)[prepared.events[:, DELTA]]
    assert (prepared.events[:, DELTA] > 0).all()
    assert (deltas == np.diff(ends)).all()


def test_a_chord_is_told_from_the_top_and_leads_to_the_next_frame() -> None:
    _, prepared = prepare_frames(as_sets([[60, 67, 64], [], [59]]), sets_of())
    pitch = prepared.events[:, PITCH] - 1
    assert pitch.tolist() == [67, 64, 60, 59]
    assert np.array(DELTA_TICKS)[prepared.events[:, DELTA]].tolist() == [0, 0, 48, 24]
    assert set(prepared.events[:, DURATION].tolist()) == {1 + LENGTHS.index(24)}
    assert not prepared.events[:, VELOCITY].any()


def test_equal_neighbours_of_a_voice_are_one_note() -> None:
    frames = [[72, SILENT], [72, 50], [72, 50], [74, 50]]
    _, prepared = prepare_frames(frames, FrameFile({}, 2, 6))
    found = [
        (int(onset), int(e[PART]) - 1, int(e[PITCH]) - 1, LENGTHS[int(e[DURATION]) - 1])
        for onset, e in zip(prepared.onsets, prepared.events, strict=True)
    ]
    assert found == [(0, 0, 72, 18), (6, 1, 50, 18), (18, 0, 74, 6)]


def test_silence_before_the_first_note_is_dropped() -> None:
    assert as_sets([[], [], [60], []]) == [[60], []]
    assert voiced([[SILENT, SILENT], [60, SILENT]]) == [[60, SILENT]]


def test_the_set_keeps_splits_keys_and_counts(dataset: Dataset, kind: str) -> None:
    content = SETS if kind == "sets" else VOICES
    counts = {split: sum(map(len, pieces)) for split, pieces in content.items()}
    assert dataset.frames is not None
    assert dataset.frames["frames"] == counts
    assert dataset.frames["voices"] == (0 if kind == "sets" else 4)
    assert dataset.frames["ticks"] == (24 if kind == "sets" else 6)
    for split, pieces in content.items():
        assert len(dataset.pieces_of(split)) == len(pieces)
        for number, piece in zip(dataset.pieces_of(split), pieces, strict=True):
            row = dataset.pieces[number]
            assert row["transposed"] == 0
            events = dataset.events[row["start"] : row["start"] + row["count"]]
            pitches = {p for frame in piece for p in frame} - {SILENT}
            assert set((events[:, PITCH].astype(int) - 1).tolist()) == pitches


def test_with_its_plan_open_a_network_is_told_of_the_place_alone(
    dataset: Dataset, tmp_path: Path
) -> None:
    """Whatever was read out of a whole piece is held back, in training and in validation."""
    config = unvaried(dataset.folder, tmp_path, plan_dropout=1.0, length=32)
    fields = len(dataset.codec.fields)
    plan = [
        fields + i
        for i, name in enumerate(dataset.context_names)
        if CONTEXT[name].group != "position"
    ]
    given_plan, left_open = validation_batches(dataset, config)
    training = [Sampler(dataset, "train", config, augment=True).batch(0, 2, 32)]
    for batch in (*training, *given_plan, *left_open):
        assert not batch.inputs[..., plan].any()
        assert not batch.mix.any()
        assert batch.targets[..., DELTA].all()


def test_nats_are_counted_by_frames_and_by_voices() -> None:
    rows = [
        Likelihood(GIVEN, 40, 1.0, {}, {}),
        Likelihood(OPEN, 40, 1.5, {}, {}),
        Likelihood("unigram", 40, 3.0, {}, {}),
    ]
    frames = {"frames": {"test": 10, "valid": 20}, "voices": 0}
    found = benchmark(rows, frames, "test")
    assert (found.unit, found.units) == ("frame", 10)
    assert found.nats == {OPEN: 6.0, "unigram": 12.0}
    found = benchmark(rows, {**frames, "voices": 4}, "valid")
    assert (found.unit, found.units) == ("token", 80)
    assert found.nats[OPEN] == 0.75


@torch.no_grad()
def dense_nats(network: Network, dataset: Dataset, split: str) -> float:
    """What torch says of all pieces of a split, each from its beginning."""
    config = unvaried(dataset.folder, Path("none"), plan_dropout=1.0)
    sampler = Sampler(dataset, split, config, augment=False)
    total = 0.0
    for number in dataset.pieces_of(split):
        sampler.pieces, sampler.weights = np.array([number]), np.ones(1)
        count = int(dataset.pieces[number]["count"])
        batch = sampler.batch(0, 1, -(-count // 16) * 16, open_plan=True)
        batch.targets[:, count:] = 0
        losses = field_losses(network, as_tensors(batch), torch.device("cpu"))
        total += sum(float(sum_) for sum_, _ in losses)
    return total


@pytest.mark.parametrize("split", ["valid", "test"])
def test_the_evaluator_divides_the_nats_of_the_whole_split(
    dataset: Dataset, split: str, tmp_path: Path
) -> None:
    best = train(unvaried(dataset.folder, tmp_path / "run", plan_dropout=1.0, steps=4))
    saved = torch.load(best, weights_only=True)
    network = Network(network_shape(unvaried(dataset.folder, tmp_path), dataset)).eval()
    network.load_state_dict(saved["network"])
    model = tmp_path / "model.onnx"
    model.write_bytes(bundle_bytes(network, specification_of(network, saved, 32), b""))
    load_network(model)
    options = EvaluationOptions(
        model=model,
        data=dataset.folder,
        split=split,
        notes=10,  # fewer than there are: all are taken all the same
        bars=0,
        styles=1,
        train=None,
        copies=False,
        baselines=True,
        endurance=0,
        seed=0,
        device="cpu",
        threads=1,
    )
    report = evaluate(options)
    assert report.benchmark is not None
    units = report.benchmark.units
    assert dataset.frames is not None
    assert units == dataset.frames["frames"][split] * max(1, dataset.frames["voices"])
    expected = dense_nats(network, dataset, split) / units
    assert report.benchmark.nats[OPEN] == pytest.approx(expected, abs=1e-4)
    assert GIVEN not in report.benchmark.nats
    assert f"nats a {report.benchmark.unit}" in str(report)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "no file of frames"),
        ({"train": [], "valid": []}, "no file of frames"),
        ({"train": [[[60.5]]], "valid": [], "test": []}, "piece 0 of 'train'"),
        ({"train": [], "valid": [], "test": [[[60]], [[128]]]}, "piece 1 of 'test'"),
        ({"train": [60], "valid": [], "test": []}, "piece 0 of 'train'"),
        ({"train": [[[], []]], "valid": [], "test": []}, "no notes"),
        ({"train": [[[60, SILENT], [60]]], "valid": [], "test": []}, "same number of voices"),
        ({"train": [[[60] * 7]], "valid": [], "test": []}, "6 at most"),
    ],
)
def test_each_wrong_file_is_named(content: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=said):
        read_frames(file_of("8th.json", content, tmp_path))


def test_whole_numbers_may_be_written_as_floats(tmp_path: Path) -> None:
    content = {"train": [[[60.0, 64]], [[60]]], "valid": [], "test": []}
    assert read_frames(file_of("8th.json", content, tmp_path)).pieces["train"][0] == [[64, 60]]


def test_a_grid_that_the_name_does_not_tell_is_asked_for(tmp_path: Path) -> None:
    path = file_of("some.json", SETS, tmp_path)
    with pytest.raises(DatasetError, match="--grid"):
        read_frames(path)
    assert read_frames(path, "8th").ticks == 12


def test_a_file_of_frames_stands_alone_and_becomes_notes(path: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="alone"):
        is_frames([path, tmp_path])
    with pytest.raises(DatasetError, match="--representation"):
        build_frames(path, tmp_path / "set", None, DatasetOptions(representation="performance"))
    assert not (tmp_path / "set").exists()


def test_the_command_prepares_a_file_of_frames(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    data_command.add_arguments(parser)
    options = parser.parse_args([str(path), "-o", str(tmp_path / "set")])
    assert data_command.run(options) == 0
    assert "pieces" in capsys.readouterr().out
    assert Dataset.open(tmp_path / "set").frames is not None
