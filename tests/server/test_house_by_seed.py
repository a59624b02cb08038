"""What a preset leaves to the seed, in streams of a house."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.files.prompt import Prompt
from engine.music.score import PARTS
from server.house.requests import ChangeRequest, PresetRequest, PromptRequest, SeedRequest
from tests.server.simulated import PRESETS, World

SEED, OTHER = 7, 10  # of which the preset `open` makes something else
# F# and its fifth.
PROMPT = Prompt(
    ((0, 96, 66, 80, 0), (96, 96, 73, 80, 0), (192, 96, 66, 80, 0)),
    ((0, "4/4"),),
    ((0, 500_000),),
    (0,) * PARTS,
)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path, monkeypatch)
    yield world
    world.close()


def key_of(seed: int) -> str:
    """What the preset `open` has for this seed."""
    return str(PRESETS["open"].setting(seed).key)


def test_what_a_preset_leaves_to_the_seed_is_there_from_the_first_bar(world: World) -> None:
    assert key_of(SEED) != key_of(OTHER)
    for seed in (SEED, OTHER):
        stream = world.station(f"s{seed}", preset="open", seed=seed, controls={})
        assert str(stream.controls.key) == key_of(seed)
    hand = world.station("hand", preset="open", seed=SEED, controls={"key": "B minor"})
    assert str(hand.controls.key) == "B minor"
    world.settle()
    world.check()


def test_a_preset_that_is_chosen_on_the_way_is_that_of_the_streams_seed(world: World) -> None:
    stream = world.station("two", seed=OTHER)
    answer = world.steer(stream, PresetRequest(by="me", name="open"))
    world.settle()
    assert answer is not None
    steered = answer.result().steered
    assert steered is not None
    assert steered.controls["key"] == str(stream.controls.key) == key_of(OTHER)
    world.check()


def test_another_seed_chooses_anew_where_no_hand_has_chosen(world: World) -> None:
    stream = world.station("two", preset="open", seed=SEED, controls={})
    world.steer(stream, SeedRequest(by="me", seed=OTHER))
    world.settle()
    assert str(stream.controls.key) == key_of(OTHER)
    world.steer(stream, ChangeRequest(by="me", controls={"key": "B minor"}))
    world.settle()
    world.steer(stream, SeedRequest(by="me", seed=SEED))
    world.settle()
    assert (stream.seed, str(stream.controls.key)) == (SEED, "B minor")
    world.check()


@pytest.mark.parametrize("hand", [{}, {"key": "B minor"}])
def test_a_prompt_lends_what_the_seed_has_chosen(world: World, hand: dict[str, str]) -> None:
    stream = world.station("two", preset="open", seed=SEED, controls=hand)
    world.steer(stream, PromptRequest(by="me", prompt=PROMPT))
    world.settle()
    begun = world.station("three", preset="open", seed=SEED, controls=hand, prompt=PROMPT)
    assert stream.controls.key == begun.controls.key
    if hand:
        assert str(stream.controls.key) == "B minor"
    else:
        assert stream.controls.key.tonic == 66 % 12
    world.check()
