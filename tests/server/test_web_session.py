"""The core of the protocol, without sockets: rights, limits, resuming, the end of sessions."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.house.events import BarPlanned
from server.web import session as session_module
from server.web.outgoing import BarMessage, decode
from server.web.sessions import Sessions, Visitor
from server.web.settings import WebSettings
from server.web.stream_messages import StreamMessages, bar_body
from server.web.terms import ENDS
from tests.server.web_house import LENGTH, WebHouse
from tests.server.web_line import Talk, answered, talking, types

FAR_AWAY = Visitor("192.0.2.1", is_local=False)
LISTEN = {"type": "listen", "stream": "study"}
DENSER = {"type": "steer", "id": 1, "stream": "study", "controls": {"density": 5}}


def test_the_welcome_tells_what_there_is() -> None:
    _, talk = talking()
    welcome = Talk(talk.sessions).hello()
    can = welcome["capabilities"]
    assert [row["name"] for row in can["stations"]] == ["study", "dance"]
    assert [row["title"] for row in can["stations"]] == ["Quiet hours", "dance"]
    assert [row["name"] for row in can["presets"]] == ["study", "dance"]
    assert {"density", "key"} < {row["name"] for row in can["controls"]}
    assert (can["parts"], can["ticks"], can["styles"]) == (8, 24, ["folk", "romantic"])
    assert "default" in can["models"]
    assert welcome["time"] == talk.sessions.house.now()
    assert welcome["session"] not in (welcome["you"], talk.conversation.session)


def test_a_bar_is_the_message_that_its_pieces_make() -> None:
    house = WebHouse()
    stream = house.find("study")
    whole = b"".join((*bar_body(stream, stream.bars[2]), b"7}"))
    assert decode(whole) == BarMessage(
        stream="study", epoch=0, due=stream.bars[2].due, bar=stream.bars[2].bar, event=7
    )


def test_the_body_of_an_event_is_made_once_for_all_its_listeners() -> None:
    house, messages = WebHouse(), StreamMessages()
    study, dance = house.stations.values()
    event = BarPlanned(study.bars[0])
    assert messages.body(study, event) is messages.body(study, event)
    assert messages.body(dance, event) != messages.body(study, event)


def test_a_late_joiner_gets_the_sounding_bar_all_planned_ones_and_some_past() -> None:
    house, talk = talking()
    house.time += LENGTH * 2 + LENGTH // 2
    heard = talk.say(LISTEN)
    assert types(heard) == ["ack", "state", "bar", "bar"]
    assert (heard[1]["bar"], heard[1]["bars"]) == (2, 2)
    assert [m["bar"]["index"] for m in talk.say({**LISTEN, "past": 1})[2:]] == [1, 2, 3]


def test_whoever_listens_hears_who_steered() -> None:
    house, talk = talking()
    other = Talk(talk.sessions)
    other.hello()
    other.say(LISTEN)
    (ack,) = talk.say(DENSER)
    assert (ack["bar"], ack["due"]) == (1, house.find("study").bars[1].due)
    steered, *bars = other.take()
    assert (steered["by"], steered["controls"]) == ("web-1", {"density": 5.0})
    assert [(m["bar"]["index"], m["bar"]["revision"]) for m in bars] == [(1, 1), (2, 1), (3, 1)]


@pytest.mark.parametrize(
    ("settings", "visitor", "token", "may"),
    [
        ({}, None, "", True),
        ({}, FAR_AWAY, "", False),
        ({"steer_stations": "everyone"}, FAR_AWAY, "", True),
        ({"steer_stations": "nobody"}, None, "", False),
        ({"token": "open-sesame"}, None, "open-sesame", True),
        ({"token": "open-sesame", "enter": "everyone"}, None, "", False),
        ({"token": "open-sesame", "enter": "everyone"}, FAR_AWAY, "open-sesame", True),
        ({"token": "open-sesame", "steer_stations": "nobody"}, None, "open-sesame", False),
    ],
)
def test_stations_are_steered_by_whom_the_settings_allow(
    settings: dict[str, Any], visitor: Visitor | None, token: str, may: bool
) -> None:
    talk = Talk(Sessions(WebHouse(), WebSettings(**settings)), visitor)  # type: ignore[arg-type]
    welcome = talk.hello(token=token)
    assert welcome["capabilities"]["may_steer_stations"] == may
    answer = talk.say(DENSER)[-1]
    assert (answer["type"] == "ack") == may
    assert may or answer["code"] == "unauthorised"


def test_a_token_in_the_address_or_header_counts_and_a_wrong_one_never_does() -> None:
    sessions = Sessions(WebHouse(), WebSettings(token="open-sesame", enter="everyone"))  # type: ignore[arg-type]
    assert Talk(sessions, Visitor("x", False, "open-sesame")).hello()["type"] == "welcome"
    wrong = Talk(sessions)
    said = wrong.say({"type": "hello", "protocol": 1, "token": "open-barley"})
    assert [m.get("code") for m in said] == ["unauthorised", "unauthorised"]
    assert wrong.line.closed == (4003, "unauthorised: the token is missing or wrong")
    assert wrong.say({"type": "hello", "protocol": 1, "token": "open-sesame"}) == []


def opened(talk: Talk) -> str:
    said = talk.say({"type": "open"})
    assert types(said) == ["ack", "state", "bar", "bar", "bar", "bar"]
    return str(said[0]["stream"])


def test_an_own_stream_is_steered_by_its_own_session_alone() -> None:
    _, talk = talking()
    name = opened(talk)
    other = Talk(talk.sessions)
    other.hello()
    assert types(other.say({**LISTEN, "stream": name}))[:2] == ["ack", "state"]
    for message in ({**DENSER, "stream": name}, {"type": "close", "stream": name}):
        assert other.say(message)[-1]["code"] == "unauthorised"
    assert talk.say({**DENSER, "stream": name})[-1]["type"] == "ack"
    assert talk.say({"type": "close", "stream": name})[-1]["type"] == "ack"
    assert types(other.take())[-1] == "turned"


def test_own_streams_are_limited_by_address_and_by_the_house() -> None:
    house, talk = talking(max_own_streams=2)
    opened(talk)
    neighbour = Talk(talk.sessions)
    neighbour.hello()
    opened(neighbour)
    assert talk.say({"type": "open", "id": 3})[-1]["code"] == "capacity"
    stranger = Talk(talk.sessions, FAR_AWAY)
    stranger.hello()
    house.carries = 2
    answer = stranger.say({"type": "open", "id": 4})[-1]
    assert (answer["id"], answer["code"]) == (4, "capacity")
    assert "carries no more" in answer["message"]


def test_own_streams_that_ended_unheard_count_no_more() -> None:
    _, talk = talking(max_own_streams=1)
    for _ in range(3):
        name = opened(talk)
        assert talk.say({"type": "unlisten", "id": 5, "stream": name})[-1]["type"] == "ack"
        assert talk.say({"type": "close", "id": 6, "stream": name})[-1]["type"] == "ack"


def test_requests_of_one_session_that_are_under_way_count_too() -> None:
    house, talk = talking(max_own_streams=1)
    house.lazy.clear()
    session = talk.conversation.session
    assert session is not None

    async def twice() -> None:
        request = talk.conversation.feed('{"type":"open","id":1}')
        assert request is not None
        first = asyncio.create_task(answered(talk.sessions, session, request))
        while not session.opening:
            await asyncio.sleep(0)
        again = talk.conversation.feed('{"type":"open","id":2}')
        assert again is not None
        await answered(talk.sessions, session, again)
        house.lazy.set()
        await first

    asyncio.run(twice())
    answers = {m.get("id"): m for m in talk.take() if m["type"] in ("ack", "error")}
    assert answers[2]["code"] == "capacity"
    assert answers[1]["type"] == "ack"


PLANS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"plan": {"9": {"nonsense": 1}}}, "bad_control"),
    ({"controls": {"density": "much"}}, "bad_control"),
    ({"controls": {"low_pitch": 100, "high_pitch": 101}}, "bad_control"),
)


@pytest.mark.parametrize(("change", "code"), PLANS)
def test_a_bad_change_is_refused_and_changes_nothing(change: dict[str, Any], code: str) -> None:
    house, talk = talking()
    before = house.find("study").controls
    (answer,) = talk.say({"type": "steer", "id": 2, "stream": "study", **change})
    assert (answer["id"], answer["code"]) == (2, code)
    assert house.find("study").controls == before


def test_a_fault_of_ours_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    house, talk = talking()

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    house.panic = broken  # type: ignore[method-assign]
    (answer,) = talk.say({"type": "transport", "id": 3, "stream": "study", "action": "panic"})
    assert (answer["id"], answer["code"]) == (3, "internal")
    assert "a Transport of web-1 failed" in caplog.text


def test_a_prompt_comes_sorted_to_the_house() -> None:
    house, talk = talking()
    notes = [[2, 60, 80, 24, 6], [1, 60, 80, 0, 24], [1, 64, 80, 0, 24]]
    talk.say({"type": "prompt", "stream": "study", "prompt": {"notes": notes, "metre": "3/4"}})
    _, _, prompt = house.asked[-1]
    assert prompt.notes == ((0, 24, 64, 80, 0), (0, 24, 60, 80, 0), (24, 6, 60, 80, 1))
    assert prompt.metres == ((0, "3/4"),)


def test_no_file_is_loaded_that_is_no_model_of_the_list() -> None:
    house, talk = talking()
    assert talk.say({"type": "load", "stream": "study", "model": "../x.onnx"})[-1]["code"] == (
        "bad_model"
    )
    assert not house.asked
    assert talk.say({"type": "load", "stream": "study", "model": "default"})[-1]["type"] == "ack"


def test_a_model_is_known_by_its_name_and_not_by_where_it_lies() -> None:
    house, talk = talking()
    study = house.find("study")
    study.opening = replace(study.opening, model="/home/somebody/models/mine.onnx")
    state = talk.say(LISTEN)[1]
    assert state["model"] == "mine"
    talk.say({"type": "load", "stream": "dance", "model": "mine"})
    assert house.asked[-1] == ("load", "dance", "mine")


# -- limits ----------------------------------------------------------------------------------------


def test_what_comes_too_fast_is_dropped_with_one_word_and_a_flood_ends_it() -> None:
    house, talk = talking(rate=10)
    said = [m for _ in range(30) for m in talk.say('{"type":"ping","t":1}')]
    assert types(said) == ["pong"] * 9 + ["error"]
    assert said[-1]["code"] == "too_fast"
    house.time += 1_000_000
    assert types(talk.say('{"type":"ping","t":1}')) == ["pong"]
    said = [m for _ in range(100) for m in talk.say('{"type":"ping","t":1}')]
    assert said[-1] == {"type": "bye", "code": "flood", "reason": ENDS["flood"][1]}
    assert talk.line.closed is not None
    assert talk.line.closed[0] == 1008
    assert talk.sessions.ends == {"flood": 1}


def test_garbage_is_answered_and_the_music_goes_on() -> None:
    house, talk = talking(rate=1000)
    talk.say(LISTEN)
    for text in ("\x00", "{" * 5000, '{"type":"steer","controls":' + "[" * 60_000, "🎵", "NaN"):
        (answer,) = talk.say(text)
        assert answer["code"] == "bad_message"
    house.plan(house.find("study"))
    assert types(talk.take()) == ["bar"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
FIELDS = ("id", "stream", "controls", "plan", "name", "seed", "prompt", "what", "t", "event")
TAGS = ("hello", "listen", "open", "steer", "transport", "seed", "load", "prompt", "get", "ping")
nearly = st.fixed_dictionaries(
    {"type": st.sampled_from(TAGS)},
    optional={
        **dict.fromkeys(FIELDS, json_values),
        "stream": st.sampled_from(["study", "dance", "own-0", ""]),
        "action": st.sampled_from(["start", "stop", "continue", "panic", "?"]),
        "protocol": st.integers(-1, 3),
        "controls": st.dictionaries(st.sampled_from(["density", "key", "chords"]), json_values),
    },
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40) | nearly.map(json.dumps), max_size=5))
def test_whatever_is_sent_each_message_gets_an_answer_and_the_music_goes_on(
    texts: list[str],
) -> None:
    house, talk = talking()
    watcher = Talk(talk.sessions)
    watcher.hello()
    for text in texts:
        assert talk.say(text)
    watcher.say(LISTEN)
    house.plan(house.find("study"))
    assert watcher.take()[-1]["type"] == "bar"
    assert talk.line.closed is None


def test_no_hello_no_service() -> None:
    talk = Talk(Sessions(WebHouse(), WebSettings()))  # type: ignore[arg-type]
    assert talk.say({"type": "ping", "t": 5})[0]["t"] == 5
    (answer,) = talk.say(LISTEN)
    assert (answer["code"], "event" in answer and answer["event"]) == ("bad_message", 0)
    talk.conversation.hurry()
    assert types(talk.take()) == ["bye"]
    assert talk.line.closed is not None
    assert talk.line.closed[0] == 1008


def test_hurry_leaves_those_who_said_hello() -> None:
    _, talk = talking()
    talk.conversation.hurry()
    assert talk.line.closed is None


def test_a_client_that_reads_too_slowly_is_let_go_and_others_are_not() -> None:
    house, slow = talking(queue=100_000)
    other = Talk(slow.sessions)
    other.hello()
    for talk in (slow, other):
        talk.say(LISTEN)
    slow.line.waiting = 100_001
    for _ in range(3):
        house.plan(house.find("study"))
    assert types(slow.take()) == ["bar", "bye"]
    assert slow.line.closed is not None
    assert slow.line.closed[0] == 4008
    assert types(other.take()) == ["bar"] * 3
    assert slow.sessions.ends == {"slow": 1}


def test_requests_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.web.conversation.MAX_WAITING", 2)
    _, talk = talking()
    session = talk.conversation.session
    assert session is not None
    for _ in range(2):
        request = talk.conversation.feed(json.dumps(DENSER))
        assert request is not None
        session.requests.append(request)
    assert talk.say({**DENSER, "id": 7})[-1]["code"] == "too_fast"
    assert session_module.MAX_WAITING > 2


# -- cuts ------------------------------------------------------------------------------------------

happenings = st.lists(
    st.one_of(
        st.just("plan"),
        st.just("steer"),
        st.just("revise"),
        st.just("ping"),
        st.tuples(st.just("cut"), st.integers(0, 6), st.integers(0, 4)),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(happenings)
def test_a_client_that_is_cut_anywhere_hears_all_and_nothing_twice(happenings: list[Any]) -> None:
    """A cut loses the last messages on their way, and some things happen before the return."""
    house, talk = talking(rate=100_000)
    stream = house.find("study")
    talk = Talk(talk.sessions)
    welcome = talk.hello()
    heard = talk.say(LISTEN)
    confirmed = 0
    for happening in happenings:
        match happening:
            case "plan":
                house.plan(stream)
            case "revise":
                house.plan(stream, stream.missing - 1)
            case "steer":
                heard += talk.say({**DENSER, "id": len(heard)})
            case "ping":
                heard += talk.take()
                confirmed = len(heard)
                talk.say({"type": "ping", "t": 0, "event": confirmed})
            case ("cut", lost, missed):
                heard += talk.take()
                del heard[max(confirmed, len(heard) - lost) :]
                talk.cut()
                confirmed = len(heard)  # who resumes says so too
                for _ in range(missed):
                    house.plan(stream)
                talk = Talk(talk.sessions)
                resume = {"session": welcome["session"], "event": len(heard)}
                again = talk.hello(resume=resume)
                assert again["resumed"]
                assert again["session"] == welcome["session"]
        heard += [m for m in talk.take() if m["type"] != "pong"]
    assert [message["event"] for message in heard] == list(range(1, len(heard) + 1))
    bars = {m["bar"]["index"]: m["bar"]["revision"] for m in heard if m["type"] == "bar"}
    assert bars == {index: planned.revision for index, planned in stream.bars.items()}


def test_a_resumed_session_goes_on_over_the_new_connection_alone() -> None:
    house, talk = talking()
    welcome = Talk(talk.sessions)
    key = welcome.hello()["session"]
    welcome.say(LISTEN)
    second = Talk(talk.sessions)
    assert second.hello(resume={"session": key, "event": 6})["resumed"]
    assert types(welcome.take()) == ["bye"]
    assert welcome.line.closed is not None
    assert welcome.line.closed[0] == 4001
    assert welcome.cut(4001) is None
    house.plan(house.find("study"))
    assert types(second.take()) == ["bar"]


def test_rights_are_asked_for_anew_at_every_hello() -> None:
    sessions = Sessions(WebHouse(), WebSettings(token="open-sesame", enter="everyone"))  # type: ignore[arg-type]
    first = Talk(sessions)
    key = first.hello(token="open-sesame")["session"]
    first.cut()
    again = Talk(sessions).hello(resume={"session": key, "event": 0})
    assert again["session"] == key
    assert not again["capabilities"]["may_steer_stations"]


def test_sessions_end_after_their_grace_and_their_own_streams_with_them() -> None:
    house, talk = talking(grace=60)
    key = Talk(talk.sessions).hello()["session"]
    name = opened(talk)
    talk.cut()
    house.time += 59_000_000
    assert talk.sessions.overdue() == []
    house.time += 2_000_000
    (session,) = talk.sessions.overdue()
    assert [stream.name for stream in talk.sessions.end(session)] == [name]
    assert house.find("study").listeners == []
    assert session.key != key
    assert len(talk.sessions) == 1


def test_an_own_stream_that_others_hear_outlives_its_session() -> None:
    _, talk = talking()
    name = opened(talk)
    other = Talk(talk.sessions)
    other.hello()
    other.say({**LISTEN, "stream": name})
    session = talk.cut(1000)
    assert session is not None, "who closes with 1000 wants no more of it"
    assert talk.sessions.end(session) == []


def test_the_number_of_sessions_that_wait_is_bounded() -> None:
    talks = [talking(max_clients=2)[1]]
    sessions = talks[0].sessions
    for _ in range(3):
        talks[-1].cut()
        sessions.house.time += 1  # type: ignore[attr-defined]
        talks.append(Talk(sessions))
        talks[-1].hello()
    assert len(sessions) == 4
    talks[-1].cut()
    Talk(sessions).hello()
    assert len(sessions) == 4
