"""What the process is told, and when: only of what somebody wants to hear."""

from __future__ import annotations

import pytest

from common.errors import AudioError, CapacityError
from server.audio.messages import (
    LAG,
    BarOrder,
    BeginOrder,
    ChunkReport,
    EncodeOrder,
    EncoderReport,
    EndOrder,
    MoveOrder,
    NameOrder,
    Order,
    SoundReady,
    TurnOrder,
)
from server.audio.radio import LINGER
from server.house.events import BarsMoved, ChangeAnnounced, Panicked, StateTurned
from tests.server.radio import Recorder, Time, opened, time
from tests.server.web_house import LENGTH

__all__ = ["time"]


def kinds(orders: list[Order]) -> list[str]:
    return [type(order).__name__ for order in orders]


def test_nothing_is_made_before_somebody_listens(time: Time) -> None:
    radio, client, house = opened()
    house.plan(house.find("study"))
    radio.tick()
    assert client.taken() == []
    with radio.joined("study", "mp3", Recorder()):
        orders = client.taken()
    begin = house.now() - LAG - 4_000_000
    assert orders[0] == BeginOrder("study", begin)
    assert orders[1] == NameOrder("study", begin, "A quiet room")
    assert kinds(orders[2:]) == ["BarOrder"] * 5 + ["EncodeOrder"]
    assert orders[-1] == EncodeOrder("study", "mp3", True)
    assert [order.due for order in orders if isinstance(order, BarOrder)] == [
        10_000_000 + LENGTH * n for n in range(5)
    ]


def test_what_happens_to_a_station_is_passed_on_with_its_time(time: Time) -> None:
    radio, client, house = opened()
    study, dance = house.find("study"), house.find("dance")
    with radio.joined("study", "mp3", Recorder()):
        client.taken()
        house.time += 1000
        house.plan(study)
        house.plan(dance)
        house.tell(study, BarsMoved(3, 700))
        house.tell(study, Panicked())
        house.tell(study, StateTurned("stopped", 0, "stopped"))
        house.tell(study, StateTurned("playing", 0, "continued"))
        house.tell(study, StateTurned("playing", 1, "seed 8"))
        orders = client.taken()
    assert kinds(orders) == ["BarOrder", "MoveOrder", *["TurnOrder"] * 4]
    assert all(order.at == house.time for order in orders)  # type: ignore[union-attr]
    assert orders[1] == MoveOrder("study", house.time, 3, 700)
    turns = [order.to for order in orders if isinstance(order, TurnOrder)]
    assert turns == ["silence", "stop", "go on", "anew"]


def test_another_preset_is_a_name_from_the_bar_on_where_it_is_heard(time: Time) -> None:
    radio, client, house = opened()
    study = house.find("study")
    with radio.joined("study", "mp3", Recorder()):
        client.taken()
        study.preset = "dance"
        house.tell(study, ChangeAnnounced({}, {}, 7, 12_345_678, "web-1"))
        house.tell(study, ChangeAnnounced({"density": 3.0}, {}, 8, 22_345_678, "web-1"))
        assert client.taken() == [NameOrder("study", 12_345_678, "A quiet room - Dance")]


def test_a_station_that_is_stopped_begins_silent(time: Time) -> None:
    radio, client, house = opened()
    house.find("study").state = "stopped"
    with radio.joined("study", "mp3", Recorder()):
        assert [order.to for order in client.taken() if isinstance(order, TurnOrder)] == ["stop"]


def test_what_nobody_hears_any_more_ends_after_a_while(time: Time) -> None:
    radio, client, _ = opened(formats=("mp3", "opus", "hls"))
    with radio.joined("study", "mp3", Recorder()):
        radio.playlist("study")
        client.taken()
        time.now += LINGER + 1
        radio.tick()
        assert client.taken() == [EncodeOrder("study", "hls", False)]
        time.now += 1000
        radio.tick()
        assert client.taken() == []
    time.now += LINGER - 1
    radio.tick()
    assert client.taken() == []
    time.now += 2
    radio.tick()
    assert client.taken() == [EncodeOrder("study", "mp3", False), EndOrder("study")]
    radio.tick()
    assert client.taken() == []


def test_all_is_made_all_the_time_if_the_settings_say_so(time: Time) -> None:
    radio, client, _ = opened(on_demand=False, stations=("dance",))
    begun = client.taken()
    assert [order for order in begun if isinstance(order, EncodeOrder)] == [
        EncodeOrder("dance", "mp3", True),
        EncodeOrder("dance", "opus", True),
    ]
    time.now += 10 * LINGER
    radio.tick()
    assert client.taken() == []
    assert radio.offers("study") == ()
    assert radio.offers("dance") == ("mp3", "opus")


def test_listeners_hear_what_the_process_makes(time: Time) -> None:
    radio, client, _ = opened()
    mp3, opus = Recorder(), Recorder()
    with radio.joined("study", "mp3", mp3), radio.joined("study", "opus", opus):
        client.report(ChunkReport("study", "opus", b"too early", "", 0.2))
        client.report(EncoderReport("study", "mp3", b"", 0))
        client.report(EncoderReport("study", "opus", b"OpusHead", 7))
        for form in ("mp3", "opus"):
            client.report(ChunkReport("study", form, form.encode(), "A (B)", 0.2))
    assert mp3.all == b"mp3"
    assert opus.all.startswith(b"OggS")
    assert opus.all.endswith(b"opus")
    assert b"OpusHead" in opus.all
    assert b"A quiet room" in opus.all
    assert b"too early" not in opus.all


def test_after_the_process_has_died_the_next_one_goes_on_where_it_ended(time: Time) -> None:
    radio, client, house = opened()
    with radio.joined("study", "mp3", Recorder()):
        client.taken()
        client.end()
        died = house.time
        house.time += 900_000
        assert client.taken() == []
        client.report(SoundReady(1))
        orders = client.taken()
    assert orders[0] == BeginOrder("study", died - LAG)
    assert orders[-1] == EncodeOrder("study", "mp3", True)
    client.report(SoundReady(2))
    assert client.taken() == []


def test_what_was_wanted_before_the_first_process_was_there_is_begun_then(time: Time) -> None:
    radio, client, house = opened()
    begun = house.time
    with radio.joined("study", "mp3", Recorder()):
        house.time += 900_000
        client.taken()  # to nobody
        client.report(SoundReady(1))
        orders = client.taken()
    assert orders[0] == BeginOrder("study", begun - LAG)
    assert orders[-1] == EncodeOrder("study", "mp3", True)


def test_only_so_many_may_listen_and_nobody_without_sound(time: Time) -> None:
    radio, client, _ = opened(max_listeners=2)
    with radio.joined("study", "mp3", Recorder()), radio.joined("dance", "opus", Recorder()):
        assert radio.listeners == 2
        with pytest.raises(CapacityError, match="all 2 places are taken"):
            radio.look_for_room()
    radio.look_for_room()
    client.trouble = "sound needs something"
    assert radio.offers("study") == ()
    with pytest.raises(AudioError, match="sound needs something"):
        radio.look_for_room()
    with pytest.raises(AudioError), radio.joined("study", "mp3", Recorder()):
        pass
