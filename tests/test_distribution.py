"""Nobody is told to ask a package index for us.

Nothing of ours is on one, and `perpetuo` there is another project. What is said to be installed is
a folder or a file: `pip install .`, `pip install '.[audio]'`.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
PACKAGES = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
SPEAKING = ("README.md", "CHANGELOG.md", "Makefile", "pyproject.toml", "hatch_build.py", ".ci")
SPEAKING += ("docs", "clients", "configs", "deploy", *PACKAGES)
GENERATED = {"__pycache__", "node_modules", "dist"}
BINARY = {".mid", ".onnx", ".png"}

INSTALLING = re.compile(
    r"\b(?:(?:pip3?|pipx|uv|uv pip|uv tool|poetry|pdm|conda)(?: -\S+)*"
    r" (?:install|add|download|wheel)|pipx run|uv tool run|uvx)\b"
)
# Where what is installed has been said: the next command, the end of code, the sentence going on.
END = re.compile(r"&&|\|\||[;|`]|</| (?:in|and|or|to) ")
ENDING = re.compile(r"(?<=.)['\".,:)]+$")
OURS = re.compile(r"perpetuo(?:[-_.](?:music|client))?(?:\[[\w, -]*\])?(?:\s*[=<>~!@].*)?")


def named(text: str) -> Iterator[str]:
    """What is said to be installed, word by word."""
    for line in (*text.replace("\\\n", " ").splitlines(), *spans(text)):
        for said in INSTALLING.finditer(line):
            for word in END.split(line[said.end() :])[0].split():
                yield ENDING.sub("", word.lstrip("'\""))


def spans(text: str) -> Iterator[str]:
    """Code within sentences, which may be broken over two lines."""
    for code in re.findall(r"`((?:[^`\n]|\n(?!\n| {4}))+)`", text):
        yield " ".join(code.split())


def asks_an_index(text: str) -> bool:
    # An extra of a name is asked of an index, whatever stands around it.
    return "perpetuo[" in text or any(OURS.fullmatch(word) for word in named(text))


def speaking() -> Iterator[Path]:
    for name in SPEAKING:
        path = ROOT / name
        for found in (path,) if path.is_file() else path.rglob("*"):
            if found.is_file() and not GENERATED & set(found.parts) and found.suffix not in BINARY:
                yield found


def texts(path: Path) -> Iterator[str]:
    """A file, and its strings as they are put together."""
    text = path.read_text("utf-8")
    yield text
    if path.suffix == ".py":
        yield from filter(None, map(string, ast.walk(ast.parse(text))))


def string(node: ast.AST) -> str:
    match node:
        case ast.Constant(str(value)):
            return value
        case ast.JoinedStr():
            return "".join(map(string, node.values))
        case ast.FormattedValue():
            return "…"
    return ""


def test_nobody_is_told_to_ask_an_index_for_us() -> None:
    found = [path for path in speaking() if any(map(asks_an_index, texts(path)))]
    assert not found


def test_the_walk_hears_all_that_speaks() -> None:
    heard = {path.relative_to(ROOT).as_posix() for path in speaking()}
    assert {
        "README.md",
        ".ci/run",
        "clients/python/README.md",
        "server/web/page/index.html",
    } < heard
    assert {"deploy/Containerfile", "docs/installing.md", "server/audio/libraries.py"} < heard
    assert {".", ".[audio]", ".[train]", ".[gpu]", "./clients/python"} <= said()


@cache
def said() -> set[str]:
    return {word for path in speaking() for text in texts(path) for word in named(text)}


def test_extras_that_are_told_exist() -> None:
    lists = [found[1] for word in said() if (found := re.fullmatch(r"\.\[([\w,]+)\]", word))]
    told = {extra for extras in lists for extra in extras.split(",")}
    assert {"audio", "train", "dev"} <= told <= EXTRAS.keys()


@pytest.mark.parametrize(
    "text",
    [
        "pip install perpetuo",
        "run `pip install perpetuo`.",
        "`pip install\nperpetuo`",
        "pip install --upgrade \\\n    perpetuo",
        "python -m pip -q install 'perpetuo[audio]'",
        "pip install perpetuo==0.1.0 && perpetuo serve",
        "pip install numpy 'perpetuo>=1'",
        "<code>pip install perpetuo</code>",
        "pip install 'perpetuo-music[audio]'",
        "pip install perpetuo-client",
        "pip install 'perpetuo'.",
        "pipx install perpetuo",
        "pipx run perpetuo serve",
        "uv tool install perpetuo",
        "uv pip install perpetuo_music",
        "uv add perpetuo",
        "uvx perpetuo",
        "the extra `perpetuo[train]`",
    ],
)
def test_what_asks_an_index_for_us_is_heard(text: str) -> None:
    assert asks_an_index(text)


@pytest.mark.parametrize(
    "text",
    [
        "pip install . && perpetuo serve",
        "pip install .\nperpetuo serve",
        "run pip install '.[audio]' in perpetuo's folder",
        "/opt/perpetuo/bin/pip install --upgrade '.[audio]'",
        "pip install perpetuo_music-0.1.0-py3-none-any.whl",
        "pip install ./perpetuo",
        "pip install 'perpetuo_music-0.1.0-py3-none-any.whl[audio]'",
        "pip uninstall perpetuo",
        "`pip install .` or `perpetuo serve`",
    ],
)
def test_what_does_not_is_not(text: str) -> None:
    assert not asks_an_index(text)


def test_strings_are_heard_as_they_are_put_together() -> None:
    (file,) = ast.parse('f"pip install " "perp" f"etuo {error}"').body
    assert asks_an_index(string(file.value))  # type: ignore[attr-defined]


def test_nothing_of_ours_requires_the_other_project() -> None:
    lines = sum(EXTRAS.values(), PROJECT["dependencies"])
    assert "perpetuo" not in {Requirement(line).name for line in lines}


def test_the_client_comes_with_its_licence() -> None:
    copy = ROOT / "clients" / "python" / "LICENSE"
    assert copy.read_bytes() == (ROOT / "LICENSE").read_bytes()
