"""Which version is installed is asked of our distribution, whatever else is called perpetuo."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from server.base.distribution import DISTRIBUTION, version, versions

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
PROJECT = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]


@pytest.fixture
def another_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of another project is installed that is called perpetuo."""
    about = tmp_path / "perpetuo-99.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: perpetuo\nVersion: 99.0\n", "utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_it_is_the_distribution_that_is_built() -> None:
    assert PROJECT["name"] == DISTRIBUTION
    assert PROJECT["scripts"] == {"perpetuo": "server.commands.cli:main"}


@pytest.mark.usefixtures("another_project")
def test_the_version_is_ours_where_another_project_has_our_name() -> None:
    version.cache_clear()
    assert version() == PROJECT["version"]
    assert versions(["perpetuo"]) == {"perpetuo": PROJECT["version"]}


def test_what_is_not_installed_has_no_version() -> None:
    found = versions(["numpy", "no-such-package"])
    assert found["numpy"]
    assert found["no-such-package"] is None
