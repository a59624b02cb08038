"""A built page, a server that plays, a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is not installed (pip install playwright)")

from playwright.sync_api import Browser

from tests.bundles import tiny_bytes
from tests.server.served import Served, serving
from tests.web.browsing import Browsers, Visit, browsers, chromium_path
from tests.web.building import build_page

# The first station: one part, one note at a time and not too many, in the octave from the middle C
# on. Both have bars of one second.
STATION = """
lookahead = 4
[[station]]
name = "test"
seed = 7
[station.controls]
tempo = 60
metre = "1/4"
density = 2
parts = [1]
max_polyphony = 1
low_pitch = 60
high_pitch = 71
max_rest = 1
[[station]]
name = "other"
seed = 8
controls = { tempo = 120, metre = "2/4", density = 4 }
[osc]
enabled = false
[midi]
enabled = false
"""

Visiting = Callable[..., Visit]


@pytest.fixture(scope="session")
def built_page() -> None:
    chromium_path()  # where there is no browser, nothing need be built
    build_page()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(tiny_bytes("gpt"))
    return path


@pytest.fixture(scope="session")
def serve(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Makes servers of the test's station; `more` stands at the end of their configuration."""

    def make(more: str = "", port: int = 0) -> Any:
        folder = tmp_path_factory.mktemp("served")
        configuration = folder / "web.toml"
        configuration.write_text(STATION + more, "utf-8")
        return serving(configuration, "--model", model, "--port", port, "--state", folder)

    return make


@pytest.fixture(scope="session")
def served(built_page: None, serve: Callable[..., Any]) -> Iterator[Served]:
    """The server that tests share which leave it as it is."""
    with serve() as served:
        yield served


@pytest.fixture(scope="module")
def making(built_page: None) -> Iterator[Browsers]:
    with browsers() as making:
        yield making


@pytest.fixture(scope="module")
def browser(making: Browsers) -> Iterator[Browser]:
    with making.opened() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser, served: Served) -> Iterator[Visiting]:
    """Opens the page as often as wanted; at the end none of them may have complained."""
    visits: list[Visit] = []

    def open_page(path: str = "", address: str = "", **settings: Any) -> Visit:
        made = Visit(browser, (address or served.page) + path, **settings)
        visits.append(made)
        return made

    yield open_page
    for made in visits:
        made.close()
    assert [fault for made in visits for fault in made.faults] == []
