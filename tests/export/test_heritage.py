"""A model that begins with another one's weights, or learns from music, inherits what they ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace

from common.errors import ConfigError
from engine.library.loading import load_network
from engine.library.models import model_file
from export.heritage.heritage import card_of, heritage_of
from export.networks.bundling import bundle_bytes, read_card, specification_of
from export.training.run_folder import load_checkpoint
from export.training.trainer import train
from server.commands.cli import main
from tests.export.trainings import config, tune_dataset

SOURCE = {"name": "A page of pieces", "credit": "Ada", "licence": "CC BY-SA 3.0"}
CARD = {"licence": "CC BY-SA 4.0", "credits": ["Ada", "Ben"], "sources": [SOURCE]}
SHAPE = dict(width=32, layers=2, heads=2, inner=48, window=16, ring=48, step_rotations=4)


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tune_dataset(tmp_path_factory.mktemp("tunes"))


@pytest.fixture(scope="module")
def old(music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle under CC BY-SA."""
    folder = tmp_path_factory.mktemp("old")
    return bundled(train(config(music, folder / "run", name="old", steps=1)), folder, CARD)


def bundled(checkpoint: Path, folder: Path, card: dict[str, Any]) -> Path:
    network, saved = load_checkpoint(checkpoint)
    path = folder / f"{saved['config']['name']}.onnx"
    path.write_bytes(bundle_bytes(network, specification_of(network, saved, 32, card), b""))
    return path


def card_from(checkpoint: Path, **given: Any) -> dict[str, Any]:
    network, saved = load_checkpoint(checkpoint)
    return specification_of(network, saved, 32, given).card


def test_licence_credits_and_sources_go_on(music: Path, old: Path, tmp_path: Path) -> None:
    best = train(config(music, tmp_path / "run", start=str(old), steps=1))
    card = card_from(best, credits=[], about="mine")
    assert card["licence"] == "CC BY-SA 4.0"
    assert card["credits"] == ["Ada", "Ben"]
    assert SOURCE in card["sources"]
    assert "hymn" in [source["name"] for source in card["sources"]]
    assert card["begun_with"] == [{"name": "old", "licence": "CC BY-SA 4.0", "licences": []}]
    assert any("the licence of" in what for what in card["not_known"])  # of the music
    assert "start" not in card["training"]["config"]
    assert card_from(best, credits=["Cleo", "Ada"])["credits"] == ["Cleo", "Ada", "Ben"]
    assert card_from(best, licence="CC BY-SA 4.0")["licence"] == "CC BY-SA 4.0"


@pytest.mark.parametrize("licence", ["CC0 1.0", "CC BY 4.0", "CC BY-SA 3.0", "MIT", "mine"])
def test_a_laxer_licence_is_refused_with_the_reason(
    music: Path, old: Path, tmp_path: Path, licence: str
) -> None:
    best = train(config(music, tmp_path / "run", start=str(old), steps=1))
    with pytest.raises(ConfigError, match=r"may follow|may not follow") as refused:
        card_from(best, licence=licence, credits=[], begun_with=[], licences={})
    for word in (licence, "CC BY-SA 4.0", "old", "leave 'licence' out"):
        assert word in str(refused.value)


