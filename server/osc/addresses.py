"""What an OSC message asks for: from address and arguments to a request. Pure.

    /perpetuo/STREAM/WORD arguments…     a station by name
    /perpetuo/WORD arguments…            the first station, or the server

A word is a control, a verb, or something that can be asked for. Where a station has the name of
a word, the word wins; `RESERVED` is what stations must not be called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from common.errors import PerpetuoError
from common.words import shown
from engine.controls.controls import CONTROL
from engine.controls.values import Json
from server.osc.packets import Value
from server.osc.settings import DUE, MODES, WHAT
from server.osc.values import json_of

ROOT = "perpetuo"
MAX_ADDRESS = 200  # characters

VERBS = {
    "start": "Begin anew from the first bar, with the same seed.",
    "stop": "Pause; what sounds ends at once.",
    "continue": "Go on from the beginning of the bar in which it was stopped.",
    "panic": "End everything that sounds; the music goes on with the next note.",
}
SERVER_WORDS = {
    "stations": "Answered by the names of all stations.",
    "controls": "Answered by the names of all controls.",
    "presets": "Answered by the names of all presets.",
    "reload": "Read the presets again.",
    "ping": "Answered by `/perpetuo/pong` with the same arguments.",
}
# What the server sends of its own accord, with its arguments: ignored where it comes in, so that
# two servers (or one that is sent its own news) never answer each other for ever.
NEWS = {
    "note": "part, pitch, velocity, seconds, beat",
    "off": "part, pitch",
    "sustain": "part, 1 or 0",
    "bar": "index, beat, tempo, metre, key",
    "chord": "name",
    "section": "name",
    "silence": "",
    "heard": "control (or preset), bar",
    "postponed": "control, bar",
    "unsaved": "control or verb",
    "done": "verb",
    "state": "playing, stopped or ended",
    "subscribed": "host, port, seconds, mode, what …",
    "unsubscribed": "host, port",
    "pong": "as in the ping",
    "error": "address, message",
}


class OscError(PerpetuoError):
    """A message was not understood, or came at a bad time."""


@dataclass(frozen=True, slots=True)
class SetControl:
    stream: str | None  # None: the first station; the same in all requests
    control: str
    value: Json


@dataclass(frozen=True, slots=True)
class Query:
    """What is the value of a control, or the seed, preset, model ("load") or state?"""

    stream: str | None
    word: str


@dataclass(frozen=True, slots=True)
class QueryAll:
    """Everything that can be asked of a stream."""

    stream: str


@dataclass(frozen=True, slots=True)
class SetTransport:
    stream: str | None
    verb: str


@dataclass(frozen=True, slots=True)
class SetPreset:
    stream: str | None
    name: str


@dataclass(frozen=True, slots=True)
class SetSeed:
    stream: str | None
    seed: int


@dataclass(frozen=True, slots=True)
class SetModel:
    stream: str | None
    model: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    stream: str | None
    host: str | None  # None: where the message came from, as for the port
    port: int | None
    mode: str
    what: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    stream: str | None
    host: str | None
    port: int | None


@dataclass(frozen=True, slots=True)
class ListNames:
    word: str


@dataclass(frozen=True, slots=True)
class ReloadPresets:
    pass


@dataclass(frozen=True, slots=True)
class OscPing:
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Nothing:
    """To be passed over in silence: news of another server, the release of a button."""


Steering = SetControl | SetTransport | SetPreset | SetSeed | SetModel
Request = (
    Steering
    | Query
    | QueryAll
    | Subscribe
    | Unsubscribe
    | ListNames
    | ReloadPresets
    | OscPing
    | Nothing
)


def request_of(address: str, values: Sequence[Value]) -> Request:
    """What a message asks for. OscError or ControlError if nothing here goes by this address, or
    its arguments cannot be read; whether a control's value is in range is not looked at."""
    _, _, path = address.partition(f"/{ROOT}/")
    if len(address) > MAX_ADDRESS or address != f"/{ROOT}/{path}" or path.count("/") > 1:
        raise OscError("addresses here are /perpetuo/STREAM/CONTROL and /perpetuo/CONTROL")
    if re.search(r"[*?{}\[\]]", path):
        raise OscError("patterns are not matched here: send one message to each address")
    stream, slash, word = path.rpartition("/")
    if slash and word in SERVER_WORDS:
        raise OscError(f"'{word}' is asked of the server, not of a stream: /perpetuo/{word}")
    if word in NEWS and (values or word != "state"):
        return Nothing()
    if word in CONTROL:
        named = stream or None
        return SetControl(named, word, json_of(word, values)) if values else Query(named, word)
    if word in _READERS:
        return _READERS[word](word, stream or None, values)
    if slash or values:
        raise unknown(word)
    return QueryAll(word)


