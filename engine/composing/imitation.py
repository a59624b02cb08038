"""What answers a subject: its notes, moved to where another part lies.

The network is told of them as it is of a bar that comes back. Of the answers that it was told
exactly, seven in ten (baroque) had most of their notes at their places, while other parts went on.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

from engine.composing.step_context import NOTHING_HEARD, EchoNote, HeardBar, recalled
from engine.music.fields import MELODIC_PITCHES
from engine.music.score import DRUMS

LEAST_NOTES = 3  # of a subject in its first bar
BARS = 4  # whose notes tell where a part lies, those of the subject among them
_STEPS = (0, 2, 4, 5, 7, 9, 11)  # of the scale of the home position
_OCTAVES = range(-2, 3)
_FIFTH, _OCTAVE = 4, 7  # in steps


def answered(
    heard: Mapping[int, HeardBar[int]],
    subject: int,
    bar: int,
    number: int,
    parts_on: Sequence[bool],
) -> HeardBar[int]:
    """The notes of the part that led in the bar `subject`, as it has them in `bar`, moved to the
    part nearest to it, by a fifth and octaves, or, as the second answer, to the next nearest, by
    octaves. Nothing where no part leads or none is there to answer."""
    first = _by_part(heard.get(subject, NOTHING_HEARD))
    if not first:
        return NOTHING_HEARD
    leading = max(first, key=lambda part: (len({note.tick for note in first[part]}), -part))
    lying = _lying(heard, subject)
    others = sorted(
        (part for part in lying if part != leading and parts_on[part - 1]),
        key=lambda part: (abs(lying[part] - lying[leading]), part),
    )
    if len({note.tick for note in first[leading]}) < LEAST_NOTES or len(others) < number:
        return NOTHING_HEARD
    part = others[number - 1]
    interval = _FIFTH if number == 1 else 0
    height = sum(note.pitch for note in first[leading]) // len(first[leading])
    steps = min(
        (interval + _OCTAVE * octave for octave in _OCTAVES),
        key=lambda steps: abs(_moved(height, steps) - lying[part]),
    )
    return _told(_by_part(heard.get(bar, NOTHING_HEARD)).get(leading, []), steps, part)


def _by_part(told: HeardBar[int]) -> dict[int, list[EchoNote]]:
    """The notes of a bar by part, percussion left out; parts and pitches are field values."""
    found: dict[int, list[EchoNote]] = {}
    for note in recalled(told):
        if note.part != 1 + DRUMS:
            found.setdefault(note.part, []).append(note)
    return found


def _lying(heard: Mapping[int, HeardBar[int]], subject: int) -> dict[int, float]:
    """The mean pitch of each part up to the first bar of the subject."""
    pitches: dict[int, list[int]] = {}
    for bar in range(subject + 1 - BARS, subject + 1):
        for part, notes in _by_part(heard.get(bar, NOTHING_HEARD)).items():
            pitches.setdefault(part, []).extend(note.pitch for note in notes)
    return {part: sum(found) / len(found) for part, found in pitches.items()}


def _moved(value: int, steps: int) -> int:
    """A pitch so many steps of the scale higher; what lies between its steps stays so."""
    octave, tone = divmod(value - 1, 12)
    step = max(i for i, pitch in enumerate(_STEPS) if pitch <= tone)
    octaves, there = divmod(step + steps, len(_STEPS))
    return 1 + 12 * (octave + octaves) + _STEPS[there] + tone - _STEPS[step]


def _told(notes: Sequence[EchoNote], steps: int, part: int) -> HeardBar[int]:
    told = array("i")
    for note in notes:
        pitch = _moved(note.pitch, steps)
        if 0 < pitch <= MELODIC_PITCHES:
            told.extend((note.key, note.tick, pitch, note.duration, part))
    return told
