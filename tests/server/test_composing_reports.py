"""Bars as they travel sound as the engine's bars do, and say so."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.composing.composer import Composer
from engine.controls.controls import Controls
from engine.controls.key import Key
from engine.music.harmony import KEY_SHIFT, chord_name, parse_chord, parse_key
from server.base.wire import WireBar, decode_bar, encode_bar
from server.composing.reports import wire_bar
from tests.bundles import tiny
from tests.fakes import TableNetwork


def wired(controls: dict[str, object], bars: int = 6) -> list[WireBar]:
    network = TableNetwork(haste=0.8)
    composer = Composer(network, network.pool(1), 3, 0, Controls.from_dict(controls))
    found = []
    for _ in range(bars):
        bar = composer.compose_bar()
        made = wire_bar(bar, composer.controls.key, composer.lines[-1].transposition)
        assert [
            (n.part - 1, n.pitch, n.velocity, n.tick + made.tick, n.length, n.tie, n.shift)
            for n in made.notes
        ] == [
            (n.part, n.pitch, n.velocity, n.onset, n.duration, n.tie, shift)
            for n, shift in zip(bar.notes, bar.shifts, strict=True)
        ]
        assert (made.index, made.revision, made.tick, made.ticks) == (
            bar.index,
            bar.revision,
            bar.start,
            bar.metre.ticks,
        )
        assert (made.echo, made.section, made.programs) == (
            bar.plan.source,
            bar.section,
            bar.programs,
        )
        assert [(p.part - 1, p.tick, p.length) for p in made.pedals] == [
            (pedal.part, pedal.tick, pedal.length) for pedal in bar.pedals
        ]
        assert made.chords == tuple(chord_name(c) if c else "" for c in bar.chords)
        assert decode_bar(encode_bar(made)) == made
        found.append(made)
    return found


def test_notes_and_times_are_those_of_the_bar() -> None:
    for bar in wired({"metre": "3/4", "tempo": 90, "swing": 0.5, "humanise_time": 12}):
        assert (bar.metre, bar.ticks) == ("3/4", 72)
        assert bar.length == 72 * bar.tempo // 24
        assert all(1 <= note.part <= 8 and 0 <= note.tick < 72 for note in bar.notes)


def test_pedals_are_the_last_of_a_bar_and_may_be_missing() -> None:
    bars = [bar for bar in wired({"pedal": "on"}) if bar.pedals]
    assert bars
    for bar in bars:
        spelled = ",".join(f"[{p.part},{p.tick},{p.length}]" for p in bar.pedals)
        encoded, ending = encode_bar(bar), f',"pedals":[{spelled}],"controllers":[]}}'.encode()
        assert encoded.endswith(ending)
        without = encoded.removesuffix(ending) + b"}"
        assert decode_bar(without) == replace(bar, pedals=())


def test_controllers_stand_in_every_bar_as_asked() -> None:
    asked = {"levels": {"1": 110}, "places": {"2": -0.5}, "reverb": 0.5, "attack": {"1": 1}}
    for bar in wired(asked):
        ours = [(c.part, c.number, c.value) for c in bar.controllers if c.part <= 2]
        assert ours == [(1, 7, 110), (1, 73, 127), (1, 91, 64), (2, 10, 32), (2, 91, 64)]
        assert {c.part for c in bar.controllers if c.number == 91} == set(range(1, 9))
    assert all(bar.controllers == () for bar in wired({}))


@pytest.mark.parametrize(
    ("asked", "transpose", "heard"),
    [
        ("C major", 0, "C major"),
        ("Eb minor", 0, "Eb minor"),
        ("A minor", 3, "C minor"),
        ("G major", -2, "F major"),
        ("D dorian", 0, "D dorian"),
        ("D dorian", 2, "E dorian"),
        ("F# blues", 0, "F# blues"),
    ],
)
def test_the_home_key_is_named_as_it_sounds(asked: str, transpose: int, heard: str) -> None:
    bars = wired({"key": asked, "transpose": transpose, "form": "off", "chords": "I"})
    assert {bar.key for bar in bars} == {heard}


def test_chords_are_those_that_are_heard_whatever_was_planned() -> None:
    bars = wired({"key": "Bb major", "chords": "I IV", "parts": [8]}) + wired({"parts": [1, 2]})
    silent, sounding = bars[:6], bars[6:]
    assert {bar.chords for bar in silent} == {("", "")}
    assert all(parse_chord(half) for bar in sounding[1:] for half in bar.chords)


def test_what_is_not_known_has_no_name() -> None:
    network = tiny("lstm")
    composer = Composer(network, network.pool(1), 1)
    bar = composer.compose_bar()
    from dataclasses import replace

    empty = replace(bar, plan=bar.plan._replace(key=0), chords=(0, parse_chord("Am7")))
    made = wire_bar(empty, Key.parse("G major"), 7)
    assert made.chords == ("", "Am7")
    assert made.key == "G major"
    away = replace(bar, plan=bar.plan._replace(key=parse_key("F major")))
    assert parse_key(wire_bar(away, Key.parse("G major"), 7).key) == int(
        KEY_SHIFT[7][parse_key("F major")]
    )
