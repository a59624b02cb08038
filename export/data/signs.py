"""What the measures of a score say of repeats, endings and jumps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

MAX_NUMBERS = 16
JUMPS = ("dacapo", "dalsegno")
AT_END = (*JUMPS, "tocoda", "fine")
AT_START = ("segno", "coda")


@dataclass(slots=True)
class Signs:
    """What stands in one measure, of all parts together."""

    forward: bool = False
    backward: int = 0  # how often the part that ends here is played
    starts: set[tuple[int, ...]] = field(default_factory=set)  # numbers of the ending that begins
    stops: bool = False  # an ending ends here
    sounds: dict[str, set[str]] = field(default_factory=dict)  # kind → labels
    misplaced: set[str] = field(default_factory=set)  # sounds amid the measure
    words: set[str] = field(default_factory=set)


def signs_of(parts: Sequence[Sequence[Element]]) -> list[Signs]:
    """Of each measure, for parts that are sequences of measures."""
    signs = [Signs() for _ in range(max(map(len, parts), default=0))]
    for part in parts:
        for measure, found in zip(part, signs, strict=False):
            _read(measure, found)
    return signs


def _read(measure: Element, signs: Signs) -> None:
    onsets: list[int] = []
    now = 0
    placed: list[tuple[str, int]] = []
    for element in measure:
        match element.tag:
            case "note" if element.find("grace") is None and element.find("chord") is None:
                onsets.append(now)
                now += _ticks(element)
            case "backup":
                now -= _ticks(element)
            case "forward":
                now += _ticks(element)
            case "barline":
                _read_barline(element, signs)
            case "direction" | "sound":
                placed += [(kind, now) for kind in _read_sound(element, signs)]
                signs.words.update(words.text or "" for words in element.iter("words"))
    for kind, at in placed:
        inside = max(onsets, default=0) > at if kind in AT_END else min(onsets, default=at) < at
        if inside:
            signs.misplaced.add(kind)


def _read_barline(element: Element, signs: Signs) -> None:
    for repeat in element.iterfind("repeat"):
        if repeat.get("direction") == "forward":
            signs.forward = True
        elif repeat.get("direction") == "backward":
            times = repeat.get("times", "2")
            signs.backward = max(signs.backward, int(times) if times.isdecimal() else 2)
    for ending in element.iterfind("ending"):
        if ending.get("type") == "start":
            numbers = re.findall(r"\d+", ending.get("number", ""))
            signs.starts.add(tuple(sorted({int(number) for number in numbers[:MAX_NUMBERS]})))
        else:
            signs.stops = True


def _read_sound(element: Element, signs: Signs) -> list[str]:
    """Note the jumps that a direction holds; returns their kinds."""
    found = []
    for sound in (element,) if element.tag == "sound" else element.iterfind("sound"):
        for kind in (*AT_END, *AT_START):
            label = sound.get(kind, "no" if kind in ("dacapo", "fine") else "")
            if label not in ("no", ""):
                signs.sounds.setdefault(kind, set()).add(label)
                found.append(kind)
    return found


def _ticks(element: Element) -> int:
    text = element.findtext("duration", "").strip()
    return int(text) if text.isdecimal() and len(text) < 9 else 0
