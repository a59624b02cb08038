"""The commands of a page of documentation, to be done as they stand.

Blocks that begin with "```sh run" are run in order; "```sh serve" is a server that is started.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
_BLOCK = re.compile(r"^```sh (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps(page: str) -> list[tuple[str, str]]:
    """The kind and text of each marked block."""
    return [(found[1], found[2]) for found in _BLOCK.finditer((DOCS / page).read_text("utf-8"))]


def do(script: str, folder: Path) -> str:
    """What a block says, run by bash in a folder; it must end well."""
    here = Path(sys.executable).parent  # where the command line is installed
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": f"{here}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}"
    return done.stdout
