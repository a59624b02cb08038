"""A stream saved and taken up elsewhere goes on as if nothing had happened."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from common.errors import CapacityError, SnapshotError
from engine.composing.composer import Composer
from engine.composing.snapshot import restore, save
from engine.music.heard_chords import Harmony
from engine.planning.part_patience import FRESH
from tests.bundles import CODECS, NETWORKS, tiny
from tests.engine.sessions import as_heard, compose


def played(kind: str, codec: str, bars: int = 12) -> Composer:
    """A stream that was steered on its way, some bars of it not committed yet."""
    network = tiny(kind, codec)
    composer = Composer(network, network.pool(1), 11, 3)
    for i in range(bars):
        composer.compose_bar()
        composer.commit(i - 1)
        if i == 4:
            composer.change({"density": 3, "chords": "Am F C G"}, {9: {"density": 8}})
    return composer


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("codec", CODECS)
def test_a_restored_stream_goes_on_identically(kind: str, codec: str) -> None:
    composer = played(kind, codec)
    opening = composer.first_open
    data = save(composer)
    network = tiny(kind, codec)
    pool = network.pool(3)
    pool.acquire()
    again = restore(data, network, pool)
    assert again.next_bar == opening
    composer.rewind(opening)
    ours, theirs = compose(composer, 20), compose(again, 20)
    assert [as_heard(bar) for bar in ours] == [as_heard(bar) for bar in theirs]


def test_saving_disturbs_nothing_and_is_repeatable() -> None:
    composer, twin = played("gpt", "notes"), played("gpt", "notes")
    assert save(composer) == save(composer)
    assert compose(composer, 8) == compose(twin, 8)


def test_a_restored_stream_is_steered_like_the_original() -> None:
    composer = played("lstm", "notes")
    opening = composer.first_open
    again = restore(save(composer), tiny("lstm"), tiny("lstm").pool(1))
    composer.rewind(opening)
    for stream in (composer, again):
        stream.change({"key": "D minor", "chords": None})
    assert [as_heard(b) for b in compose(composer, 8)] == [as_heard(b) for b in compose(again, 8)]


def test_the_snapshot_of_a_long_stream_is_no_larger() -> None:
    sizes = [len(save(played("lstm", "notes", bars))) for bars in (100, 400)]
    assert sizes[1] < 1.2 * sizes[0]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda data: b"nothing", "damaged"),
        (lambda data: data[: len(data) // 2], "damaged"),
        (lambda data: b"", "damaged"),
        (lambda data: data.replace(b'"version": 4', b'"version": 7'), "damaged|version 7"),
    ],
)
def test_what_is_no_snapshot_is_named_and_takes_no_row(spoil, said: str) -> None:
    data = spoil(save(played("gpt", "notes", 4)))
    pool = tiny("gpt").pool(1)
    with pytest.raises(SnapshotError, match=said):
        restore(data, tiny("gpt"), pool)
    assert pool.has_place


def test_a_snapshot_from_before_patience_and_heard_chords_is_taken_up() -> None:
    data = save(played("gpt", "notes", 4))
    with np.load(io.BytesIO(data)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    text = json.loads(bytes(arrays["stream"]))
    del text["line"]["patience"], text["line"]["harmony"]
    arrays["stream"] = np.frombuffer(json.dumps(text).encode(), np.uint8)
    older = io.BytesIO()
    np.savez(older, **arrays)
    again = restore(older.getvalue(), tiny("gpt"), tiny("gpt").pool(1))
    assert again.lines[-1].patience == FRESH
    assert again.lines[-1].harmony == Harmony()
    assert len(compose(again, 2)) == 2


def test_another_model_is_refused() -> None:
    data = save(played("gpt", "notes", 4))
    with pytest.raises(SnapshotError, match="another model"):
        restore(data, tiny("lstm"), tiny("lstm").pool(1))


def test_a_full_pool_is_refused() -> None:
    pool = tiny("gpt").pool(1)
    pool.acquire()
    with pytest.raises(CapacityError):
        restore(save(played("gpt", "notes", 4)), tiny("gpt"), pool)
