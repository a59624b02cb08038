"""A training may begin with the weights of a bundle."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from msgspec.structs import replace

from common.errors import BundleError, ConfigError
from engine.library.models import model_file
from export.data.dataset import Dataset
from export.networks.bundling import bundle_bytes, specification_of
from export.networks.graph import step_graph, weights_of
from export.networks.modules import Network
from export.training.beginning import begin_with
from export.training.config import TrainingConfig
from export.training.run_folder import load_checkpoint
from export.training.trainer import network_shape, train
from tests.bundles import CODECS, NETWORKS, torch_network
from tests.export.trainings import config, tune_dataset


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("bits", [32, 8, 4])
def test_a_graph_gives_its_weights_back(kind: str, codec: str, bits: int) -> None:
    network = torch_network(kind, codec)
    given = {k: v.detach().numpy() for k, v in network.state_dict().items()}
    found = weights_of(step_graph(network.shape, given, bits))
    assert found.keys() == given.keys()
    for name, weight in given.items():
        assert found[name].shape == weight.shape
        off = np.abs(found[name] - weight).max() / max(np.abs(weight).max(), 1e-9)
        assert off <= {32: 0, 8: 0.01, 4: 0.15}[bits], name


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tune_dataset(tmp_path_factory.mktemp("tunes"))


@pytest.fixture(scope="module", params=NETWORKS)
def trained(
    request: pytest.FixtureRequest, music: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainingConfig, Network, Path]:
    """A short training, and the bundle that came of it."""
    folder = tmp_path_factory.mktemp(request.param)
    settings = config(music, folder / "run", network=request.param)
    network, saved = load_checkpoint(train(settings))
    bundle = folder / "old.onnx"
    bundle.write_bytes(bundle_bytes(network, specification_of(network, saved, 32), b""))
    return settings, network, bundle


def test_a_run_goes_on_from_a_bundle(
    trained: tuple[TrainingConfig, Network, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    settings, network, bundle = trained
    out = bundle.parent / "again"
    again = replace(settings, start=str(bundle), out=str(out), steps=1, rate=0.0, matrix_rate=0.0)
    network_again, _ = load_checkpoint(train(again))
    assert "begins with the weights of model" in capsys.readouterr().out
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, network_again.state_dict()[name]), name


def test_a_run_that_is_resumed_keeps_what_it_has_learned(
    trained: tuple[TrainingConfig, Network, Path],
) -> None:
    settings, _, bundle = trained
    out = bundle.parent / "resumed"
    begun = replace(settings, start=str(bundle), out=str(out), steps=4, checkpoint_every=2)
    train(begun)
    missing = replace(begun, start=str(bundle.parent / "gone.onnx"), steps=6)
    train(missing)  # the bundle is not read again


def test_styles_are_matched_by_name(
    trained: tuple[TrainingConfig, Network, Path], music: Path
) -> None:
    _, network, bundle = trained
    dataset = Dataset.open(music)
    old = network.mix.weight.detach()
    other = SimpleNamespace(
        codec=dataset.codec,
        context_names=dataset.context_names,
        style_names=["hymn", "tango", "folk"],
    )
    shape = dataclasses.replace(network.shape, mix_width=network.shape.mix_width + 1)
    fresh = Network(shape)
    told, _ = begin_with(fresh, str(bundle), other)
    assert told.endswith("styles new to it: tango")
    new = fresh.mix.weight.detach()
    names = list(dataset.style_names)
    assert torch.equal(new[:, 0], old[:, names.index("hymn")])
    assert torch.equal(new[:, 2], old[:, names.index("folk")])
    assert torch.allclose(new[:, 1], old[:, : len(names)].mean(dim=1))
    assert torch.equal(new[:, 3:], old[:, len(names) :])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 64}, "another size than the configuration asks for"),
        ({"layers": 3}, "another number of layers"),
        ({"window": 32}, "another window"),
        ({"step_rotations": 5, "tick_rotations": 3}, "another rotations"),
    ],
)
def test_what_does_not_fit_is_told(
    trained: tuple[TrainingConfig, Network, Path], changes: dict[str, int], words: str
) -> None:
    settings, network, bundle = trained
    if network.shape.network == "lstm" and not changes.keys() & {"width", "layers"}:
        return
    other = replace(settings, start=str(bundle), out=str(bundle.parent / "bad"), **changes)
    with pytest.raises(ConfigError, match=words):
        train(other)


def test_another_network_and_no_model_are_told(
    trained: tuple[TrainingConfig, Network, Path], music: Path, tmp_path: Path
) -> None:
    settings, network, bundle = trained
    dataset = Dataset.open(music)
    kinds = {"gpt": "lstm", "lstm": "gpt"}
    other = replace(settings, network=kinds[settings.network])
    with pytest.raises(ConfigError, match="another network"):
        begin_with(Network(network_shape(other, dataset)), str(bundle), dataset)
    with pytest.raises(BundleError, match="there is no model 'nothing'"):
        begin_with(network, "nothing", dataset)
    foreign = tmp_path / "foreign.onnx"
    nothing = onnx.helper.make_model(onnx.helper.make_graph([], "x", [], []))
    foreign.write_bytes(nothing.SerializeToString())
    with pytest.raises(BundleError, match="foreign"):
        begin_with(network, str(foreign), dataset)
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"nothing of the kind")
    with pytest.raises(BundleError, match="is not an ONNX model"):
        begin_with(network, str(damaged), dataset)


def test_the_embedded_model_can_be_begun_with() -> None:
    model = onnx.load_from_string(model_file("default").read_bytes())
    weights = weights_of(model)
    assert weights["embed.weight"].shape[1] == weights["mix.weight"].shape[0] == 256
    assert sum(w.size for w in weights.values()) > 4_000_000
