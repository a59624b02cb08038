"""Level, place, attack and reverb of parts in the Python client."""

from __future__ import annotations

import io

import mido
from perpetuo_client.controllers import Controller, TurnedControllers
from perpetuo_client.recording import Recording
from perpetuo_client.scheduler import MidiMessage, Scheduler

from tests.clients.client_bars import BAR, bar, note

LOUDER, LEFT = Controller(1, 7, 110), Controller(2, 10, 32)


def turned(scheduler: Scheduler, until: int) -> list[tuple[int, MidiMessage]]:
    sent = [entry for time in range(0, until, 1000) for entry in scheduler.take(time)]
    return [entry for entry in sent if entry[1][0] & 0xF0 == 0xB0]


def test_they_are_sent_at_the_start_and_where_they_change() -> None:
    scheduler = Scheduler()
    for index, asked in enumerate([(LOUDER, LEFT), (LOUDER, LEFT), (LOUDER,), ()]):
        scheduler.add(bar(index, note(60), controllers=asked), 0)
    assert turned(scheduler, 4 * BAR) == [
        (0, (0xB0, 7, 110)),
        (0, (0xB1, 10, 32)),
        (2 * BAR, (0xB1, 10, 64)),
        (3 * BAR, (0xB0, 7, 100)),
    ]


def test_after_a_stop_all_are_sent_again() -> None:
    scheduler = Scheduler()
    scheduler.add(bar(0, note(60), controllers=(LOUDER,)), 0)
    turned(scheduler, BAR // 2)
    scheduler.stop()
    scheduler.add(bar(1, note(60)), BAR)
    assert turned(scheduler, 2 * BAR) == [(BAR, (0xB0, 7, 100))]


def test_none_are_sent_where_none_are_asked_for() -> None:
    assert TurnedControllers().changes([]) == []


def test_a_recording_has_those_of_its_parts() -> None:
    recording = Recording()
    for index, asked in enumerate([(LOUDER, LEFT), ()]):
        recording.add(bar(index, note(60), controllers=asked))
    track = mido.MidiFile(file=io.BytesIO(recording.to_midi())).tracks[1]
    found = [m.bytes() for m in track if m.type == "control_change"]
    assert found == [[0xB0, 7, 110], [0xB0, 7, 100]]
