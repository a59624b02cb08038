"""The whole server over JACK: what another process hears, through faults of every kind."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.bundles import tiny_bytes
from tests.server.jack import Ear, Heard, JackServer, jack_server
from tests.server.served import Served, brisk, serving
from tests.server.test_serving import newest_log, replayed

__all__ = ["jack_server"]

pytestmark = pytest.mark.in_time

PORT = "proving"
MORE = f"""
[[midi.port]]
name = "{PORT}"
channels = {{ 1 = 16 }}
clock = true
"""
ON, OFF, PROGRAM, CONTROL = 0x90, 0x80, 0xC0, 0xB0
START, CONTINUE, STOP, CLOCK, POSITION = 0xFA, 0xFB, 0xFC, 0xF8, 0xF2
SOUND_OFF = 120
# Of parts 1 to 8: the first one is moved by the configuration, percussion is on the tenth.
CHANNELS = (15, 1, 2, 3, 4, 5, 6, 9)
BAR = 400_000  # microseconds
TICKS = 48  # of the clock in a bar


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(tiny_bytes("gpt"))
    return path


@pytest.fixture
def served(jack_server: JackServer, model: Path, tmp_path: Path) -> Iterator[Served]:
    configuration = brisk(tmp_path, MORE)
    with serving(configuration, "--model", model, "--port", 0, "--state", tmp_path) as served:
        yield served


@pytest.fixture
def ear(served: Served) -> Iterator[Ear]:
    ear = Ear(PORT)
    yield ear
    ear.close()


def sounding(heard: list[Heard]) -> set[tuple[int, int]]:
    """Channels and pitches that sound when all of this was heard."""
    found: set[tuple[int, int]] = set()
    for _, (status, *rest) in heard:
        key = status & 0x0F, rest[0] if rest else 0
        if status & 0xF0 == ON:
            assert key not in found, f"{key} was struck while it sounded"
            found.add(key)
        elif status & 0xF0 == OFF:
            found.discard(key)  # unless it sounded already when the ear came
    return found


def struck(heard: list[Heard]) -> list[tuple[int, ...]]:
    return [one.message for one in heard if one.message[0] & 0xF0 == ON]


def listen(ear: Ear, bars: int) -> None:
    """Hear so many more bars by the clock."""
    ticks = 0

    def is_enough(message: tuple[int, ...]) -> bool:
        nonlocal ticks
        ticks += message == (CLOCK,)
        return ticks > bars * TICKS

    ear.until(is_enough)


def leaps(heard: list[Heard]) -> list[tuple[int, ...]]:
    """Where the clock began and ended, but for its beginning, which the ear may have missed."""
    clock = [one.message for one in heard if one.message[0] in (START, CONTINUE, STOP, CLOCK)]
    return [message for message in clock[1:] if message != (CLOCK,)]


def until_silenced(ear: Ear) -> None:
    """Hear everything up to the server's last word to the port: all sound off."""
    ear.until(lambda message: message == (CONTROL | 15, SOUND_OFF, 0))


def until_in_a_note(ear: Ear) -> None:
    def is_struck(message: tuple[int, ...]) -> bool:
        return message[0] & 0xF0 == ON and bool(sounding(ear.heard))

    ear.until(is_struck)


def expected(model: Path, state: Path, bars: int) -> list[tuple[int, ...]]:
    """The beginnings of all notes of the first bars, as the control log gives them back."""
    log, folder = newest_log(state)
    found = []
    for _, bar in sorted(replayed(model, log, folder, bars).items()):
        begun = [note for note in bar.notes if not note.tie & 2]
        begun.sort(key=lambda note: note.tick * bar.tempo + 24 * note.shift)
        found += [(ON | CHANNELS[note.part - 1], note.pitch, note.velocity) for note in begun]
    return found


