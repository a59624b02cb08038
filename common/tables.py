"""Tables in files, as TOML and JSON: read with errors that name the file.

What is nested deeper than any table of ours is refused here, before something that goes through it
by recursion meets it.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.errors import ConfigError, PerpetuoError
from common.files import FileKind, read_bytes
from common.nesting import DEEPEST, shallow

# A key of more names than that; to read one takes a time that grows with the square of its length.
_LONG_KEY = re.compile(rf"(?<![\w.\"'-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){{{DEEPEST + 1}}}")


def read_toml(path: str | Path, kind: FileKind) -> dict[str, Any]:
    """The tables of a TOML file; ConfigError says what is wrong with it."""
    found: dict[str, Any] = _read(path, kind, _toml, "TOML")
    return found


def read_json(path: str | Path, kind: FileKind) -> Any:
    """What a JSON file holds; ConfigError says what is wrong with it."""
    return _read(path, kind, json.loads, "JSON")


def _read(path: str | Path, kind: FileKind, parse: Callable[[str], Any], language: str) -> Any:
    try:
        text = read_bytes(path, kind).decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not text in UTF-8: save it as such") from None
    except PerpetuoError as error:
        raise ConfigError(str(error)) from error
    try:
        return shallow(parse(text))
    except RecursionError:
        raise ConfigError(
            f"{path}: is nested more than {DEEPEST} tables or lists deep: lay it out flat"
        ) from None
    except ValueError as error:
        raise ConfigError(f"{path}: is not {language} ({error})") from error


def _toml(text: str) -> dict[str, Any]:
    if _LONG_KEY.search(text):
        raise RecursionError
    return tomllib.loads(text)