def test_the_command_refuses_it_and_writes_nothing(
    music: Path, old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{key} = {value}" for key, value in {**SHAPE, "tick_rotations": 4}.items()]
    lines += [f'data = "{music}"', 'out = "run"', "steps = 1", "rows = 1", "length = 64"]
    (tmp_path / "run.toml").write_text("\n".join(lines))
    (tmp_path / "card.toml").write_text('licence = "CC0 1.0"\ncredits = []\n')
    assert main(["train", str(tmp_path / "run.toml"), "--set", f"start={old}"]) == 0
    assert "whose licence (CC BY-SA 4.0) and credits go on" in capsys.readouterr().out
    out = tmp_path / "new.onnx"
    export = ["export", str(tmp_path / "run/best.pt"), "-o", str(out)]
    assert main([*export, "--card", str(tmp_path / "card.toml")]) == 1
    assert "'CC0 1.0' may not follow 'CC BY-SA 4.0'" in capsys.readouterr().err
    assert not out.exists()
    assert main([*export, "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["licence"] == "CC BY-SA 4.0"
    assert "not known" in told.err
    assert load_network(out).specification.card["credits"] == ["Ada", "Ben"]


def test_a_resumed_run_keeps_what_it_inherited(music: Path, old: Path, tmp_path: Path) -> None:
    begun = config(music, tmp_path / "run", start=str(old), steps=2, checkpoint_every=1)
    train(begun)
    for start in ("", str(tmp_path / "gone.onnx")):
        resumed = replace(begun, start=start, steps=begun.steps + 2)
        best = train(resumed)
        assert card_from(best)["licence"] == "CC BY-SA 4.0"
        assert card_from(tmp_path / "run/last.pt")["credits"] == ["Ada", "Ben"]
        with pytest.raises(ConfigError, match="may not follow"):
            card_from(best, licence="CC0 1.0")


def test_a_start_that_comes_too_late_hands_on_nothing(
    music: Path, old: Path, tmp_path: Path
) -> None:
    """A run that is resumed goes on with its own weights, whatever `start` says by then."""
    train(config(music, tmp_path / "run", steps=1))
    best = train(config(music, tmp_path / "run", steps=2, start=str(old)))
    for checkpoint in (best, tmp_path / "run/last.pt"):
        assert "begun_with" not in card_from(checkpoint)


def test_a_start_from_a_start_hands_on_everything(music: Path, old: Path, tmp_path: Path) -> None:
    first = train(config(music, tmp_path / "1", start=str(old), name="middle", steps=1))
    middle = bundled(first, tmp_path, {"credits": ["Cleo"]})
    best = train(config(music, tmp_path / "2", start=str(middle), name="new", steps=1))
    card = card_from(best, credits=["Dora"])
    assert card["licence"] == "CC BY-SA 4.0"
    assert card["credits"] == ["Dora", "Cleo", "Ada", "Ben"]
    assert [one["name"] for one in card["begun_with"]] == ["middle", "old"]
    assert card["sources"].count(SOURCE) == 1
    with pytest.raises(ConfigError, match="may not follow"):
        card_from(best, licence="CC BY 4.0")


def test_a_checkpoint_of_before_looks_its_start_up(music: Path, old: Path, tmp_path: Path) -> None:
    settings = config(music, tmp_path / "run", start=str(old), steps=1)
    train(settings)
    for name in ("best.pt", "last.pt"):
        saved = torch.load(tmp_path / "run" / name, weights_only=True)
        del saved["start"]
        torch.save(saved, tmp_path / "run" / name)
    assert card_from(tmp_path / "run/best.pt")["licence"] == "CC BY-SA 4.0"
    data = old.read_bytes()
    old.unlink()
    try:
        with pytest.raises(ConfigError, match="put that model back"):
            card_from(tmp_path / "run/best.pt", licence="CC0 1.0")
        train(replace(settings, steps=2, start=""))  # goes on, and still knows the name
        with pytest.raises(ConfigError, match="put that model back"):
            card_from(tmp_path / "run/last.pt", licence="CC0 1.0")
    finally:
        old.write_bytes(data)
    assert card_from(tmp_path / "run/last.pt")["credits"] == ["Ada", "Ben"]


def test_a_start_under_an_unknown_licence_hands_on_that_one() -> None:
    start = {"name": "odd", "licence": "Odd Licence 2", "licences": [], "credits": []}
    start |= {"sources": [], "begun_with": [], "not_known": []}
    assert card_of({}, start, {})["licence"] == "Odd Licence 2"
    assert card_of({}, start, {"licence": "odd-licence 2"})["licence"] == "odd-licence 2"
    with pytest.raises(ConfigError, match=r"'CC BY-SA 4.0' may follow 'Odd Licence 2'.*not known"):
        card_of({}, start, {"licence": "CC BY-SA 4.0"})
    nameless = {**start, "licence": ""}
    assert (
        "the licence of odd, whose weights it began with" in card_of({}, nameless, {})["not_known"]
    )


def test_licences_of_the_music_are_inherited_in_the_same_manner() -> None:
    own = {"licences": {"CC-BY-SA-3.0-DE": 900, "PD": 100}, "credits": ["Ada"]}
    card = card_of(own, None, {})
    assert (card["licence"], card["credits"]) == ("CC BY-SA 3.0 DE", ["Ada"])
    assert "not_known" not in card
    assert card_of(own, None, {"licence": "CC BY-SA 4.0"})["licence"] == "CC BY-SA 4.0"
    with pytest.raises(ConfigError, match="the licence of music that it learned from"):
        card_of(own, None, {"licence": "CC0 1.0", "licences": {}})


def test_what_is_not_known_of_the_music_stands_on_the_card() -> None:
    card = card_of({"licences": {"not stated": 1200, "CC0-1.0": 5}}, None, {"licence": "CC0 1.0"})
    assert card["not_known"] == ["the licence of 1,200 notes of its music"]
    assert "licence" not in card_of({"licences": {"not stated": 1200, "PD": 5}}, None, {})
    own = {"licences": {"by word of mouth": 7}}
    with pytest.raises(ConfigError, match=r"say in the card what that stands for.*licence_names"):
        card_of(own, None, {"licence": "CC BY 4.0"})
    for stands_for, unknown in (("CC BY 4.0", 0), ("not stated", 1)):
        given = {"licence": "CC BY 4.0", "licence_names": {"by word of mouth": stands_for}}
        assert len(card_of(own, None, given).get("not_known", [])) == unknown


@pytest.mark.parametrize("given", [{"licence": 4}, {"credits": "Ada"}, {"sources": ["x"]}])
def test_a_card_of_other_kinds_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"card: {next(iter(given))} must be"):
        card_of({}, None, given)


def test_the_cards_of_the_embedded_models_would_be_accepted_again() -> None:
    for name in ("default", "lstm", "performance"):
        cards = ("performance",) if name == "performance" else ("corpus", name)
        given: dict[str, Any] = {}
        for card in cards:
            given |= read_card(Path(__file__).parents[2].joinpath("configs/cards", f"{card}.toml"))
        own = load_network(model_file(name)).specification.card
        assert card_of({"licences": own["licences"]}, None, given)["licence"] == "CC BY-SA 4.0"


def test_the_embedded_model_hands_on_all_its_credits() -> None:
    default = load_network(model_file("default")).specification
    card = card_of({}, heritage_of(default), {"credits": []})
    assert card["licence"] == "CC BY-SA 4.0"
    assert card["credits"] == default.card["credits"]
    assert card["sources"] == default.card["sources"]
    with pytest.raises(ConfigError, match=r"'CC0 1.0' may not follow"):
        card_of({}, heritage_of(default), {"licence": "CC0 1.0", "credits": []})
