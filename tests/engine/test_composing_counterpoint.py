"""Laws of parts that are led as voices."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.composing.composer import Composer
from engine.composing.counterpoint import NOWHERE, SILENT, Counterpoint, Lines
from engine.composing.counterpoint_weights import (
    CROSSED,
    HIDDEN,
    LACKING,
    LEADING,
    LEAP,
    PARALLEL,
    RUBBING,
    STAYS,
    STEP,
    UNISON,
)
from engine.composing.paired_bias import STRUCK as STRUCK_AGAIN
from engine.composing.paired_bias import PairedBias
from engine.composing.snapshot import restore, save
from engine.controls.controls import Controls
from engine.library.bars import open_model
from engine.library.models import model_file
from engine.music.bars import Bar
from engine.music.fields import CHORDS, MELODIC_PITCHES
from engine.music.harmony import CHORD_CLASSES
from engine.music.score import DRUMS, PARTS, Note
from engine.network.runtime import Network
from tests.bundles import tiny
from tests.engine.sessions import advance, as_heard, compose, joined
from tests.fakes import TableNetwork

TABLE = TableNetwork()
TRIADS = [
    {(root + step) % 12 for step in steps}
    for root in range(12)
    for steps in ((0, 4, 7), (0, 3, 7), (0, 3, 6))
]
PITCH = st.integers(30, 90)
STRUCK = st.dictionaries(st.integers(0, DRUMS - 1), PITCH, max_size=4)
ON = st.lists(st.booleans(), min_size=PARTS, max_size=PARTS).map(tuple)
STRENGTH = st.sampled_from([0.25, 1.0])


def struck(lines: Lines, tick: int, pitches: dict[int, int], length: int = 24) -> None:
    for part, pitch in sorted(pitches.items()):
        lines.strike(Note(tick, length, pitch, 64, part))


# -- where the parts stand ----------------------------------------------------------------------


def test_a_part_comes_from_its_highest_note_and_is_forgotten_when_it_rests() -> None:
    lines = Lines()
    struck(lines, 0, {0: 72, 2: 48})
    lines.strike(Note(0, 24, 60, 64, 0))  # the rest of a chord
    lines.strike(Note(0, 24, 36, 64, DRUMS))
    assert (lines.now[0], lines.now[2], lines.now[DRUMS]) == (72, 48, SILENT)
    lines.reach(24)
    assert (lines.before[0], lines.before[2], lines.now[0]) == (72, 48, SILENT)
    lines.reach(25)
    assert lines.before == [SILENT] * PARTS


@given(st.lists(STRUCK, min_size=1, max_size=6), st.integers(0, 5))
def test_lines_go_on_from_any_bar_line_as_if_there_were_none(
    chords: list[dict[int, int]], cut: int
) -> None:
    whole, parted = Lines.resume(NOWHERE), Lines.resume(NOWHERE)
    for i, chord in enumerate(chords):
        struck(whole, 12 * i, chord)
        if i == cut:
            parted = Lines.resume(parted.state())
        struck(parted, 12 * i, chord)
        assert parted.state() == whole.state()


# -- what is made more and less likely ----------------------------------------------------------


def written(
    before: dict[int, int], now: dict[int, int], on: tuple[bool, ...], strength: float, chord: int
) -> np.ndarray:
    """The bias of pitches by part after these were struck, part by part."""
    lines = Lines()
    struck(lines, 0, before)
    bias = np.full((1 + PARTS, 1 + MELODIC_PITCHES + 47), 7.0, np.float32)  # what was there goes
    paired = PairedBias(lines, 0, Counterpoint(lines, strength, on), None)
    paired.on(bias)
    paired.write(24, chord)
    for part, pitch in sorted(now.items()):
        lines.strike(Note(24, 12, pitch, 64, part))
        paired.write(24, chord)
    return bias


def owed(
    before: dict[int, int], now: dict[int, int], parts: list[int], chord: int, part: int, pitch: int
) -> float:
    """What the rules say of one part's pitch, told one by one."""
    classes, own, found = CHORD_CLASSES[chord], before.get(part), 0.0
    above = [other for other in now if other < part and other in parts]
    brought = {now[other] % 12 for other in above}
    if part != parts[0] and pitch % 12 in classes and pitch % 12 not in brought:
        found += LACKING
    if own is not None and part in (parts[0], parts[-1]):
        far = abs(pitch - own)
        found += STEP if far in (1, 2) else LEAP if far > 5 else STAYS if far == 0 else 0.0
    if own is not None and pitch == own + 1 and own % 12 in (11, 8) and pitch % 12 in classes:
        found += LEADING
    so_far: set[int] = set()
    rubs = False
    for other in sorted(above):
        so_far.add(now[other] % 12)
        fitting = [triad for triad in TRIADS if so_far <= triad]
        rubs |= bool(fitting) and not any(pitch % 12 in triad for triad in fitting)
    found += RUBBING * rubs
    for other in parts:
        stands = now[other] if other in above else before.get(other)
        if other == part or stands is None:
            continue
        found += UNISON * (pitch == stands)
        if own is not None or (other in above and before.get(other) != stands):
            found += CROSSED * (pitch > stands if other < part else pitch < stands)
    for other in above:
        was, to = before.get(other), now[other]
        if own is None or was in (None, to) or (to > was) != (pitch > own) or pitch == own:
            continue
        is_above = was > own
        arrives = (to - pitch if is_above else pitch - to) % 12
        if arrives in (0, 7):
            found += PARALLEL if abs(was - own) % 12 == arrives else HIDDEN
    return found


