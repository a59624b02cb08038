"""The figures of a live bench for readers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from server.base.console import paint
from server.benches.live.dispatch import DispatchFigures
from server.benches.live.figures import Figures
from server.benches.live.listening import AudioFigures
from server.benches.live.starting import SoakFigures, StartFigures
from server.benches.live.steering import SteeringFigures
from server.benches.live.streams import StreamsFigures
from server.benches.live.under_load import UnderLoadFigures

LABEL = 34
NOTHING = "–"


def page(machine: dict[str, Any], figures: Figures) -> Iterator[str]:
    """All parts that were measured, in lines."""
    load = "" if machine["load"] is None else f", load {machine['load']:g} before"
    yield f"{machine['cpu']}, {machine['cores']} cores{load}"
    for one in figures.streams:
        yield from _part(f"{one.streams} own streams for {one.seconds:.0f} s", _streams(one))
    if figures.most is not None:
        yield from _part("search", [("most streams that hold", f"{figures.most}")])
    if figures.hand:
        yield from _part(f"{figures.hand.changes} changes of one stream", _hand(figures.hand))
    if figures.loaded:
        beside_loops = figures.loaded
        title = f"{beside_loops.changes} changes beside {beside_loops.loops} busy loops"
        yield from _part(title, _loaded(beside_loops))
    for beside in figures.dispatch:
        name = "every core loaded" if beside.loaded else "alone"
        yield from _part(f"dispatch beside {beside.streams} streams, {name}", _dispatch(beside))
    if figures.start:
        yield from _part(f"start, slowest of {figures.start.starts}", _start(figures.start))
    if figures.soak:
        soak = figures.soak
        yield from _part(f"{soak.seconds:.0f} s at {soak.speed:g} times the speed", _soak(soak))
    if figures.audio:
        audio = figures.audio
        yield from _part(f"{audio.listeners} listeners for {audio.seconds:.0f} s", _audio(audio))


def _part(title: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield ""
    yield paint(title, "bold")
    for label, value in rows:
        yield f"  {label:{LABEL}} {value}"


def _streams(one: StreamsFigures) -> list[tuple[str, str]]:
    seen, shares = one.counted, one.shares
    faults = ", ".join(f"{count} {name}" for name, count in one.faults.items())
    rows = [
        ("holds", "yes" if one.holds else f"no: {faults}"),
        ("limit", one.limit),
        ("bars received", f"{seen.found.get('bars', 0)}, {seen.found.get('revised', 0)} revised"),
        ("before they are due, ms", _named(seen.margins, ("least", "p1", "p50"))),
        ("acknowledgement, ms", _times(seen.acks) + f"   of {seen.steered} changes"),
        ("a second", f"{one.bars_per_second:.1f} bars, {one.notes_per_second:.0f} notes"),
        ("notes a second", f"{one.demand:.0f} asked for, {one.speed:.0f} believed possible"),
        (
            "cores: composing, serving, clients",
            _shares(shares.composing, shares.serving, shares.clients),
        ),
        ("could have run, but had no core", _shares(shares.waited)),
        ("composing processes", f"{one.composers}"),
        ("memory: serving, composing", f"{_mb(one.serving_bytes)}, {_mb(one.composing_bytes)}"),
        ("refusals while opening", f"{one.opened.refusals}"),
    ]
    rows += [("error", f"{text}: {count} times") for text, count in seen.errors.items()]
    return rows


def _hand(one: SteeringFigures) -> list[tuple[str, str]]:
    return [
        ("heard in the first bar ≥ 200 ms away", f"{one.kept} of {one.judged}"),
        ("heard from the bar that was told", f"{one.told_true} of {one.judged}"),
        ("revised bar came before its line", f"{one.in_time} of {one.judged}"),
        ("acknowledgement, ms", _times(one.ack)),
        ("hand to ear, ms", _times(one.to_ear)),
        ("before the bar is due, ms", _named(one.margin, ("least", "p1", "p50"))),
        *(("error", text) for text in one.errors),
    ]


def _loaded(one: UnderLoadFigures) -> list[tuple[str, str]]:
    counted = ", ".join(f"{count:.0f} {name}" for name, count in one.server.items())
    return [
        ("holds", "yes" if one.holds else "no"),
        ("acknowledged", f"{one.acknowledged} of {one.changes} in {one.seconds:.0f} s"),
        ("clients at real-time priority", "yes" if one.real_time else "no"),
        ("sent 160-200 ms before a bar line", f"{one.near}"),
        ("heard where announced first", f"{one.as_announced}"),
        ("postponed, heard where told last", f"{one.postponed}"),
        ("unaccounted for", f"{one.unaccounted}"),
        *((("void by a new beginning", f"{one.void}"),) if one.void else ()),
        *(("unaccounted", text) for text in one.astray),
        ("acknowledged, not yet on disk", f"{one.unsaved}"),
        ("acknowledgement, ms", _times(one.ack)),
        ("bars heard, bridged, come too late", f"{one.repeated}, {one.bridged}, {one.too_late}"),
        ("replay", f"{'equal' if one.equal else 'not equal'}, {one.stations} stations"),
        *(("difference", text) for text in one.differences),
        ("by the server's count", counted),
        *(("error", text) for text in one.errors),
    ]


def _dispatch(one: DispatchFigures) -> list[tuple[str, str]]:
    rows = [
        ("events", f"{one.events}, {one.missed} notes missed"),
        ("real-time priority", "yes" if one.real_time else "no"),
        ("lateness as sent, ms", _times(one.sent)),
    ]
    if one.received is None:
        return [*rows, ("lateness over JACK", f"not measured: {one.note}")]
    return [
        *rows,
        ("lateness over JACK, ms", _times(one.received)),
        ("notes over JACK", f"{one.received_notes}, {one.missing} missing"),
        ("period of JACK, ms", f"{one.period:.1f}"),
    ]


def _start(one: StartFigures) -> list[tuple[str, str]]:
    return [
        ("page's address printed", f"{one.page:.2f} s"),
        ("first bar due", f"{one.first_bar:.2f} s"),
        ("first note due", f"{one.first_note:.2f} s"),
        ("memory: serving, composing", f"{_mb(one.serving_bytes)}, {_mb(one.composing_bytes)}"),
        ("both, shared pages once", _mb(one.proportional_bytes)),
    ]


def _soak(one: SoakFigures) -> list[tuple[str, str]]:
    return [
        ("bars", f"{one.bars}, {one.late_bars} late"),
        ("serving", f"{_mb(one.serving_early)}, at the end {_mb(one.serving_late)}"),
        ("composing", f"{_mb(one.composing_early)}, at the end {_mb(one.composing_late)}"),
        ("grown", f"{one.grown / 1e6:+.2f} MB"),
    ]


def _audio(one: AudioFigures) -> list[tuple[str, str]]:
    cold = NOTHING if one.first_cold is None else f"{one.first_cold:.0f}"
    return [
        ("holds", "yes" if one.holds else "no"),
        ("dropouts, underruns, let go", f"{one.heard.dropouts}, {one.underruns}, {one.let_go}"),
        ("least sound in hand", f"{one.heard.least:.2f} s"),
        ("first sound, nobody else hears, ms", cold),
        ("first sound, ms", _times(one.first)),
        ("cores: sound of one station", f"{one.making:.3f}"),
        ("cores: serving one, serving all", f"{one.serving_one:.3f}, {one.serving_all:.3f}"),
        ("cores: what the listeners add", f"{one.more:.3f}"),
        ("memory of making sound", _mb(one.making_bytes)),
    ]


# -- values ------------------------------------------------------------------------------------


def _times(values: Sequence[float | None]) -> str:
    return _named(values, ("p50", "p99", "max"))


def _named(values: Sequence[float | None], names: Sequence[str]) -> str:
    shown = (NOTHING if value is None else f"{value:.1f}" for value in values)
    return "   ".join(f"{name} {value}" for name, value in zip(names, shown, strict=True))


def _shares(*values: float) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def _mb(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
