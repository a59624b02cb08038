"""In which order the measures of a score are played: repeats, endings and jumps.

Repeats and their endings are followed wherever they can be understood in one way only. So are *da
capo*, *dal segno*, *coda* and *fine*, if the file says for playback where they are (`sound`
elements, which notation programs write): after such a jump repeats are not taken again and the last
ending is, as is the custom. What stands there as words alone, or leads nowhere, is not followed,
and `Order.unfollowed` says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple
from xml.etree.ElementTree import Element

from export.data.signs import AT_END, AT_START, JUMPS, Signs, signs_of

MAX_TIMES = (
    16  # a part of a piece is played so often at most, and the piece so many times its length
)
NOT_FOLLOWED = "jumps not followed"

_JUMP_WORDS = re.compile(
    r"\b(d\. ?[cs]\.|d\.? ?[cs]\.? al|da capo|dal segno|al fine|al coda|to coda|fine)(?!\w)", re.I
)
_AL = re.compile(r"\bal (fine|coda)\b", re.I)


class Order(NamedTuple):
    """Numbers of measures as they are played; `unfollowed`: what was not done, "" if nothing."""

    measures: list[int]
    unfollowed: str = ""


class Unclear(Exception):
    """Signs that can be understood in more than one way, or in none."""


class _Ending(NamedTuple):
    first: int
    last: int
    numbers: tuple[int, ...]


def order_of(parts: Sequence[Sequence[Element]]) -> Order:
    """The order for parts, each a sequence of measures. Where repeats are not clear it is the one
    in which they are written, where only jumps are not, that without jumps."""
    signs = signs_of(parts)
    try:
        endings = _endings(signs)
        played = _play(signs, endings, None)
    except Unclear as unclear:
        return Order(list(range(len(signs))), f"{NOT_FOLLOWED}: {unclear}")
    try:
        jump = _jump(signs)
        return Order(_play(signs, endings, jump) if jump else played)
    except Unclear as unclear:
        return Order(played, f"{NOT_FOLLOWED}: {unclear}")


def _endings(signs: Sequence[Signs]) -> list[list[_Ending]]:
    """Endings in groups of those that follow each other; Unclear if they make no sense."""
    endings: list[_Ending] = []
    for i, found in enumerate(signs):
        if not found.starts:
            continue
        if len(found.starts) > 1 or not (numbers := next(iter(found.starts))):
            raise Unclear(f"the endings at measure {i + 1} have no clear numbers")
        later = range(i + 1, len(signs))
        until = next((j for j in later if signs[j].starts), len(signs))
        last = next((j for j in range(i, until) if signs[j].stops or signs[j].backward), None)
        if last is None:
            raise Unclear(f"the ending at measure {i + 1} has no end")
        endings.append(_Ending(i, last, numbers))
    groups: list[list[_Ending]] = []
    for ending in endings:
        if groups and groups[-1][-1].last + 1 == ending.first and ending.numbers[0] > 1:
            groups[-1].append(ending)
        else:
            groups.append([ending])
    for group in groups:
        _check(group, signs)
    return groups


def _check(group: Sequence[_Ending], signs: Sequence[Signs]) -> None:
    numbers = [number for ending in group for number in ending.numbers]
    ordered = numbers == list(range(1, len(numbers) + 1))
    if not ordered or not all(signs[ending.last].backward for ending in group[:-1]):
        raise Unclear(f"the endings from measure {group[0].first + 1} on are not in order")
    if numbers == [1] and not signs[group[0].last].backward:
        raise Unclear(f"the first ending at measure {group[0].first + 1} leads nowhere")


class _Jump(NamedTuple):
    """From the end of measure `source` to `target`, then to the end of `fine`, or of `to_coda` and
    from `coda` on."""

    source: int
    target: int
    fine: int | None
    to_coda: int | None
    coda: int | None


def _jump(signs: Sequence[Signs]) -> _Jump | None:
    """The one jump back of a piece, None without; Unclear if it has another number, or no goal."""
    places = {kind: _places(signs, kind) for kind in (*AT_END, *AT_START)}
    words = " ".join(word for found in signs for word in found.words)
    sources = [place for kind in JUMPS for place in places[kind]]
    if not sources:
        if _JUMP_WORDS.search(words):
            raise Unclear("da capo, dal segno, coda or fine stand there as words alone")
        return None
    if len(sources) > 1:
        raise Unclear("there is more than one da capo or dal segno")
    source, label = sources[0]
    target = 0 if places["dacapo"] else _goal(places["segno"], label, "segno")
    if target > source:
        raise Unclear("the segno stands after the place from which one goes back to it")
    fine = _only(places["fine"], "fine")
    to_coda = _only(places["tocoda"], "way to the coda")
    coda = None if to_coda is None else _goal(places["coda"], to_coda[1], "coda")
    for kind in {match.casefold() for match in _AL.findall(words)}:
        if (fine if kind == "fine" else to_coda) is None:
            raise Unclear(f"'al {kind}' is asked for and where that is stands in words alone")
    if fine and to_coda:
        raise Unclear("there are both a fine and a coda")
    end = fine or to_coda
    if (end and not target <= end[0] <= source) or (coda is not None and coda <= source):
        raise Unclear("fine or coda are not on the way")
    later = (found for found in signs[source + 1 :] if found.forward or found.backward)
    if (following := next(later, None)) is not None and not following.forward:
        raise Unclear("the da capo or dal segno stands amid what is repeated")
    return _Jump(source, target, fine[0] if fine else None, to_coda[0] if to_coda else None, coda)


Place = tuple[int, str]  # a measure and the label of a sign in it


def _places(signs: Sequence[Signs], kind: str) -> list[Place]:
    for i, found in enumerate(signs):
        if kind in found.misplaced:
            raise Unclear(f"the {kind} in measure {i + 1} stands amid its notes")
    return [(i, label) for i, found in enumerate(signs) for label in found.sounds.get(kind, ())]


def _only(places: list[Place], what: str) -> Place | None:
    if len(places) > 1:
        raise Unclear(f"there is more than one {what}")
    return places[0] if places else None


def _goal(places: list[Place], label: str, what: str) -> int:
    """Where the sign with this label stands, or the only one that there is."""
    fitting = [i for i, name in places if name == label] or [i for i, _ in places]
    if len(fitting) != 1:
        raise Unclear(f"there is {'no' if not fitting else 'more than one'} {what} to go to")
    return fitting[0]


def _play(
    signs: Sequence[Signs], groups: Sequence[Sequence[_Ending]], jump: _Jump | None
) -> list[int]:
    """Walk through the measures; Unclear if that does not come to an end, or not past the goals."""
    walk = _Walk(signs, groups, jump)
    while walk.place < len(signs):
        if len(walk.order) > MAX_TIMES * len(signs):
            raise Unclear("the repeats make the piece longer than is believable")
        walk.step()
    if jump is not None and walk.ahead:
        raise Unclear(f"one never comes to the {walk.ahead[0].what}")
    return walk.order


class _Goal(NamedTuple):
    """A measure at whose end one goes on elsewhere."""

    at: int
    to: int
    what: str


class _Walk:
    """Where one is in a piece, and how often one was."""

    def __init__(
        self, signs: Sequence[Signs], groups: Sequence[Sequence[_Ending]], jump: _Jump | None
    ) -> None:
        self.signs = signs
        self.endings = {ending.first: (ending, group) for group in groups for ending in group}
        self.times = {e.last: group[-1].numbers[-1] for group in groups for e in group}
        self.left = {group[-1].last + 1 for group in groups}
        self.ahead = _goals(jump, len(signs)) if jump else []
        self.jumped = False
        self.order: list[int] = []
        self.place = self.begun = 0  # the measure, and the first of the part that is repeated
        self.turn = 1

    def step(self) -> None:
        """Play the measure or pass over it, and go to the next."""
        place, found = self.place, self.signs[self.place]
        if (found.forward or place in self.left) and place != self.begun:
            self._begin(place)
        if place in self.endings:
            ending, group = self.endings[place]
            last = max(group[-1].numbers[-1], 2)
            if (last if self.jumped else self.turn) not in ending.numbers:
                self.place = ending.last + 1
                return
        self.order.append(place)
        times = min(max(found.backward, self.times.get(place, 0)), MAX_TIMES)
        if found.backward and self.turn < times and not self.jumped:
            self.place, self.turn = self.begun, self.turn + 1
        elif self.ahead and place == self.ahead[0].at:
            self.place = self.ahead.pop(0).to
            self._begin(self.place)
            self.jumped = True
        else:
            self.place += 1
            if found.backward:
                self._begin(self.place)

    def _begin(self, place: int) -> None:
        self.begun, self.turn = place, 1


def _goals(jump: _Jump, count: int) -> list[_Goal]:
    goals = [_Goal(jump.source, jump.target, "da capo or dal segno")]
    if jump.fine is not None:
        goals.append(_Goal(jump.fine, count, "fine"))
    if jump.to_coda is not None and jump.coda is not None:
        goals.append(_Goal(jump.to_coda, jump.coda, "coda"))
    return goals


def breaks(order: Sequence[int]) -> set[int]:
    """Places in the order at which what is played does not stand behind what was played before."""
    return {i + 1 for i, (one, other) in enumerate(pairwise(order)) if other != one + 1}