@given(STRUCK, STRUCK, ON, STRENGTH, st.integers(0, CHORDS - 1))
@settings(max_examples=60)
def test_the_bias_is_what_the_rules_say_of_every_part_and_pitch(
    before: dict[int, int],
    now: dict[int, int],
    on: tuple[bool, ...],
    strength: float,
    chord: int,
) -> None:
    parts = [part for part in range(DRUMS) if on[part]]
    before = {part: pitch for part, pitch in before.items() if on[part]}
    now = {part: pitch for part, pitch in now.items() if on[part]}
    bias = written(before, now, on, strength, chord)
    expected = np.zeros_like(bias)
    for part in parts:
        for pitch in range(MELODIC_PITCHES):
            found = owed(before, now, parts, chord, part, pitch)
            expected[1 + part, 1 + pitch] = strength * found
    for part, pitch in now.items():
        expected[1 + part, 1 + pitch] += STRUCK_AGAIN  # no part strikes a pitch twice
    # Nothing is owed any more by a part that has struck; what is not asked is not told to it.
    np.testing.assert_allclose(bias, expected, atol=1e-5)


def test_parts_that_leave_a_fifth_together_do_not_come_to_the_next_one() -> None:
    on = (True, True, *(False,) * 6)
    bias = written({0: 67, 1: 60}, {0: 69}, on, 1.0, 2)
    assert bias[2, 1 + 62] < -7
    assert bias[2, 1 + 59] > -1


# -- what comes of it ---------------------------------------------------------------------------

VOICES = {
    "parts": [1, 2, 3, 4],
    "metre": "4/4",
    "grid": "1/8",
    "form": "off",
    "density": 4,
    "polyphony": 4,
    "register": 60,
}


def faults(bars: list[Bar]) -> Counter[str]:
    """Parallels, unisons and crossings between parts, and how often two move together."""
    found: Counter[str] = Counter()
    lines = Lines()
    last: dict[int, int] = {}
    for note in sorted(joined(bars), key=lambda note: (note.onset, note.part, -note.pitch)):
        if note.onset != lines.tick:
            found += _at_once(last, lines)
            lines.reach(note.onset)
            last = dict(enumerate(lines.before))
        lines.strike(note)
    return found


