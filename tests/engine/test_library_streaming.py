"""Endless streams by script: the music of `compose`, steered from the next bar on."""

from __future__ import annotations

from itertools import count, islice
from pathlib import Path

import pytest

import engine
from common.errors import ControlError, SnapshotError
from engine.network.runtime import Pool
from tests.bundles import NETWORKS, tiny_bytes


@pytest.fixture(params=NETWORKS)
def model(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_bytes(request.param))
    return path


def test_a_stream_is_the_music_that_compose_gives_without_an_ending(model: Path) -> None:
    music = engine.compose(model=model, bars=12, seed=4, density=3, ending=False)
    assert list(islice(engine.stream(model=model, seed=4, density=3), 12)) == list(music)
    again = engine.stream(model=model, seed=4, density=3)
    assert again.take(5) == music[:5]
    assert next(again) == music[5]
    assert again.take(6) == music[6:]


def test_a_preset_streams() -> None:
    music = engine.compose("ragtime", seed=9, bars=4, ending=False)
    assert engine.stream("ragtime", seed=9).take(4) == music


def test_a_stream_goes_on_from_a_prompt(model: Path) -> None:
    prompt = engine.compose("chorale", bars=2)
    stream = engine.stream(model=model, prompt=prompt)
    music = engine.compose(model=model, prompt=prompt, bars=3, ending=False)
    assert stream.take(3) == music


def test_steering_is_heard_from_the_next_bar_and_no_sooner(model: Path) -> None:
    plain = engine.compose(model=model, bars=6, tempo=100, ending=False)
    stream = engine.stream(model=model, tempo=100)
    heard = [next(stream) for _ in range(3)]
    stream.steer(tempo=200, transpose=2)
    heard += [next(stream) for _ in range(3)]
    assert heard[:3] == list(plain[:3])
    assert [bar.microseconds_per_quarter for bar in heard] == [600_000] * 3 + [300_000] * 3
    assert [bar.index for bar in heard] == list(range(6))
    assert [bar.start for bar in heard] == [bar.start for bar in plain]


def test_the_same_steering_gives_the_same_music(model: Path) -> None:
    def steered() -> list[engine.Music]:
        stream = engine.stream(model=model, seed=3)
        found = []
        for bar in stream:
            if bar.index == 1:
                stream.steer(density=6)
            if bar.index == 4:
                stream.steer(key="D minor", parts=(1, 2))
                found.append(stream.take(4))
                return found
        raise AssertionError("a stream has no end")

    assert steered() == steered()


def test_music_knows_the_controls_that_it_began_with(model: Path) -> None:
    stream = engine.stream(model=model, tempo=90)
    assert stream.take(2).controls == {"tempo": 90.0} == stream.controls
    stream.steer(tempo=100, density=2)
    music = stream.take(2)
    assert music.controls == {"tempo": 100.0, "density": 2.0}
    stream.steer(density=None)
    assert music.controls == {"tempo": 100.0, "density": 2.0}
    assert stream.controls == {"tempo": 100.0}


def test_what_is_wrong_changes_nothing(model: Path) -> None:
    stream = engine.stream(model=model)
    stream.take(2)
    with pytest.raises(ControlError, match="did you mean 'tempo'"):
        stream.steer(density=9, tempi=3)
    with pytest.raises(ControlError, match="this model has no style"):
        stream.steer(style="nothing")
    with pytest.raises(ControlError, match="bars cannot be -1"):
        stream.take(-1)
    assert stream.controls == {}
    assert stream.take(4) == engine.compose(model=model, bars=6, ending=False)[2:]


def test_a_snapshot_is_gone_on_with_note_for_note(model: Path) -> None:
    stream = engine.stream(model=model, seed=8, density=4)
    stream.take(5)
    stream.steer(transpose=3)
    saved = stream.snapshot()
    ahead = stream.take(6)
    again = engine.resume(saved, model)
    assert (again.seed, again.controls) == (8, {"density": 4.0, "transpose": 3})
    assert again.take(6) == ahead
    with pytest.raises(SnapshotError, match="another model"):
        engine.resume(saved)
    with pytest.raises(SnapshotError, match="damaged"):
        engine.resume(saved[:100], model)


def test_whoever_interrupts_a_bar_gets_it_when_asking_again(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a cell of a notebook is stopped."""
    music = engine.compose(model=model, bars=8, ending=False)
    steps, run = count(), Pool.run

    def interrupted(pool: Pool, rows: list[int]) -> int:
        done = run(pool, rows)
        if next(steps) in (0, 1, 2, 5, 8, 9):
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(Pool, "run", interrupted)
    stream, heard, stopped = engine.stream(model=model), [], 0
    while len(heard) < 8:
        try:
            heard.append(next(stream))
        except KeyboardInterrupt:
            stopped += 1
    assert stopped == 6
    assert heard == list(music)


def test_it_says_where_it_is(model: Path) -> None:
    stream = engine.stream(model=model, seed=6)
    stream.take(3)
    assert repr(stream) == "<stream: seed 6, at bar 3>"
