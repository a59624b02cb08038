"""From bars to MIDI messages: `perpetuo_client.scheduler` and the thread that plays them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from perpetuo_client.bars import Bar, Pedal
from perpetuo_client.errors import PortError
from perpetuo_client.player import MidiPlayer, local_now
from perpetuo_client.scheduler import STALE, MidiMessage, Scheduler
from perpetuo_client.smf import SUSTAIN

from tests.clients.client_bars import BAR, PROGRAMS, QUARTER, bar, bars, note

Sent = list[tuple[int, MidiMessage]]


class FakeSynth:
    """A port that knows what sounds. Fails from the `breaks`-th message on, if that is given."""

    def __init__(self, breaks: int | None = None) -> None:
        self.messages: list[MidiMessage] = []
        self.sounding: Counter[tuple[int, int]] = Counter()
        self.pressed: set[int] = set()
        self.breaks = breaks
        self.heard = threading.Event()
        self.silent = threading.Event()

    def send_message(self, message: Sequence[int], /) -> None:
        if self.breaks is not None and len(self.messages) >= self.breaks:
            raise RuntimeError("unplugged")
        self.messages.append(tuple(message))
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        if message[0] & 0xF0 == 0xB0 and message[1] == SUSTAIN:
            self._press(channel, message[2])
        if kind == 0x90:
            self.sounding[channel, message[1]] += 1
            assert self.sounding[channel, message[1]] == 1, "begun twice"
            self.silent.clear()
            self.heard.set()
        elif kind == 0x80:
            self.sounding[channel, message[1]] -= 1
            assert self.sounding[channel, message[1]] == 0, "ended twice"
            if not any(self.sounding.values()):
                self.silent.set()

    def _press(self, channel: int, value: int) -> None:
        if value:
            assert channel not in self.pressed, "pressed twice"
            self.pressed.add(channel)
        else:
            self.pressed.discard(channel)


def on_time(scheduler: Scheduler) -> Sent:
    """All that it sends when it is always asked in time."""
    sent: Sent = []
    while scheduler.next_due is not None:
        sent += scheduler.take(scheduler.next_due)
    return sent


def notes_in(sent: Sent) -> Sent:
    return [entry for entry in sent if entry[1][0] & 0xF0 in (0x80, 0x90)]


def played(*music: Bar) -> Sent:
    scheduler = Scheduler()
    for heard in music:
        scheduler.add(heard, 0)
    return notes_in(on_time(scheduler))


def test_a_note_begins_and_ends_at_its_ticks_moved_by_its_shift() -> None:
    assert played(bar(1, note(60, tick=24, length=12, shift=700))) == [
        (BAR + QUARTER + 700, (0x90, 60, 80)),
        (BAR + QUARTER + 700 + QUARTER // 2, (0x80, 60, 64)),
    ]


def test_a_tied_note_is_one_note_until_the_end_of_its_last_piece() -> None:
    tied = played(
        bar(0, note(60, tick=72, length=24, tie=1)),
        bar(1, note(60, length=96, tie=3)),
        bar(2, note(60, length=24, tie=2)),
    )
    assert tied == [(3 * QUARTER, (0x90, 60, 80)), (2 * BAR + QUARTER, (0x80, 60, 64))]


@pytest.mark.parametrize("following", [[bar(1)], [], [bar(1, epoch=1, due=BAR + QUARTER)]])
def test_a_tie_that_is_not_taken_up_ends_on_the_bar_line(following: list[Bar]) -> None:
    assert played(bar(0, note(60, tick=72, tie=1)), *following)[-1] == (BAR, (0x80, 60, 64))


def test_where_the_music_is_joined_a_note_from_before_is_struck() -> None:
    joined = played(bar(5, note(60, length=24, tie=2)))
    assert joined[0] == (5 * BAR, (0x90, 60, 80))


def test_a_note_that_is_struck_again_ends_first() -> None:
    messages = [m for _, m in played(bar(0, note(60, length=48), note(60, tick=24, length=48)))]
    assert messages == [(0x90, 60, 80), (0x80, 60, 64), (0x90, 60, 80), (0x80, 60, 64)]


def test_parts_have_channels_and_programs_come_before_their_first_note() -> None:
    scheduler = Scheduler()
    early = note(40, part=3, shift=-9_000)
    scheduler.add(bar(1, note(36, part=8), early), 0)
    sent = on_time(scheduler)
    assert (BAR, (0x99, 36, 80)) in sent
    assert sent.index((BAR - 9_000, (0xC2, 32))) < sent.index((BAR - 9_000, (0x92, 40, 80)))
    scheduler.add(bar(2, programs=(5, *PROGRAMS[1:])), 0)
    assert on_time(scheduler) == [(2 * BAR, (0xC0, 5))]


def pedals_in(sent: Sent) -> Sent:
    return [entry for entry in sent if entry[1][0] & 0xF0 == 0xB0]


PEDALLED = bar(0, note(60), pedals=(Pedal(1, 6, 42), Pedal(2, 0, 96), Pedal(1, 54, 42)))


def test_a_pedal_is_controller_64_down_and_up_before_what_the_next_bar_strikes() -> None:
    scheduler = Scheduler()
    scheduler.add(PEDALLED, 0)
    scheduler.add(bar(1, note(62)), 0)
    sent = on_time(scheduler)
    assert pedals_in(sent) == [
        (0, (0xB1, 64, 127)),
        (QUARTER // 4, (0xB0, 64, 127)),
        (2 * QUARTER, (0xB0, 64, 0)),
        (2 * QUARTER + QUARTER // 4, (0xB0, 64, 127)),
        (BAR, (0xB1, 64, 0)),
        (BAR, (0xB0, 64, 0)),
    ]
    assert sent.index((BAR, (0xB0, 64, 0))) < sent.index((BAR, (0x90, 62, 80)))


def test_who_joins_late_presses_no_pedal_that_went_down_before() -> None:
    scheduler = Scheduler()
    scheduler.add(PEDALLED, QUARTER)
    assert [m for _, m in pedals_in(on_time(scheduler))] == [(0xB0, 64, 127), (0xB0, 64, 0)]


def test_silence_lifts_all_pedals_and_their_end_is_not_sent_again() -> None:
    scheduler = Scheduler()
    scheduler.add(PEDALLED, 0)
    list(scheduler.take(QUARTER))
    assert (0xB1, 64, 0) in scheduler.silence()
    assert [m for _, m in pedals_in(on_time(scheduler))] == [(0xB0, 64, 127), (0xB0, 64, 0)]


def test_who_joins_within_a_bar_hears_its_rest_and_no_burst() -> None:
    scheduler = Scheduler()
    scheduler.add(bar(0, note(60), note(62, tick=48)), 2 * QUARTER)
    notes = [m for _, m in scheduler.take(2 * QUARTER) if m[0] == 0x90]
    assert notes == [(0x90, 62, 80)]


def test_a_note_that_could_not_be_played_in_time_is_left_out() -> None:
    scheduler = Scheduler()
    scheduler.add(bar(0, note(60), note(62, tick=24)), 0)
    late = list(scheduler.take(QUARTER + STALE))
    assert [m[1] for _, m in late if m[0] == 0x90] == [62]


def test_bars_that_are_dropped_are_not_heard_and_the_one_that_sounds_is_heard_to_its_end() -> None:
    scheduler = Scheduler()
    scheduler.add(bar(0, note(60, tick=72, tie=1), note(64, tick=72)), 0)
    scheduler.add(bar(1, note(60, length=48, tie=2), note(62)), 0)
    scheduler.drop(QUARTER)
    scheduler.add(bar(1, note(67), epoch=1), QUARTER)
    sent = notes_in(on_time(scheduler))
    ends = {message[1]: due for due, message in sent if message[0] == 0x80}
    assert ends == {60: BAR, 64: BAR, 67: BAR + QUARTER}


@given(
    music=bars(),
    steps=st.lists(st.integers(0, BAR), max_size=30),
    faults=st.lists(st.sampled_from(["none", "stop", "silence", "drop"]), max_size=30),
)
def test_whatever_happens_every_note_that_begins_ends(
    music: list[Bar], steps: list[int], faults: list[str]
) -> None:
    scheduler, synth, now = Scheduler(), FakeSynth(), 0
    waiting = list(music)
    for step, fault in zip(steps, faults, strict=False):
        while waiting and waiting[0].due - 150_000 <= now:
            scheduler.add(waiting.pop(0), now)
        for _, message in scheduler.take(now):
            synth.send_message(message)
        for message in {"stop": scheduler.stop, "silence": scheduler.silence}.get(fault, list)():
            synth.send_message(message)
        if fault == "drop":
            scheduler.drop(now)
        now += step
    for _, message in scheduler.take(now + 100 * BAR):
        synth.send_message(message)
    assert not any(synth.sounding.values())
    assert not synth.pressed
    assert not scheduler.sounding
    assert scheduler.next_due is None


@given(music=bars())
def test_undisturbed_music_is_heard_whole(music: list[Bar]) -> None:
    sent = played(*music)
    begun = sum(message[0] & 0xF0 == 0x90 for _, message in sent)
    struck = sum(not n.goes_on_from_before for b in music for n in b.notes)
    at_once = sum(n.goes_on_from_before for n in music[0].notes)
    assert begun == struck + at_once


@pytest.mark.usefixtures("patient_player")
def test_the_player_ends_what_sounds_when_it_is_closed() -> None:
    synth = FakeSynth()
    player = MidiPlayer(synth)
    player.add(bar(0, note(60, length=90_000, tick=1), due=local_now()))
    assert synth.heard.wait(10)
    assert synth.sounding == {(0, 60): 1}
    player.close()
    assert not any(synth.sounding.values())
    assert (0xB0, 123, 0) in synth.messages
    player.close()


@pytest.mark.usefixtures("patient_player")
def test_a_port_that_is_gone_is_reported_and_ends_the_thread() -> None:
    reported = threading.Event()
    player = MidiPlayer(FakeSynth(breaks=2), reported.set)
    player.add(bar(0, note(60), due=local_now()))
    assert reported.wait(10)
    assert isinstance(player.failure, PortError)
    assert "unplugged" in str(player.failure)
    player.close()
