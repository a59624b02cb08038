"""Where the notes of chords lie: a bass with a line, and upper voices that move little.

Both look for what costs least: moves, leaps, parallels, seconds that rub, chords without what
they are known by.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations, pairwise

from export.invention.draws import Draws
from export.invention.harmony import Chord

Voices = tuple[int, ...]  # pitches, rising

_BASS_TONES = (0.0, 2.6, 3.4)  # cost of the root, the third and the fifth in the bass
_WHOLE = 4  # a turn of more voices than this may double


def bass_line(turn: Sequence[Chord], low: int, high: int, draws: Draws) -> list[int]:
    """A bass note for each chord of a turn, the first on its root; the line costs least in all."""
    ways: list[dict[int, tuple[float, int]]] = []
    for place, chord in enumerate(turn):
        options = _bass_options(chord, low, high, place == 0)
        reached: dict[int, tuple[float, int]] = {}
        for pitch, cost in options.items():
            cost += 0.8 * draws.uniform() + abs(pitch - (low + high) / 2) * 0.06
            if not place:
                reached[pitch] = (cost, -1)
                continue
            best = min(
                (c + _bass_move(pitch - before), before) for before, (c, _) in ways[-1].items()
            )
            reached[pitch] = (cost + best[0], best[1])
        ways.append(reached)
    line = [min(ways[-1], key=lambda pitch: ways[-1][pitch][0])]
    for reached in ways[:0:-1]:
        line.append(reached[line[-1]][1])
    return line[::-1]


def _bass_options(chord: Chord, low: int, high: int, root_only: bool) -> dict[int, float]:
    costs = {chord.root: 0.0}
    if chord.bass is not None:
        costs = {chord.bass: 0.0}
    elif not root_only:
        for step, cost in ((3, 1), (4, 1), (7, 2)):
            tone = (chord.root + step) % 12
            if tone in chord.tones:
                costs.setdefault(tone, _BASS_TONES[cost])
    return {pitch: costs[pitch % 12] for pitch in range(low, high + 1) if pitch % 12 in costs}


def _bass_move(step: int) -> float:
    size = abs(step)
    if size == 0:
        return 1.2
    if size <= 2:
        return 0.0
    if size <= 5:
        return 0.9
    return 1.3 if size == 7 else 3.0 + 0.2 * size


@cache
def _layouts(tones: tuple[int, ...], low: int, high: int, count: int) -> tuple[Voices, ...]:
    """All ways to lay a chord into a range that sound well by themselves."""
    pitches = [pitch for pitch in range(low, high + 1) if pitch % 12 in tones]
    needed = min(count, len(tones))
    found = []
    for voices in combinations(pitches, count):
        gaps = [above - below for below, above in pairwise(voices)]
        if any(gap > 12 for gap in gaps) or len({p % 12 for p in voices}) < needed:
            continue
        if any(gap < 3 and below < 52 for gap, below in zip(gaps, voices, strict=False)):
            continue
        if 1 in gaps[-1:] or gaps.count(1) > 1 or (1, 1) in pairwise(gaps):
            continue
        found.append(voices)
    return tuple(found)


def led(
    chord: Chord,
    before: Voices,
    bass: tuple[int, int],
    span: tuple[int, int],
    count: int,
    draws: Draws,
) -> Voices:
    """The voices of a chord after those of the one before (() at the beginning).

    `bass` is the bass note before and now. Fewer voices come where the range has no room, or
    where one less goes better.
    """
    layouts: list[Voices] = []
    for size in range(count, 0, -1):
        enough = len(layouts) > 0
        layouts += _layouts(chord.tones, *span, size)
        if enough:
            break
    if not layouts:
        return ()
    aim = (span[0] + span[1]) / 2
    return min(
        layouts, key=lambda voices: _cost(voices, before, bass, chord, aim) + draws.uniform()
    )


def _cost(voices: Voices, before: Voices, bass: tuple[int, int], chord: Chord, aim: float) -> float:
    have = {pitch % 12 for pitch in voices}
    cost = sum(2.5 for tone in chord.tones[:2] if tone not in have and tone != bass[1] % 12)
    cost += 0.15 * abs(sum(voices) / len(voices) - aim) + 0.4 * (bass[1] % 12 in have)
    cost += 0.8 * sum(b - a == 1 for a, b in pairwise(voices))
    if len(before) != len(voices):
        cost += 2.0 + 3.0 * max(0, len(before) - len(voices))
        if before and is_parallel(*bass, before[-1], voices[-1]):
            cost += 25.0
        return cost
    moves = [now - then for then, now in zip(before, voices, strict=True)]
    cost += sum(abs(move) for move in moves) * 0.5 + max(0, abs(moves[-1]) - 4)
    return cost + _parallels((bass[0], *before), (bass[1], *voices))


def _parallels(before: Voices, voices: Voices) -> float:
    cost, last = 0.0, len(voices) - 1
    for low in range(last):
        for high in range(low + 1, last + 1):
            if is_parallel(before[low], voices[low], before[high], voices[high]):
                outer = 25.0 if high == last else 6.0
                cost += outer if low == 0 else 2.0
    return cost


def is_parallel(low_before: int, low: int, high_before: int, high: int) -> bool:
    """Whether two voices move alike from one fifth or octave to another."""
    down, up = low - low_before, high - high_before
    interval = (high - low) % 12
    return down * up > 0 and interval in (0, 7) and (high_before - low_before) % 12 == interval
