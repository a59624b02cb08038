"""Imports run one way, stay where they belong, and keep the command line light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("common", "engine", "server", "export")
# What would make the engine depend on anything but its arguments.
CLOCKS_WIRES_THREADS_DICE = {
    *("asyncio", "concurrent", "multiprocessing", "queue", "sched", "signal", "subprocess"),
    *("threading", "_thread"),
    *("http", "select", "selectors", "socket", "socketserver", "ssl", "urllib", "xmlrpc"),
    *("calendar", "datetime", "time", "zoneinfo"),
    *("random", "secrets", "uuid", "tempfile"),
}
DISK = {
    "os",
    "fcntl",
    "shutil",
    "pathlib",
    "glob",
}
# The room of the engine in which scripts are met; all the others are the core.
LIBRARY = "engine/library/"
# What of the common ground has nothing to do with the disk.
PURE_COMMON = {"common.errors", "common.nesting", "common.words"}


@cache
def modules_of(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports_in(source: str, package: tuple[str, ...]) -> Iterator[str]:
    """Every module that a file of a package imports, wherever in it, by its absolute name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            yield ".".join([*base, *([node.module] if node.module else [])])


@cache
def imports_of(path: Path) -> set[str]:
    return set(imports_in(path.read_text("utf-8"), path.relative_to(ROOT).parts[:-1]))


def importers_of(name: str) -> set[str]:
    """The files of ours that import a module or one inside it."""
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in modules_of(package)
        if any(module == name or module.startswith(f"{name}.") for module in imports_of(path))
    }


def under(package: str, files: set[str]) -> set[str]:
    return {file for file in files if file.startswith(f"{package}/")}


def roots_of(path: Path) -> set[str]:
    """The packages that a file imports from."""
    return {name.partition(".")[0] for name in imports_of(path)}


# Where the engine meets scripts it goes further than its core may, in these files alone: to other
# libraries' forms of music, and to chance where a script asks for it.
EDGE = {
    "engine/library/interchange.py": {"mido", "pretty_midi"},
    "engine/library/beginning.py": {"secrets"},
}


def beyond(path: Path) -> set[str]:
    return EDGE.get(path.relative_to(ROOT).as_posix(), set())


# Packages that are imported under another name than they are installed by.
IMPORTED_AS = {
    "protobuf": "google",
    "scikit-learn": "sklearn",
    "python-osc": "pythonosc",
    "python-rtmidi": "rtmidi",
}


def declared(*lists: list[str]) -> set[str]:
    """The import names of required packages."""
    found = (re.match(r"[\w.-]+", line) for requirements in lists for line in requirements)
    names = [match.group() for match in found if match]
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
BASE = PROJECT["dependencies"]
MAY_USE = {
    "common": {"msgspec", "common"},
    "engine": {"numpy", "onnxruntime", "engine", "common"},
    "server": {*declared(BASE), "engine", "common", "server"},
    "export": {
        *declared(BASE, PROJECT["optional-dependencies"]["train"]),
        *("engine", "common", "export"),
    },
}


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("engine", "server"),
        ("engine", "export"),
        ("server", "export"),
        ("export", "server"),
        ("common", "engine"),
        ("common", "server"),
        ("common", "export"),
    ],
)
def test_imports_run_one_way(importer: str, imported: str) -> None:
    allowed = {file for file, more in EDGE.items() if imported in more}
    assert under(importer, importers_of(imported)) <= allowed


@pytest.mark.parametrize("file", EDGE)
def test_what_may_go_further_does(file: str) -> None:
    assert roots_of(ROOT / file) >= EDGE[file]


DOORS = ("audio", "house", "midi", "osc", "web")


