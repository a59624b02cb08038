"""What the documentation shows works: commands parse, examples are true, links lead on."""

from __future__ import annotations

import re
import shlex
from importlib import metadata
from pathlib import Path

import pytest

from server.commands.cli import Parser

ROOT = Path(__file__).parent.parent
CLIENTS = [ROOT / "clients" / "README.md", *sorted((ROOT / "clients").glob("*/README.md"))]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *CLIENTS]
COMMANDS = metadata.entry_points(group="perpetuo.commands")
# Commands stand in indented or fenced blocks, alone on a line or after "&&".
COMMAND = re.compile(r"^(?: {4}|\$ )?(?:.*&& )?perpetuo ([a-z]+)(.*)$", re.MULTILINE)


def commands_of(page: Path) -> list[tuple[str, list[str]]]:
    found = COMMAND.findall(page.read_text("utf-8").replace("\\\n", ""))
    return [
        (name, shlex.split(rest, comments=True)) for name, rest in found if name in COMMANDS.names
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_the_documentation_parse(page: Path) -> None:
    for name, words in commands_of(page):
        command = COMMANDS[name].load()
        parser = Parser(f"perpetuo {name}", command.HELP, command.EPILOG)
        command.add_arguments(parser)
        parser.parse_strictly(words)


def test_the_readme_has_the_two_lines_that_a_newcomer_needs() -> None:
    names = [name for name, _ in commands_of(ROOT / "README.md")]
    assert {"serve", "compose", "replay", "data", "train", "export"} <= set(names)
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "\n    pip install . && perpetuo serve\n" in readme
    install, _, test = "pip install -c constraints.txt -e '.[dev]' && pytest".partition(" && ")
    assert f"\n    {install} && {test}\n" in readme
    assert f"\n{install}\n" in (ROOT / ".ci" / "run").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).is_file(), target


def test_the_example_of_timing_gives_what_it_says() -> None:
    page = (ROOT / "docs" / "timing.md").read_text("utf-8")
    example = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert example is not None
    names: dict[str, object] = {}
    checked = 0
    for line in example.group(1).splitlines():
        code, _, comment = line.partition("#")
        value = re.match(r" ([\d,]+)(?::|$)", comment)
        if value and "=" not in code:
            assert eval(code, names) == int(value.group(1).replace(",", ""))
            checked += 1
        else:
            exec(code, names)
    assert checked == 3
