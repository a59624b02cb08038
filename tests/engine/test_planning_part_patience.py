"""Laws of parts that are asked for: each is heard, and may rest."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from engine.composing.composer import Composer
from engine.composing.snapshot import restore, save
from engine.controls.controls import Controls
from engine.music.score import DRUMS, PARTS
from engine.planning.part_patience import FRESH, RESTING, after_bar, overdue
from tests.bundles import tiny
from tests.engine.sessions import as_heard, compose
from tests.fakes import TableNetwork

PART_SETS = st.sets(st.integers(0, PARTS - 1))


def shy(part: int) -> TableNetwork:
    """A network that hardly ever plays one of its parts."""
    network = TableNetwork(haste=1.2)
    network.tables[0][:, 1 + part] -= 9
    return network


@given(bars=st.lists(st.tuples(PART_SETS, PART_SETS), max_size=30))
def test_a_part_is_overdue_after_a_silent_bar_and_once_heard_after_a_long_rest(
    bars: list[tuple[set[int], set[int]]],
) -> None:
    patience, silent = FRESH, [RESTING - 1] * PARTS
    for asked, heard in bars:
        patience = after_bar(patience, asked, heard)
        for part in range(PARTS):
            gone = silent[part] + 1 if part not in heard else 0
            silent[part] = gone if part in asked else RESTING - 1
        late = {part for part in range(PARTS) if silent[part] >= RESTING and part != DRUMS}
        assert overdue(patience) == late


@given(seed=st.integers(0, 500))
def test_a_part_that_is_asked_for_is_heard_before_the_second_bar_ends(seed: int) -> None:
    network = shy(2)
    composer = Composer(network, network.pool(1), seed, 0, Controls.from_dict({"parts": [1, 3]}))
    bars = compose(composer, 2)
    middle = bars[1].start + bars[1].metre.half
    assume(any(note.onset >= middle for note in bars[1].notes))
    assert {note.part for bar in bars for note in bar.notes} == {0, 2}


def test_where_parts_are_left_open_nobody_is_leaned_to() -> None:
    network = shy(2)
    composer = Composer(network, network.pool(1), 1)
    assert all(note.part != 2 for bar in compose(composer, 12) for note in bar.notes)
    assert composer.lines[-1].patience == FRESH


def test_patience_goes_into_a_snapshot() -> None:
    network = tiny("gpt")
    controls = Controls.from_dict({"parts": [1, 2, 3, 4, 5, 6]})
    composer = Composer(network, network.pool(1), 4, 0, controls)
    composer.compose_bar()
    composer.commit(1)
    again = restore(save(composer), network, network.pool(1))
    assert again.lines[-1].patience == composer.lines[-1].patience != FRESH
    ours, theirs = compose(composer, 4), compose(again, 4)
    assert [as_heard(bar) for bar in ours] == [as_heard(bar) for bar in theirs]
