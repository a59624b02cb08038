"""How long the notes of a bar are held, when a performer asks for an articulation.

The network is told what is asked, but most music that it has learned from knows one touch only.
What is missing is done here, as a player would: notes are let go earlier, or held up to the next.
"""

from __future__ import annotations

from engine.music.score import DRUMS, Note


def articulated(notes: tuple[Note, ...], following: int, asked: float | None) -> tuple[Note, ...]:
    """The notes of a bar, so that duration over the gap to the next onset in the part is `asked`
    in the mean; after the bar the next one is at tick `following`. Nothing is lengthened into what
    comes after it."""
    gaps = _gaps(notes, following)
    free = [i for i, gap in enumerate(gaps) if gap]
    if asked is None or not free:
        return notes
    heard = sum(notes[i].duration / gaps[i] for i in free) / len(free)
    factor = asked / heard
    played = list(notes)
    for i in free:
        duration = notes[i].duration
        longest = max(duration, gaps[i])
        held = min(longest, max(1, round(duration * factor)))
        played[i] = notes[i]._replace(duration=held)
    return tuple(played)


def _gaps(notes: tuple[Note, ...], end: int) -> list[int]:
    """Ticks from each note to the next later onset in its part, or to `end`; 0 for percussion
    and for tied notes, which are left alone."""
    following: dict[int, tuple[int, int]] = {}  # by part: the onset last seen, the one after it
    gaps = [0] * len(notes)
    for i in sorted(range(len(notes)), key=lambda i: notes[i].onset, reverse=True):
        note = notes[i]
        here, after = following.get(note.part, (end, end))
        if note.onset < here:
            here, after = note.onset, here
        following[note.part] = here, after
        if note.part != DRUMS and not note.tie:
            gaps[i] = max(after - note.onset, 0)
    return gaps