def unknown(word: str, stations: Iterable[str] = ()) -> OscError:
    """The error for a name that is none of ours, with the likeliest one."""
    close = get_close_matches(word[:40].lower(), sorted({*RESERVED, *stations}), n=1)
    advice = f"did you mean '{close[0]}'?" if close else "ask /perpetuo/controls for the controls"
    return OscError(f"nothing here is called '{word[:40]}': {advice}")


def _transport(word: str, stream: str | None, values: Sequence[Value]) -> Request:
    return SetTransport(stream, word) if _pressed(word, values) else Nothing()


def _reload(word: str, stream: str | None, values: Sequence[Value]) -> Request:
    return ReloadPresets() if _pressed(word, values) else Nothing()


def _pressed(word: str, values: Sequence[Value]) -> bool:
    """Buttons of control surfaces send 1 when they are pressed and 0 when they are let go."""
    if len(values) > 1 or any(isinstance(value, (str, bytes)) for value in values):
        raise OscError(f"{word} takes no arguments, or 1 to do it and 0 to do nothing")
    return not values or values[0] is None or bool(values[0])


def _preset(word: str, stream: str | None, values: Sequence[Value]) -> Request:
    return SetPreset(stream, _name(word, values)) if values else Query(stream, word)


def _load(word: str, stream: str | None, values: Sequence[Value]) -> Request:
    return SetModel(stream, _name(word, values)) if values else Query(stream, word)


def _name(word: str, values: Sequence[Value]) -> str:
    match values:
        case [str(name)] if name.strip() and len(name) <= MAX_ADDRESS:
            return name.strip()
    raise OscError(f"{word} takes one name")


def _seed(word: str, stream: str | None, values: Sequence[Value]) -> Request:
    match values:
        case []:
            return Query(stream, word)
        case [int(seed)] if not isinstance(seed, bool):
            return SetSeed(stream, seed)
        case [float(number)] if number.is_integer():
            return SetSeed(stream, int(number))
        case [str(text)] if re.fullmatch(r"[0-9]{1,16}", text):
            return SetSeed(stream, int(text))
    raise OscError("seed takes one whole number from 0 to 2^53-1, as text if it is above 2^31")


def _query(word: str, stream: str | None, values: Sequence[Value]) -> Request:
    return Query(stream, word)


def _names(word: str, stream: str | None, values: Sequence[Value]) -> Request:
    return Nothing() if values else ListNames(word)


def _ping(word: str, stream: str | None, values: Sequence[Value]) -> Request:
    return OscPing(tuple(values))


def _subscribe(word: str, stream: str | None, values: Sequence[Value]) -> Request:
    host, port, rest = _where(word, values)
    wanted = [value for value in rest if value in WHAT]
    modes = [value for value in rest if value in MODES]
    if len(modes) > 1 or len(wanted) + len(modes) < len(rest):
        raise OscError(
            f"subscribe takes host and port, or a port, or neither, then any of {', '.join(WHAT)},"
            f" and {' or '.join(MODES)}"
        )
    mode = str(modes[0]) if modes else DUE
    return Subscribe(stream, host, port, mode, tuple(w for w in WHAT if w in wanted) or WHAT)


def _unsubscribe(word: str, stream: str | None, values: Sequence[Value]) -> Request:
    host, port, rest = _where(word, values)
    if rest:
        raise OscError("unsubscribe takes host and port, or a port, or neither")
    return Unsubscribe(stream, host, port)


def _where(word: str, values: Sequence[Value]) -> tuple[str | None, int | None, Sequence[Value]]:
    """Host and port that stand in front, and what comes after them."""
    host: str | None = None
    port: Value = None
    rest = values
    match values:
        case [str(host), int(port), *rest]:
            pass
        case [int(port), *rest]:
            host = None
        case _:
            return None, None, values
    if isinstance(port, bool) or not 1 <= port <= 65535:
        raise OscError(f"{word}: {shown(port)} is no port: give one from 1 to 65535")
    return host, port, rest


_READERS: dict[str, Callable[[str, str | None, Sequence[Value]], Request]] = {
    **dict.fromkeys(VERBS, _transport),
    **dict.fromkeys(("stations", "controls", "presets"), _names),
    "preset": _preset,
    "seed": _seed,
    "load": _load,
    "state": _query,
    "subscribe": _subscribe,
    "unsubscribe": _unsubscribe,
    "reload": _reload,
    "ping": _ping,
}
RESERVED = frozenset({*CONTROL, *_READERS, *NEWS})
