"""Whole configurations: ready ones load, wrong ones are refused by file, key and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from common.errors import ConfigError
from server.configuration.loading import checked, load
from server.configuration.reference import HEADING, reference, written_into
from server.configuration.settings import Configuration, state_folder
from server.house.settings import StationSettings
from server.web.settings import WebSettings
from tests.bundles import tiny_bytes

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "configuration.md"
READY = sorted((ROOT / "configs").glob("*.toml"))


def loaded(tmp_path: Path, text: str) -> Configuration:
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    return load(path)


def test_nothing_and_an_empty_file_are_the_default(tmp_path: Path) -> None:
    assert load(None) == Configuration() == loaded(tmp_path, "")
    (station,) = Configuration().stations
    assert (station.name, station.preset, station.seed) == ("study", "study", None)
    (port,) = Configuration().midi.ports
    assert (port.name, port.virtual) == ("perpetuo", True)
    assert [port.channel_of(part) for part in range(1, 9)] == [1, 2, 3, 4, 5, 6, 7, 10]


def test_the_ready_ones_are_there() -> None:
    names = {path.stem for path in READY}
    assert {"station", "radio", "stage", "daw"} <= names


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_ready_configurations_load(path: Path) -> None:
    configuration = load(path)
    assert configuration.stations
    assert path.name in PAGE.read_text("utf-8")


def test_the_station_configuration_says_what_holds_without_it() -> None:
    assert load(ROOT / "configs" / "station.toml") == Configuration()


def test_no_stranger_can_turn_the_radio() -> None:
    radio = load(ROOT / "configs" / "radio.toml")
    assert len(radio.stations) > 2
    assert radio.web.steer_stations == "nobody"
    assert radio.osc.host == "127.0.0.1"


def test_everything_is_read_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "my.onnx").write_bytes(tiny_bytes("lstm"))
    (tmp_path / "secret").write_text("correct-horse\n")
    configuration = loaded(
        tmp_path,
        """
        model = "my.onnx"
        lookahead = 2
        horizon = 200
        state = "kept"
        [[station]]
        name = "a"
        preset = "ambient"
        seed = 7
        controls = { key = "D minor", density = 2, programs = { 1 = 11 } }
        [[station]]
        name = "b-2_x"
        model = "default"
        start = "stopped"
        [[midi.port]]
        stations = ["b-2_x"]
        channels = { 1 = 16, 8 = 9 }
        [[midi.port]]
        name = "FLUID"
        virtual = false
        offset = -12
        [osc]
        allow = ["192.168.0.0/16"]
        [[osc.target]]
        port = 9001
        mode = "ahead"
        stations = ["a"]
        [web]
        token_file = "secret"
        [logs]
        folder = "logs"
        """,
    )
    first, second = configuration.stations
    assert first == StationSettings(
        "a",
        preset="ambient",
        seed=7,
        controls={"key": "D minor", "density": 2, "programs": {"1": 11}},
    )
    assert (second.model, second.start) == ("default", "stopped")
    assert configuration.model == str(tmp_path / "my.onnx")
    assert configuration.state_folder == tmp_path / "kept"
    assert configuration.log_folder == tmp_path / "logs"
    one, two = configuration.midi.ports
    assert (one.channel_of(1), one.channel_of(2), one.channel_of(8)) == (16, 2, 9)
    assert (two.name, two.virtual, two.offset) == ("FLUID", False, -12.0)
    assert configuration.osc.targets[0].port == 9001
    assert configuration.web.token == "correct-horse"


TWO = '[[station]]\nname = "a"\n[[station]]\nname = "b"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lookahed = 3", "lookahed is no key here: did you mean 'lookahead'?"),
        ("lookahead = 0", "lookahead must be a whole number from 1 to 16, not 0"),
        ("lookahead = ", "is not TOML"),
        ('log_level = "loud"', "log_level must be debug, info, warning or error, not 'loud'"),
        ('model = "my.onnx"', "model names no file ("),
        ('model = "defualt"', "model: there is no model 'defualt'"),
        ('presets = "nowhere"', "presets is no folder ("),
        ("station = []", "station is empty: leave it out for the default one"),
        ("[[station]]", "station[0].name is missing: give a name of at most 40"),
        ('[[station]]\nname = "My Radio"', "station[0].name must be a name of at most 40 small"),
        ('[[station]]\nname = "density"', "station[0].name 'density' means something else in OSC"),
        ('[[station]]\nname = "panic"', "station[0].name 'panic' means something else in OSC"),
        (TWO + '[[station]]\nname = "a"', "station[2].name 'a' is taken by station[0].name"),
        (TWO + 'preset = "ambiemt"', "station[1].preset 'ambiemt' is no preset: did you mean"),
        (TWO + "seed = -1", "station[1].seed must be a whole number from 0 to 9007199254740991"),
        (TWO + 'model = "x.onnx"', "station[1].model names no file ("),
        (TWO + 'start = "asleep"', "station[1].start must be playing or stopped, not 'asleep'"),
        (
            TWO + "controls = { tempi = 3 }",
            "station[1].controls.tempi is wrong: there is no control 'tempi': did you",
        ),
        (
            TWO + "controls = { tempo = 999 }",
            "station[1].controls.tempo is wrong: tempo cannot be 999: give a number from 20 to 300",
        ),
        (
            TWO + "controls = { tempo = 1979-05-27 }",
            "station[1].controls.tempo is wrong: tempo cannot be a date: give a number",
        ),
        (
            TWO + 'preset = "study"\ncontrols = { low_pitch = 80 }',
            "station[1].controls are wrong: low_pitch 80 and high_pitch",
        ),
        (
            TWO + '[[midi.port]]\nstations = ["a", "c"]',
            "midi.port[0].stations[1] 'c' is no station: choose from a, b",
        ),
        (
            "[[midi.port]]\n[[midi.port]]\noffset = 9999",
            "midi.port[1].offset must be a number from -500 to 2000, not 9999",
        ),
        ("[[midi.port]]\n[[midi.port]]", "midi.port[1].name 'perpetuo' is taken by midi.port[0]"),
        ("[[midi.port]]\nchannels = { 9 = 1 }", "midi.port[0] channels: there is no part 9"),
        (
            "[[midi.port]]\nchannels = { 1 = 17 }",
            "midi.port[0].channels.1 must be a whole number from 1 to 16",
        ),
        ('[[midi.port]]\nname = " "', "midi.port[0].name must be a text that is not empty"),
        ('[osc]\nallow = ["everyone"]', "osc allow: 'everyone'"),
        ("horizon = 50", "osc.ahead must be less than the horizon, which is 50 milliseconds"),
        (
            TWO + '[[osc.target]]\nstations = ["bb"]',
            "osc.target[0].stations[0] 'bb' is no station: did you mean 'b'?",
        ),
        ("[web]\nport = 99999", "web.port must be a whole number from 0 to 65535, not 99999"),
        (
            '[web]\norigins = ["*", "https://a.org/x"]',
            'web.origins[1] must be a site without a path, such as "https://example.org",',
        ),
        (
            '[web]\nhosts = ["https://a.org"]',
            'web.hosts[0] must be a name without scheme and port, such as "radio.example.org",',
        ),
        ('[web]\ntls_key = "k"', "web tls_certificate and tls_key go together"),
        ('[web]\ntls_key = "k"\ntls_certificate = "c"', "web.tls_certificate is of no use: "),
        ('[web]\ntoken_file = "none"', "web.token_file is of no use: "),
        ('[web]\ntoken_file = "short"', "must hold 8 to 200 visible ASCII characters"),
        (
            '[web]\ntoken = "abcdefgh"\ntoken_file = "short"',
            "web.token_file and web.token exclude each other",
        ),
        ("[logs]\nkeep = 0", "logs.keep must be a whole number from 1 to 10000, not 0"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "short").write_text("word")
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'mine.toml'}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_loaded_stays_when_it_is_checked_again(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("correct-horse")
    (tmp_path / "my.onnx").write_bytes(tiny_bytes("gpt"))
    found = loaded(tmp_path, 'model = "my.onnx"\n[web]\ntoken_file = "secret"')
    assert checked(found, "command line") == found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_streams": -1}, "max_streams must be a whole number from 0 to 100000, not -1"),
        ({"model": "my.onnx"}, "model names no file ("),
        ({"web": WebSettings(port=70_000)}, "web.port must be a whole number from 0 to 65535"),
        (
            {"stations": (StationSettings("a", seed=-1),)},
            "station[0].seed must be a whole number from 0 to",
        ),
        (
            {"stations": (StationSettings("a", preset="studi"),)},
            "station[0].preset 'studi' is no preset: did you mean 'study'?",
        ),
    ],
)
def test_what_is_changed_later_is_checked_as_well(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked(replace(Configuration(), **changes), "command line")
    assert str(caught.value).startswith(f"command line: {message}")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing.toml does not exist: check the path"):
        load(tmp_path / "missing.toml")
    (tmp_path / "latin.toml").write_bytes(b'state = "\xe9"')
    with pytest.raises(ConfigError, match=r"latin.toml: is not text in UTF-8"):
        load(tmp_path / "latin.toml")


def test_state_is_kept_where_the_system_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert state_folder() == Path("/home/ada/.local/state/perpetuo")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert state_folder() == Path("/home/ada/.local/state/perpetuo")
    monkeypatch.setenv("XDG_STATE_HOME", "/var/ada")
    assert state_folder() == Path("/var/ada/perpetuo")
    assert Configuration().log_folder == Path("/var/ada/perpetuo/logs")
    monkeypatch.setattr("sys.platform", "darwin")
    assert state_folder() == Path("/home/ada/Library/Application Support/perpetuo")
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert state_folder() == Path("/local/perpetuo")


def test_the_page_ends_with_the_reference() -> None:
    page = PAGE.read_text("utf-8")
    assert page.count(HEADING) == 1
    assert page == written_into(page), (
        "run: python -m server.configuration.reference docs/configuration.md"
    )


def test_every_key_is_explained() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 40
    for row in rows:
        *_, what, end = (cell.strip() for cell in row.split("|"))
        assert what.endswith("."), row
        assert end == ""
