"""Tests run in several processes, and those that must be alone are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CONFTEST = Path(__file__).with_name("conftest.py")
TESTS = 6
# Each test leaves the time when it began and when it was over.
MODULE = """
import pytest
from pathlib import Path
from time import monotonic_ns
MARK = [pytest.param(i, marks=pytest.mark.alone) if i == 1 else i for i in range({tests})]
@pytest.mark.parametrize("number", MARK)
def test_it(number):
    began = monotonic_ns()
    while monotonic_ns() < began + 100_000_000:
        pass
    Path(__file__).with_name(f"{{number}}.txt").write_text(f"{{began}} {{monotonic_ns()}}")
"""


def spans(folder: Path, *words: str) -> list[tuple[int, int]]:
    """When each test began and ended, the one that must be alone being number 1."""
    (folder / "conftest.py").write_text(CONFTEST.read_text("utf-8"), "utf-8")
    (folder / "test_it.py").write_text(MODULE.format(tests=TESTS), "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = alone\n", "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words, str(folder)]
    environment = {name: os.environ[name] for name in os.environ if "PYTEST" not in name}
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE)
    times = [(folder / f"{number}.txt").read_text().split() for number in range(TESTS)]
    return [(int(began), int(ended)) for began, ended in times]


def overlapping(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def test_nothing_runs_beside_a_test_that_must_be_alone(tmp_path: Path) -> None:
    found = spans(tmp_path, "-n3", "--dist=worksteal")
    alone = found.pop(1)
    assert not [other for other in found if overlapping(alone, other)]
    assert any(overlapping(found[0], other) for other in found[1:]), "none ran beside another"
