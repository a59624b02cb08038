"""SoundFonts by name, and `perpetuo sounds`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.errors import AudioError, ConfigError
from server.audio import libraries, soundfonts
from server.audio.soundfonts import KNOWN, folders, found, is_name, named
from server.commands.cli import main
from server.configuration.loading import load

BUNDLED = libraries.soundfont(None)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, beside which there is nothing."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "share"))
    folder = tmp_path / "home" / "soundfonts"
    folder.mkdir(parents=True)
    return folder


def test_ones_own_folders_come_before_those_of_the_system() -> None:
    environment = {"XDG_DATA_HOME": "/home/x/data", "XDG_DATA_DIRS": "/a:/b"}
    places = [str(place) for place in folders(environment)]
    assert places[:3] == [f"/home/x/data/{f}" for f in ("sounds/sf2", "sounds/sf3", "soundfonts")]
    assert places[3] == "/a/sounds/sf2"
    assert len(places) == 9
    assert Path("/usr/share/sounds/sf2") in folders({})


def test_files_are_found_by_their_names_the_first_of_a_name(tmp_path: Path) -> None:
    for folder, file in (
        ("a", "Grand.sf2"),
        ("b", "grand.txt"),
        ("b", "Grand.SF3"),
        ("b", "x.sf3"),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / file).touch()
    places = [tmp_path / "no", tmp_path / "a", tmp_path / "b"]
    assert found(places) == {"Grand": tmp_path / "a/Grand.sf2", "x": tmp_path / "b/x.sf3"}
    assert named("gRAND", places) == tmp_path / "a/Grand.sf2"
    assert named("timgm6mb", places) is None


def test_what_is_missing_says_how_to_get_it() -> None:
    for known in KNOWN:
        if known.package:
            with pytest.raises(AudioError, match=f"run apt-get install {known.package}$"):
                named(known.name, [])
    with pytest.raises(AudioError, match="did you mean 'fluidr3_gm'"):
        named("FluidR3GM", [])


def test_a_name_is_what_has_no_ending_and_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "tune.mid").touch()
    assert is_name(Path("FluidR3_GM"))
    assert is_name(Path("GeneralUser GS v1.471"))
    assert not is_name(Path("grand.SF2"))
    assert not is_name(tmp_path / "tune.mid")


def test_configurations_take_names(own: Path, tmp_path: Path) -> None:
    (own / "Mine.sf2").symlink_to(BUNDLED)
    text = '[audio]\nsoundfont = "{}"\n'
    file = tmp_path / "my.toml"
    for name, path in (("mine", own / "Mine.sf2"), ("TimGM6mb", BUNDLED)):
        file.write_text(text.format(name))
        assert load(file).audio.soundfont == path
    file.write_text(text.format("FluidR3_GM"))
    with pytest.raises(ConfigError, match="run apt-get install fluid-soundfont-gm"):
        load(file)


def test_the_command_line_takes_names(
    own: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (own / "Mine.sf2").symlink_to(BUNDLED)
    assert main(["serve", "--check", "--soundfont", "mine"]) == 0
    assert main(["serve", "--check", "--soundfont", "other"]) == 1
    assert "'perpetuo sounds' lists them" in capsys.readouterr().err
    assert main(["render", "--soundfont", "sf_GMbank", "-o", str(tmp_path / "x.wav")]) == 1
    assert "apt-get install csound-soundfont" in capsys.readouterr().err


def test_all_are_listed_with_what_to_do(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own / "Mine.sf3").write_bytes(bytes(2_600_000))
    (own / "default-GM.sf2").symlink_to(BUNDLED)
    assert main(["sounds"]) == 0
    text = capsys.readouterr().out
    here, missing = text.split("Not here")
    assert here.index("TimGM6mb  6 MB, GPL-2") < here.index("Mine  3 MB\n")
    assert "default-GM" not in text
    for known in KNOWN[1:]:
        assert known.name in missing
        assert f"apt-get install {known.package}\n" in missing
    assert main(["sounds", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["Mine"]["path"] == str(own / "Mine.sf3")
    assert rows["FluidR3_GM"]["path"] is None
    assert set(rows) == {known.name for known in KNOWN} | {"Mine"}


def test_names_are_known_once_and_no_two_differ_in_case_alone() -> None:
    assert len(soundfonts._BY_NAME) == len(KNOWN)
