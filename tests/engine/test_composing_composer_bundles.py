"""Laws of one stream, on small real bundles: both networks, both representations."""

from __future__ import annotations

from functools import cache

import pytest

from engine.composing.composer import Composer
from engine.controls.controls import Controls
from engine.music.bars import Bar
from engine.network.runtime import Network
from tests.bundles import CODECS, NETWORKS, tiny
from tests.engine.sessions import (
    Action,
    Session,
    advance,
    as_heard,
    check_bars,
    compose,
    joined,
    replay,
)
from tests.engine.test_representations_codec import longest_silence, most_sounding

each_bundle = pytest.mark.parametrize("kind", [(k, c) for k in NETWORKS for c in CODECS])
Kind = tuple[str, str]
BUSY = {"max_rest": 0.25, "max_polyphony": 8, "key": "Bb major"}
BARS = 8


def stream(kind: Kind, seed: int = 1) -> Composer:
    network = tiny(*kind)
    return Composer(network, network.pool(1), seed, 0, Controls.from_dict(BUSY))


@cache
def alone(kind: Kind, seed: int) -> tuple[Bar, ...]:
    return tuple(compose(stream(kind, seed), BARS))


@each_bundle
def test_bars_are_well_formed_and_keep_the_constraints(kind: Kind) -> None:
    bars = alone(kind, 1)
    check_bars(bars)
    notes = joined(bars)
    assert len(notes) >= BARS
    assert most_sounding(notes) <= 8
    assert longest_silence(notes, 0) <= 6
    assert all(21 <= note.pitch <= 108 for note in notes)
    assert all(bar.surprise > 0 for bar in bars if bar.notes and not bar.notes[0].tie)


@each_bundle
def test_a_seed_fixes_the_music(kind: Kind) -> None:
    assert tuple(compose(stream(kind, 1), BARS)) == alone(kind, 1)
    assert [bar.notes for bar in alone(kind, 2)] != [bar.notes for bar in alone(kind, 1)]


@each_bundle
def test_sharing_a_pool_in_any_rhythm_changes_nothing(kind: Kind) -> None:
    network: Network = tiny(*kind)
    pool = network.pool(4)
    composers = [
        Composer(network, pool, seed, 0, Controls.from_dict(BUSY)) for seed in (1, 2, 3, 4)
    ]
    found: list[list[Bar]] = [[] for _ in composers]
    for turn in range(150):
        ready = []
        for i, composer in enumerate(composers):
            if (turn * 7 + i * 3) % 5 < 2 + i % 3 and len(found[i]) < BARS:
                bar = composer.finished()
                if bar is None:
                    composer.prepare()
                    ready.append(i)
                else:
                    found[i].append(bar)
        if ready:
            pool.run([composers[i].row for i in ready])
        for i in ready:
            bar = composers[i].absorb()
            found[i] += [] if bar is None else [bar]
    for seed, bars in zip((1, 2, 3, 4), found, strict=True):
        assert tuple(bars) == alone(kind, seed)[: len(bars)]
    assert max(map(len, found)) >= 3


@each_bundle
def test_going_back_without_a_change_gives_the_same_bars(kind: Kind) -> None:
    composer = stream(kind)
    bars = compose(composer, BARS)
    for steps in (0, 1, 5):
        for _ in range(steps):
            advance(composer)
        composer.commit(min(composer.first_open, BARS - 1))
        first = composer.first_open
        assert first < BARS
        composer.rewind(first)
        again = compose(composer, BARS - first)
        assert [as_heard(bar) for bar in again] == [as_heard(bar) for bar in bars[first:]]


HAND: tuple[Action, ...] = (
    ("bars", 3),
    ("commit", 2),
    ("change", ({"chords": "I IV V I", "density": 5.0}, {1: {"chord": 9}})),
    ("bars", 2),
    ("steps", 3),
    ("change", ({"key": "E minor", "metre": "3/4"}, {})),
    ("steps", 7),
    ("commit", 1),
    ("change", ({"tempo": 63, "style": {"lively": 1}}, {})),
    ("change", ({"max_polyphony": 1}, {2: {"half_chord": 4}})),
    ("bars", 3),
    ("commit", 0),
    ("steps", 40),  # past what the ring can take back
    ("change", ({"metre": "6/8", "swing": 0.5}, {})),
    ("bars", 2),
)


@each_bundle
def test_a_replay_gives_the_bars_that_were_heard_last(kind: Kind) -> None:
    session = Session(stream(kind, 5))
    session.run(HAND)
    last = session.composer.next_bar - 1
    heard = {index: as_heard(bar) for index, bar in session.heard.items() if index <= last}
    again = replay(stream(kind, 5), session.log, last)
    assert {index: as_heard(bar) for index, bar in again.items()} == heard
    check_bars([heard[i] for i in range(last + 1)])
    assert any(bar.revision for bar in session.heard.values())
