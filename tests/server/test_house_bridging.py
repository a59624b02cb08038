"""A fallback over the wire is that of the engine."""

from __future__ import annotations

from engine.composing.fallback import fallback_bar
from engine.music.bars import Bar
from engine.music.plan import BarPlan
from engine.music.score import Note
from engine.music.time import Metre
from server.base.wire import WireBar
from server.house.bridging import bridged
from tests.server.bars import bar

ROW = [(1, 60 + i, 12 * i, 12, 100 * i) for i in range(8)] + [(8, 36, 0, 6), (8, 38, 48, 6)]


def test_it_follows_the_last_bar_and_says_that_it_is_late() -> None:
    before = [bar(index, ROW, key="D major", programs=(9,) * 8) for index in range(6)]
    made = bridged(before)
    assert (made.index, made.tick, made.ticks, made.metre) == (6, 576, 96, "4/4")
    assert (made.key, made.programs, made.tempo) == ("D major", (9,) * 8, before[-1].tempo)
    assert made.late
    assert made.echo == 2
    assert made.chords == ("C", "of 2")


def test_another_key_is_not_taken_up_again() -> None:
    before = [bar(index, ROW) for index in range(5)]
    before.append(bar(5, [(1, 62, 0, 96)], key="D major"))
    made = bridged(before)
    assert made.echo == 5
    assert [note.pitch for note in made.notes] == [62]


def test_bars_on_the_wire_and_bars_of_the_engine_are_bridged_alike() -> None:
    wired: list[WireBar] = [bar(index, ROW[index % 3 :]) for index in range(6)]
    bars = [_engine_bar(wire) for wire in wired]
    late: set[int] = set()
    for _ in range(5):
        wired.append(bridged(wired))
        bars.append(fallback_bar(bars, ["C major"] * len(bars), late))
        late.add(bars[-1].index)
        assert bars[-1].notes == _engine_bar(wired[-1]).notes
        assert bars[-1].shifts == _engine_bar(wired[-1]).shifts


def _engine_bar(wire: WireBar) -> Bar:
    notes = tuple(
        Note(wire.tick + n.tick, n.length, n.pitch, n.velocity, n.part - 1, n.tie)
        for n in wire.notes
    )
    return Bar(
        wire.index,
        wire.revision,
        wire.tick,
        Metre.parse(wire.metre),
        wire.tempo,
        notes,
        tuple(n.shift for n in wire.notes),
        wire.programs,
        BarPlan(),
        wire.section,
        0.0,
    )
