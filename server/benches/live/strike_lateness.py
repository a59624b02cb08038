"""How late notes were struck, as an ear heard them: what came against what was planned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from server.benches.live.jack import ReceivedNote
from server.midi.settings import CHANNELS
from server.web.outgoing import BarMessage

TIED_FROM = 2  # a note that sounds on from the bar before is not struck
TOO_FAR = 200_000  # what is heard this long after a planned note, or before, is not that note


class StrikeLateness(NamedTuple):
    """Microseconds by which notes came late; how many planned ones did not come."""

    lateness: list[int]
    missing: int


def planned_notes(bars: Iterable[BarMessage]) -> list[ReceivedNote]:
    """When which notes of these bars, each as it was heard, are to be struck."""
    return [
        ReceivedNote(
            message.due + message.bar.onset_of(note),
            CHANNELS[note.part],
            note.pitch,
        )
        for message in bars
        for note in message.bar.notes
        if not note.tie & TIED_FROM
    ]


def compare(planned: Iterable[ReceivedNote], heard: Iterable[ReceivedNote]) -> StrikeLateness:
    """Each planned note with the nearest of those that came and that no other one has."""
    came = _by_pitch(heard)
    lateness: list[int] = []
    missing = 0
    for key, dues in _by_pitch(planned).items():
        left = came.get(key, [])
        for due in dues:
            nearest = min(left, key=lambda at: abs(at - due), default=None)
            if nearest is None or abs(nearest - due) > TOO_FAR:
                missing += 1
            else:
                left.remove(nearest)
                lateness.append(nearest - due)
    return StrikeLateness(lateness, missing)


def _by_pitch(notes: Iterable[ReceivedNote]) -> dict[tuple[int, int], list[int]]:
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for note in sorted(notes):
        found[note.channel, note.pitch].append(note.at)
    return found


def within(notes: Sequence[ReceivedNote], first: int, last: int) -> list[ReceivedNote]:
    return [note for note in notes if first <= note.at < last]
