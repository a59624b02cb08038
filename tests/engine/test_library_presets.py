"""Presets: each is whole, valid and composes; one's own join the shipped ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import ConfigError, PerpetuoError
from engine.composing.composer import Composer
from engine.controls.controls import Controls
from engine.library import presets
from engine.library.presets import Preset, load_presets, preset_named, read_preset, shipped_folder
from engine.music.score import PARTS
from server.configuration.loading import load
from tests.bundles import STYLES, tiny

SHIPPED = load_presets()
READY = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))
# The styles of the embedded model and of those that follow it.
KNOWN_STYLES = {
    *("baroque", "classical", "drums", "folk", "game", "hymn", "impressionist", "march", "other"),
    *("popular", "ragtime", "renaissance", "romantic", "sacred", "chorale"),
    *("ambient", "minimal", "study", "lofi", "cinematic"),
}


def composes(controls: Controls, bars: int) -> int:
    """Compose with a tiny model; how many notes there were."""
    network = tiny("gpt")
    pool = network.pool(1)
    composer = Composer(network, pool, 3, controls=controls)
    return sum(len(composer.compose_bar().notes) for _ in range(bars))


def written(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_presets_that_were_promised_are_there() -> None:
    promised = {"ambient", "study", "chorale", "folk", "classical", "ragtime", "renaissance"}
    assert promised <= set(SHIPPED)


@pytest.mark.parametrize("preset", SHIPPED.values(), ids=SHIPPED.keys())
def test_a_preset_says_what_it_is(preset: Preset) -> None:
    assert preset.title
    assert preset.help.endswith(".")
    assert preset.help.count(".") == 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("preset", SHIPPED.values(), ids=SHIPPED.keys())
def test_a_preset_is_a_whole_setting(preset: Preset, seed: int) -> None:
    setting = preset.setting(seed)
    assert Controls.from_dict(setting.as_dict()) == setting
    assert setting.tempo is not None
    assert {name for name, _ in setting.style} <= KNOWN_STYLES
    # Every part that plays has an instrument.
    assert {part for part, _ in setting.programs} >= set(setting.parts) - {PARTS}
    assert setting.parts
    assert setting.low_pitch + 24 <= setting.high_pitch


@pytest.mark.parametrize("preset", SHIPPED.values(), ids=SHIPPED.keys())
def test_a_preset_composes_with_a_model_of_other_styles(preset: Preset) -> None:
    assert composes(Controls.from_dict(preset.of(3).fitting(STYLES)), 4) > 0


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_every_station_of_the_ready_configurations_composes(path: Path) -> None:
    for station in load(path).stations:
        base = SHIPPED[station.preset].of(3).fitting(STYLES) if station.preset else {}
        assert composes(Controls.from_dict({**base, **station.controls}), 3) > 0


def test_styles_that_a_model_lacks_are_left_out() -> None:
    preset = Preset("p", "P", "It plays.", {"style": {"a": 1.0, "b": 2.0}, "tempo": 60.0})
    assert preset.fitting(["b", "c"]) == {"style": {"b": 2.0}, "tempo": 60.0}
    assert preset.fitting(["c"]) == {"tempo": 60.0}
    assert preset.fitting(["a", "b"]) == preset.controls
    plain = Preset("p", "P", "It plays.", {"tempo": 60.0})
    assert plain.fitting([]) == plain.controls


GOOD = 'title = "T"\nhelp = "It plays."\n[controls]\ntempo = 99\n'


def test_a_folder_of_ones_own_adds_and_replaces(tmp_path: Path) -> None:
    written(tmp_path, "mine", GOOD)
    written(tmp_path, "study", GOOD)
    found = load_presets(tmp_path)
    assert set(found) == {*SHIPPED, "mine"}
    assert found["study"].controls == found["mine"].controls == {"tempo": 99.0}
    assert found["ambient"] == SHIPPED["ambient"]
    assert preset_named("mine", tmp_path) == found["mine"]
    assert preset_named(str(tmp_path / "mine.toml")) == found["mine"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "title is missing: give a text"),
        (GOOD.replace("tempo", "tempoo"), "controls.tempoo is wrong: there is no control 'tempoo'"),
        (GOOD.replace("99", "5"), "controls.tempo is wrong: tempo cannot be 5: give a number"),
        (GOOD.replace("[controls]", "[control]"), "control is no key here: did you mean"),
        (GOOD + "low_pitch = 100\n", "controls are wrong: low_pitch 100 and high_pitch 108"),
        (GOOD.replace('"T"', "3"), "title must be a text, not 3"),
        ("title = 'T", "is not TOML"),
        ('model = "performances"\n' + GOOD, "there is no model 'performances'"),
        ('model = "mine.onnx"\n' + GOOD, "model names no file"),
    ],
)
def test_a_wrong_preset_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, "mine", text)
    with pytest.raises(ConfigError) as caught:
        read_preset(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_a_preset_may_be_made_for_one_model(tmp_path: Path) -> None:
    (tmp_path / "own.onnx").write_bytes(b"")
    path = written(tmp_path, "mine", 'model = "own.onnx"\n' + GOOD)
    assert read_preset(path).model == str(tmp_path / "own.onnx")
    assert read_preset(written(tmp_path, "any", GOOD)).model is None


def test_names_are_small_and_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name the file with small letters"):
        read_preset(written(tmp_path, "My Preset", GOOD))
    with pytest.raises(ConfigError, match="no preset 'studdy': did you mean 'study'"):
        preset_named("studdy")
    with pytest.raises(ConfigError, match="is not a folder"):
        load_presets(tmp_path / "nowhere")
    with pytest.raises(PerpetuoError, match="does not exist"):
        preset_named(str(tmp_path / "missing.toml"))


def test_presets_are_found_in_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shipped_folder().name == "presets"
    written(tmp_path / "shipped", "only", GOOD)
    monkeypatch.setattr(presets, "_PACKAGED", tmp_path / "shipped")
    assert set(load_presets()) == {"only"}
