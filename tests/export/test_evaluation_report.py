"""The report as JSON, text and picture."""

import json

import numpy as np

from engine.music.score import NOTE, Score
from export.evaluation.baselines import Corpus, markov, unigram
from export.evaluation.copying import copying
from export.evaluation.obedience import Harmony, obedience
from export.evaluation.overlap import compare, compare_by_style
from export.evaluation.pictures import picture
from export.evaluation.report import Report, distributions, mean_overlap
from export.evaluation.statistics import measure


def piece(seed):
    draw = np.random.Generator(np.random.Philox(key=seed))
    notes = np.zeros(300, NOTE)
    notes["onset"] = np.cumsum(draw.integers(0, 24, 300))
    notes["duration"] = 12
    notes["pitch"] = draw.integers(40, 80, 300)
    return Score(notes)


def full_report():
    scores = [piece(seed) for seed in range(6)]
    measured = [measure(score) for score in scores]
    ours, real = measured[:2], measured[2:]
    events = np.stack([scores[0].notes["pitch"], scores[0].notes["duration"]], axis=1)
    corpus = Corpus(events, np.array([0]))
    names, sizes = ("pitch", "duration"), (128, 64)
    return Report(
        model="small.onnx",
        data="test",
        composed_bars=64,
        real_pieces=4,
        likelihoods=(
            unigram(corpus, corpus, names, sizes),
            markov(corpus, corpus, names, sizes),
        ),
        comparisons=compare(ours, real),
        by_style=compare_by_style(ours, ["a", "b"], real, ["a", "a", "b", "b"]),
        distributions=distributions(ours, real),
        copying={"composed": (copying(scores[:2], scores[2:]),)},
        obedience=(obedience("density", [1, 2, 3], [1, 2, 2]),),
        points={"density": ((1.0, 1.0), (2.0, 2.0), (3.0, 2.0))},
        harmony={"composed": Harmony(0.875, None)},
    )


def test_json_holds_every_part():
    report = full_report()
    found = json.loads(report.to_json())
    assert found["obedience"][0]["control"] == "density"
    assert found["copying"]["composed"][0]["reading"] == "texture"
    assert len(found["distributions"]["real_similarity"]) == 32
    assert {row["figure"] for row in found["comparisons"]} == {
        row.figure for row in report.comparisons
    }
    shares = found["distributions"]["composed"]["pitch"]
    assert abs(sum(shares) - 1) < 1e-9
    # Velocities are open in this music.
    assert "velocity" not in found["distributions"]["composed"]


def test_the_page_tells_every_part_in_columns():
    report = full_report()
    text = str(report)
    for part in ("unigram", "Markov", "real–real", "style", "composed, texture", "Spearman"):
        assert part in text
    assert "0.875" in text
    assert "nan" not in text
    assert max(map(len, text.splitlines())) <= 80
    row = next(line for line in text.splitlines() if line.startswith("velocity"))
    assert row.split()[1:] == ["–"] * 5


def test_an_empty_report_is_one_line():
    report = Report("m", "d")
    assert str(report) == "m on d"
    assert json.loads(report.to_json())["comparisons"] == []
    assert picture(report).startswith(b"\x89PNG")


def test_mean_overlap_takes_only_what_has_a_yardstick():
    report = full_report()
    ours, theirs = mean_overlap(report.comparisons)
    assert 0 < ours <= 1
    assert 0 < theirs <= 1
    assert mean_overlap(()) == (None, None)


def test_the_picture_is_a_png():
    assert picture(full_report()).startswith(b"\x89PNG")
