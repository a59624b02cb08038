"""Takes the picture of the page for README.md, while it plays: `make picture`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.server.served import serving
from tests.web.browsing import Visit, browsers
from tests.web.building import build_page

CONFIGURATION = """
[[station]]
name = "quartet"
preset = "quartet"
seed = 4
[[station]]
name = "study"
preset = "study"
seed = 4
[osc]
enabled = false
[midi]
enabled = false
"""
BARS = 12  # that the music has left behind by then


def take(path: Path, address: str) -> None:
    with browsers() as making, making.opened("--force-color-profile=srgb") as browser:
        viewport = {"width": 1280, "height": 860}
        visit = Visit(browser, address, viewport=viewport, color_scheme="dark")
        visit.play()
        now = "perpetuo.plan.at(perpetuo.clock.now())"
        ahead = "perpetuo.plan.bars().at(-1).due - perpetuo.clock.now()"
        visit.until(f"({now}?.index ?? 0) >= {BARS} && {ahead} > 6e6")
        # A change at the beginning of a bar: its flag stands at the next one.
        visit.until(f"{now} && perpetuo.clock.now() - {now}.due < 0.3e6")
        visit.page.get_by_role("slider", name="Density").fill("7")
        visit.until_words("#announcement", "heard from bar")
        visit.ask("document.activeElement.blur()")
        visit.page.evaluate("scrollTo(0, 0)")
        visit.page.mouse.move(0, 0)
        # The wash has gone over the bars that are revised, its tint is still there.
        visit.until("perpetuo.plan.bars().at(-1).revision > 0")
        visit.until("performance.now() - perpetuo.plan.bars().at(-1).arrived > 850")
        visit.page.screenshot(path=path)
        visit.close()


def main() -> None:
    path = Path(sys.argv[1])
    build_page()
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "picture.toml"
        configuration.write_text(CONFIGURATION, "utf-8")
        with serving(configuration, "--port", 0, "--state", folder) as served:
            take(path, served.page)


if __name__ == "__main__":
    main()
