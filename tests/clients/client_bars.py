"""Bars for the tests of the Python client."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hypothesis import strategies as st
from perpetuo_client.bars import Bar, Note, Pedal

QUARTER = 500_000
BAR = 4 * QUARTER
PROGRAMS = (0, 48, 32, 0, 0, 0, 0, 0)


def bar(index: int = 0, *notes: Note, **changed: Any) -> Bar:
    """A bar of four quarters at 120, due when as many have passed since 0."""
    values: dict[str, Any] = {
        "index": index,
        "revision": 0,
        "due": index * BAR,
        "epoch": 0,
        "tick": 96 * index,
        "ticks": 96,
        "metre": "4/4",
        "tempo": QUARTER,
        "key": "C major",
        "chords": ("C", "G"),
        "section": "A",
        "echo": -1,
        "programs": PROGRAMS,
        "notes": notes,
    }
    return Bar(**values | changed)


def note(pitch: int = 60, tick: int = 0, length: int = 24, **changed: Any) -> Note:
    values: dict[str, Any] = {"part": 1, "velocity": 80, "shift": 0, "tie": 0}
    values |= {"pitch": pitch, "tick": tick, "length": length}
    return Note(**values | changed)


def plain(value: Bar) -> dict[str, Any]:
    """The bar as JSON would carry it."""
    fields = asdict(value)
    del fields["due"], fields["epoch"]
    lists = {name: [list(one) for one in getattr(value, name)] for name in ("notes", "pedals")}
    return fields | lists | {"chords": list(value.chords)}


@st.composite
def bars(draw: st.DrawFn, count: int = 4) -> list[Bar]:
    """Bars in a row, with ties that do or do not go on in the next one, and pedals."""
    found = []
    for index in range(count):
        notes = []
        for _ in range(draw(st.integers(0, 6))):
            tie = draw(st.sampled_from([0, 0, 1, 2, 3]))
            tick = 0 if tie & 2 else draw(st.integers(0, 95))
            length = 96 - tick if tie & 1 else draw(st.integers(1, 120))
            shift = 0 if tie & 2 else draw(st.integers(-20_000, 20_000))
            part, pitch = draw(st.sampled_from([1, 2, 8])), draw(st.integers(60, 62))
            notes.append(Note(part, pitch, 80, tick, length, shift, tie))
        downs = draw(st.lists(st.integers(0, 95), max_size=3))
        pedals = [
            Pedal(draw(st.sampled_from([1, 2])), t, draw(st.integers(1, 96 - t))) for t in downs
        ]
        found.append(bar(index, *notes, pedals=tuple(pedals)))
    return found
