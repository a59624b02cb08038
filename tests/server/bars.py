"""Bars for players: any that may come over the wire, and small ones written by hand."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from server.base.wire import WireBar, WireController, WireNote, WirePedal

TEMPO = 480_000  # 20 ms a tick


def bar(
    index: int,
    notes: Iterable[tuple[int, ...]] = (),
    *,
    tick: int | None = None,
    ticks: int = 96,
    metre: str = "4/4",
    tempo: int = TEMPO,
    programs: tuple[int, ...] = (0,) * 8,
    key: str = "C major",
    revision: int = 0,
    late: bool = False,
    pedals: Iterable[tuple[int, int, int]] = (),
    controllers: Iterable[tuple[int, int, int]] = (),
) -> WireBar:
    """Notes are (part, pitch, tick, length) with shift and tie after them if wanted, pedals
    (part, tick, length), controllers (part, number, value)."""
    wired = (
        WireNote(part, pitch, 80, onset, length, *[*rest, 0, 0][:2])
        for part, pitch, onset, length, *rest in notes
    )
    return WireBar(
        index=index,
        revision=revision,
        tick=96 * index if tick is None else tick,
        ticks=ticks,
        metre=metre,
        tempo=tempo,
        key=key,
        chords=("C", f"of {index}"),
        section="A",
        echo=-1,
        programs=programs,
        notes=tuple(wired),
        late=late,
        pedals=tuple(WirePedal(*pedal) for pedal in pedals),
        controllers=tuple(WireController(*turned) for turned in controllers),
    )


NOTES = st.builds(
    WireNote,
    part=st.sampled_from([1, 2, 8]),
    pitch=st.integers(60, 63),
    velocity=st.integers(1, 127),
    tick=st.integers(0, 7).map(lambda n: 6 * n) | st.integers(0, 35),
    length=st.integers(1, 48) | st.integers(48, 200),
    shift=st.just(0) | st.integers(-120_000, 120_000),
    tie=st.integers(0, 3),
)


@st.composite
def pedals_within(draw: st.DrawFn, ticks: int) -> tuple[WirePedal, ...]:
    """Pedals of a bar, which no engine makes: those of one part may overlap."""
    spans = draw(st.lists(st.tuples(st.integers(0, ticks - 1), st.integers(1, ticks)), max_size=4))
    parts = st.sampled_from([1, 2])
    return tuple(WirePedal(draw(parts), tick, min(most, ticks - tick)) for tick, most in spans)


@st.composite
def streams(draw: st.DrawFn, most: int = 5) -> list[WireBar]:
    """Bars in a row, with whatever notes, ties and pedals, their tempo changing."""
    bars: list[WireBar] = []
    tick = 0
    for index in range(draw(st.integers(1, most))):
        ticks = draw(st.sampled_from([12, 24, 36]))
        notes = draw(st.lists(NOTES, max_size=6))
        bars.append(
            WireBar(
                index=index,
                revision=0,
                tick=tick,
                ticks=ticks,
                metre=f"{ticks // 12}/8",
                tempo=draw(st.integers(200_000, 3_000_000)),
                key="C major",
                chords=("", ""),
                section="",
                echo=-1,
                programs=(draw(st.integers(0, 127)),) * 8,
                notes=tuple(note for note in notes if note.tick < ticks),
                pedals=draw(pedals_within(ticks)),
            )
        )
        tick += ticks
    return bars
