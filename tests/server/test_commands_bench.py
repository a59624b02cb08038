"""`perpetuo bench`: figures that fit each other, of the very model that was named."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from engine.network.runtime import Network
from server.base.distribution import version
from server.benches import measuring
from server.commands.cli import main
from tests.bundles import CODECS, NETWORKS, tiny, tiny_bytes

SHORT = ["--seconds", "0.05"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_bytes("gpt"))
    return path


def figures(capsys: pytest.CaptureFixture[str], model: Path, *words: str) -> dict:
    assert main(["bench", "--model", str(model), "--json", *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found: dict = json.loads(out)
    return found


def test_the_figures_of_a_table_fit_each_other(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = figures(capsys, model, "--streams", "1,3", *SHORT)
    assert [row["streams"] for row in found["rows"]] == [1, 3]
    assert found["rows"][0]["threads"] == 1
    state_bytes = tiny("gpt").pool(1).state_bytes
    for row in found["rows"]:
        assert row["calls"] >= measuring.LEAST_CALLS
        assert row["seconds"] > 0
        assert row["notes_per_second"] == row["steps_per_second"]  # one event is one note
        steps = round(row["steps_per_second"] * row["seconds"])
        assert row["calls"] <= steps <= row["calls"] * row["streams"]
        assert 0 < row["ms_p50"] <= row["ms_p99"]
        assert 0 < row["outside"] < 1
        assert row["ratio"] == pytest.approx(row["ms_p50"] / row["floor_ms"])
        assert row["state_bytes"] == state_bytes
        assert row["floor_note"] == ""
    assert found["endurance"] is None


def test_the_figures_say_of_what_they_are(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = figures(capsys, model, "--streams", "2", "--threads", "1", *SHORT)
    assert found["model"]["name"] == "tiny-gpt"
    assert found["model"]["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert found["model"]["file"] == str(model)
    assert found["versions"]["perpetuo"] == version()
    assert {"python", "numpy", "onnxruntime"} <= set(found["versions"])
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["cpu"]
    assert found["rows"][0]["threads"] == 1


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("codec", CODECS)
def test_every_kind_of_model_can_be_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, codec: str
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_bytes(kind, codec))
    (row,) = figures(capsys, path, "--streams", "2", *SHORT)["rows"]
    assert row["floor_ms"] > 0
    assert row["notes_per_second"] > 0


def test_endurance_compares_the_end_with_the_beginning(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = figures(capsys, model, "--endurance", "40")
    assert found["rows"] == []
    endurance = found["endurance"]
    spans = [endurance["early"], endurance["late"], *endurance["beside"]]
    assert [(span["first"], span["last"]) for span in spans] == [
        (4, 14),
        (30, 40),
        (40, 50),
        (4, 14),
    ]
    assert all(span["step"] > 0 and span["bar_line"] > 0 for span in spans)
    assert (endurance["bars"], endurance["resident_bar"]) == (
        40,
        14,
    )  # when the first figure is done
    assert endurance["notes"] > 0


def test_the_page_shows_every_row_and_the_endurance(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--streams", "1,2", "--endurance", "40", *SHORT]
    assert main(["bench", "--model", str(model), *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert all(len(line) <= 100 for line in out.splitlines())
    labels = [line.split()[0] for line in out.splitlines() if line.strip()]
    assert labels[:1] == ["tiny-gpt"]
    assert {"1", "2", "streams", "bars", "this", "a"} <= set(labels)
    assert "onnxruntime" in out


def test_a_graph_whose_products_are_not_known_has_no_floor_and_says_so() -> None:
    network = Network(tiny_bytes("gpt"), "tiny")
    measured = measuring.measure(network, b"\x08", 1, 1, 0.01)
    assert (measured.floor_ms, measured.ratio) == (None, None)
    assert "cannot be told apart" in measured.floor_note
    assert measured.notes_per_second > 0


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (["--streams", "1,x"], 2, "such as 1,8,64"),
        (["--streams", "0"], 2, "whole numbers from 1"),
        (["--streams", ""], 2, "whole numbers from 1"),
        (["--seconds", "0"], 2, "seconds above 0"),
        (["--seconds", "nan"], 2, "seconds above 0"),
        (["--endurance", "3"], 2, "40 bars or more"),
        (["--threads", "0"], 2, "whole number from 1 up"),
        (["--model", "missing.onnx"], 1, "missing.onnx does not exist"),
    ],
)
def test_whatever_is_wrong_is_one_line(
    model: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, complaint: str
) -> None:
    assert main(["bench", "--model", str(model), *words]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert complaint in err
