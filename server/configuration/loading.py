"""Reading a configuration: all of it is checked here, once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import get_type_hints

from msgspec import ValidationError, convert
from msgspec.structs import replace

from common.errors import AudioError, PerpetuoError
from common.files import (
    CERTIFICATE,
    CONFIGURATION,
    PASSWORD,
    TOKEN,
    FileKind,
    as_text,
    look_at,
    read_bytes,
)
from common.settings import Source, form
from common.tables import read_toml
from common.words import nearest
from engine.controls.values import Json
from engine.library.presets import Preset, checked_controls, load_presets, named_model
from server.audio.libraries import soundfont
from server.audio.settings import AudioSettings, IcecastSettings
from server.configuration.settings import Configuration
from server.house.settings import StationSettings
from server.osc.addresses import RESERVED
from server.web.settings import WebSettings


def load(path: Path | None) -> Configuration:
    """The configuration of a file, or the one of everything at its default.

    Reads files only: nothing is opened, made or drawn. ConfigError names file, key and remedy.
    """
    if path is None:
        return Configuration()
    source = Source(str(path), path.absolute().parent)
    return _checked(source, source.build(Configuration, read_toml(path, CONFIGURATION)))


def checked(configuration: Configuration, name: str) -> Configuration:
    """A configuration that was changed after it was loaded; `name` tells in errors by what."""
    source = Source(name, Path.cwd())
    source.check(configuration)
    return _checked(source, configuration)


def _checked(source: Source, configuration: Configuration) -> Configuration:
    """The configuration with the files that it names, all of which are there."""
    if not configuration.stations:
        source.refuse("station", "is empty: leave it out for the default one")
    _check_stations(source, configuration)
    _check_outputs(source, configuration)
    for key, folder in (
        ("state", configuration.state_folder),
        ("logs.folder", configuration.log_folder),
    ):
        if as_text(folder) != str(folder):  # what is kept there tells where the rest is
            source.refuse(key, "has a name that is not in UTF-8: choose another folder")
    if configuration.osc.enabled and configuration.osc.ahead >= configuration.horizon:
        source.refuse(
            "osc.ahead",
            f"must be less than the horizon, which is {configuration.horizon} milliseconds: a bar"
            " cannot be sent before it is settled",
        )
    return replace(
        configuration,
        web=_web(source, configuration.web),
        audio=_audio(source, configuration.audio),
        model=named_model(source, "model", configuration.model),
        stations=tuple(
            replace(station, model=station.model and named_model(source, at, station.model))
            for station, at in _numbered(configuration.stations, "model")
        ),
    )


def _check_stations(source: Source, configuration: Configuration) -> None:
    presets = _presets(source, configuration)
    taken: dict[str, str] = {}
    for station, at in _numbered(configuration.stations, "name"):
        if station.name in taken:
            source.refuse(at, f"'{station.name}' is taken by {taken[station.name]}: choose another")
        if station.name in RESERVED:
            source.refuse(
                at, f"'{station.name}' means something else in OSC addresses: choose another"
            )
        taken[station.name] = at
    for station, at in _numbered(configuration.stations, "preset"):
        if station.preset is not None and station.preset not in presets:
            source.refuse(
                at, f"'{station.preset[:40]}' is no preset: {nearest(station.preset, presets)}"
            )
    for station, at in _numbered(configuration.stations, "controls"):
        for base in _bases(station, presets):
            checked_controls(source, at, station.controls, base)


def _bases(station: StationSettings, presets: Mapping[str, Preset]) -> Iterable[Mapping[str, Json]]:
    """What the station's preset may set: one possibility if the seed is known."""
    if station.preset is None:
        return [{}]
    preset = presets[station.preset]
    return preset.narrowest() if station.seed is None else [preset.of(station.seed).controls]


def _check_outputs(source: Source, configuration: Configuration) -> None:
    """Outputs play stations that there are, and no two make a port of the same name."""
    known = [station.name for station in configuration.stations]
    made: dict[str, str] = {}
    for i, port in enumerate(configuration.midi.ports):
        _refer(source, f"midi.port[{i}].stations", port.stations, known)
        at = f"midi.port[{i}].name"
        if port.virtual and port.name in made:
            source.refuse(at, f"'{port.name}' is taken by {made[port.name]}: choose another")
        made[port.name] = at
    for i, target in enumerate(configuration.osc.targets):
        _refer(source, f"osc.target[{i}].stations", target.stations, known)
    _refer(source, "audio.stations", configuration.audio.stations, known)
    for i, icecast in enumerate(configuration.audio.icecasts):
        if icecast.station and icecast.station not in known:
            source.refuse(
                f"audio.icecast[{i}].station",
                f"'{icecast.station[:40]}' is no station: {nearest(icecast.station, known)}",
            )


def _refer(source: Source, at: str, names: Iterable[str], known: list[str]) -> None:
    for i, name in enumerate(names):
        if name not in known:
            source.refuse(f"{at}[{i}]", f"'{name[:40]}' is no station: {nearest(name, known)}")


def _web(source: Source, web: WebSettings) -> WebSettings:
    """The settings with the token that a file holds; the files that they name are there."""
    for key in ("tls_certificate", "tls_key"):
        path = getattr(web, key)
        if path is not None:
            try:
                look_at(path, CERTIFICATE)
            except PerpetuoError as error:
                source.refuse(f"web.{key}", f"is of no use: {error}")
    token = _secret(source, "web", web, "token", TOKEN)
    return replace(web, token=token, token_file=None)


def _audio(source: Source, audio: AudioSettings) -> AudioSettings:
    """The settings with the passwords that files hold; the SoundFont is one."""
    if audio.soundfont is not None:
        try:
            audio = replace(audio, soundfont=soundfont(audio.soundfont))
        except AudioError as error:
            source.refuse("audio.soundfont", f"is of no use: {error}")
    icecasts = []
    for i, icecast in enumerate(audio.icecasts):
        at = f"audio.icecast[{i}]"
        password = _secret(source, at, icecast, "password", PASSWORD)
        if password is None:
            source.refuse(f"{at}.password", "is missing: give it, or password_file")
        icecasts.append(replace(icecast, password=password, password_file=None))
    return replace(audio, icecasts=tuple(icecasts))


def _secret(
    source: Source, at: str, settings: WebSettings | IcecastSettings, key: str, kind: FileKind
) -> str | None:
    """A secret that stands in the settings or in the file that they name."""
    path: Path | None = getattr(settings, f"{key}_file")
    given: str | None = getattr(settings, key)
    if path is None:
        return given
    if given is not None:
        source.refuse(f"{at}.{key}_file", f"and {at}.{key} exclude each other: keep one of them")
    try:
        secret = read_bytes(path, kind).decode("utf-8", "replace").strip()
    except PerpetuoError as error:
        source.refuse(f"{at}.{key}_file", f"is of no use: {error}")
    allowed = get_type_hints(type(settings), include_extras=True)[key]
    try:
        convert(secret, allowed)
    except ValidationError:
        source.refuse(f"{at}.{key}_file", f"({path}) must hold {form(allowed)}")
    return secret


def _numbered(
    stations: tuple[StationSettings, ...], key: str
) -> Iterable[tuple[StationSettings, str]]:
    return ((station, f"station[{i}].{key}") for i, station in enumerate(stations))


def _presets(source: Source, configuration: Configuration) -> dict[str, Preset]:
    own = configuration.presets
    if own is not None and not own.is_dir():
        source.refuse("presets", f"is no folder ({own}): name one that holds presets (*.toml)")
    return load_presets(own)
