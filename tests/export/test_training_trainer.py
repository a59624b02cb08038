"""Training: resuming is exact, batches are stateless, bad configurations are named."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import fields, replace

from common.errors import ConfigError, DatasetError, OutputError, PerpetuoError
from common.folder_lock import FolderLock
from common.settings import help_of
from engine.files.midi import write
from engine.music.fields import CONTEXT_FIELDS, PLAN_FIELDS
from export.data.build import DatasetOptions, build
from export.data.dataset import Dataset
from export.networks.modules import Network, sliding_bias
from export.training import trainer as training
from export.training.batches import Sampler
from export.training.config import TrainingConfig, load, override
from export.training.feeding import feed, training_sampler
from export.training.reference import HEADING, written_into
from export.training.run_folder import load_checkpoint
from export.training.trainer import network_shape, rate_factor, train
from tests.export.trainings import config, tune_dataset, unvaried
from tests.tunes import tune


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tune_dataset(tmp_path_factory.mktemp("music"))


def log_of(run: Path) -> list[dict[str, str]]:
    with (run / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


class Killed(BaseException):
    """As sudden as a signal."""


def kill_after(monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    """End the process, as it were, when batch number `batches` is asked for."""
    draw = Sampler.batch

    def batch(self: Sampler, index: int, *args: int, **options: bool):
        if self.augment and index == batches:
            raise Killed
        return draw(self, index, *args, **options)

    monkeypatch.setattr(Sampler, "batch", batch)


def test_other_processes_draw_the_same_batches_in_order(dataset: Path, tmp_path: Path) -> None:
    alone = config(dataset, tmp_path / "run")
    sampler = training_sampler(Dataset.open(dataset), alone)
    for steps in (range(5), range(3, 7)):
        expected = list(feed(sampler, steps, alone, torch.device("cpu")))
        drawn = feed(sampler, steps, replace(alone, workers=2), torch.device("cpu"))
        for one, other in zip(expected, drawn, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("network", ["gpt", "lstm"])
@pytest.mark.parametrize("killed_at", [0, 5, 8, 11])
def test_a_killed_run_ends_where_the_unbroken_one_does(
    dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    network: str,
    killed_at: int,
) -> None:
    whole = config(dataset, tmp_path / "whole", network=network)
    broken = config(dataset, tmp_path / "broken", network=network)
    train(whole)
    with monkeypatch.context() as patched:
        kill_after(patched, killed_at)
        with pytest.raises(Killed):
            train(broken)
    train(broken)
    for name in ("last.pt", "best.pt"):
        one = torch.load(tmp_path / "whole" / name, weights_only=True)
        other = torch.load(tmp_path / "broken" / name, weights_only=True)
        assert one["step"] == other["step"]
        for key, tensor in one["network"].items():
            assert torch.equal(tensor, other["network"][key]), key
    logs = [log_of(tmp_path / f) for f in ("whole", "broken")]
    for one, other in zip(*logs, strict=True):
        del one["events_per_second"], other["events_per_second"]
        assert one == other


def test_learning_lowers_the_loss_and_leaves_its_record(dataset: Path, tmp_path: Path) -> None:
    best = train(config(dataset, tmp_path / "run", steps=60, validate_every=20, dropout=0.0))
    rows = log_of(tmp_path / "run")
    assert [int(row["step"]) for row in rows] == [20, 40, 60]
    assert float(rows[-1]["valid"]) < float(rows[0]["valid"])
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(b"\x89PNG")
    network, saved = load_checkpoint(best)
    assert saved["best"] == min(float(row["valid"]) for row in rows)
    assert not network.training


def test_a_batch_depends_on_seed_and_number_alone(dataset: Path, tmp_path: Path) -> None:
    data = Dataset.open(dataset)
    one = Sampler(data, "train", config(dataset, tmp_path), augment=True)
    other = Sampler(data, "train", config(dataset, tmp_path), augment=True)
    other.batch(3, 2, 64)
    for a, b in zip(
        (one.batch(7, 2, 64), one.batch(7, 2, 64)),
        (other.batch(7, 2, 64), one.batch(8, 2, 64)),
        strict=True,
    ):
        same = (a.inputs == b.inputs).all()
        assert same == (b is not None and (a.targets == b.targets).all())
    assert (one.batch(7, 2, 64).inputs == other.batch(7, 2, 64).inputs).all()
    assert (one.batch(7, 2, 64).inputs != one.batch(8, 2, 64).inputs).any()


def test_inputs_are_the_targets_one_event_later(dataset: Path, tmp_path: Path) -> None:
    data = Dataset.open(dataset)
    settings = config(dataset, tmp_path, misled_velocity=0.0)
    batch = Sampler(data, "train", settings, augment=True).batch(1, 4, 128)
    fields = len(data.codec.fields)
    inside = batch.segments[:, 1:] == batch.segments[:, :-1]
    assert (batch.inputs[:, 1:, :fields] == batch.targets[:, :-1])[inside].all()
    sizes = np.array([f.size for f in (*data.codec.fields, *CONTEXT_FIELDS)])
    assert (batch.inputs < sizes).all()
    assert (batch.inputs >= 0).all()


def test_an_open_plan_tells_only_the_place(dataset: Path, tmp_path: Path) -> None:
    data = Dataset.open(dataset)
    sampler = Sampler(data, "valid", config(dataset, tmp_path), augment=False)
    given, left_open = (sampler.batch(0, 2, 64, open_plan=x) for x in (False, True))
    fields = len(data.codec.fields)
    plan = [fields + i for i, f in enumerate(CONTEXT_FIELDS) if f in PLAN_FIELDS]
    place = [i for i in range(left_open.inputs.shape[2]) if i not in plan]
    assert not left_open.inputs[..., plan].any()
    assert not left_open.mix.any()
    assert given.inputs[..., plan].any()
    assert (given.inputs[..., place] == left_open.inputs[..., place]).all()


def test_transposition_moves_notes_and_harmony_alike(dataset: Path, tmp_path: Path) -> None:
    """An excerpt moved by an octave has the same chords, and by a fifth others."""
    data = Dataset.open(dataset)
    settings = unvaried(dataset, tmp_path)
    plain = Sampler(data, "train", replace(settings, transpose=0, octaves=0.0), augment=True)
    octave = Sampler(data, "train", replace(settings, transpose=0, octaves=1.0), augment=True)
    a, b = (sampler.batch(2, 2, 64) for sampler in (plain, octave))
    # Up to the first excerpt's end both draw the same excerpt.
    first = (a.segments == 0) & (b.segments == 0)
    chord = len(data.codec.fields) + data.context_names.index("chord")
    assert (a.inputs[..., chord] == b.inputs[..., chord])[first].all()
    moved = np.abs(a.targets[..., 1] - b.targets[..., 1])[first]
    assert set(moved.tolist()) == {12}


def test_attention_is_a_window_inside_one_piece() -> None:
    segments = torch.tensor([[0] * 5 + [1] * 3])
    near = sliding_bias(segments, 4).reshape(2, 4, 8) == 0
    for block in range(2):
        for query in range(4):
            q = 4 * block + query
            seen = {4 * (block - 1) + k for k in range(8) if near[block, query, k]}
            wanted = {k for k in range(q - 3, q + 1) if k >= 0 and segments[0, k] == segments[0, q]}
            assert seen == wanted


def test_the_rate_rises_holds_and_falls() -> None:
    run = TrainingConfig(data="d", out="o", steps=100, warmup=0.1, cooldown=0.4)
    factors = [rate_factor(step, run) for step in range(100)]
    assert factors[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert set(factors[10:60]) == {1.0}
    assert all(a > b for a, b in pairwise(factors[60:]))
    assert factors[-1] > 0


def test_another_shape_or_dataset_does_not_resume(
    dataset: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = config(dataset, tmp_path / "run", steps=2)
    train(run)
    with pytest.raises(ConfigError, match="another shape"):
        train(replace(run, width=64))
    folder = tmp_path_factory.mktemp("other")
    for i in range(24):
        (folder / f"{i}.mid").write_bytes(write(tune(500 + i, 70)))
    build([folder], folder / "set", DatasetOptions(styles={}))
    with pytest.raises(ConfigError, match="another"):
        train(replace(run, data=str(folder / "set")))
    train(replace(run, width=64), restart=True)


def test_a_set_without_validation_pieces_is_named(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.mid").write_bytes(write(tune(1, 90)))
    build([tmp_path / "one"], tmp_path / "set", DatasetOptions())
    with pytest.raises(DatasetError, match="no pieces in its valid split"):
        train(config(tmp_path / "set", tmp_path / "run"))


def test_two_trainings_do_not_write_to_one_folder(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with (
        FolderLock(tmp_path / "run", "training", "wait"),
        pytest.raises(OutputError, match=r"in use by another training: .* choose another 'out'"),
    ):
        train(config(dataset, tmp_path / "run", steps=2))
    train(config(dataset, tmp_path / "run", steps=2))


def test_without_a_dataset_no_folder_is_made(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        train(config(tmp_path / "nothing", tmp_path / "run", steps=2))
    assert not (tmp_path / "run").exists()


def test_checkpoints_of_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PerpetuoError, match="does not exist"):
        load_checkpoint(tmp_path / "none.pt")
    (tmp_path / "bad.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(ConfigError, match="is not a checkpoint"):
        load_checkpoint(tmp_path / "bad.pt")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("widht = 3", "widht is no key here: did you mean 'width'"),
        ("width = 'x'", "width must be a whole number"),
        ("width = true", "width must be a whole number"),
        ("dropout = 2", "dropout must be a number from 0 to 1, not 2"),
        ("steps = 0", "steps must be a whole number from 1 up, not 0"),
        ("network = 'rnn'", "must be gpt or lstm"),
        ("precision = 'fp8'", "must be auto, bf16 or fp32"),
        ("transpose = 7", "transpose must be a whole number from 0 to 6"),
        ("warmup = 0.7", "warmup and cooldown together"),
        ("step_rotations = 0\ntick_rotations = 0", "must not both be 0"),
        ("length = 100", "multiple of window"),
        ("ring = 128", "ring must be larger"),
        ("width = ", "is not TOML"),
    ],
)
def test_each_wrong_line_of_a_configuration_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(f'data = "d"\nout = "o"\n{text}\n')
    with pytest.raises(ConfigError, match=said):
        load(path)


def test_paths_count_from_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('data = "set"\nout = "../runs/a"\n')
    found = load(path)
    assert Path(found.data) == tmp_path / "set"
    assert Path(found.out) == tmp_path / ".." / "runs" / "a"
    changed = override(found, ["steps=7", "name=other"])
    assert (changed.steps, changed.name) == (7, "other")
    with pytest.raises(ConfigError, match="key=value"):
        override(found, ["steps"])


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load(tmp_path / "none.toml")
    (tmp_path / "empty.toml").write_text("")
    with pytest.raises(ConfigError, match="data is missing: give the folder that"):
        load(tmp_path / "empty.toml")


def test_the_page_explains_every_key() -> None:
    page = PAGE.read_text("utf-8")
    assert page.count(HEADING) == 1
    assert page == written_into(page), "run: python -m export.training.reference docs/training.md"
    assert all(help_of(key.type).endswith(".") for key in fields(TrainingConfig))


def test_muon_takes_the_matrices_of_the_body(dataset: Path, tmp_path: Path) -> None:
    data = Dataset.open(dataset)
    settings = config(dataset, tmp_path)
    network = Network(network_shape(settings, data))
    (adam, _), (muon, _) = training.make_optimisers(network, settings)
    taken = [id(p) for o in (adam, muon) for group in o.param_groups for p in group["params"]]
    assert sorted(taken) == sorted(id(p) for p in network.parameters())
    assert all(p.ndim == 2 for group in muon.param_groups for p in group["params"])


PAGE = Path(__file__).parents[2] / "docs" / "training.md"
READY = sorted((Path(__file__).parents[2] / "configs" / "train").glob("*.toml"))


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_every_ready_configuration_can_be_read_and_is_called_as_its_file(path: Path) -> None:
    """One that goes on from a model may make the next of that name."""
    settings = load(path)
    assert Path(settings.out).name == path.stem
    assert settings.name in (path.stem, settings.start)


def test_what_goes_on_from_the_embedded_model_has_its_sizes() -> None:
    default, finetune = (load(path) for path in READY if path.stem in ("default", "finetune"))
    sizes = ("network", "width", "layers", "heads", "inner", "window", "ring")
    more = ("step_rotations", "tick_rotations")
    for size in (*sizes, *more):
        assert getattr(default, size) == getattr(finetune, size), size
    assert finetune.start == "default"
