"""What OSC messages ask for, and values of controls as arguments."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from common.errors import ControlError, PerpetuoError
from engine.controls.controls import Controls
from engine.controls.table import CONTROLS
from server.osc.addresses import (
    NEWS,
    RESERVED,
    ListNames,
    Nothing,
    OscError,
    OscPing,
    Query,
    QueryAll,
    ReloadPresets,
    SetControl,
    SetModel,
    SetPreset,
    SetSeed,
    SetTransport,
    Subscribe,
    Unsubscribe,
    request_of,
)
from server.osc.packets import decode, encode
from server.osc.settings import WHAT
from server.osc.values import arguments_of, json_of
from tests.engine.control_strategies import control_settings

ASKED = [
    ("/perpetuo/study/density", (4.0,), SetControl("study", "density", 4.0)),
    ("/perpetuo/density", (4,), SetControl(None, "density", 4)),
    ("/perpetuo/density", (None,), SetControl(None, "density", None)),
    ("/perpetuo/density", ("auto",), SetControl(None, "density", "auto")),
    ("/perpetuo/study/density", (), Query("study", "density")),
    ("/perpetuo/density", (), Query(None, "density")),
    ("/perpetuo/study", (), QueryAll("study")),
    ("/perpetuo/study/start", (), SetTransport("study", "start")),
    ("/perpetuo/stop", (1,), SetTransport(None, "stop")),
    ("/perpetuo/continue", (True,), SetTransport(None, "continue")),
    ("/perpetuo/panic", (None,), SetTransport(None, "panic")),
    ("/perpetuo/panic", (0.0,), Nothing()),
    ("/perpetuo/start", (False,), Nothing()),
    ("/perpetuo/study/preset", ("calm",), SetPreset("study", "calm")),
    ("/perpetuo/study/preset", (), Query("study", "preset")),
    ("/perpetuo/seed", (7,), SetSeed(None, 7)),
    ("/perpetuo/seed", (7.0,), SetSeed(None, 7)),
    ("/perpetuo/seed", ("9007199254740991",), SetSeed(None, 2**53 - 1)),
    ("/perpetuo/seed", (), Query(None, "seed")),
    ("/perpetuo/load", ("default",), SetModel(None, "default")),
    ("/perpetuo/state", (), Query(None, "state")),
    ("/perpetuo/stations", (), ListNames("stations")),
    ("/perpetuo/reload", (), ReloadPresets()),
    ("/perpetuo/ping", (1, "x"), OscPing((1, "x"))),
    ("/perpetuo/subscribe", (), Subscribe(None, None, None, "due", WHAT)),
    ("/perpetuo/subscribe", (9000,), Subscribe(None, None, 9000, "due", WHAT)),
    (
        "/perpetuo/subscribe",
        ("bars", "notes"),
        Subscribe(None, None, None, "due", ("notes", "bars")),
    ),
    (
        "/perpetuo/study/subscribe",
        ("10.0.0.2", 9000, "notes", "ahead"),
        Subscribe("study", "10.0.0.2", 9000, "ahead", ("notes",)),
    ),
    ("/perpetuo/unsubscribe", ("10.0.0.2", 9000), Unsubscribe(None, "10.0.0.2", 9000)),
    ("/perpetuo/unsubscribe", (), Unsubscribe(None, None, None)),
]


@pytest.mark.parametrize(("address", "values", "request_"), ASKED)
def test_messages_ask_for_this(address: str, values: tuple[object, ...], request_: object) -> None:
    assert request_of(address, values) == request_


@pytest.mark.parametrize(
    ("address", "values", "words"),
    [
        ("/tempo", (1,), "/perpetuo/STREAM/CONTROL"),
        ("/perpetuo", (), "/perpetuo/STREAM/CONTROL"),
        ("/perpetuo/a/b/c", (), "/perpetuo/STREAM/CONTROL"),
        ("/other/perpetuo/x", (), "/perpetuo/STREAM/CONTROL"),
        ("/perpetuo/" + "x" * 300, (), "/perpetuo/STREAM/CONTROL"),
        ("/perpetuo/*/tempo", (90,), "patterns"),
        ("/perpetuo/study/tempoo", (90,), "did you mean 'tempo'?"),
        ("/perpetuo/study/", (), "nothing here is called ''"),
        ("/perpetuo/xyzzy", (90,), "/perpetuo/controls"),
        ("/perpetuo/study/ping", (), "/perpetuo/ping"),
        ("/perpetuo/start", ("x",), "1 to do it"),
        ("/perpetuo/start", (1, 1), "1 to do it"),
        ("/perpetuo/preset", (3,), "one name"),
        ("/perpetuo/load", ("a", "b"), "one name"),
        ("/perpetuo/seed", (1.5,), "whole number"),
        ("/perpetuo/seed", ("-1",), "whole number"),
        ("/perpetuo/seed", (True,), "whole number"),
        ("/perpetuo/subscribe", (0,), "from 1 to 65535"),
        ("/perpetuo/subscribe", (True,), "from 1 to 65535"),
        ("/perpetuo/subscribe", ("noise",), "subscribe takes"),
        ("/perpetuo/subscribe", ("due", "ahead"), "subscribe takes"),
        ("/perpetuo/subscribe", (b"x",), "subscribe takes"),
        ("/perpetuo/unsubscribe", ("notes",), "unsubscribe takes"),
    ],
)
def test_what_is_not_understood_is_said(
    address: str, values: tuple[object, ...], words: str
) -> None:
    with pytest.raises(OscError) as refusal:
        request_of(address, values)
    assert words in str(refusal.value)


@pytest.mark.parametrize("word", NEWS)
def test_our_own_news_are_not_answered(word: str) -> None:
    for address in (f"/perpetuo/study/{word}", f"/perpetuo/{word}"):
        assert request_of(address, ("playing", 3)) == Nothing()
    for word in ("stations", "controls", "presets"):
        assert request_of(f"/perpetuo/{word}", ("study",)) == Nothing()


def test_no_control_has_the_name_of_a_word() -> None:
    controls = {control.name for control in CONTROLS}
    assert controls < RESERVED
    for name in controls:
        assert isinstance(request_of(f"/perpetuo/{name}", ()), Query)


any_value = (
    st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["auto", "notes", "ahead", "pitch", "1:2", "10.0.0.1"])
    | st.booleans()
    | st.none()
    | st.binary(max_size=4)
)


@given(
    st.sampled_from(["", "study/", "x/y/"]),
    st.sampled_from(sorted(RESERVED)) | st.text(max_size=10),
    st.lists(any_value, max_size=5),
)
def test_any_message_is_a_request_or_a_refusal(
    stream: str, word: str, values: list[object]
) -> None:
    with suppress(PerpetuoError):
        assert request_of(f"/perpetuo/{stream}{word}", tuple(values)) is not None


def single(value: object) -> object:
    """The same value with all numbers in single precision, as far as it goes."""
    if isinstance(value, dict):
        return {name: single(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [single(inner) for inner in value]
    return float(str(np.float32(value))) if isinstance(value, float) else value


@given(control_settings().map(single))
def test_the_answer_to_a_query_sets_the_same_value(settings: dict[str, object]) -> None:
    try:
        controls = Controls.from_dict(settings)
    except ControlError:  # a mix of nothing but weights that single precision takes for 0
        reject()
    for name in settings:
        sent = encode("/x", *arguments_of(name, controls.plain(name)))
        raw = json_of(name, decode(sent)[0].messages[0].values)
        assert getattr(Controls().with_values({**settings, name: raw}), name) == getattr(
            controls, name
        )


def test_open_and_default_values_are_answered_too() -> None:
    for control in CONTROLS:
        arguments = arguments_of(control.name, control.plain(control.default))
        assert control.parse(json_of(control.name, arguments)) == control.default
    assert arguments_of("tempo", None) == ("auto",)


@pytest.mark.parametrize(
    ("name", "values", "same"),
    [
        ("parts", (1, 2, 8), "1 2 8"),
        ("parts", (3,), "3"),
        ("parts", (1.0, 2.0), "1 2"),
        ("style", ("romantic", 0.7, "folk", 0.3), "romantic:0.7 folk:0.3"),
        ("style", ("romantic", "folk"), "romantic folk"),
        ("style", ("folk",), "folk"),
        ("temperature", (0.8,), "0.8"),
        ("temperature", (0.9, "pitch", 0.7), "0.9 pitch:0.7"),
        ("temperature", ("pitch", 0.9), "pitch:0.9"),
        ("programs", (1, 0, 2, 33), "1:0 2:33"),
        ("scale", (1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1), "1 0 1 0 1 1 0 1 0 1 0 1"),
        ("chords", ("Am", "F", "C", "G"), "Am F C G"),
        ("key", ("D", "dorian"), "D dorian"),
        ("metre", ("3/4",), "3/4"),
        ("transpose", (-3.0,), "-3"),
        ("tempo", ("90",), "90"),
    ],
)
def test_several_arguments_are_one_value(name: str, values: tuple[object, ...], same: str) -> None:
    assert Controls().with_value(name, json_of(name, values)) == Controls().with_value(name, same)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("tempo", (90, 100), "2 values at once: give a number from 20 to 300"),
        ("tempo", (b"x",), "a blob"),
        ("key", ("C", 4), "2 values at once"),
        ("style", ("romantic", 0.7, "folk"), "a name without a number"),
        ("style", ("romantic", 0.7, "romantic", 0.3), "'romantic' twice"),
        ("style", (True, 0.7), "true as a name"),
        ("programs", (1, 2, 3), "a name without a number"),
        ("temperature", (0.5, 0.6, 0.7), "0.6 as a name"),
    ],
)
def test_what_makes_no_value_is_refused(name: str, values: tuple[object, ...], words: str) -> None:
    with pytest.raises(ControlError) as refusal:
        Controls().with_value(name, json_of(name, values))
    assert words in str(refusal.value)
