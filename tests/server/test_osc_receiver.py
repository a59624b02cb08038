"""What comes in over OSC: carried out at its time, answered, and harmless where it is bad."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import ConfigError
from engine.controls.controls import Controls
from engine.controls.table import CONTROLS
from server.house.steering_queue import MAX_GROUPS as MAX_WAITING
from server.osc.packets import Value, encode, encode_bundle, timetag_of
from server.osc.receiver import ASKABLE, Receiver, is_self
from server.osc.settings import OscSettings, OscTarget
from server.osc.subscribers import Subscribers
from tests.engine.control_strategies import control_settings
from tests.server.osc_house import FakeTimers, OscHouse, RecordingOutlet

WE = ("127.0.0.1", 8771)
YOU = ("127.0.0.1", 50000)
NOW = 1_700_000_000_000_000  # microseconds since 1970


class Room:
    """A receiver over a fake house with two stations and one stream that is somebody's own."""

    def __init__(self, **options: Any) -> None:
        reload = options.pop("reload", None)
        self.jump = 0  # of the system's clock
        self.house = OscHouse("study", "attic", "own-1")
        self.house.streams["own-1"].is_station = False
        self.timers, self.outlet = FakeTimers(), RecordingOutlet()
        chosen = OscSettings(**options)
        self.audience = Subscribers((), chosen.max_subscribers)
        for name in self.house.stations:
            self.audience.open_for(name)
        self.receiver = Receiver(
            self.house,  # type: ignore[arg-type]
            chosen,
            self.audience,
            self.outlet,  # type: ignore[arg-type]
            own=WE,
            timers=self.timers,
            clock=lambda: NOW + self.jump + round((self.timers.now - 1000) * 1_000_000),
            reload=reload,
        )

    def send(self, address: str, *values: Value) -> None:
        self.send_bytes(encode(address, *values))

    def send_bytes(self, data: bytes, sender: tuple[str, int] = YOU) -> None:
        self.receiver.datagram_received(data, sender)

    async def ask(self, address: str, *values: Value) -> list[tuple[Any, ...]]:
        """What one message is answered with."""
        self.send(address, *values)
        await rest()
        return self.outlet.taken()

    def controls(self, name: str = "study") -> Controls:
        return self.house.streams[name].controls


async def rest() -> None:
    """Until nothing is left to be done."""
    for _ in range(20):
        await asyncio.sleep(0)