def test_every_note_is_heard_with_its_end_its_program_and_the_clock(
    jack_server: JackServer, model: Path, tmp_path: Path
) -> None:
    configuration = brisk(tmp_path, MORE)
    text = configuration.read_text().replace("seed = 7", 'seed = 7\nstart = "stopped"')
    programs = {1: 40, 2: 41, 3: 42, 4: 43}
    table = ", ".join(f"{part} = {program}" for part, program in programs.items())
    more = f"density = 5, programs = {{ {table} }}"
    configuration.write_text(text.replace("density = 4", more))
    with serving(configuration, "--model", model, "--port", 0, "--state", tmp_path) as served:
        ear = Ear(PORT)
        try:
            served.send_osc("/perpetuo/start")
            listen(ear, 12)
            served.send_osc("/perpetuo/stop")
            ear.until(lambda message: message == (STOP,))
            stopped = list(ear.heard)
            assert not sounding(stopped)
            served.send_osc("/perpetuo/continue")
            listen(ear, 2)
            assert served.metric("perpetuo_dispatch_missed_notes_total") == 0
            assert served.metric("perpetuo_bars_late_total") == 0
            assert served.end() == 0
            until_silenced(ear)
        finally:
            ear.close()
    assert not sounding(ear.heard)
    notes = struck(stopped)
    assert len(notes) > 12
    assert notes == expected(model, tmp_path, 16)[: len(notes)]
    messages = [one.message for one in ear.heard]
    for part, program in programs.items():
        channel = CHANNELS[part - 1]
        first = next((n for n in notes if n[0] == ON | channel), None)
        if first is not None:
            assert messages.index((PROGRAM | channel, program)) < messages.index(first)
    clock = [one.message for one in stopped if one.message[0] >= POSITION]
    assert clock[:2] == [(START,), (CLOCK,)]
    assert clock[-1] == (STOP,)
    assert set(clock[1:-1]) == {(CLOCK,)}
    again = [message for message in messages[len(stopped) :] if message[0] >= POSITION]
    position, go_on, tick, *_ = again
    assert (position[0], go_on, tick) == (POSITION, (CONTINUE,), (CLOCK,))
    # It goes on from the beginning of the bar in which it was stopped.
    sixteenths = position[1] | position[2] << 7
    assert sixteenths % 8 == 0
    assert 0 <= clock.count((CLOCK,)) - 6 * sixteenths <= TICKS


def test_ended_in_the_middle_of_a_note_nothing_hangs(served: Served, ear: Ear) -> None:
    listen(ear, 2)
    until_in_a_note(ear)
    served.signal(signal.SIGTERM)
    until_silenced(ear)
    assert served.wait() == 0
    assert struck(ear.heard)
    assert not sounding(ear.heard)
    # The clock ran through, and stopped in the end.
    assert leaps(ear.heard) == [(STOP,)]


def test_a_killed_composer_is_not_heard(served: Served, ear: Ear) -> None:
    until_in_a_note(ear)
    os.kill(served.composing(), signal.SIGKILL)
    before = len(ear.heard)
    listen(ear, 10)  # far beyond what was planned
    served.until("every stream is composed again")
    assert served.metric("perpetuo_composer_restarts_total") == 1
    assert struck(ear.heard[before:])
    ticks = [one.time for one in ear.heard if one.message == (CLOCK,)]
    assert leaps(ear.heard) == []
    assert max(after - before for before, after in pairwise(ticks)) < BAR
    assert served.end() == 0
    until_silenced(ear)
    assert not sounding(ear.heard)


def test_a_killed_jack_server_is_played_into_again(
    served: Served, ear: Ear, jack_server: JackServer
) -> None:
    listen(ear, 1)
    jack_server.kill()
    served.until("port proving .* is gone: it vanished")
    before = served.bar()
    served.until_bar(before + 2)  # for those who listen elsewhere
    jack_server.start()
    served.until("port proving .* is there")
    new = Ear(PORT)
    try:
        listen(new, 6)
        assert struck(new.heard)
        assert served.end() == 0
        until_silenced(new)
        assert not sounding(new.heard)
    finally:
        new.close()
