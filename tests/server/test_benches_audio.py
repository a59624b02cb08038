"""The bench of listeners: what a player has in hand is known, and a small run tells the truth."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.base.machine import machine
from server.benches.live import listening, listening_clients
from server.benches.live.figures import Figures
from server.benches.live.listening import measure_audio
from server.benches.live.listening_clients import ListeningClient, ListeningPlan
from server.benches.live.pages import page
from server.benches.live.served import Setup
from tests.bundles import tiny_bytes
from tests.server.sound import need_libraries

pytestmark = pytest.mark.in_time

HEARING = ListeningPlan("/stream/x.mp3", 1, 128)
SECOND = 16_000  # bytes


def played(
    monkeypatch: pytest.MonkeyPatch, arrivals: list[tuple[float, int]], end: float
) -> ListeningClient:
    """A player to whom so many bytes come at such seconds."""
    now = 0.0
    monkeypatch.setattr(listening_clients, "monotonic_us", lambda: round(1e6 * now) + 1_000_000)
    player = ListeningClient(HEARING, "x")
    player._begun = 1_000_000
    player.data_received(b"HTTP/1.1 200 OK\r\nx: y\r\n")
    player.data_received(b"\r\n")
    for at, count in arrivals:
        now = at
        player.data_received(bytes(count))
    now = end
    player.end()
    return player


def test_a_burst_and_then_real_time_is_heard_without_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    steady = [(0.1 + n, SECOND) for n in range(1, 30)]
    player = played(monkeypatch, [(0.1, 4 * SECOND), *steady], 30)
    assert player.dropouts == 0
    assert player.first == 100_000
    assert player.least == pytest.approx(3e6, abs=1e5)


def test_what_comes_too_late_is_a_dropout_and_play_goes_on_a_second_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    player = played(monkeypatch, [(0, SECOND), (2.5, SECOND // 2), (3.0, SECOND), (9, SECOND)], 9)
    assert player.dropouts == 2
    assert player.first == 0


@given(st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=30))
def test_who_always_has_sound_in_hand_has_no_dropout(pieces: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        arrivals, now = [(0.0, 4 * SECOND)], 0.0
        for piece in pieces:
            now += piece / SECOND
            arrivals.append((now, piece))
        player = played(patch, arrivals, now)
    assert player.dropouts == 0
    assert player.bytes == 4 * SECOND + sum(pieces)


def test_a_small_run_tells_what_was_heard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    need_libraries()
    for name, seconds in (("PAST", 0.5), ("SETTLED", 1.0)):
        monkeypatch.setattr(listening, name, seconds)
    model = tmp_path / "tiny.onnx"
    model.write_bytes(tiny_bytes("gpt"))
    figures = measure_audio(Setup(model=str(model)), 3, 2.0, lambda words: None)
    assert figures.playing == figures.heard.listeners == 3
    assert figures.heard.bytes > 3 * SECOND
    assert figures.making > 0
    assert figures.first_cold is not None
    shown = "\n".join(page(machine(), Figures(audio=figures)))
    assert "3 listeners for 2 s" in shown
    assert "first sound" in shown
    assert Figures(audio=figures).plain()["audio"]["holds"] in (True, False)
