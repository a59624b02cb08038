"""What building a package does beside packing it.

A wheel gets the presets and the page. The page is built with npm where there is a Node.js that is
recent enough; where there is none, or it fails, the package is complete without it, and the server
shows its plain page and how to get the full one. A source distribution carries the built page, so
that installing it needs no npm. `PERPETUO_PAGE=plain` builds none; `PERPETUO_PAGE=full` fails
rather than doing without.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = (20, 19)
PATIENCE = 90.0  # seconds for each of the two commands: pip is silent meanwhile
BUILT = Path("clients", "web", "dist")


class PageNotBuilt(Exception):
    """Why, in a sentence."""


class Build(BuildHookInterface[Any]):
    """Packs presets and page where the server finds them.

    Not when the package is installed to be worked on: then they are found where they are, and a
    copy would make a second, incomplete `server`.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        included = build_data["force_include"]
        page = self._page(root)
        if self.target_name == "sdist":
            if page is not None:
                included[str(page)] = BUILT.as_posix()
            return
        included[str(root / "configs" / "presets")] = "engine/library/shipped"
        if page is not None:
            included[str(page)] = "server/web/full_page"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self._clear_away()

    _workshop: Path | None = None

    def _clear_away(self) -> None:
        if self._workshop is not None:
            shutil.rmtree(self._workshop, ignore_errors=True)
            self._workshop = None

    def _page(self, root: Path) -> Path | None:
        """The folder of the built page; None: there is none."""
        wanted = os.environ.get("PERPETUO_PAGE", "")
        if wanted == "plain":
            return None
        # A source distribution, which has this file, carries the page as it was built.
        if (root / "PKG-INFO").is_file() and (root / BUILT / "index.html").is_file():
            return root / BUILT
        try:
            self._workshop = Path(tempfile.mkdtemp(prefix="perpetuo-page-"))
            return build_page(root / BUILT.parent, self._workshop)
        except PageNotBuilt as reason:
            self._clear_away()
            if wanted == "full":
                raise RuntimeError(f"the page was not built: {reason}") from None
            self.app.display_warning(f"the server will have its plain page only: {reason}")
            return None


def build_page(source: Path, workshop: Path) -> Path:
    """Build the page in a copy of its source, and so disturb nobody who works there."""
    npm = shutil.which("npm")
    if npm is None or node_version() < OLDEST_NODE:
        oldest = ".".join(map(str, OLDEST_NODE))
        raise PageNotBuilt(f"it is built by npm and Node.js {oldest} or later, which are not here")
    copy = workshop / "web"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
    quickly = ["--omit=dev", "--ignore-scripts", "--prefer-offline", "--fetch-retries=1"]
    run([npm, "ci", "--no-audit", "--no-fund", *quickly], copy)
    run([npm, "run", "build"], copy)
    return copy / "dist"


def node_version() -> tuple[int, ...]:
    node = shutil.which("node")
    if node is None:
        return ()
    answer = subprocess.run([node, "--version"], capture_output=True, text=True)
    found = re.match(r"v(\d+)\.(\d+)", answer.stdout)
    return tuple(map(int, found.groups())) if found else ()


def run(command: list[str], folder: Path) -> None:
    words = " ".join(["npm", *command[1:3]])
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise PageNotBuilt(f"'{words}' took longer than {PATIENCE:g} seconds") from None
    except subprocess.CalledProcessError as error:
        told = error.stderr.decode(errors="replace").splitlines()
        errors = [line.removeprefix("npm error").strip() for line in told if "error" in line]
        raise PageNotBuilt(f"'{words}' failed ({'; '.join(errors[:2])})") from None
