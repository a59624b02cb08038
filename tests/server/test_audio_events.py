"""MIDI files as an instrument plays them."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from engine.files.midi import read
from server.audio.events import events_of
from server.audio.format import RATE
from server.midi.messages import CONTROL, NOTE_OFF, NOTE_ON, PROGRAM
from tests.server.sound import at, midi


def test_notes_programs_and_pedals_come_at_their_frames() -> None:
    data = midi(
        at(0, 0xC2, 40), at(0, 0x92, 60, 90), at(0, 0xB2, 64, 127), at(480, 0x82, 60, 0),
        at(0, 0xB2, 64, 0),
    )  # fmt: skip
    assert events_of(read(data)) == [
        (0, (CONTROL | 2, 64, 127)),
        (0, (PROGRAM | 2, 40)),
        (0, (NOTE_ON | 2, 60, 90)),
        (RATE // 2, (NOTE_OFF | 2, 60, 64)),
        (RATE // 2, (CONTROL | 2, 64, 0)),
    ]


def test_a_tempo_moves_what_follows() -> None:
    tempo = b"\x00\xff\x51\x03" + (1_000_000).to_bytes(3, "big")
    data = midi(tempo, at(480, 0x90, 60, 90), at(480, 0x80, 60, 0))
    assert [frame for frame, _ in events_of(read(data))] == [RATE, RATE, 2 * RATE]


@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 2), st.booleans()), min_size=1, max_size=30
    )
)
def test_every_note_is_ended_once_and_none_is_struck_while_it_sounds(
    rows: list[tuple[int, int, bool]],
) -> None:
    """Overlapping notes of one key included, as some programs write them."""
    events = [at(t, 0x90 if on else 0x80, 60 + key, 80 if on else 0) for t, key, on in rows]
    sounding: Counter[int] = Counter()
    last = 0
    for frame, message in events_of(read(midi(*events))):
        assert frame >= last
        last = frame
        if message[0] & 0xF0 == NOTE_ON:
            sounding[message[1]] += 1
        elif message[0] & 0xF0 == NOTE_OFF:
            sounding[message[1]] -= 1
    assert not any(sounding.values())


def test_controllers_come_before_notes_and_the_last_of_an_instant_holds() -> None:
    data = midi(
        at(0, 0x92, 60, 90), at(0, 0xB2, 10, 0), at(0, 0xB2, 10, 100), at(0, 0xB2, 1, 9),
        at(480, 0xB2, 91, 80), at(0, 0x82, 60, 0),
    )  # fmt: skip
    assert events_of(read(data)) == [
        (0, (CONTROL | 2, 10, 100)),
        (0, (PROGRAM | 2, 0)),
        (0, (NOTE_ON | 2, 60, 90)),
        (RATE // 2, (NOTE_OFF | 2, 60, 64)),
        (RATE // 2, (CONTROL | 2, 91, 80)),
    ]
