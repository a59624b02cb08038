"""A training tells from its first seconds on how far it is."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from export.training import trainer as training
from export.training.progress import Progress, duration
from export.training.trainer import train
from tests.export.trainings import config, tune_dataset


class Pipe(io.StringIO):
    """Output that is read elsewhere: only what was flushed has come there."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def flush(self) -> None:
        self.heard = self.getvalue().splitlines()


class Clock:
    """Goes on when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def run(seconds_a_step: float, steps: int, first: float = 0.0) -> list[str]:
    """The lines of a training of 4,000 steps of 4,096 notes that is read through a pipe."""
    out, clock = Pipe(), Clock()
    progress = Progress(4000, "notes", out=out, clock=clock)
    progress.stage("opening it")
    assert out.heard == ["opening it …"]
    progress.begin(0, 0)
    for step in range(1, steps + 1):
        clock.now += seconds_a_step + (first if step == 1 else 0)
        progress.step(step, 4096 * step, 8.5)
    progress.close()
    return out.heard[1:]


def test_the_first_step_is_told_at_once_with_everything() -> None:
    assert run(2.0, 1) == [
        "step 1 of 4,000: 4,096 notes seen, loss 8.500, 2,048 notes/s, 2 h 13 min left"
    ]


def test_the_first_step_is_no_guide_to_the_others() -> None:
    lines = run(1.0, 40, first=30.0)
    assert lines[0].endswith("34 h 26 min left")
    assert lines[1] == (
        "step 11 of 4,000: 45,056 notes seen, loss 8.500, 4,096 notes/s, 66 min left"
    )


@pytest.mark.parametrize("seconds", [0.01, 0.5, 7.0])
def test_lines_come_now_and_then_and_do_not_flood(seconds: float) -> None:
    lines = run(seconds, 1000)
    spent = seconds * 1000
    assert min(3, spent / 10) <= len(lines) <= 4 + spent / 60


def test_a_training_tells_what_it_does_before_anything_is_validated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = tune_dataset(tmp_path)
    told = []
    validate = training.validate

    def validated(*arguments):  # type: ignore[no-untyped-def]
        told.append(capsys.readouterr().out)
        return validate(*arguments)

    monkeypatch.setattr(training, "validate", validated)
    train(config(dataset, tmp_path / "run", steps=4))
    before = told[0].splitlines()
    assert before[0].startswith(f"opening {dataset}")
    assert any("excerpts to validate on" in line for line in before)
    assert any("first step" in line for line in before)
    first = next(line for line in before if line.startswith("step 1 of 4: 128 notes seen, loss "))
    assert " notes/s, " in first
    assert first.endswith(" left")


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 s"), (99, "99 s"), (100, "2 min"), (6000, "1 h 40 min")]
)
def test_durations_are_told_roughly(seconds: float, text: str) -> None:
    assert duration(seconds) == text
