"""Files that a user names are read through `common.files` alone: there a pipe is not waited for, a
device not read without end. This walks the source and finds what reads in another way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("common", "engine", "server", "export")
# Methods that read a file by its name, whatever they are called on.
METHODS = {
    "read_bytes",
    "read_text",
    "fromfile",
    "genfromtxt",
    "loadtxt",
    "memmap",
    "fluid_synth_sfload",
}
METHODS |= {"fdopen", "load_cert_chain"}
# Functions that take a name or an open file.
LOADERS = {"load", "load_from_file", "load_model"}
LIBRARIES = {"json", "np", "numpy", "onnx", "pickle", "tomllib", "torch"}

PROC, OWN, DOC = "the system tells of a process", "a file of our own", "writes a page of docs/"
MAY_READ = {
    "common/files.py": "the one way",
    "common/folder_lock.py": "a lock in a folder of our own, never read",
    "engine/planning/planner_table.py": "bytes that were read",
    "engine/composing/snapshot.py": "bytes that were read",
    "export/data/dataset.py": "mapped into memory after common.files has looked at it",
    "export/training/run_folder.py": "torch is given a file that common.files has opened",
    "server/audio/synth.py": "FluidSynth reads what libraries.soundfont has looked at",
    "server/benches/measuring.py": PROC,
    "server/benches/live/processes.py": PROC,
    "server/benches/live/served.py": OWN,
    "server/commands/cli.py": "the null device, to write to",
    "server/base/machine.py": PROC,
    "export/training/reference.py": DOC,
    "server/configuration/reference.py": DOC,
    "server/house/places.py": OWN,
    "server/house/disk_writer.py": "a folder of our own, to force it to the disk",
    "server/midi/jack.py": PROC,
    "server/serving/osc_tables.py": DOC,
    "server/serving/metrics_doc.py": DOC,
    "server/serving/protocol_doc.py": DOC,
    "server/serving/protocol_types.py": "writes types of clients/",
    "server/web/site.py": "the page that was installed",
}


def reads(source: str) -> Iterator[int]:
    """The lines in which a file may be read."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and _reads(node):
            yield node.lineno


def _reads(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Name):
        return call.func.id == "open" and not _writes(call, 1)
    if not isinstance(call.func, ast.Attribute):
        return False
    name, owner = call.func.attr, call.func.value
    if name == "ZipFile":  # unless it is given bytes that were read
        return not (call.args and ast.unparse(call.args[0]).startswith("io.BytesIO("))
    module = owner.id if isinstance(owner, ast.Name) else ""
    if name == "open":
        if module in ("os", "io", "codecs", "gzip", "bz2", "lzma"):
            return not _writes(call, 1)
        # `Path.open`; other methods of that name take no mode.
        if not call.args and not call.keywords:
            return isinstance(owner, ast.BinOp) or "path" in ast.unparse(owner).lower()
        return _is_mode(call, 0) and not _writes(call, 0)
    return name in METHODS or (name in LOADERS and module in LIBRARIES)


def _mode(call: ast.Call, place: int) -> str | None:
    given = next((word.value for word in call.keywords if word.arg == "mode"), None)
    if given is None and len(call.args) > place:
        given = call.args[place]
    if isinstance(given, ast.Constant) and isinstance(given.value, str):
        return given.value
    return None


def _is_mode(call: ast.Call, place: int) -> bool:
    mode = _mode(call, place)
    return mode is not None and set(mode) <= set("rwxabt+")


def _writes(call: ast.Call, place: int) -> bool:
    mode = _mode(call, place) or ""
    return bool(set(mode) & set("wxa")) and "+" not in mode


def _sources() -> dict[str, Path]:
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {path.relative_to(ROOT).as_posix(): path for path in paths}


def test_files_are_read_in_one_way() -> None:
    found = {
        f"{name}:{line}"
        for name, path in _sources().items()
        for line in reads(path.read_text("utf-8"))
        if name not in MAY_READ
    }
    assert not found, "use common.files, or say in MAY_READ why not"


def test_what_may_read_by_itself_does() -> None:
    sources = _sources()
    assert [n for n in MAY_READ if n not in sources or not any(reads(sources[n].read_text()))] == []


@pytest.mark.parametrize(
    "line",
    [
        "open(path)",
        "open(path, 'rb')",
        "open(path, mode='r+b')",
        "path.open('rb')",
        "self.path.open()",
        "(folder / name).open()",
        "Path(name).open(mode='r')",
        "path.read_bytes()",
        "Path(name).read_text('utf-8')",
        "os.open(path, os.O_RDONLY)",
        "io.open(path)",
        "np.load(path)",
        "torch.load(path)",
        "tomllib.load(file)",
        "context.load_cert_chain(path)",
        "zipfile.ZipFile(path)",
    ],
)
def test_reading_is_found(line: str) -> None:
    assert list(reads(f"x = 1\n{line}")) == [2]


@pytest.mark.parametrize(
    "line",
    [
        "open(path, 'wb')",
        "path.open('xb', buffering=0)",
        "read_bytes(path, MODEL)",
        "Dataset.open(path)",
        "server.open()",
        "av.open(str(path), 'w')",
        "load_network(path)",
        "zipfile.ZipFile(io.BytesIO(data))",
    ],
)
def test_other_things_are_not(line: str) -> None:
    assert list(reads(line)) == []
