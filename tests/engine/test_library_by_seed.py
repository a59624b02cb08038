"""What a preset leaves to the seed: the same for the same seed, valid, and beaten by a hand."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, pairwise, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ConfigError
from engine.composing.composer import Composer
from engine.composing.primer import primer_of
from engine.controls.controls import CONTROL, Controls
from engine.files.control_log import read as read_log
from engine.files.control_log import write as write_log
from engine.files.midi import Smf
from engine.files.midi import read as read_midi
from engine.files.midi import write as write_midi
from engine.files.prompt import LENT
from engine.library.bars import composer_of
from engine.library.beginning import request
from engine.library.by_seed import NOTHING, SETS, WEIGHT, Between, OneOf
from engine.library.presets import Preset, load_presets, read_preset
from engine.music.fields import METRES
from engine.music.score import PARTS
from tests.bundles import tiny
from tests.engine.control_strategies import values_of
from tests.tunes import tune

SHIPPED = load_presets()
HEAD = 'title = "T"\nhelp = "It plays."\n[controls]\nswing = 0.5\n[by_seed]\n'
DANCES = (
    HEAD
    + """key = ["C major", "D minor", "E dorian"]
parts = { "1" = 3, "1 2" = 1 }
density = { from = 1.0, to = 3.0 }
section_bars = { from = 8, to = 16 }
[[by_seed.sets]]
weight = 3
metre = "6/8"
tempo = { from = 160, to = 180 }
[[by_seed.sets]]
metre = ["4/4", "2/4"]
tempo = { from = 190, to = 220 }
"""
)
SEEDS = st.integers(0, 2**53 - 1)


def preset(folder: Path, text: str) -> Preset:
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return read_preset(path)


@pytest.fixture(scope="module")
def dances(tmp_path_factory: pytest.TempPathFactory) -> Preset:
    return preset(tmp_path_factory.mktemp("dances"), DANCES)


@given(seed=SEEDS, stream=st.integers(0, 1000))
def test_a_seed_always_chooses_the_same_and_what_the_file_has(
    dances: Preset, seed: int, stream: int
) -> None:
    found = dances.of(seed, stream)
    assert found == dances.of(seed, stream)
    assert found.by_seed == NOTHING
    assert found.of(seed + 1) == found  # nothing is left to choose
    assert set(found.controls) == {"swing", *dances.by_seed.names}
    controls = Controls.from_dict(found.controls)
    assert str(controls.key) in ("C major", "D minor", "E dorian")
    assert controls.parts in ((1,), (1, 2))
    assert 8 <= controls.section_bars <= 16
    tempo = controls.tempo
    assert tempo is not None
    assert tempo == int(tempo)  # from one whole number to another
    if str(controls.metre) == "6/8":
        assert 160 <= tempo <= 180
    else:
        assert str(controls.metre) in ("4/4", "2/4")
        assert 190 <= tempo <= 220


def test_another_stream_of_a_seed_may_differ(dances: Preset) -> None:
    assert len({str(dances.setting(7, stream).key) for stream in range(20)}) == 3


def test_weights_are_kept_and_ranges_are_likelier_in_the_middle(dances: Preset) -> None:
    settings = [dances.setting(seed) for seed in range(2000)]
    parts = Counter(one.parts for one in settings)
    assert parts[(1,)] / 2000 == pytest.approx(0.75, abs=0.05)
    metres = Counter(str(one.metre) for one in settings)
    assert metres["6/8"] / 2000 == pytest.approx(0.75, abs=0.05)
    assert metres["4/4"] / 2000 == pytest.approx(0.125, abs=0.04)
    densities = np.array([one.density for one in settings])
    assert densities.mean() == pytest.approx(2, abs=0.05)
    middle = ((densities > 1.5) & (densities < 2.5)).mean()
    assert middle == pytest.approx(0.75, abs=0.05)


@given(seed=SEEDS)
def test_another_line_in_the_file_leaves_what_was_chosen(dances: Preset, seed: int) -> None:
    alone = dict(reversed(dances.by_seed.alone.items()))
    del alone["density"]
    alone["swing"] = OneOf((0.0, 1.0), (1, 1))
    other = type(dances.by_seed)(alone, dances.by_seed.sets, dances.by_seed.weights)
    before, after = dances.by_seed.chosen(seed), other.chosen(seed)
    assert {n: after[n] for n in before if n != "density"} == {
        n: before[n] for n in before if n != "density"
    }


@given(data=st.data())
def test_whatever_a_control_may_be_may_be_listed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    control = data.draw(st.sampled_from([c for c in CONTROL.values() if c.kind.name != "scale"]))
    listed = data.draw(st.lists(values_of(control), min_size=1, max_size=3))
    spelled = [control.spell(control.parse(value)) for value in listed]
    lines = "\n".join(f'"{text}" = {i + 1}' for i, text in enumerate(dict.fromkeys(spelled)))
    text = HEAD.replace("swing = 0.5", "") + f"[by_seed.{control.name}]\n{lines}\n"
    if control.name in ("low_pitch", "high_pitch"):
        return  # what goes together stands below
    found = preset(tmp_path_factory.mktemp("any"), text).setting(data.draw(SEEDS))
    assert control.spell(getattr(found, control.name)) in spelled


@pytest.mark.parametrize("found", SHIPPED.values(), ids=SHIPPED.keys())
def test_every_value_of_a_shipped_preset_is_valid_alone_and_with_the_others(found: Preset) -> None:
    for ends in found.by_seed.ends():
        for name, values in ends.items():
            for value in values:
                setting = Controls().with_values({**found.controls, name: value})
                assert setting.metre is None or setting.metre in METRES
        columns = [[(name, value) for value in values] for name, values in ends.items()]
        for one, other in combinations(columns, 2):  # no rule concerns more than two
            for pair in product(one, other):
                Controls().with_values({**found.controls, **dict(pair)})
    for seed in range(100):
        setting = found.setting(seed)
        assert {part for part, _ in setting.programs} >= set(setting.parts) - {PARTS}
        assert setting.style


@pytest.mark.parametrize("name", SHIPPED)
def test_seeds_of_a_shipped_preset_differ(name: str) -> None:
    settings = [SHIPPED[name].setting(seed) for seed in range(40)]
    assert len({str(one.key) for one in settings}) >= 6
    if SHIPPED[name].model is None:
        assert len({str(one.metre) for one in settings}) >= 2
        assert len({one.tempo for one in settings}) >= 10


def test_no_control_is_called_as_what_the_table_has_beside_controls() -> None:
    assert not {SETS, WEIGHT} & CONTROL.keys()


def test_a_preset_without_the_table_is_the_same_for_every_seed(tmp_path: Path) -> None:
    plain = preset(tmp_path, HEAD.replace("[by_seed]", ""))
    assert plain.by_seed == NOTHING
    assert all(plain.of(seed, seed % 3) == plain for seed in range(9))


def music(stream: Composer) -> list[object]:
    return [stream.compose_bar().notes for _ in range(3)]


def test_a_hand_wins_and_a_log_replays_what_the_seed_chose(tmp_path: Path) -> None:
    preset(tmp_path, DANCES)
    path, network = str(tmp_path / "mine.toml"), tiny("gpt")
    for seed in (3, 4):
        asked = request(path, {"key": "F# minor", "tempo": 50}, seed)
        log = asked.log(network, "tiny", None, None, pytest.fail)
        assert (str(log.controls.key), log.controls.tempo) == ("F# minor", 50)
        again = read_log(write_log(log))
        assert again.controls == log.controls
        chosen = read_preset(Path(path)).setting(seed)
        assert (log.controls.metre, log.controls.parts) == (chosen.metre, chosen.parts)
        assert music(composer_of(network, again)) == music(composer_of(network, log))


def prompt_file() -> Smf:
    return read_midi(write_midi(tune(4)))


def test_a_prompt_wins_over_the_seed_and_not_over_what_is_set(tmp_path: Path) -> None:
    preset(tmp_path, DANCES.replace("swing = 0.5", "programs = { 1 = 40 }"))
    asked = request(str(tmp_path / "mine.toml"), {"parts": [1, 2, 3]}, 5)
    network = tiny("gpt")
    prompt = prompt_file()
    log = asked.log(network, "tiny", None, prompt, pytest.fail)
    assert log.prompt is not None
    _, lent = primer_of(log.prompt.score(), network.specification)
    assert set(lent) == set(LENT)
    for name in ("key", "metre", "tempo"):
        assert log.controls.with_value(name, lent[name]) == log.controls
    assert log.controls.parts == (1, 2, 3)
    assert log.controls.programs == ((1, 40),)
    assert log.controls.density == read_preset(tmp_path / "mine.toml").setting(5).density


def test_a_range_of_whole_numbers_has_its_ends() -> None:
    narrow = Between(60, 62, is_whole=True)
    found = Counter(narrow.chosen(seed, 0, "tempo") for seed in range(300))
    assert set(found) == {60, 61, 62}
    assert found[61] == max(found.values())
    fine = [Between(0.125, 0.25, is_whole=False).chosen(seed, 0, "min_p") for seed in range(300)]
    assert all(isinstance(one, float) and 0.125 <= one <= 0.25 for one in fine)
    assert any(one != other for one, other in pairwise(fine))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("tempoo = [60]", "by_seed.tempoo is wrong: there is no control 'tempoo': did you mean"),
        ("tempo = [60, 5]", "by_seed.tempo is wrong: tempo cannot be 5: give a number"),
        ("tempo = { 60 = 1, x = 1 }", "by_seed.tempo is wrong: tempo cannot be 'x'"),
        ("key = []", "by_seed.key is empty: give a list of values"),
        ("key = { C = 0 }", "by_seed.key.'C' cannot be 0: a weight is a number above 0"),
        ('key = { C = "2" }', "by_seed.key.'C' cannot be '2': a weight is a number above 0"),
        ("key = { C = nan }", "by_seed.key.'C' cannot be nan: a weight is"),
        ("tempo = { from = 60 }", "by_seed.tempo is half a range or more than one: give from and"),
        ("tempo = { from = 60, to = 50 }", "by_seed.tempo goes from 60 to 50: give a smaller"),
        ("tempo = { from = 60, to = 999 }", "by_seed.tempo is wrong: tempo cannot be 999"),
        ("key = { from = 60, to = 70 }", "by_seed.key has no range between two values: list"),
        ("bars_per_chord = { from = 1, to = 2 }", "by_seed.bars_per_chord has no range between"),
        ("swing = [0, 1]", "by_seed.swing and controls.swing exclude each other: keep one"),
        ("sets = 3", "by_seed.sets must be tables, not 3: begin each with [[by_seed.sets]]"),
        ("tempo = [60]\n[[by_seed.sets]]\ntempo = 70", "sets[0].tempo stands outside the sets too"),
        (
            "[[by_seed.sets]]\ntempo = 70\n[[by_seed.sets]]\nmetre = '3/4'",
            "by_seed.sets[1] and by_seed.sets[0] differ in metre or tempo: set the same controls",
        ),
        ("[[by_seed.sets]]\nweight = -1", "by_seed.sets[0].weight cannot be -1: a weight is"),
        (
            "low_pitch = [30, 60]\nhigh_pitch = { from = 65, to = 90 }",
            "controls and by_seed are wrong: low_pitch 60 and high_pitch 65 leave less",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, lines: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        preset(tmp_path, HEAD + lines + "\n")
    assert str(caught.value).startswith(str(tmp_path / "mine.toml"))
    assert message in str(caught.value)


def test_sets_with_ranges_of_their_own_are_checked_each_alone(tmp_path: Path) -> None:
    sides = "[[by_seed.sets]]\nlow_pitch = {}\nhigh_pitch = {}\n"
    found = preset(tmp_path, HEAD + sides.format(30, 50) + sides.format(60, 90))
    assert {found.setting(seed).low_pitch for seed in range(20)} == {30, 60}
