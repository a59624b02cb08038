"""The examples of docs/library.md run, one after the other, and give what stands beside them."""

from __future__ import annotations

import ast
import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.doc_steps import DOCS, do

PAGE = "library.md"
BLOCK = re.compile(r"^```(python|sh run)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Before what hangs on every note that a model draws: only the form of it is compared.
SUCH_AS = "such as "


def blocks() -> list[tuple[str, str]]:
    return BLOCK.findall((DOCS / PAGE).read_text("utf-8"))


def told_and_found(source: str, names: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What stands behind the last line of each statement, and what it gives or prints."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if isinstance(node, ast.Expr):
                value = eval(compile(ast.Expression(node.value), PAGE, "eval"), names)
                print("" if value is None else repr(value))
            else:
                exec(compile(ast.Module([node], []), PAGE, "exec"), names)
        yield (
            lines[(node.end_lineno or 1) - 1].partition("# ")[2].strip(),
            printed.getvalue().strip(),
        )


def test_the_examples_give_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    checked = 0
    for kind, source in blocks():
        if kind != "python":
            do(source, tmp_path)
            continue
        for told, found in told_and_found(source, names):
            if told.startswith(SUCH_AS):
                told, found = (re.sub(r"\d+", "0", text) for text in (told[len(SUCH_AS) :], found))
            assert told == found
            checked += bool(told)
    assert checked >= 15
