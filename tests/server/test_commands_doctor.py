"""`perpetuo doctor` says in plain words what there is and what is missing."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from common.errors import PortError
from server.benches import measuring
from server.commands import doctor as doctor_command
from server.commands.cli import main
from server.midi import ports
from server.midi.ports import APIS, ApiState, Port

ALSA, JACK, CORE, WINDOWS = APIS


class Client:
    def close_port(self) -> None: ...

    def delete(self) -> None: ...


@pytest.fixture
def no_midi(monkeypatch: pytest.MonkeyPatch) -> None:
    states = [ApiState(ALSA, "ALSA: there is no device: run this"), ApiState(JACK, "JACK: none")]
    monkeypatch.setattr(ports, "survey", lambda: states)

    def refuse(name: str) -> Port:
        raise PortError("no MIDI port: ALSA: there is no device: run this; JACK: none")

    monkeypatch.setattr(ports, "open_virtual", refuse)


@pytest.fixture
def some_midi(monkeypatch: pytest.MonkeyPatch) -> None:
    states = [ApiState(CORE, "", ("Digital Piano",))]
    monkeypatch.setattr(ports, "survey", lambda: states)
    made = Port(CORE, Client(), doctor_command.PROBE, virtual=True)
    monkeypatch.setattr(ports, "open_virtual", lambda name: made)


def answer(capsys: pytest.CaptureFixture[str], code: int) -> dict[str, Any]:
    assert main(["doctor", "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.usefixtures("no_midi")
def test_what_is_missing_is_said_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    page = capsys.readouterr().out
    assert "- ALSA" in page
    assert "there is no device: run this" in page
    assert "- virtual port         cannot be made" in page
    assert "not over MIDI" in " ".join(page.split())
    assert all(len(line) <= 80 or "/" in line for line in page.splitlines())


@pytest.mark.usefixtures("some_midi")
def test_what_is_there_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    page = capsys.readouterr().out
    assert "+ port                 Digital Piano (CoreMIDI)" in page
    assert "can be made with CoreMIDI" in page
    found = answer(capsys, 0)
    assert found["can_play"]
    assert found["midi"]["virtual_port"] == "CoreMIDI"
    assert found["midi"]["ports"] == [{"api": "CoreMIDI", "name": "Digital Piano"}]
    assert found["packages"]["perpetuo"]
    assert found["model"]["parameters"] > 0
    assert found["model"]["ms_a_note"] > 0
    assert found["cpus"] >= 1
    assert isinstance(found["real_time"]["permitted"], bool)


@pytest.mark.usefixtures("some_midi")
@pytest.mark.parametrize(("speed", "sign", "advised"), [(0.5, "+", False), (2.5, "-", True)])
def test_a_slow_processor_is_told_what_it_lacks(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    speed: float,
    sign: str,
    advised: bool,
) -> None:
    monkeypatch.setattr(measuring, "glance", lambda network, seconds: speed)
    assert main(["doctor"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert f"{sign} speed {speed:.2f} ms a note" in page
    assert ("--model lstm" in page) == advised


@pytest.mark.usefixtures("no_midi")
def test_it_fails_only_if_nothing_can_be_played_at_all(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        monkeypatch.setattr(doctor_command, "HTTP_PORT", server.getsockname()[1])
        found = answer(capsys, 1)
        assert not found["sockets"][0]["free"]
        assert main(["doctor"]) == 1
        assert "Nothing can be played" in capsys.readouterr().out


@pytest.mark.usefixtures("some_midi")
def test_without_a_model_nothing_can_be_played(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_command, "_model", lambda: {"file": None, "error": "it is broken"})
    assert not answer(capsys, 1)["can_play"]
    assert main(["doctor"]) == 1
    assert "it is broken" in capsys.readouterr().out
