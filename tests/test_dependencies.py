"""What is installed is locked: versions in constraints.txt, bounds in pyproject.toml."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "constraints.txt"
HOW = "run: make lock"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
# What torch's builds for GPUs bring along, in the versions that torch wants; the lock is that of
# its build without.
OF_A_GPU = ("nvidia-", "cuda-", "triton")


def locked() -> dict[str, str]:
    lines = LOCK.read_text("utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def direct() -> list[Requirement]:
    """What pyproject.toml names for a base installation and for development."""
    lists = (lines for name, lines in EXTRAS.items() if name != "gpu")
    found = [Requirement(line) for line in sum(lists, PROJECT["dependencies"])]
    return [one for one in found if one.name != PROJECT["name"]]


def required(names: Iterable[str]) -> Iterator[Requirement]:
    """What installed packages ask for here, and what that asks for."""
    seen: set[str] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        one = waiting.pop()
        if str(one) in seen or one.name.startswith(OF_A_GPU):
            continue
        seen.add(str(one))
        yield one
        inner = map(Requirement, metadata.requires(one.name) or ())
        waiting += [more for more in inner if _applies(more, one.extras or {""})]


def _applies(one: Requirement, extras: Iterable[str]) -> bool:
    return one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras)


def test_the_lock_holds_exact_versions_and_names_no_source() -> None:
    lines = [line for line in LOCK.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert len(lines) == len(locked()), "a package is named twice"
    for line in lines:
        # Without what tells builds of one version apart, so that it holds for all of them.
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line), line


@pytest.mark.parametrize("one", direct(), ids=str)
def test_what_the_project_names_is_locked_in_a_version_that_it_allows(one: Requirement) -> None:
    versions = locked()
    assert canonicalize_name(one.name) in versions, HOW
    assert versions[canonicalize_name(one.name)] in one.specifier, HOW


def test_what_that_needs_is_locked_too() -> None:
    versions = locked()
    found = {canonicalize_name(one.name) for one in required(map(str, direct()))}
    assert len(found) > len(direct())
    assert found <= versions.keys(), HOW


def test_the_lowest_versions_are_those_of_every_bound() -> None:
    script = [sys.executable, ROOT / ".ci" / "lowest"]
    lines = subprocess.run(script, capture_output=True, text=True, check=True).stdout.split()
    lowest = {canonicalize_name(name): version for name, version in (x.split("==") for x in lines)}
    assert lowest.keys() == {canonicalize_name(one.name) for one in direct()}
    for one in direct():
        assert lowest[canonicalize_name(one.name)] in one.specifier


def test_development_ci_and_make_install_the_same() -> None:
    line = "pip install -c constraints.txt -e '.[dev]'"
    for name in ("README.md", "Makefile", ".ci/run", "docs/installing.md"):
        assert line in (ROOT / name).read_text("utf-8"), name
