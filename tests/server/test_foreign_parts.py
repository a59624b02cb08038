"""Parts of other packages that they do not promise to keep, and which we use nevertheless.

Each is bounded from above in pyproject.toml. When a new version is to be allowed and one of these
tests fails, look how the part is called there, and what it does now.
"""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from packaging.requirements import Requirement
from uvicorn.protocols.http.h11_impl import H11Protocol

ROOT = Path(__file__).parents[2]
PACKAGES = ("common", "engine", "server", "export", "clients/python/perpetuo_client")
# Names with an underscore that belong to others: namedtuple documents the first two, argparse is of
# the standard library, pyfluidsynth is told to keep quiet through the last.
UNDERSCORED = {"_asdict", "_field_defaults", "_actions", "_fl"}
BOUNDED = {"uvicorn", "python-osc", "pyfluidsynth"}

# Called or overridden by server/web/line.py and server/web/accepting.py.
METHODS: dict[type, set[str]] = {
    H11Protocol: {
        *("connection_made", "data_received", "connection_lost", "pause_writing"),
        *("on_response_complete", "send_400_response"),
    },
    uvicorn.Server: {"capture_signals", "startup", "serve"},
}
FIELDS: dict[type, set[str]] = {
    H11Protocol: {"app_state", "cycle", "conn", "loop", "transport"},
    uvicorn.Server: {"config", "lifespan", "servers", "started", "should_exit", "server_state"},
}


def modules() -> list[ast.Module]:
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return [ast.parse(path.read_text("utf-8")) for path in files]


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def test_no_other_private_name_of_a_package_is_used() -> None:
    ours, used = set(), set()
    for node in (node for module in modules() for node in ast.walk(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            ours.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            ours.add(node.id)
        elif isinstance(node, ast.Attribute):
            (ours if isinstance(node.ctx, ast.Store) else used).add(node.attr)
    assert {name for name in used - ours if is_private(name)} == UNDERSCORED


def test_packages_whose_parts_are_used_are_bounded_from_above() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["audio"]]
    bounded = {
        one.name
        for one in map(Requirement, lines)
        if any(bound.operator == "<" for bound in one.specifier)
    }
    assert bounded == BOUNDED


@pytest.mark.parametrize("kind", METHODS, ids=lambda kind: kind.__name__)
def test_the_methods_are_there(kind: type) -> None:
    missing = {name for name in METHODS[kind] if not callable(getattr(kind, name, None))}
    assert not missing, f"{kind.__module__}.{kind.__name__} has no {missing} any more"


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
def test_the_fields_are_there(kind: type) -> None:
    """Set by the class itself, not merely looked for."""
    missing = FIELDS[kind] - _fields_of(kind)
    assert not missing, f"{kind.__module__}.{kind.__name__} has no {missing} any more"


OURS = {H11Protocol: ("line.py", "HttpLine"), uvicorn.Server: ("accepting.py", "HttpServer")}


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_these_are_all_that_is_used_of_uvicorns_classes(kind: type) -> None:
    """What our subclass takes from `self` and `super()` and does not have itself, and what it has
    instead of theirs."""
    file, name = OURS[kind]
    (ours,) = _classes(file, name)
    methods = {node.name for node in ours.body if isinstance(node, ast.FunctionDef)}
    own, used = set(methods), set()
    for node in ast.walk(ours):
        if isinstance(node, ast.Attribute) and _is_self(node.value):
            is_ours = isinstance(node.ctx, ast.Store) and node.attr not in _fields_of(kind)
            (own if is_ours else used).add(node.attr)
    instead = {name for name in methods if hasattr(kind, name)} - {"__init__"}
    assert (used - own) | instead <= METHODS[kind] | FIELDS[kind] | {"__init__"}


def test_no_other_class_of_ours_is_one_of_uvicorns() -> None:
    text = "".join(path.read_text("utf-8") for path in (ROOT / "server").rglob("*.py"))
    found = re.findall(r"class (\w+)\((?:H11Protocol|uvicorn\.\w+|WebSockets\w+)\)", text)
    assert set(found) == {name for _, name in OURS.values()}


def _fields_of(kind: type) -> set[str]:
    return {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(kind)))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }


def _classes(file: str, name: str) -> list[ast.ClassDef]:
    tree = ast.parse((ROOT / "server" / "web" / file).read_text("utf-8"))
    return [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]


def _is_self(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "super"
    return isinstance(node, ast.Name) and node.id == "self"


async def _anything(scope: Any, receive: Any, send: Any) -> None:
    """An application that nobody calls."""


def test_a_servers_connections_are_told() -> None:
    server = uvicorn.Server(uvicorn.Config(_anything, log_config=None))
    assert server.server_state.connections == set()
    assert server.should_exit is False


def test_types_of_osc_are_read_and_written_by_name() -> None:
    parsing = pytest.importorskip("pythonosc.parsing.osc_types")
    text = (ROOT / "server" / "osc" / "packets.py").read_text("utf-8")
    used = {
        node.attr
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "osc_types"
    }
    assert used
    assert not {name for name in used if not hasattr(parsing, name)}


def test_fluidsynth_can_be_told_to_keep_quiet() -> None:
    library = pytest.importorskip("fluidsynth", exc_type=ImportError)
    assert callable(library.cfunc)
    assert library._fl.fluid_set_log_function
