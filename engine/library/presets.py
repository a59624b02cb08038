"""Presets: named settings of the controls, one TOML file each.

Those that come with perpetuo stand in `configs/presets/` of the source and inside the installed
package; a folder of one's own may add to them and replace them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, cast

from common.errors import ConfigError, ControlError, PerpetuoError
from common.files import CONFIGURATION, MODEL, as_text, look_at
from common.settings import Source, Table
from common.tables import read_toml
from common.words import nearest
from engine.controls.controls import Controls
from engine.controls.values import Json
from engine.library.by_seed import NOTHING, BySeed, read_by_seed
from engine.library.models import SUFFIX, model_file

_PACKAGED = Path(__file__).parent / "shipped"
_IN_SOURCE = Path(__file__).parents[2] / "configs" / "presets"
_NAME = re.compile(r"[a-z0-9_-]{1,40}")


@dataclass(frozen=True)
class Preset:
    """A named setting: `controls` as plain JSON, valid together; what is left out is default.
    `model` is the one that it is made for, if that is not any. What `by_seed` has is no setting
    before a seed has chosen: see `of`."""

    name: str
    title: str
    help: str
    controls: Mapping[str, Json]
    model: str | None = None
    by_seed: BySeed = NOTHING

    def of(self, seed: int, stream: int = 0, *, without: Collection[str] = ()) -> Preset:
        """As it is for this stream of this seed: nothing is left to choose. The seed has no say in
        the controls that are named."""
        chosen = self.by_seed.chosen(seed, stream).items()
        free = {name: value for name, value in chosen if name not in without}
        return replace(self, controls={**self.controls, **free}, by_seed=NOTHING)

    def setting(self, seed: int, stream: int = 0) -> Controls:
        """The controls of this stream of this seed."""
        return Controls().with_values(self.of(seed, stream).controls)

    def narrowest(self) -> Iterator[dict[str, Json]]:
        """The controls with the least range of pitches that a seed can choose, of each of the
        sets: what is valid on top of all these is valid on top of what any seed chooses."""
        for ends in self.by_seed.ends():
            controls = dict(self.controls)
            for name, side in (("low_pitch", max), ("high_pitch", min)):
                if name in ends:
                    controls[name] = side(cast(list[int], ends[name]))
            yield controls

    def fitting(self, styles: Collection[str]) -> dict[str, Json]:
        """The controls for a model that has these styles: others are left out of the mix."""
        mix = self.controls.get("style")
        if not isinstance(mix, dict):
            return dict(self.controls)
        kept: dict[str, Json] = {name: mix[name] for name in mix if name in styles}
        fitting = {**self.controls, "style": kept}
        if not kept:
            del fitting["style"]
        return fitting


class _PresetFile(Table, frozen=True):
    title: Annotated[str, "As it is shown to people."]
    help: Annotated[str, "What it sounds like, in one sentence."]
    controls: Annotated[Mapping[str, Any], "Controls by name, see controls.md."]
    model: Annotated[str | None, "Model that it is made for, if not any."] = None
    by_seed: Annotated[Mapping[str, Any], "What the seed chooses, see configuration.md."] = {}


def shipped_folder() -> Path:
    """Where the presets that come with perpetuo are."""
    return _PACKAGED if _PACKAGED.is_dir() else _IN_SOURCE


def read_preset(path: Path) -> Preset:
    """The preset of one file, by the file's name; ConfigError says what is wrong with it."""
    source = Source(str(path), path.parent)
    if not _NAME.fullmatch(path.stem):
        source.refuse("", "name the file with small letters, digits, - and _ only")
    read = source.build(_PresetFile, read_toml(path, CONFIGURATION))
    checked = checked_controls(source, "controls", read.controls)
    plain = {name: checked.plain(name) for name in read.controls}
    model = read.model and named_model(source, "model", read.model)
    by_seed = read_by_seed(source, "by_seed", read.by_seed)
    preset = Preset(path.stem, read.title, read.help, plain, model, by_seed)
    _check_together(source, preset)
    return preset


def _check_together(source: Source, preset: Preset) -> None:
    """A control is set or chosen, and whatever is chosen goes with the rest."""
    for name in preset.by_seed.names:
        if name in preset.controls:
            source.refuse(f"by_seed.{name}", f"and controls.{name} exclude each other: keep one")
    for controls in preset.narrowest():
        checked_controls(source, "controls and by_seed", controls)


def load_presets(own: Path | None = None) -> dict[str, Preset]:
    """All presets by name: those shipped, and those of a folder of one's own, which win."""
    folders = [shipped_folder()]
    if own is not None:
        if not own.is_dir():
            raise ConfigError(f"{own} is not a folder: name one that holds presets (*.toml)")
        folders.append(own)
    files = {path.stem: path for folder in folders for path in folder.glob("*.toml")}
    return {name: read_preset(files[name]) for name in sorted(files)}


def preset_named(name: str, own: Path | None = None) -> Preset:
    """The preset of a file (*.toml), or one of `load_presets(own)` by its name."""
    if name.endswith(".toml"):
        return read_preset(Path(name))
    presets = load_presets(own)
    if name not in presets:
        raise ConfigError(f"there is no preset '{name[:40]}': {nearest(name, presets)}")
    return presets[name]


def named_model(source: Source, at: str, model: str) -> str:
    """The model as the server may be told of it: the name of an embedded one, or a whole path."""
    if as_text(model) != model:  # it is told to clients, and written into logs
        source.refuse(at, "has a name that is not in UTF-8: rename the file")
    if model.endswith(SUFFIX):
        path = source.path(model)
        if not path.exists():
            source.refuse(at, f"names no file ({path}): check the path")
        model = str(path)
    try:
        look_at(model_file(model), MODEL)
    except PerpetuoError as error:
        raise ConfigError(f"{source.name}: {at}: {error}") from error
    return model


def checked_controls(
    source: Source,
    at: str,
    controls: Mapping[str, Any],
    base: Mapping[str, Json] | None = None,
) -> Controls:
    """Controls that stand in a file, on top of others; ConfigError names the one that is wrong."""
    setting = Controls()
    for name, value in controls.items():
        try:
            setting.with_value(name, value)
        except ControlError as error:
            if name not in ("low_pitch", "high_pitch"):
                source.refuse(f"{at}.{name[:40]}", f"is wrong: {error}")
    try:
        return setting.with_values({**(base or {}), **controls})
    except ControlError as error:
        source.refuse(at, f"are wrong: {error}")