def in_a_room(test: Callable[[Room], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def play() -> None:
        room = Room(**options)
        await test(room)
        await room.receiver.close()

    asyncio.run(play())


def test_a_control_is_set_and_its_bar_is_told() -> None:
    async def test(room: Room) -> None:
        assert await room.ask("/perpetuo/attic/density", 4) == [
            ("/perpetuo/attic/density", 4.0),
            ("/perpetuo/attic/heard", "density", 7),
        ]
        assert room.controls("attic").density == 4
        assert room.controls("study") == Controls()

    in_a_room(test)


def test_the_answer_is_these_bytes() -> None:
    async def test(room: Room) -> None:
        room.send_bytes(b"/perpetuo/study/density\0,f\0\0\x40\x80\0\0")
        await rest()
        assert room.outlet.sent == [
            (YOU, b"/perpetuo/study/density\0,f\0\0\x40\x80\0\0"),
            (YOU, b"/perpetuo/study/heard\0\0\0,si\0density\0\0\0\0\7"),
        ]
        room.outlet.taken()
        room.send_bytes(b"/perpetuo/x\0,\0\0\0")
        assert room.outlet.sent[0][1].startswith(
            b"/perpetuo/error\0,ss\0/perpetuo/x\0nothing here is called 'x'"
        )

    in_a_room(test)


def test_two_parts_mean_the_first_station() -> None:
    async def test(room: Room) -> None:
        await room.ask("/perpetuo/tempo", 90)
        assert room.controls("study").tempo == 90
        assert await room.ask("/perpetuo/tempo") == [("/perpetuo/tempo", 90.0)]

    in_a_room(test)


def test_a_value_out_of_range_is_refused_with_the_range() -> None:
    async def test(room: Room) -> None:
        assert await room.ask("/perpetuo/study/tempo", 900) == [
            (
                "/perpetuo/error",
                "/perpetuo/study/tempo",
                "tempo cannot be 900: give a number from 20 to 300 (quarters a minute), or auto",
            )
        ]
        assert room.house.deeds == []
        assert room.receiver.counts.refused == 1

    in_a_room(test)


def test_everything_that_can_be_asked_is_answered_in_a_form_that_sets_it() -> None:
    async def test(room: Room) -> None:
        answers = await room.ask("/perpetuo/study")
        asked = [control.name for control in CONTROLS] + list(ASKABLE)
        assert [answer[0] for answer in answers] == [f"/perpetuo/study/{name}" for name in asked]
        assert ("/perpetuo/study/tempo", "auto") in answers
        assert ("/perpetuo/study/load", "default") in answers
        for address, *values in answers[: len(CONTROLS)]:
            (answer,) = await room.ask(address, *values)
            assert answer == ("/perpetuo/study/heard", address.rpartition("/")[2], 0)
        assert room.house.deeds == []
        assert await room.ask("/perpetuo/seed") == [("/perpetuo/seed", 5)]
        assert await room.ask("/perpetuo/attic/state") == [("/perpetuo/attic/state", "playing")]

    in_a_room(test)


def test_the_server_tells_what_it_has() -> None:
    async def test(room: Room) -> None:
        assert await room.ask("/perpetuo/stations") == [("/perpetuo/stations", "study", "attic")]
        assert await room.ask("/perpetuo/presets") == [("/perpetuo/presets", "calm")]
        names = (control.name for control in CONTROLS)
        assert await room.ask("/perpetuo/controls") == [("/perpetuo/controls", *names)]
        assert await room.ask("/perpetuo/ping", 3, "x") == [("/perpetuo/pong", 3, "x")]

    in_a_room(test)


def test_streams_are_steered_by_their_verbs() -> None:
    async def test(room: Room) -> None:
        for verb in ("stop", "continue", "start", "panic"):
            answer = ("/perpetuo/study/done", verb)
            assert await room.ask(f"/perpetuo/study/{verb}", 1) == [answer]
            assert await room.ask(f"/perpetuo/study/{verb}", 0) == []
        assert await room.ask("/perpetuo/seed", 9) == [("/perpetuo/study/done", "seed")]
        heard = ("/perpetuo/study/heard", "preset", 7)
        assert await room.ask("/perpetuo/preset", "calm") == [heard]
        assert [deed[0] for deed in room.house.deeds] == [
            *("stop", "continue", "start", "panic", "seed", "change")
        ]
        assert room.controls().tempo == 60

    in_a_room(test)


def test_what_the_house_refuses_comes_back() -> None:
    async def test(room: Room) -> None:
        for word in ("load", "preset"):
            (error,) = await room.ask(f"/perpetuo/{word}", "none")
            assert error[:2] == ("/perpetuo/error", f"/perpetuo/{word}")
            assert "'none'" in error[2]

    in_a_room(test)


def test_own_streams_are_out_of_reach() -> None:
    async def test(room: Room) -> None:
        for word in ("tempo", "stop", "subscribe"):
            (error,) = await room.ask(f"/perpetuo/own-1/{word}", *([90] if word == "tempo" else []))
            assert "nothing here is called 'own-1'" in error[2]
        assert room.house.deeds == []

    in_a_room(test)


def test_presets_are_read_again_where_there_are_any() -> None:
    def reload() -> None:
        read.append(1)
        if len(read) > 1:
            raise ConfigError("calm.toml: it is broken")

    read: list[int] = []

    async def test(room: Room) -> None:
        assert await room.ask("/perpetuo/reload") == [("/perpetuo/done", "reload")]
        (error,) = await room.ask("/perpetuo/reload")
        assert error[2] == "calm.toml: it is broken"

    async def without(room: Room) -> None:
        (error,) = await room.ask("/perpetuo/reload")
        assert "no presets" in error[2]

    in_a_room(test, reload=reload)
    in_a_room(without)


def test_a_fault_of_ours_is_logged_and_the_rest_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(*_: object, **__: object) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("a fault")

    async def test(room: Room) -> None:
        room.house.composing.begin = broken  # type: ignore[method-assign]
        room.send("/perpetuo/seed", 3)
        assert await room.ask("/perpetuo/tempo", 90) == [
            (
                "/perpetuo/error",
                "/perpetuo/seed",
                "this failed by a fault of the server: see its log",
            ),
            ("/perpetuo/study/tempo", 90.0),
            ("/perpetuo/study/heard", "tempo", 7),
        ]

    in_a_room(test)
    assert "RuntimeError" in caplog.text


# -- changes that come together ------------------------------------------------------------------


def test_what_must_change_together_goes_into_one_bundle() -> None:
    async def test(room: Room) -> None:
        low, high = encode("/perpetuo/low_pitch", 10), encode("/perpetuo/high_pitch", 21)
        room.send_bytes(encode_bundle(1, high, low))
        await rest()
        assert room.house.deeds == [("change", "study", {"high_pitch": 21, "low_pitch": 10})]

    in_a_room(test)


def test_one_bad_value_does_not_spoil_those_that_came_with_it() -> None:
    async def test(room: Room) -> None:
        room.send_bytes(
            encode_bundle(
                1,
                encode("/perpetuo/density", 4),
                encode("/perpetuo/tempo", 1000),
                encode("/perpetuo/low_pitch", 120),
                encode("/perpetuo/swing", 1),
            )
        )
        await rest()
        errors = [answer for answer in room.outlet.taken() if answer[0] == "/perpetuo/error"]
        assert [error[1] for error in errors] == ["/perpetuo/tempo", "/perpetuo/low_pitch"]
        assert room.controls() == Controls.from_dict({"density": 4, "swing": 1})

    in_a_room(test)


def test_a_fader_is_followed_as_fast_as_can_be_and_its_last_value_counts() -> None:
    async def test(room: Room) -> None:
        room.house.hold = asyncio.Event()
        for value in range(1, 100):
            room.send("/perpetuo/dynamics", value)
            await asyncio.sleep(0)
        assert room.house.deeds == []
        room.house.hold.set()
        await rest()
        assert [deed[2] for deed in room.house.deeds] == [{"dynamics": 1}, {"dynamics": 99}]

    in_a_room(test)


def test_order_is_kept_and_a_queue_ends_somewhere() -> None:
    async def test(room: Room) -> None:
        room.house.hold = asyncio.Event()
        room.send("/perpetuo/tempo", 90)
        await rest()
        for _ in range(MAX_WAITING // 2 + 3):
            room.send("/perpetuo/tempo", 100)
            room.send("/perpetuo/stop")
        errors = room.outlet.taken()
        assert len(errors) == 6
        assert f"{MAX_WAITING} things wait" in errors[0][2]
        room.send("/perpetuo/panic")  # never waits
        # So does what silences: it is done again in its turn.
        assert room.house.deeds == [("stop", "study"), ("panic", "study")]
        room.house.hold.set()
        for _ in range(10):
            await rest()
        # A tempo that is 100 already need not be changed again.
        assert [deed[0] for deed in room.house.deeds[2:]] == ["change", "change"]
        assert room.house.streams["study"].state == "stopped"

    in_a_room(test)


# -- timetags ----------------------------------------------------------------------------------


@given(st.lists(st.integers(-5_000_000, 60_000_000), min_size=1, max_size=6, unique=True))
@settings(max_examples=40)
def test_timetags_are_obeyed(waits: list[int]) -> None:
    """Each bundle is carried out neither before its time nor after it, whatever came first."""

    async def test(room: Room) -> None:
        begin = room.timers.now
        for wait in waits:
            room.send_bytes(encode_bundle(timetag_of(NOW + wait), encode("/perpetuo/ping", wait)))
        done = [(answer[1], 0) for answer in room.outlet.taken()]
        while room.timers.waiting:
            room.timers.advance(min(t.when for t in room.timers.waiting) - room.timers.now)
            passed = round((room.timers.now - begin) * 1_000_000)
            done += [(answer[1], passed) for answer in room.outlet.taken()]
        assert sorted(done) == sorted((wait, max(wait, 0)) for wait in waits)

    in_a_room(test)


def test_a_jump_of_the_system_clock_moves_nothing_that_waits() -> None:
    async def test(room: Room) -> None:
        room.send_bytes(encode_bundle(timetag_of(NOW + 2_000_000), encode("/perpetuo/ping")))
        room.jump = 3_600_000_000
        room.timers.advance(1.99)
        assert room.outlet.taken() == []
        room.timers.advance(0.02)
        assert room.outlet.taken() == [("/perpetuo/pong",)]

    in_a_room(test)


def test_what_is_too_far_ahead_or_too_much_is_refused() -> None:
    async def test(room: Room) -> None:
        ping = encode("/perpetuo/ping")
        room.send_bytes(encode_bundle(timetag_of(NOW + 61_000_000), ping))
        (error,) = room.outlet.taken()
        assert error[1] == "/perpetuo/ping"
        assert "61 seconds ahead" in error[2]
        for _ in range(260):
            room.send_bytes(encode_bundle(timetag_of(NOW + 1_000_000), ping))
        assert len(room.outlet.taken()) == 4
        await room.receiver.close()
        room.timers.advance(2)
        assert room.outlet.taken() == []

    in_a_room(test)


# -- who is heard ------------------------------------------------------------------------------


def test_strangers_are_neither_heard_nor_answered(caplog: pytest.LogCaptureFixture) -> None:
    async def test(room: Room) -> None:
        for _ in range(5):
            room.send_bytes(encode("/perpetuo/tempo", 90), ("10.0.0.9", 4000))
            room.send_bytes(encode("/nonsense"), ("no address", 4000))
        await rest()
        assert room.outlet.sent == []
        assert room.house.deeds == []
        assert room.receiver.counts.strangers == 10

    with caplog.at_level(logging.WARNING):
        in_a_room(test)
    assert len(caplog.records) == 1
    assert "10.0.0.9" in caplog.text


@pytest.mark.parametrize(
    ("host", "is_heard"),
    [("10.0.3.4", True), ("10.1.0.1", False), ("::ffff:10.0.3.4", True), ("fe80::1%eth0", True)],
)
def test_networks_are_allowed_by_name(host: str, is_heard: bool) -> None:
    async def test(room: Room) -> None:
        room.send_bytes(encode("/perpetuo/ping"), (host, 4000))
        assert bool(room.outlet.sent) == is_heard

    in_a_room(test, allow=("10.0.0.0/16", "fe80::/10"))


def test_settings_say_which_entry_is_no_network() -> None:
    with pytest.raises(ValueError, match=r"allow: 'moon' .*192\.168\.1\.0/24"):
        OscSettings(allow=("127.0.0.1", "moon"))


def test_a_flood_is_dropped_and_answered_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    async def test(room: Room) -> None:
        for port in range(10_000):  # from many ports, but one host
            room.send_bytes(encode("/perpetuo/dynamics", port % 100 + 1), ("127.0.0.1", port))
        await rest()
        assert len(room.house.deeds) == 1
        assert room.receiver.counts.flooded == 9000
        errors = [a for a in room.outlet.taken() if a[0] == "/perpetuo/error"]
        assert [error[1:] for error in errors] == [
            ("", "more than 1000 messages a second: some were dropped")
        ]
        room.timers.advance(0.1)
        assert await room.ask("/perpetuo/ping") == [("/perpetuo/pong",)]
        room.timers.advance(1)
        for _ in range(2000):
            room.send("/perpetuo/ping")
        assert room.receiver.counts.flooded == 10_000
        assert sum(a[0] == "/perpetuo/error" for a in room.outlet.taken()) == 1

    with caplog.at_level(logging.WARNING):
        in_a_room(test, rate=1000)
    assert len(caplog.records) == 1


def test_messages_in_bundles_count_singly() -> None:
    async def test(room: Room) -> None:
        full = encode_bundle(1, *[encode("/perpetuo/ping")] * 100)
        for _ in range(5):
            room.send_bytes(full)
        pongs = [answer for answer in room.outlet.taken() if answer[0] == "/perpetuo/pong"]
        assert len(pongs) == 200
        assert room.receiver.counts.flooded == 3

    in_a_room(test, rate=200)


@given(st.lists(st.binary(max_size=120), min_size=1, max_size=20))
@settings(max_examples=40)
def test_any_bytes_change_nothing_and_end_nothing(datagrams: list[bytes]) -> None:
    async def test(room: Room) -> None:
        for data in datagrams:
            room.send_bytes(data)
            room.send_bytes(b"/perpetuo/study/" + data)
            room.send_bytes(b"#bundle\0" + data)
        await rest()
        assert room.house.deeds == []
        room.outlet.taken()
        assert await room.ask("/perpetuo/tempo", 90) == [
            ("/perpetuo/study/tempo", 90.0),
            ("/perpetuo/study/heard", "tempo", 7),
        ]

    in_a_room(test)


def test_garbage_is_counted_logged_once_and_answered_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(room: Room) -> None:
        for _ in range(50):
            room.send_bytes(b"\x90\x3c\x40")  # MIDI sent to the wrong port
        assert room.receiver.counts.garbage == 50
        assert [answer[:2] for answer in room.outlet.taken()] == [("/perpetuo/error", "")]
        room.timers.advance(61)
        room.send_bytes(b"\x90\x3c\x40")

    with caplog.at_level(logging.WARNING):
        in_a_room(test)
    assert len(caplog.records) == 2
    assert "50 since" in caplog.text


@given(control_settings())
@settings(max_examples=30)
def test_good_values_are_taken_one_by_one_or_together(values: dict[str, Any]) -> None:
    """As text, every control's value travels exactly."""

    async def test(room: Room) -> None:
        whole = Controls.from_dict(values)
        room.send_bytes(
            encode_bundle(
                1,
                *(encode(f"/perpetuo/attic/{name}", whole.spelled(name)) for name in values),
            )
        )
        await rest()
        assert room.controls("attic") == whole

    in_a_room(test)


# -- subscribing -------------------------------------------------------------------------------


def test_subscribers_are_told_what_was_understood() -> None:
    async def test(room: Room) -> None:
        assert await room.ask("/perpetuo/subscribe") == [
            (
                "/perpetuo/study/subscribed",
                *("127.0.0.1", 50000, 60, "due", "notes", "bars", "chords", "sections", "controls"),
            )
        ]
        assert room.audience.of("study", "notes", "due") == (YOU,)
        assert await room.ask("/perpetuo/attic/subscribe", "localhost", 9000, "bars", "ahead") == [
            ("/perpetuo/attic/subscribed", "127.0.0.1", 9000, 60, "ahead", "bars")
        ]
        assert room.audience.of("attic", "bars", "ahead") == (("127.0.0.1", 9000),)
        assert room.audience.of("attic", "notes", "ahead") == ()
        assert await room.ask("/perpetuo/unsubscribe") == [
            ("/perpetuo/study/unsubscribed", "127.0.0.1", 50000)
        ]
        assert room.audience.everyone("study", "notes") == ()
        (error,) = await room.ask("/perpetuo/unsubscribe")
        assert "had not subscribed" in error[2]

    in_a_room(test)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("10.0.0.9", 9000), "give an address that is allowed"),
        (("example.org", 9000), "give an address that is allowed"),
        (("127.0.0.1", 8771), "this server itself"),
    ],
)
def test_nobody_is_sent_what_somebody_else_asked_for(values: tuple[Value, ...], words: str) -> None:
    async def test(room: Room) -> None:
        (error,) = await room.ask("/perpetuo/subscribe", *values)
        assert words in error[2]
        assert room.audience.everyone("study", "notes") == ()

    in_a_room(test)


