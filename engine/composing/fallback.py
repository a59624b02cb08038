"""A bar made from a stream's own last bars, for when the composed one is not there in time.

It is no loop: the bar that stood at this place of the phrase four bars ago comes back thinned and
softer, varied by its index. When one such bar follows another they become sparser, down to a held
chord, so that a stream which waits sounds as if it rested. Everything is a function of the bars
that were heard, so a replay repeats it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from engine.music.bars import Bar
from engine.music.score import DRUMS, Note
from engine.music.time import Metre

BEFORE_A_FALLBACK = 8  # bars that a fallback is made from
PHRASE = 4  # bars after which music is likeliest to return
LOUDNESS = (0.9, 0.8, 0.7, 0.6)  # by how many fallbacks came before in a row
MOST_HELD = 4  # notes of the held chord


class FallbackNote(NamedTuple):
    """A note as a fallback takes and gives it: not tied, in ticks since its bar line. Parts count
    from 0; `shift` is in microseconds and kept as it was."""

    onset: int
    duration: int
    pitch: int
    velocity: int
    part: int
    shift: int = 0


@dataclass(frozen=True, slots=True)
class PastBar:
    """A bar that was heard. Only bars of one `kind` (key, instruments) stand in for each other;
    `late` tells that it was a fallback itself."""

    index: int
    metre: Metre
    notes: tuple[FallbackNote, ...]
    kind: Hashable
    late: bool


def fallback(before: Sequence[PastBar]) -> tuple[int, tuple[FallbackNote, ...]]:
    """The bar after these (at least one, oldest first, as heard), as long as the last of them.

    Returns the place in `before` of the bar that it varies, and its notes, ordered, all of which
    end inside it. There are none only if no bar like the last one has any.
    """
    last = before[-1]
    index = last.index + 1
    place = _source(before, index)
    source = before[place]
    if not source.notes:
        return place, ()
    run = next((i for i, bar in enumerate(reversed(before)) if not bar.late), len(before))
    level = min(run, len(_WAYS) - 1)
    # What is soft already because it was a fallback does not fade for ever.
    loudness = 1.0 if source.late else LOUDNESS[level]
    chosen: list[FallbackNote] = []
    for way in (_WAYS[level], _held, _on_beats, _all):
        chosen = chosen or way(source, index)
    softer = (n._replace(velocity=max(1, round(n.velocity * loudness))) for n in chosen)
    return place, _ended(softer, last.metre.ticks)


def fallback_bar(before: Sequence[Bar], keys: Sequence[str], late: Collection[int]) -> Bar:
    """The same for bars of the engine: `keys` as they sound, bar by bar, and the indices of those
    that were fallbacks."""
    past = [
        PastBar(
            bar.index,
            bar.metre,
            tuple(
                FallbackNote(n.onset - bar.start, n.duration, n.pitch, n.velocity, n.part, shift)
                for n, shift in zip(bar.notes, bar.shifts, strict=True)
            ),
            (key, bar.programs),
            bar.index in late,
        )
        for bar, key in zip(before, keys, strict=True)
    ]
    place, notes = fallback(past)
    last, source = before[-1], before[place]
    return replace(
        last,
        index=last.index + 1,
        revision=0,
        start=last.end,
        notes=tuple(Note(last.end + n.onset, *n[1:5]) for n in notes),
        shifts=tuple(n.shift for n in notes),
        plan=source.plan._replace(source=source.index),
        chords=source.chords,
        surprise=0.0,
        pedals=(),
    )


def _source(before: Sequence[PastBar], index: int) -> int:
    """The latest bar of the last one's kind at the same place of the phrase, composed bars before
    fallbacks, bars with notes before empty ones."""
    last = before[-1]

    def worth(place: int) -> tuple[bool, bool, bool, int]:
        bar = before[place]
        return bool(bar.notes), not bar.late, (index - bar.index) % PHRASE == 0, bar.index

    alike = [
        place
        for place, bar in enumerate(before)
        if (bar.metre, bar.kind) == (last.metre, last.kind)
    ]
    return max(alike, key=worth)


# -- ways of leaving notes out, from full to bare --------------------------------------------------


def _all(source: PastBar, index: int) -> list[FallbackNote]:
    return list(source.notes)


def _thinned(source: PastBar, index: int) -> list[FallbackNote]:
    """What falls on beats or is long stays; every other note off the beat goes, another half of
    them in every bar."""
    beat = source.metre.ticks_per_beat
    return [
        n
        for n in source.notes
        if n.onset % beat == 0
        or n.duration >= beat
        or (n.onset // (beat // 2) + n.pitch + index) % 2 == 0
    ]


def _on_beats(source: PastBar, index: int) -> list[FallbackNote]:
    beat = source.metre.ticks_per_beat
    return _legato([n for n in source.notes if n.onset % beat == 0], source.metre.ticks)


def _on_halves(source: PastBar, index: int) -> list[FallbackNote]:
    """Bass, melody and percussion of the two halves of the bar."""
    kept = []
    for onset in (0, source.metre.half):
        here = [n for n in source.notes if n.onset == onset]
        melodic = sorted((n for n in here if n.part != DRUMS), key=_pitch)
        kept += [*melodic[:1], *melodic[1:][-1:], *[n for n in here if n.part == DRUMS][:1]]
    return _legato(kept, source.metre.ticks)


def _held(source: PastBar, index: int) -> list[FallbackNote]:
    """The notes that sounded longest, as one chord; where there are three or more, an inner voice
    rests in every other bar."""
    melodic = [n for n in source.notes if n.part != DRUMS]
    if not melodic:
        return []
    longest: dict[int, FallbackNote] = {}
    for note in sorted(melodic, key=lambda n: (-n.duration, n.onset, n.pitch)):
        longest.setdefault(note.pitch, note)
    bass = min(longest.values(), key=_pitch)
    upper = [n for n in longest.values() if n is not bass]
    voices = min(MOST_HELD, _polyphony(melodic))
    chord = sorted([bass, *upper[: voices - 1]], key=_pitch)
    if len(chord) > 2 and index % 2:
        del chord[1 + index // 2 % (len(chord) - 2)]
    loudness = round(sum(n.velocity for n in melodic) / len(melodic))
    ticks = source.metre.ticks
    return [n._replace(onset=0, duration=ticks, velocity=loudness, shift=0) for n in chord]


_WAYS: tuple[Callable[[PastBar, int], list[FallbackNote]], ...] = (
    _thinned,
    _on_beats,
    _on_halves,
    _held,
)


def _pitch(note: FallbackNote) -> int:
    return note.pitch


def _polyphony(notes: Sequence[FallbackNote]) -> int:
    """The most notes that sound at a time."""
    return max(sum(n.onset <= at.onset < n.onset + n.duration for n in notes) for at in notes)


def _legato(notes: list[FallbackNote], ticks: int) -> list[FallbackNote]:
    """Each note held until its part's next one, percussion as it was."""
    onsets = {(n.part, n.onset) for n in notes}

    def held(note: FallbackNote) -> int:
        ends = [onset for part, onset in onsets if part == note.part and onset > note.onset]
        return min(ends, default=ticks) - note.onset

    return [n if n.part == DRUMS else n._replace(duration=held(n)) for n in notes]


def _ended(notes: Iterable[FallbackNote], ticks: int) -> tuple[FallbackNote, ...]:
    """In order, one of a pitch at a time, none beyond the bar."""
    next_onset: dict[tuple[int, int], int] = {}
    ended: list[FallbackNote] = []
    for note in sorted(notes, reverse=True):
        key = note.part, note.pitch
        end = min(note.onset + note.duration, next_onset.get(key, ticks))
        if end > note.onset:
            next_onset[key] = note.onset
            ended.append(note._replace(duration=end - note.onset))
    return tuple(sorted(ended))  # shorter than before, some stand elsewhere
