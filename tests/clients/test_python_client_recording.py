"""Recorded MIDI files, read back by another library: `perpetuo_client.recording`."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

import mido
import pytest
from hypothesis import given
from perpetuo_client.bars import Bar, Pedal
from perpetuo_client.recording import Recording

from tests.clients.client_bars import BAR, PROGRAMS, bar, bars, note

QUARTER = 480


def recorded(*music: Bar) -> mido.MidiFile:
    recording = Recording()
    for heard in music:
        recording.add(heard)
    return mido.MidiFile(file=io.BytesIO(recording.to_midi()))


def timed(track: Any) -> list[tuple[int, Any]]:
    now, found = 0, []
    for message in track:
        now += message.time
        found.append((now, message))
    return found


def notes_of(file: mido.MidiFile) -> list[tuple[int, int, int, int]]:
    """(channel, pitch, start, end); nothing hangs, nothing ends that has not begun."""
    found, sounding = [], {}
    for track in file.tracks:
        for tick, message in timed(track):
            if message.type == "note_on":
                assert (message.channel, message.note) not in sounding
                sounding[message.channel, message.note] = tick
            elif message.type == "note_off":
                start = sounding.pop((message.channel, message.note))
                found.append((message.channel, message.note, start, tick))
    assert not sounding
    return sorted(found)


def test_one_track_and_channel_a_part_with_name_and_program() -> None:
    file = recorded(bar(0, note(60), note(40, part=3), note(36, part=8)))
    assert (file.type, file.ticks_per_beat) == (1, QUARTER)
    assert [track.name for track in file.tracks] == ["", "part 1", "part 3", "drums"]
    programs = [
        (message.channel, message.program)
        for track in file.tracks
        for message in track
        if message.type == "program_change"
    ]
    assert programs == [(0, 0), (2, 32), (9, 0)]
    assert notes_of(file) == [(0, 60, 0, 480), (2, 40, 0, 480), (9, 36, 0, 480)]


def test_tempo_metre_and_programs_follow_their_changes() -> None:
    file = recorded(
        bar(4, note()),
        bar(5, note(), tempo=400_000),
        bar(6, note(), metre="6/8", ticks=72, tempo=400_000, programs=(7, *PROGRAMS[1:])),
        bar(
            7,
            note(),
            metre="3/4",
            ticks=72,
            tick=96 * 6 + 72,
            tempo=2**25,
            programs=(7, *PROGRAMS[1:]),
        ),
    )
    head = [(tick, m.type, m) for tick, m in timed(file.tracks[0]) if m.type != "end_of_track"]
    assert [(tick, m.tempo) for tick, kind, m in head if kind == "set_tempo"] == [
        (0, 500_000),
        (1920, 400_000),
        (2 * 1920 + 1440, 2**24 - 1),
    ]
    metres = [(t, m.numerator, m.denominator) for t, kind, m in head if kind == "time_signature"]
    assert metres == [(0, 4, 4), (3840, 6, 8), (5280, 3, 4)]
    changes = [(t, m.program) for t, m in timed(file.tracks[1]) if m.type == "program_change"]
    assert changes == [(0, 0), (3840, 7)]


def test_ties_are_joined_and_shifts_are_kept() -> None:
    file = recorded(
        bar(0, note(60, tick=72, length=24, tie=1), note(64, tick=24, shift=25_000)),
        bar(1, note(60, length=24, tie=2), note(65, tick=12, shift=-25_000)),
        bar(2, note(62, tick=72, length=24, tie=1)),
    )
    assert notes_of(file) == [
        (0, 60, 3 * QUARTER, 5 * QUARTER),
        (0, 62, 11 * QUARTER, 12 * QUARTER),
        (0, 64, QUARTER + 24, 2 * QUARTER + 24),
        (0, 65, 4 * QUARTER + 240 - 24, 5 * QUARTER + 240 - 24),
    ]


def test_pedals_are_in_the_track_of_their_part() -> None:
    file = recorded(
        bar(3, note(), note(part=2), pedals=(Pedal(1, 6, 90), Pedal(2, 0, 12))),
        bar(4, note(), pedals=(Pedal(1, 5, 91),)),
    )
    pedals = [
        [(tick, m.channel, m.value) for tick, m in timed(track) if m.type == "control_change"]
        for track in file.tracks
    ]
    bars_end = 4 * QUARTER
    assert pedals[1] == [
        *((120, 0, 127), (bars_end, 0, 0)),
        *((bars_end + 100, 0, 127), (2 * bars_end, 0, 0)),
    ]
    assert pedals[2] == [(0, 1, 127), (240, 1, 0)]


def test_a_bar_that_is_heard_again_stands_once_and_missing_bars_keep_their_room() -> None:
    file = recorded(bar(3, note(60)), bar(3, note(60), due=9 * BAR), bar(5, note(62)))
    assert notes_of(file) == [(0, 60, 0, QUARTER), (0, 62, 8 * QUARTER, 9 * QUARTER)]


def test_a_stream_that_begins_anew_follows_at_once() -> None:
    file = recorded(bar(3, note(60)), bar(0, note(62), epoch=1), bar(1, note(64), epoch=1))
    starts = [(pitch, start // QUARTER) for _, pitch, start, _ in notes_of(file)]
    assert starts == [(60, 0), (62, 4), (64, 8)]


def test_nothing_recorded_is_an_empty_file() -> None:
    assert notes_of(recorded()) == []
    assert len(Recording()) == 0


@given(music=bars())
def test_nothing_hangs_and_every_struck_note_is_there(music: list[Bar]) -> None:
    struck = Counter(
        (9 if n.part == 8 else n.part - 1, n.pitch)
        for b in music
        for n in b.notes
        if not n.goes_on_from_before
    )
    found = Counter((channel, pitch) for channel, pitch, *_ in notes_of(recorded(*music)))
    assert set(struck) <= set(found)


@pytest.mark.parametrize("metre", ["1/4", "12/8", "9/16", "16/8"])
def test_every_metre_can_be_written(metre: str) -> None:
    file = recorded(bar(0, note(), metre=metre))
    beats, unit = map(int, metre.split("/"))
    signature = next(m for m in file.tracks[0] if m.type == "time_signature")
    assert (signature.numerator, signature.denominator) == (beats, unit)
