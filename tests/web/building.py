"""The page, built when a test first needs it: `npm ci` and `npm run build` in clients/web."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "clients" / "web"
BUILT = WEB / "dist" / "index.html"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE = 300  # seconds


def sources() -> list[Path]:
    """What the built page is made of."""
    loose = ("index.html", "package.json", "package-lock.json", "vite.config.ts")
    folders = (WEB / "src", WEB / "public")
    inside = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [*(WEB / name for name in loose), *inside]


def is_fresh() -> bool:
    """Whether nothing was changed since the page was built."""
    if not BUILT.is_file():
        return False
    built = BUILT.stat().st_mtime
    return all(path.stat().st_mtime <= built for path in sources())


def build_page() -> None:
    """Skips the test where there is no npm and no page either."""
    with _one_at_a_time():
        _build_page()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Tests run in several processes: who comes second waits, and finds the page built."""
    folder = os.open(WEB, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)  # and lets go of the lock


def _build_page() -> None:
    if is_fresh() and AXE.is_file():
        return
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, which builds the page (apt-get install npm)")
    if not AXE.is_file():
        _npm("ci")
    _npm("run", "build")


def _npm(*words: str) -> None:
    done = subprocess.run(
        ["npm", *words],
        cwd=WEB,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, f"npm {' '.join(words)}:\n{done.stdout}\n{done.stderr}"