def test_subscriptions_are_bounded_and_expire() -> None:
    async def test(room: Room) -> None:
        for port in (9000, 9001, 9000):
            await room.ask("/perpetuo/subscribe", port)
        (error,) = await room.ask("/perpetuo/subscribe", 9002)
        assert "all 2 subscriptions are taken" in error[2]
        room.audience.expire(room.timers.now + 60)
        assert len(room.audience.everyone("study", "bars")) == 2
        room.timers.advance(40)
        await room.ask("/perpetuo/subscribe", 9001)
        room.audience.expire(room.timers.now + 40)
        assert room.audience.everyone("study", "bars") == (("127.0.0.1", 9001),)

    in_a_room(test, max_subscribers=2)


def test_who_follows_the_controls_is_not_told_twice() -> None:
    async def test(room: Room) -> None:
        await room.ask("/perpetuo/subscribe", "controls")
        heard = ("/perpetuo/study/heard", "tempo", 7)
        assert await room.ask("/perpetuo/tempo", 90) == [heard]

    in_a_room(test)


def test_a_server_knows_itself() -> None:
    assert is_self(("127.0.0.1", 8771), WE)
    assert is_self(("0.0.0.0", 8771), WE)
    assert is_self(("10.0.0.2", 8771), ("10.0.0.2", 8771))
    assert not is_self(("127.0.0.1", 8772), WE)
    assert not is_self(("10.0.0.3", 8771), ("10.0.0.2", 8771))
    assert OscTarget().port != OscSettings().port
