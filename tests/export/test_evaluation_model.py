"""Evaluation of a small bundle of random weights, from the likelihood to the command line."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from common.errors import ConfigError, DatasetError, OutputError
from engine.controls.controls import Controls
from engine.files.midi import write
from engine.library.loading import load_network
from engine.music.fields import ATTRIBUTES, CONTEXT, ECHO_EXACT, ECHO_NEW
from engine.music.harmony import chord_id, key_id
from engine.music.score import DRUMS, NOTE, PARTS, TIED_FROM, Note, Score
from engine.music.time import Metre
from engine.representations.codec import codec
from export.commands import evaluate as evaluate_command
from export.data.build import DatasetOptions as DataOptions
from export.data.build import build
from export.data.dataset import Dataset
from export.evaluation.composing import (
    commission,
    compose,
    composed_harmony,
    echo_pairs,
    grounds,
    heard_values,
    kept_key,
    score_of,
    strict_settings,
    sweep,
    sweep_settings,
)
from export.evaluation.forcing import forced_likelihoods
from export.evaluation.music import opened, read_music
from export.networks.bundling import bundle_bytes, specification_of
from export.networks.modules import Network, Shape

STYLES = ("folk", "hymn")
BAR = 96


def tune(seed, metre="4/4", minor=False, bars=12):
    """Two voices in the scale of C major or A minor, with a close on the tonic."""
    draw = np.random.Generator(np.random.Philox(key=seed))
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    ticks = Metre.parse(metre).ticks
    upper = [
        (t, 12, 60 + int(draw.choice(scale)), int(draw.integers(40, 100)), 0)
        for t in range(0, bars * ticks, 12)
    ]
    lower = [(t, 24, 48 + int(draw.choice(scale[::2])), 60, 1) for t in range(0, bars * ticks, 24)]
    tonic = 57 if minor else 60
    close = [(bars * ticks, 48, p, 64, 0) for p in (tonic, tonic - 12, tonic + (3 if minor else 4))]
    return Score(np.array(upper + lower + close, NOTE), metres=((0, Metre.parse(metre)),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("music")
    for style, first, metre in (("folk", 0, "3/4"), ("hymn", 100, "4/4")):
        (place / style).mkdir()
        for seed in range(first, first + 10):
            data = write(tune(seed, metre, minor=seed % 2 == 1))
            (place / style / f"{seed}.mid").write_bytes(data)
    return place


@pytest.fixture(scope="module")
def dataset(folder, tmp_path_factory):
    target = tmp_path_factory.mktemp("sets") / "notes"
    rows = ["file,style,split"]
    for number, path in enumerate(sorted(folder.rglob("*.mid"))):
        split = "test" if number % 2 else "train"
        rows.append(f"{path.relative_to(folder)},{path.parent.name},{split}")
    manifest = folder.parent / "list.csv"
    manifest.write_text("\n".join(rows))
    build([folder], target, DataOptions(manifest=manifest, least_style_notes=0))
    return target


def small_network(representation="notes"):
    notes = codec(representation)
    torch.manual_seed(0)
    return Network(
        Shape(
            "gpt",
            tuple(field.size for field in notes.fields),
            tuple(CONTEXT[name].size for name in notes.context),
            len(STYLES) + PARTS + 12,
            width=32,
            layers=2,
            heads=2,
            inner=32,
            window=16,
            ring=160,
            step_rotations=4,
            tick_rotations=4,
        )
    )


@pytest.fixture(scope="module")
def network():
    return small_network().eval()


def write_bundle(network, representation, path):
    saved = {
        "data": {
            "codec": representation,
            "context": list(codec(representation).context),
            "styles": list(STYLES),
            "card": {},
        },
        "config": {"name": "small"},
        "rows": [],
        "step": 0,
        "events": 0,
        "precision": "float32",
    }
    path.write_bytes(bundle_bytes(network, specification_of(network, saved, 32), b""))
    return path


@pytest.fixture(scope="module")
def model(network, tmp_path_factory):
    return write_bundle(network, "notes", tmp_path_factory.mktemp("models") / "small.onnx")


@pytest.fixture(scope="module")
def bundle(model):
    return load_network(model)


@pytest.fixture(scope="module")
def music(dataset):
    return read_music(Dataset.open(dataset), "test", codec("notes"), 0, 0)


@torch.no_grad()
def dense_nats(network, piece, music, *, left_open):
    """What torch says of a whole piece, [N, fields], and its likeliest values."""
    events = np.asarray(piece.events, np.int64)
    context = np.asarray(piece.context, np.int64).copy()
    mix = piece.mix(STYLES)[np.asarray(piece.bars)]
    if left_open:
        for i, name in enumerate(music.context):
            if CONTEXT[name].group != "position":
                context[:, i] = 0
        mix = 0 * mix
    before = np.concatenate((0 * events[:1], events[:-1]))
    pad = -len(events) % network.shape.window
    rows = [
        np.pad(a, ((0, pad), (0, 0)))[None]
        for a in (np.concatenate((before, context), axis=1), mix, events)
    ]
    inputs, mixed, targets = (torch.from_numpy(row) for row in rows)
    ticks = torch.from_numpy(np.pad(np.asarray(piece.onsets, np.int64), (0, pad))[None])
    segments = torch.zeros_like(ticks)
    nats, best = [], []
    for field, logits in enumerate(network(inputs, mixed, segments, ticks, targets)):
        logits[..., 0] = -1e9
        log_p = logits.log_softmax(-1)[0, : len(events)].numpy()
        nats.append(-log_p[np.arange(len(events)), events[:, field]])
        best.append(log_p.argmax(axis=1))
    return np.stack(nats, axis=1), np.stack(best, axis=1)


def test_forced_likelihood_is_that_of_the_dense_network(network, bundle, music):
    found = forced_likelihoods(bundle, music)
    targets = np.concatenate([piece.events for piece in music.pieces]).astype(np.int64)
    known = targets > 0
    for told, left_open in zip(found, (False, True), strict=True):
        dense = [dense_nats(network, piece, music, left_open=left_open) for piece in music.pieces]
        nats, best = (np.concatenate(side) for side in zip(*dense, strict=True))
        assert told.notes == len(targets)
        assert told.nats_per_note == pytest.approx(nats[known].sum() / len(targets), abs=1e-4)
        for i, name in enumerate(told.nats):
            assert told.nats[name] == pytest.approx(nats[known[:, i], i].mean(), abs=1e-4)
            right = (best == targets)[known[:, i], i].mean()
            assert told.accuracy[name] == pytest.approx(right, abs=2e-3)
    assert found[0].nats_per_note != pytest.approx(found[1].nats_per_note, abs=1e-3)


def test_stored_pieces_come_back_as_music(music):
    metres = {str(music.metres(piece)[0][1]) for piece in music.pieces}
    assert metres == {"3/4", "4/4"}
    for piece in music.pieces:
        score = music.score(piece)
        assert len(score.notes) == len(piece.events)
        # In the normal key, whatever the key of the file.
        assert np.isin(score.notes["pitch"] % 12, (0, 2, 4, 5, 7, 9, 11)).all()


def test_changes_of_metre_come_back(tmp_path):
    notes = [(t, 12, 60, 64, 0) for t in range(0, 2 * BAR + 2 * 72, 12)]
    score = Score(np.array(notes, NOTE), metres=((0, Metre(4, 4)), (2 * BAR, Metre(3, 4))))
    (tmp_path / "change.mid").write_bytes(write(score))
    with opened(tmp_path, "notes") as data:
        found = read_music(data, "test", codec("notes"), 0, 0)
        assert found.metres(found.pieces[0]) == score.metres


def test_the_seed_chooses_and_the_limit_cuts(dataset):
    data = Dataset.open(dataset)
    everything = read_music(data, "test", codec("notes"), 0, 0)
    few = read_music(data, "test", codec("notes"), 300, 0)
    assert 0 < len(few.pieces) < len(everything.pieces)
    assert len(few.pieces) == len(everything.first(300).pieces)
    lengths = [len(piece.events) for piece in few.pieces]
    assert sum(lengths) >= 300 > sum(lengths[:-1])
    styles = [[piece.style for piece in read_music(data, "test", codec("notes"), 0, s).pieces]
              for s in range(4)]  # fmt: skip
    assert any(order != styles[0] for order in styles[1:])


def test_files_are_all_taken(folder):
    with opened(folder, "notes") as data:
        found = read_music(data, "test", codec("notes"), 0, 0)
    assert len(found.pieces) == 20
    assert {piece.style for piece in found.pieces} == set(STYLES)


def test_streams_take_after_the_pieces_of_their_style(bundle, music):
    order = commission(music, STYLES, 2, 3)
    assert order.styles == ("folk",) * 3 + ("hymn",) * 3
    assert [str(s.metre) for s in order.settings] == ["3/4"] * 3 + ["4/4"] * 3
    assert {s.parts for s in order.settings} == {(1, 2)}
    assert [s.style for s in commission(music, ("hymn",), 2, 1).settings] == [(), (("hymn", 1.0),)]
    streams = compose(bundle, order.settings, 3, seed=1)
    assert [len(bars) for bars in streams] == [3] * 6
    for bars, setting in zip(streams, order.settings, strict=True):
        assert {bar.metre for bar in bars} == {setting.metre}
        assert set(score_of(bars).parts) <= {0, 1}
    again = compose(bundle, order.settings, 3, seed=1)
    assert again == streams


def test_composed_bars_make_a_score(bundle, music):
    order = commission(music, STYLES, 2, 1)
    for bars in compose(bundle, order.settings, 4, seed=2):
        score = score_of(bars)
        heard = heard_values(bars)
        struck = [sum(not note.tie & TIED_FROM for note in bar.notes) for bar in bars]
        assert len(score.notes) == sum(struck)
        quarters = bars[0].metre.ticks / 24
        assert heard["density"].tolist() == pytest.approx([n / quarters for n in struck])


def test_every_conditioning_control_is_swept(bundle, music):
    asked = sweep_settings(grounds(commission(music, STYLES, 2, 3).settings))
    pairs = sweep(bundle, asked, 2, seed=3)
    assert list(pairs) == [attribute.name for attribute in ATTRIBUTES]
    for values, heard in pairs.values():
        assert len(values) == len(heard) == 2 * 8 * len(STYLES)
        assert len(set(values)) > 5


def test_controls_are_swept_once_on_each_style_that_has_pitches():
    folk, hymn = (Controls().with_value("style", style) for style in STYLES)
    drums = Controls().with_values({"style": "drums", "parts": [DRUMS + 1]})
    assert grounds([folk, folk, drums, hymn, folk]) == [folk, hymn]


def test_an_exact_echo_is_heard_as_one(bundle, music):
    (first, second), *_ = compose(bundle, commission(music, STYLES, 1, 1).settings, 2, seed=4)
    copy = tuple(note._replace(onset=note.onset + first.metre.ticks) for note in first.notes)
    plan = second.plan._replace(echo=ECHO_EXACT, source=0)
    echoed = replace(second, notes=copy, plan=plan)
    assert echo_pairs([first, echoed]) == ([ECHO_EXACT], [1.0])
    fresh = replace(second, plan=second.plan._replace(echo=ECHO_NEW, source=-1))
    assert echo_pairs([first, fresh]) == ([], [])


def test_harmony_of_bars_follows_the_half_bar(bundle, music):
    (bar,), *_ = compose(bundle, commission(music, STYLES, 1, 1).settings, 1, seed=5)
    half = bar.metre.half
    notes = (Note(0, 12, 60, 64, 0), Note(half, 12, 60, 64, 0), Note(half, 12, 67, 64, 0),
             Note(half, 12, 66, 64, DRUMS))  # fmt: skip
    plan = bar.plan._replace(
        key=key_id(0, False), chord=chord_id(0, "maj"), half_chord=chord_id(7, "maj")
    )
    found = composed_harmony([[replace(bar, notes=notes, plan=plan)]])
    assert (found.key, found.chord) == (1.0, pytest.approx(2 / 3))


def evaluate(capsys, *words):
    parser = argparse.ArgumentParser()
    evaluate_command.add_arguments(parser)
    code = evaluate_command.run(parser.parse_args([str(word) for word in words]))
    assert code == 0
    return capsys.readouterr().out


SHORT = ("--notes", 400, "--bars", 12, "--threads", 1)


def test_a_key_that_is_not_asked_strictly_is_left_by_who_knows_no_keys(bundle):
    asked = strict_settings([Controls()])
    free = [controls.with_value("key_strength", 0) for controls in asked]
    assert kept_key(bundle, asked, 4, seed=1).key == 1.0
    assert kept_key(bundle, free, 4, seed=1).key < 0.9


def test_figures_that_rest_on_two_pieces_are_warned_of(model, folder, tmp_path, capsys):
    for name in ("folk/0.mid", "folk/1.mid"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    parser = argparse.ArgumentParser()
    evaluate_command.add_arguments(parser)
    words = [str(word) for word in (model, tmp_path, *SHORT, "--json")]
    assert evaluate_command.run(parser.parse_args(words)) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert (found["real_pieces"], found["real_bars"]) == (2, 26)
    assert "the figures rest on 2 real pieces with 26 bars" in found["warnings"][0]
    assert [f"warning: {text}" for text in found["warnings"]] == told.err.splitlines()


def test_the_command_tells_everything_in_json(model, dataset, tmp_path, capsys):
    picture = tmp_path / "figures.png"
    words = (model, dataset, *SHORT, "--baselines", "--endurance", 20, "--json", "--png", picture)
    found = json.loads(evaluate(capsys, *words))
    labels = [row["label"] for row in found["likelihoods"]]
    assert labels == ["model, plan given", "model, plan open", "unigram", "Markov, order 3"]
    assert found["composed_bars"] == 24
    assert found["real_pieces"] == 10
    assert set(found["by_style"]) == set(STYLES)
    assert set(found["copying"]) == {"composed", "real"}
    assert [row["control"] for row in found["obedience"]][-1] == "echo"
    assert {"density", "register", "chords", "bars_per_chord"} <= set(found["follows"])
    assert "echo" not in found["follows"]
    assert found["harmony"]["real"]["key"] == 1.0
    assert found["harmony"]["composed, key asked strictly"] == {"key": 1.0, "chord": None}
    assert found["endurance"]["bars"] == 20
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputError, match="--force"):
        evaluate(capsys, *words)


def test_the_command_takes_files_of_music(model, folder, capsys):
    text = evaluate(capsys, model, folder, "--notes", 0, "--bars", 8, "--quick", "--threads", 1)
    assert "figure" in text
    assert "nats" not in text
    assert "shared with training" not in text


def test_a_model_of_performances_is_measured_in_real_time(folder, tmp_path, capsys):
    network = small_network("performance").eval()
    model = write_bundle(network, "performance", tmp_path / "small.onnx")
    found = json.loads(evaluate(capsys, model, folder, *SHORT, "--json"))
    assert list(found["likelihoods"][0]["nats"]) == ["token"]
    assert found["composed_bars"] == 24
    assert found["harmony"]["real"] == {"key": None, "chord": None}


def test_parts_that_were_not_asked_for_are_left_out(model, dataset, capsys):
    text = evaluate(capsys, model, dataset, "--notes", 300, "--bars", 0)
    assert "model, plan open" in text
    assert "figure" not in text


def test_what_is_missing_is_named(model, folder, dataset, tmp_path, capsys):
    with pytest.raises(ConfigError, match="--train"):
        evaluate(capsys, model, folder, "--baselines")
    with pytest.raises(DatasetError, match="valid"):
        evaluate(capsys, model, dataset, "--split", "valid")
    with pytest.raises(DatasetError, match="nothing"):
        evaluate(capsys, model, tmp_path / "nothing")
    performance = tmp_path / "performance"
    build([folder], performance, DataOptions(representation="performance", least_style_notes=0))
    with pytest.raises(DatasetError, match="--representation notes"):
        evaluate(capsys, model, performance)


@pytest.mark.parametrize("words", [("--notes", "many"), ("--bars", "-3")])
def test_bad_counts_are_refused(words):
    parser = argparse.ArgumentParser()
    evaluate_command.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["m.onnx", "d", *words])
