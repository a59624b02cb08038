"""What goes out over OSC: notes and bars, at their due time and ahead of it."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from server.base.wire import WirePedal
from server.house.events import ChangeAnnounced
from server.osc.packets import PacketBundle, decode, encode, time_of
from server.osc.sender import AheadSender, OscOutput, tell_news
from server.osc.settings import AHEAD, DUE, WHAT
from server.osc.subscribers import DatagramSender, OscCounts, Subscribers, Subscription
from server.playing.outputs import (
    BarBegin,
    ClockStart,
    ClockStop,
    ClockTick,
    NoteOff,
    NoteOn,
    Output,
    Program,
    Sustain,
)
from tests.server.osc_house import FakeTimers, OscHouse, RecordingOutlet, wire_bar

YOU = ("127.0.0.1", 9000)
WALL = 1_700_000_000_000_000  # microseconds since 1970 at the house's time 0
SECOND = 1_000_000
STUDY = "/perpetuo/study"


def audience_of(*interests: Subscription) -> Subscribers:
    audience = Subscribers(interests, 4)
    audience.open_for("study")
    return audience


# -- at the due time -----------------------------------------------------------------------------


class Stage:
    """An output at its due time over a recording outlet."""

    def __init__(self, what: tuple[str, ...] = WHAT) -> None:
        self.house, self.outlet = OscHouse("study"), RecordingOutlet()
        self.stream = self.house.streams["study"]
        audience = audience_of(Subscription(YOU, DUE, what))
        self.output = OscOutput(self.stream, audience, self.outlet)  # type: ignore[arg-type]

    def bar(self, index: int, due: int, **changed: Any) -> None:
        bar = wire_bar(index, **changed)
        self.house.plan(self.stream, bar, due)
        self.output.send(BarBegin(index, bar.section, bar.chords), due)


def test_notes_say_where_in_the_music_they_sound() -> None:
    stage = Stage(("notes",))
    stage.bar(3, 50 * SECOND)
    stage.output.send(NoteOn(2, 60, 90, 250_000), 50 * SECOND)
    stage.output.send(NoteOn(8, 36, 100, 500_000), 51 * SECOND + 125_000)
    stage.output.send(NoteOff(2, 60), 50 * SECOND + 250_000)
    assert stage.outlet.taken() == [
        (f"{STUDY}/note", 2, 60, 90, 0.25, 12.0),
        (f"{STUDY}/note", 8, 36, 100, 0.5, 14.25),
    ]


def test_a_note_is_these_bytes() -> None:
    stage = Stage(("notes",))
    stage.output.send(NoteOn(1, 60, 64, 500_000), 500_000)
    assert stage.outlet.sent == [
        (
            YOU,
            b"/perpetuo/study/note\0\0\0\0,iiiff\0\0"
            b"\0\0\0\1\0\0\0\x3c\0\0\0\x40\x3f\0\0\0\x3f\x80\0\0",
        )
    ]


def test_a_pedal_is_these_bytes() -> None:
    stage = Stage(("notes",))
    stage.output.send(Sustain(2, down=True), 500_000)
    stage.output.send(Sustain(2, down=False), 900_000)
    head = b"/perpetuo/study/sustain\0,ii\0\0\0\0\2"
    assert stage.outlet.sent == [(YOU, head + b"\0\0\0\1"), (YOU, head + b"\0\0\0\0")]


def test_bars_sections_and_chords_are_told_at_their_time() -> None:
    stage = Stage()
    stage.bar(0, 0)
    assert stage.outlet.taken() == [
        (f"{STUDY}/bar", 0, 0.0, 120.0, "4/4", "A minor"),
        (f"{STUDY}/section", "A"),
        (f"{STUDY}/chord", "Am"),
    ]
    for tick in range(48):
        stage.output.send(ClockTick(tick), tick * 500_000 // 24)
    assert stage.outlet.taken() == []
    stage.output.send(ClockTick(48), SECOND)
    assert stage.outlet.taken() == [(f"{STUDY}/chord", "F")]
    stage.output.send(ClockTick(49), SECOND + 20_833)
    assert stage.outlet.taken() == []
    stage.bar(1, 2 * SECOND, chords=("C", "C"), section="", tempo=250_000)
    stage.output.send(ClockTick(150), 4 * SECOND)
    assert stage.outlet.taken() == [
        (f"{STUDY}/bar", 1, 4.0, 240.0, "4/4", "A minor"),
        (f"{STUDY}/chord", "C"),
    ]


def test_a_new_bar_forgets_the_chord_of_the_last_one() -> None:
    stage = Stage(("chords",))
    stage.bar(0, 0)
    stage.bar(1, 2 * SECOND, chords=("", ""))
    stage.output.send(ClockTick(97), 3 * SECOND)
    assert stage.outlet.taken() == [(f"{STUDY}/chord", "Am")]


def test_what_is_not_known_or_of_no_interest_is_passed_over() -> None:
    stage = Stage(("notes", "bars"))
    stage.output.send(BarBegin(9, "B", ("Am", "F")), 0)
    for event in (Program(1, 4), ClockStart(0), ClockTick(0), ClockStop()):
        stage.output.send(event, 0)
    assert stage.outlet.taken() == []


def test_only_an_end_that_comes_sooner_than_told_is_told() -> None:
    stage = Stage(("notes",))
    stage.output.send(NoteOn(1, 60, 64, 500_000), 0)
    stage.output.send(NoteOn(1, 64, 64, 500_000), 0)
    stage.outlet.taken()
    stage.output.send(NoteOff(1, 60), 300_000)
    stage.output.send(NoteOff(1, 64), 495_000)
    stage.output.send(NoteOff(1, 60), 300_000)
    assert stage.outlet.taken() == [(f"{STUDY}/off", 1, 60)]


def test_silence_is_told() -> None:
    stage = Stage()
    stage.output.send(NoteOn(1, 60, 64, 500_000), 0)
    stage.outlet.taken()
    stage.output.silence()
    stage.output.send(NoteOff(1, 60), 0)
    assert stage.outlet.taken() == [(f"{STUDY}/silence",)]
    output: Output = stage.output
    assert output.is_alive()
    assert output.revive()
    output.close()


def test_an_outlet_never_waits_and_never_raises() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.setblocking(False)
        own.bind(("127.0.0.1", 0))
        outlet = DatagramSender(own, OscCounts())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            nobody = other.getsockname()
            outlet.message((nobody,), "/a", 1)
            assert other.recv(100) == b"/a\0\0,i\0\0\0\0\0\1"
        for _ in range(3):  # nobody listens there any more
            outlet.send(b"/a\0\0", (nobody,))
        outlet.send(b"/a\0\0", (("127.0.0.1", 0), ("::1", 9000)))
        outlet.send(bytes(100_000), (nobody,))
        assert outlet.counts.sent + outlet.counts.unsent == 7
        assert outlet.counts.unsent >= 3
    outlet.send(b"/a\0\0", (nobody,))  # the door was closed
    assert outlet.counts.unsent >= 4


# -- ahead -------------------------------------------------------------------------------------


class Foreroom:
    """A forerunner that sends 100 ms ahead, under a clock that is moved by hand."""

    def __init__(self, what: tuple[str, ...] = ("notes",)) -> None:
        self.house, self.outlet, self.timers = OscHouse("study"), RecordingOutlet(), FakeTimers()
        self.stream = self.house.streams["study"]
        self.audience = audience_of(Subscription(YOU, AHEAD, what))
        self.ahead_sender = AheadSender(
            self.house,  # type: ignore[arg-type]
            self.stream,
            self.audience,
            self.outlet,  # type: ignore[arg-type]
            lead=100_000,
            timers=self.timers,
            clock=lambda: WALL + self.house.time,
        )
        self.house.listen(self.stream, self)

    def hear(self, stream: object, event: Any) -> None:
        self.ahead_sender.hear(event)

    def advance(self, seconds: float) -> list[tuple[Any, ...]]:
        """What is sent meanwhile: (when it is due by its timetag, address, values …)."""

        def moving(passed: float) -> None:
            self.house.time += round(passed * 1_000_000)

        self.timers.advance(seconds, moving)
        datagrams, self.outlet.sent = self.outlet.sent, []
        return [row for _, datagram in datagrams for row in rows(decode(datagram))]

    def plan(
        self, index: int, due: int, notes: Any = ((1, 60, 64, 0, 24, 0, 0),), **more: Any
    ) -> None:
        self.house.plan(self.stream, wire_bar(index, notes, **more), due)


def rows(found: tuple[PacketBundle, ...]) -> list[tuple[Any, ...]]:
    return [
        (time_of(timed.timetag) - WALL if timed.timetag > 1 else "now", *message[:1], *message[1])
        for timed in found
        for message in timed.messages
    ]


def test_a_bar_is_sent_ahead_with_the_time_of_each_note() -> None:
    room = Foreroom()
    room.plan(
        0,
        SECOND,
        [(1, 60, 64, 0, 24, 0, 0), (2, 48, 70, 0, 48, -10_000, 0), (1, 62, 64, 36, 12, 0, 0)],
    )
    assert room.advance(0.89) == []
    assert room.advance(0.02) == [
        (SECOND - 10_000, f"{STUDY}/note", 2, 48, 70, 1.0, -0.02),
        (SECOND, f"{STUDY}/note", 1, 60, 64, 0.5, 0.0),
        (SECOND + 750_000, f"{STUDY}/note", 1, 62, 64, 0.25, 1.5),
    ]
    assert room.advance(10) == []


def test_pedals_go_ahead_down_and_up() -> None:
    room = Foreroom()
    room.plan(0, SECOND, (), pedals=(WirePedal(1, 6, 42),))
    assert room.advance(1) == [
        (SECOND + 125_000, f"{STUDY}/sustain", 1, 1),
        (2 * SECOND, f"{STUDY}/sustain", 1, 0),
    ]


def test_everything_else_goes_ahead_too() -> None:
    room = Foreroom(("bars", "chords", "sections"))
    room.plan(0, SECOND)
    assert room.advance(1) == [
        (SECOND, f"{STUDY}/bar", 0, 0.0, 120.0, "4/4", "A minor"),
        (SECOND, f"{STUDY}/section", "A"),
        (SECOND, f"{STUDY}/chord", "Am"),
        (2 * SECOND, f"{STUDY}/chord", "F"),
    ]


def test_notes_that_sound_together_go_in_one_bundle() -> None:
    room = Foreroom()
    room.plan(0, SECOND, [(1, pitch, 64, 0, 24, 0, 0) for pitch in (60, 64, 67)])
    room.timers.advance(2, lambda s: setattr(room.house, "time", room.house.time + round(s * 1e6)))
    assert len(room.outlet.sent) == 1
    assert len(decode(room.outlet.sent[0][1])[0].messages) == 3


def test_a_revised_bar_is_sent_once_as_it_is_in_the_end() -> None:
    room = Foreroom()
    room.plan(0, SECOND)
    room.plan(1, 3 * SECOND)
    room.advance(1)
    room.plan(1, 3 * SECOND, [(1, 72, 64, 0, 24, 0, 0)], revision=1)
    room.plan(1, 2 * SECOND, [(1, 74, 64, 0, 24, 0, 0)], revision=2)
    assert [row[3] for row in room.advance(5)] == [74]
    room.plan(1, 2 * SECOND, revision=3)
    room.plan(0, SECOND, revision=1)
    assert room.advance(5) == []


def test_bars_follow_one_another_as_they_are_planned() -> None:
    room = Foreroom(("bars",))
    sent = []
    for index in range(20):
        room.plan(index, (1 + 2 * index) * SECOND)
        sent += room.advance(2)
    assert [(row[0], row[2]) for row in sent] == [((1 + 2 * i) * SECOND, i) for i in range(20)]
    assert len(room.timers.waiting) <= 1 + sum(timer.cancelled for timer in room.timers.waiting)


def test_a_tied_note_is_as_long_as_all_its_pieces() -> None:
    room = Foreroom()
    room.plan(0, SECOND, [(1, 60, 64, 72, 24, 0, 1), (1, 64, 64, 72, 24, 0, 1)])
    room.plan(1, 3 * SECOND, [(1, 60, 64, 0, 96, 0, 3), (1, 67, 64, 0, 96, 0, 2)], tempo=250_000)
    room.plan(2, 4 * SECOND, [(1, 60, 64, 0, 12, 0, 2)])
    assert [row[3:6] for row in room.advance(10)] == [(60, 64, 0.5 + 1.0 + 0.25), (64, 64, 0.5)]


def test_a_pause_is_silence_and_what_begins_again_is_sent_again() -> None:
    room = Foreroom()
    for index in range(3):
        room.plan(index, (1 + 2 * index) * SECOND)
    assert [row[0] for row in room.advance(3.5)] == [SECOND, 3 * SECOND]
    finished(room.house.stop(room.stream, by="me"))
    assert room.advance(100) == [("now", f"{STUDY}/silence")]
    finished(room.house.go_on(room.stream, by="me"))
    begin = 103_500_000
    assert [row[0] for row in room.advance(4)] == [begin, begin + 2 * SECOND]


def test_a_stream_that_begins_anew_begins_with_its_first_bar() -> None:
    room = Foreroom(("bars",))
    for index in range(5):
        room.plan(index, (1 + 2 * index) * SECOND)
    room.advance(6)
    finished(room.house.start(room.stream, by="me"))
    room.plan(0, 7 * SECOND)
    room.plan(1, 9 * SECOND)
    assert [(row[0], row[2]) for row in room.advance(20)] == [(7 * SECOND, 0), (9 * SECOND, 1)]


def test_panic_is_silence_now() -> None:
    room = Foreroom()
    room.house.panic(room.stream, by="me")
    assert room.advance(0) == [("now", f"{STUDY}/silence")]


def test_what_is_past_is_left_out() -> None:
    """After a machine was held up, no burst of late notes."""
    room = Foreroom()
    room.plan(0, SECOND, [(1, 60, 64, 24 * i, 24, 0, 0) for i in range(4)])
    room.house.time = 1_100_000  # while the timer takes it for 0, and is to ring at 0.9 s
    assert [row[0] for row in room.advance(1)] == [2 * SECOND, 2_500_000]
    room.house.time = 60 * SECOND
    for index in range(1, 31):
        room.plan(index, (1 + 2 * index) * SECOND)
    assert [row[0] for row in room.advance(1)] == [61 * SECOND]


def test_a_closed_forerunner_sends_nothing() -> None:
    room = Foreroom()
    room.plan(0, SECOND)
    room.ahead_sender.close()
    assert room.advance(5) == []


def finished(call: Any) -> None:
    """Run what never really waits."""
    with pytest.raises(StopIteration):
        call.send(None)


# -- news --------------------------------------------------------------------------------------


def test_changes_are_told_in_the_form_that_makes_them() -> None:
    room, follower = Foreroom(("controls",)), RecordingOutlet()
    changed = {
        "tempo": 90.0,
        "density": None,
        "parts": [1, 2],
        "style": {"folk": 0.5},
        "key": "D dorian",
    }
    event = ChangeAnnounced(changed, {}, 4, 0, "page")
    tell_news(room.stream, event, room.audience, follower)  # type: ignore[arg-type]
    assert follower.taken() == [
        (f"{STUDY}/tempo", 90.0),
        (f"{STUDY}/density", "auto"),
        (f"{STUDY}/parts", 1, 2),
        (f"{STUDY}/style", "folk", 0.5),
        (f"{STUDY}/key", "D dorian"),
    ]
    assert encode("/x", 90.0).endswith(b",f\0\0\x42\xb4\0\0")


def test_listeners_hear_what_they_asked_for_of_the_station_they_named() -> None:
    audience = Subscribers(
        [
            Subscription(YOU, DUE, ("notes", "bars")),
            Subscription(("127.0.0.1", 9001), AHEAD, ("notes",), ("attic",)),
        ],
        2,
    )
    audience.open_for("study")
    assert audience.of("attic", "notes", DUE) == ()
    audience.open_for("attic")
    assert audience.everyone("attic", "notes") == (YOU, ("127.0.0.1", 9001))
    assert audience.everyone("study", "notes") == (YOU,)
    assert audience.of("study", "controls", DUE) == ()
    audience.subscribe("study", Subscription(YOU, DUE, ("notes", "controls"), (), 10.0))
    assert audience.of("study", "notes", DUE) == (YOU,)  # once, though both target and subscriber
    audience.expire(11.0)
    assert audience.of("study", "controls", DUE) == ()
    assert audience.of("study", "notes", DUE) == (YOU,)
