"""What is missing for MIDI is said in words that help, and looking for it disturbs nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from common.errors import PortError
from server.midi import jack, ports
from server.midi.ports import APIS, ApiState, match, open_existing, open_virtual, survey

ALSA, JACK, CORE, WINDOWS = APIS
LISTENING = "0000: 00000002 00000000 00010000 0001 01 {inode} {path}\n"
CONNECTED = "0000: 00000003 00000000 00000000 0001 03 {inode} {path}\n"


class FakeRtMidi:
    """Some APIs, some of them without a system behind."""

    RtMidiError = RuntimeError

    def __init__(self, *apis: ports.Api, broken: tuple[ports.Api, ...] = ()) -> None:
        self.broken = {api.constant for api in broken}
        self.apis = [api.constant for api in apis]
        self.opened: list[object] = []
        for api in APIS:
            setattr(self, api.constant, api.constant)

    def get_compiled_api(self) -> list[str]:
        return self.apis

    def MidiOut(self, constant: str, client: str) -> SimpleNamespace:
        if constant in self.broken:
            raise RuntimeError("no system behind")
        names = [f"{constant} synth", "Digital Piano 20:0"]
        return SimpleNamespace(
            get_ports=lambda: names,
            open_virtual_port=self.opened.append,
            open_port=lambda number, name: self.opened.append(names[number]),
            delete=lambda: None,
        )


@pytest.fixture
def with_apis(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeRtMidi]:
    def install(*apis: ports.Api, missing: tuple[ports.Api, ...] = (), **options: object) -> object:
        fake = FakeRtMidi(*apis, **options)  # type: ignore[arg-type]
        monkeypatch.setattr(ports, "_rtmidi", lambda: fake)
        reasons = {api: f"{api.name}: is missing" for api in missing}
        monkeypatch.setattr(ports, "why_not", lambda api: reasons.get(api, ""))
        return fake

    return install  # type: ignore[return-value]


def test_the_first_api_that_works_makes_the_port(with_apis: Callable[..., FakeRtMidi]) -> None:
    fake = with_apis(ALSA, JACK, missing=(ALSA,))
    port = open_virtual("study")
    assert (port.api, port.name, fake.opened) == (JACK, "study", ["study"])
    with_apis(JACK, ALSA)
    assert open_virtual("study").api == ALSA


def test_where_none_works_every_reason_is_given(with_apis: Callable[..., FakeRtMidi]) -> None:
    with_apis(ALSA, JACK, missing=(ALSA,), broken=(JACK,))
    with pytest.raises(PortError) as caught:
        open_virtual("study")
    expected = "no MIDI port: ALSA: is missing; JACK cannot be used: no system behind"
    assert str(caught.value) == expected


def test_windows_makes_no_ports_and_the_sentence_names_what_does(
    with_apis: Callable[..., FakeRtMidi], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = with_apis(WINDOWS)
    monkeypatch.setattr(ports.sys, "platform", "win32")
    with pytest.raises(PortError, match="loopMIDI"):
        open_virtual("study")
    assert open_existing("piano").name == "Digital Piano 20:0"
    assert fake.opened == ["Digital Piano 20:0"]


def test_an_unknown_port_names_those_that_are_there(with_apis: Callable[..., FakeRtMidi]) -> None:
    with_apis(ALSA)
    with pytest.raises(PortError, match="no MIDI port 'organ': there are 'API_LINUX_ALSA synth'"):
        open_existing("organ")


@pytest.mark.parametrize(
    ("name", "found"),
    [("Synth", "Synth"), ("synth", "Synth 2"), ("piano", "My Piano"), ("harp", None)],
)
def test_a_name_means_the_very_port_or_its_beginning_or_a_part(
    name: str, found: str | None
) -> None:
    assert match(name, ["A Synth", "Synth 2", "Synth", "My Piano"]) == found


def test_the_survey_lists_ports_and_reasons(with_apis: Callable[..., FakeRtMidi]) -> None:
    with_apis(ALSA, JACK, CORE, missing=(ALSA,), broken=(JACK,))
    assert survey() == [
        ApiState(ALSA, "ALSA: is missing"),
        ApiState(JACK, "JACK cannot be used: no system behind"),
        ApiState(CORE, "", ("API_MACOSX_CORE synth", "Digital Piano 20:0")),
    ]


def test_without_rtmidi_there_is_nothing_and_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rtmidi", None)
    assert survey() == []
    with pytest.raises(PortError, match="libasound2"):
        open_virtual("study")


def test_alsa_without_its_device_says_which_module(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ports, "SEQUENCER", tmp_path / "seq")
    assert "modprobe snd-seq" in ports.why_not(ALSA)
    (tmp_path / "seq").touch()
    assert ports.why_not(ALSA) == ""
    monkeypatch.setattr(ports.os, "access", lambda path, mode: False)
    assert "usermod -aG audio" in ports.why_not(ALSA)


# -- JACK ------------------------------------------------------------------------------------------


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The system's list of sockets, for a user with the number 7."""
    path = tmp_path / "unix"
    path.write_text("Num RefCount Protocol Flags Type St Inode Path\n")
    monkeypatch.setattr(jack, "_SOCKETS", path)
    monkeypatch.setattr(jack.sys, "platform", "linux")
    monkeypatch.setattr(jack.os, "getuid", lambda: 7, raising=False)
    monkeypatch.delenv("JACK_DEFAULT_SERVER", raising=False)
    monkeypatch.delenv("JACK_PROMISCUOUS_SERVER", raising=False)
    return path


def test_a_server_runs_where_its_socket_listens(sockets: Path) -> None:
    assert jack.running_server() is None
    assert "no server named 'default' runs" in ports.why_not(JACK)
    path = "/dev/shm/jack_default_7_0"
    sockets.write_text(CONNECTED.format(inode=1, path=path))
    assert jack.running_server() is None
    sockets.write_text(CONNECTED.format(inode=1, path=path) + LISTENING.format(inode=23, path=path))
    assert jack.running_server() == "23"
    assert ports.why_not(JACK) == ""


def test_the_environment_names_the_server(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [LISTENING.format(inode=1, path="/dev/shm/jack_default_7_0")]
    lines.append(LISTENING.format(inode=2, path="/dev/shm/jack_studio_7_0"))
    lines.append(LISTENING.format(inode=3, path="/dev/shm/jack_studio_0"))
    sockets.write_text("".join(lines))
    assert jack.running_server() == "1"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "studio")
    assert jack.running_server() == "2"
    monkeypatch.setenv("JACK_PROMISCUOUS_SERVER", "")
    assert jack.running_server() == "3"


def test_where_the_system_does_not_tell_it_is_unknown(
    sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets.unlink()
    assert jack.running_server() == "unknown"
    monkeypatch.setattr(jack.sys, "platform", "darwin")
    assert jack.running_server() == "unknown"