def _at_once(before: dict[int, int], lines: Lines) -> Counter[str]:
    found: Counter[str] = Counter()
    sounding = [part for part in range(DRUMS) if lines.now[part] != SILENT]
    for one, two in combinations(sounding, 2):
        was, now = (before[one], before[two]), (lines.now[one], lines.now[two])
        found["pairs"] += 1
        found["unisons"] += now[0] == now[1]
        if SILENT in was or was[0] == was[1]:
            continue
        found["crossings"] += (was[0] > was[1]) != (now[0] > now[1]) and now[0] != now[1]
        together = (now[0] - was[0]) * (now[1] - was[1]) > 0
        interval = abs(was[0] - was[1]) % 12
        found["parallels"] += (
            together and interval in (0, 7) and abs(now[0] - now[1]) % 12 == interval
        )
    return found


@cache
def counted(strength: float) -> Counter[str]:
    network = open_model(model_file("default"))
    found: Counter[str] = Counter()
    for seed, style in enumerate(("sacred", "hymn", "classical")):
        asked = {**VOICES, "style": {style: 1}, "counterpoint": strength}
        composer = Composer(network, network.pool(1), seed, 0, Controls.from_dict(asked))
        found += faults(compose(composer, 24))
    return found


@pytest.mark.parametrize(("fault", "most"), [("parallels", 0.5), ("unisons", 0.7)])
def test_the_embedded_model_errs_less_if_it_is_asked_to(fault: str, most: float) -> None:
    free, strict = counted(0.0), counted(1.0)
    assert min(free["pairs"], strict["pairs"]) > 300
    assert free[fault] > 3
    assert strict[fault] / strict["pairs"] < most * free[fault] / free["pairs"]


def test_the_embedded_models_parts_cross_less_if_they_are_asked_not_to() -> None:
    free, strict = counted(0.0), counted(1.0)
    assert strict["crossings"] / strict["pairs"] <= free["crossings"] / free["pairs"]


def test_nothing_is_added_without_it_and_without_a_close() -> None:
    composer = Composer(TABLE, TABLE.pool(1), 3, 0, Controls.from_dict({"form": "off"}))  # type: ignore[arg-type]
    for _ in range(200):
        advance(composer)
        assert set(np.unique(composer.pool.paired)) <= {0.0, STRUCK_AGAIN}


def test_it_is_heard_from_the_bar_in_which_it_is_asked_for() -> None:
    def begun() -> Composer:
        controls = Controls.from_dict({"form": "off", "parts": [1, 2]})
        return Composer(TABLE, TABLE.pool(1), 5, 0, controls)  # type: ignore[arg-type]

    plain, led = begun(), begun()
    ours, theirs = compose(plain, 4), compose(led, 4)
    assert ours == theirs
    led.commit(4)
    assert led.change({"counterpoint": 1}) == 4
    assert [bar.notes for bar in compose(plain, 12)] != [bar.notes for bar in compose(led, 12)]


@pytest.mark.parametrize("kind", ["gpt", "lstm"])
def test_a_snapshot_knows_where_the_parts_stand(kind: str) -> None:
    network: Network = tiny(kind)
    controls = Controls.from_dict({"counterpoint": 1, "parts": [1, 2, 3], "form": "phrases"})
    composer = Composer(network, network.pool(1), 8, 0, controls)
    compose(composer, 5)
    composer.commit(5)
    data = save(composer)
    again = restore(data, network, network.pool(1))
    assert again.lines[-1].lines == composer.lines[-1].lines != NOWHERE
    expected = [as_heard(bar) for bar in compose(composer, 6)]
    assert [as_heard(bar) for bar in compose(again, 6)] == expected
    assert again.lines[-1].lines == composer.lines[-1].lines


@given(st.integers(0, 40), st.integers(0, 3))
@settings(max_examples=15)
def test_going_back_goes_back_to_where_the_parts_stood(steps: int, behind: int) -> None:
    controls = Controls.from_dict({"counterpoint": 1, "parts": [1, 2, 3, 4]})
    composer = Composer(TABLE, TABLE.pool(1), 5, 0, controls)  # type: ignore[arg-type]
    bars = compose(composer, 6)
    stood = {line.bar: line.lines for line in composer.lines}
    for _ in range(steps):
        advance(composer)
    composer.rewind(6 - behind)
    assert composer.lines[-1].lines == stood[6 - behind]
    again = compose(composer, behind)
    assert [as_heard(bar) for bar in again] == [as_heard(bar) for bar in bars[6 - behind :]]