def test_doors_are_told_their_settings_and_know_no_configuration() -> None:
    for door in DOORS:
        assert not under(f"server/{door}", importers_of("server.configuration")), door
        for path in (ROOT / "server" / door).glob("settings.py"):
            ours = {name for name in imports_of(path) if name.partition(".")[0] == "server"}
            assert not ours, path


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_what_the_project_declares(package: str) -> None:
    allowed = MAY_USE[package] | sys.stdlib_module_names
    for path in modules_of(package):
        assert roots_of(path) <= allowed | beyond(path), path


def test_the_web_door_knows_nothing_of_sound() -> None:
    """Sound is answered for by what the door is given."""
    assert not under("server/web", importers_of("server.audio"))


def core() -> list[Path]:
    return [path for path in modules_of("engine") if LIBRARY not in path.as_posix()]


def test_the_engine_knows_no_clock_no_wire_no_thread_no_dice_and_no_system() -> None:
    for path in (*modules_of("engine"), *modules_of("common")):
        assert not roots_of(path) & CLOCKS_WIRES_THREADS_DICE - beyond(path), path
    for path in modules_of("engine"):
        assert not roots_of(path) & {"os", "fcntl", "shutil"}, path


def test_the_core_of_the_engine_knows_no_disk() -> None:
    for path in core():
        assert not roots_of(path) & DISK, path
        ours = {name for name in imports_of(path) if name.startswith("common.")}
        assert ours <= PURE_COMMON, path
    named = {path.relative_to(ROOT).as_posix() for path in core()}
    assert importers_of("engine.library") & named <= {"engine/__init__.py"}


def test_onnxruntime_is_imported_in_one_file() -> None:
    assert importers_of("onnxruntime") <= {"engine/network/runtime.py"}


def test_torch_and_onnx_stay_in_the_offline_shop() -> None:
    for name in ("torch", "onnx", "matplotlib"):
        files = importers_of(name)
        assert files == under("export", files)


def test_the_walk_sees_imports_inside_functions_and_relative_ones() -> None:
    source = "from .. import a\nfrom ..b import c\ndef f():\n    import x.y as z\n"
    assert set(imports_in(source, ("engine", "codecs"))) == {"engine", "engine.b", "x.y"}
    assert imports_of(ROOT / "server" / "commands" / "cli.py") >= {
        "argparse",
        "server.base.console",
    }


# What makes sound: looked for when it is needed, so that a plain install is told what is missing.
SOUND = ("fluidsynth", "av", "lameenc")


def test_the_libraries_of_sound_are_asked_for_in_one_file() -> None:
    for name in SOUND:
        assert not importers_of(name), name
    asking = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in modules_of(package)
        if any(f'import_module("{name}")' in path.read_text("utf-8") for name in SOUND)
    }
    assert asking == {"server/audio/libraries.py"}


def test_mido_and_pretty_midi_are_imported_in_one_file() -> None:
    for name in ("mido", "pretty_midi"):
        assert importers_of(name) == {"engine/library/interchange.py"}


HEAVY = {"torch", "onnx", "onnxruntime", "matplotlib", "mido", "pretty_midi", *SOUND}
LIGHT_LINES = {
    "importing engine and the command line": "import engine, server.commands.cli",
    "the help": "from server.commands.cli import main; assert main(['--help']) == 0",
    "the version": "from server.commands.cli import main; assert main(['--version']) == 0",
    "the server, which has others compose and make sound": "import server.serving.server",
    "a command's help": "from server.commands.cli import main; assert not main(['roll', '-h'])",
}


@pytest.mark.parametrize("line", LIGHT_LINES.values(), ids=LIGHT_LINES.keys())
def test_nothing_heavy_is_imported_before_it_is_needed(line: str) -> None:
    report = f"{line}\nimport sys; print('\\nloaded:', *{HEAVY!r} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", report], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1].split() == ["loaded:"]


def test_a_running_server_has_neither_benches_nor_other_commands() -> None:
    line = "import server.serving.server, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", line], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name for name in done.stdout.split() if name.startswith("server.")}
    assert "server.house.house" in loaded
    assert not {name for name in loaded if name.startswith(("server.benches", "server.commands"))}
