"""Rooms are entered one way, and what is in them has one name: no cycles between packages, no
public class twice in one, and the glossary that docs/architecture.md promises."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache

import pytest

from tests import room_page
from tests.test_imports import PACKAGES, ROOT, imports_in, modules_of

MOST_WORDS = 30


def is_package(name: str) -> bool:
    return (ROOT / name.replace(".", "/")).is_dir()


def package_of(module: str) -> str:
    """The folder that a module stands in; a package stands for itself."""
    return module if is_package(module) else module.rpartition(".")[0]


def named_in(source: str, package: tuple[str, ...]) -> Iterator[str]:
    """Every module of ours that a file imports; of `from a import b`, `a.b` if that is one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and not node.level and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = is_package(inner) or (ROOT / f"{inner.replace('.', '/')}.py").is_file()
                yield inner if is_module else node.module
    yield from imports_in(source, package)


def arrows(sources: dict[str, str]) -> dict[str, set[str]]:
    """Which package imports from which others, by the sources of their modules."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, source in sources.items():
        here = package_of(module)
        for name in named_in(source, tuple(here.split("."))):
            there = package_of(name)
            if name.partition(".")[0] in PACKAGES and there != here and is_package(there):
                found[here].add(there)
    # `import a.b` runs the beginning of a, which is empty: no arrow to what a module stands in.
    return {
        here: {there for there in others if not here.startswith(f"{there}.")}
        for here, others in found.items()
    }


def cycle_in(graph: dict[str, set[str]]) -> list[str]:
    """Packages that import each other in a ring; [] if none do."""
    done: set[str] = set()

    def follow(here: str, way: list[str]) -> list[str]:
        if here in way:
            return [*way[way.index(here) :], here]
        if here in done:
            return []
        for there in sorted(graph.get(here, ())):
            if ring := follow(there, [*way, here]):
                return ring
        done.add(here)
        return []

    for start in sorted(graph):
        if ring := follow(start, []):
            return ring
    return []


@cache
def our_sources() -> dict[str, str]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): (
            path.read_text("utf-8")
        )
        for package in PACKAGES
        for path in modules_of(package)
    }


def test_no_packages_import_each_other() -> None:
    assert cycle_in(arrows(our_sources())) == []


def test_a_ring_of_packages_is_found() -> None:
    sources = {
        "server.house.a": "from server.web.session import Session",
        "server.web.b": "def late():\n    from server.osc import door",
        "server.osc.c": "import server.house.house",
    }
    assert set(cycle_in(arrows(sources))) == {"server.house", "server.web", "server.osc"}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_public_class_has_a_name_of_its_own(package: str) -> None:
    names = Counter(
        node.name
        for path in modules_of(package)
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, times in names.items() if times > 1] == []


def test_every_room_says_what_it_is() -> None:
    for package in PACKAGES:
        for path in modules_of(package):
            assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), path


def test_the_page_of_rooms_is_as_the_source_says() -> None:
    assert room_page.PAGE.read_text("utf-8") == room_page.page(), "python -m tests.room_page"


def test_the_glossary_is_short_and_its_words_are_used() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    table = page.partition("## Glossary")[2].partition("\n## ")[0]
    words = re.findall(r"^\| \*(.+?)\* \|", table, re.MULTILINE)
    assert 10 < len(words) <= MOST_WORDS
    everything = "\n".join(our_sources().values()).lower()
    assert [word for word in words if word.lower() not in everything] == []
