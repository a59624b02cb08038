"""What a configuration says about sound is checked, and a missing library is told in a sentence."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from common.errors import AudioError, ConfigError
from server.audio import libraries
from server.configuration.loading import load

STATION = '[[station]]\nname = "one"\n'
ICECAST = '[[audio.icecast]]\nmount = "/one.mp3"\n'


def configured(folder: Path, text: str) -> Any:
    path = folder / "x.toml"
    path.write_text(STATION + text, "utf-8")
    return load(path).audio


def test_passwords_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hackme\n", "utf-8")
    found = configured(tmp_path, ICECAST + 'password_file = "secret"\n')
    assert found.icecasts[0].password == "hackme"
    assert found.icecasts[0].password_file is None


def test_a_soundfont_is_looked_at(tmp_path: Path) -> None:
    bundled = libraries.soundfont(None)
    assert configured(tmp_path, f'[audio]\nsoundfont = "{bundled}"\n').soundfont == bundled
    (tmp_path / "no.sf2").write_bytes(b"RIFF....WAVE")
    with pytest.raises(ConfigError, match=r"audio\.soundfont is of no use: .* is no SoundFont"):
        configured(tmp_path, '[audio]\nsoundfont = "no.sf2"\n')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ICECAST, "password is missing: give it, or password_file"),
        (ICECAST + 'password = "x"\nstation = "two"\n', "'two' is no station"),
        (ICECAST + 'password = "x"\nformat = "hls"\n', "must be mp3 or opus"),
        ('[[audio.icecast]]\nmount = "one"\npassword = "x"\n', "a path that begins with /"),
        ('[audio]\nstations = ["two"]\n', "'two' is no station"),
        ('[audio]\nformats = ["ogg"]\n', "must be mp3, opus or hls"),
        ("[audio]\nmp3_bitrate = 100\n", "audio.mp3_bitrate must be one of 64, 80, 96, 112, 128,"),
        ("[audio]\nloudness = 0\n", "from -30 to -10"),
        ('[audio]\nsoundfont = "nowhere.sf2"\n', "does not exist"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        configured(tmp_path, text)
    assert words in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_two_places_for_a_password_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hackme", "utf-8")
    with pytest.raises(ConfigError, match="exclude each other"):
        configured(tmp_path, ICECAST + 'password = "x"\npassword_file = "secret"\n')


# -- libraries -------------------------------------------------------------------------------------


def without(monkeypatch: pytest.MonkeyPatch, name: str, error: Exception) -> None:
    """Have the import of a module fail."""
    real = libraries.import_module

    def fail(wanted: str, package: str | None = None) -> Any:
        if wanted == name:
            raise error
        return real(wanted, package)

    monkeypatch.setattr(libraries, "import_module", fail)


@pytest.mark.parametrize(
    ("name", "get", "package"),
    [
        ("fluidsynth", libraries.fluidsynth, "pyfluidsynth"),
        ("av", libraries.av, "PyAV"),
        ("lameenc", libraries.lameenc, "lameenc"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, name: str, get: Callable[[], object], package: str
) -> None:
    without(monkeypatch, name, ModuleNotFoundError(name))
    with pytest.raises(AudioError) as missing:
        get()
    assert f"the Python package {package}, which is not installed" in str(missing.value)
    assert "pip install '.[audio]'" in str(missing.value)


@pytest.mark.parametrize(
    ("system", "command"),
    [
        ("Linux", "run apt-get install libfluidsynth3"),
        ("Darwin", "run brew install fluid-synth"),
    ],
)
def test_a_missing_fluidsynth_is_told_as_the_system_installs_it(
    monkeypatch: pytest.MonkeyPatch, system: str, command: str
) -> None:
    without(monkeypatch, "fluidsynth", ImportError("Couldn't find the FluidSynth library."))
    monkeypatch.setattr(platform, "system", lambda: system)
    with pytest.raises(AudioError) as missing:
        libraries.fluidsynth()
    assert command in str(missing.value)


def test_the_soundfont_of_pretty_midi_is_found_without_importing_it() -> None:
    assert find_spec("pretty_midi") is not None
    sys.modules.pop("pretty_midi", None)
    path = libraries.soundfont(None)
    assert path.name == libraries.BUNDLED
    libraries.check_soundfont(path)
    assert "pretty_midi" not in sys.modules
