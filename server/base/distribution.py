"""What package managers know this program as.

Its command is `perpetuo`. Its distribution is not: another project on PyPI is called that, and
may be installed here too.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import metadata

DISTRIBUTION = "perpetuo-music"


@cache
def version() -> str:
    return metadata.version(DISTRIBUTION)


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Of packages, "perpetuo" being this program itself; None: not installed."""
    return {name: _installed(DISTRIBUTION if name == "perpetuo" else name) for name in packages}


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
