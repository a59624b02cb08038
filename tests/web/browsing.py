"""A real Chromium, and what tests ask of the page in it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Nobody may be asked for a click; that one click is enough is tested apart.
    "--autoplay-policy=no-user-gesture-required",
)
PATIENCE = 60_000  # milliseconds, as Playwright counts

WAIT = """async (argument) => {
  const asked = %s;
  for (const end = performance.now() + %d; performance.now() < end; ) {
    const value = asked(argument);
    if (value) return value;
    await new Promise((done) => setTimeout(done, 40));
  }
}"""


def chromium_path() -> str:
    """Skips the test where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    return found


class Browsers:
    """Makes browsers; Playwright can be begun once in a process only."""

    def __init__(self, playwright: Playwright) -> None:
        self._chromium = playwright.chromium

    @contextmanager
    def opened(self, *more: str) -> Iterator[Browser]:
        """A browser of its own; `more` are arguments after the usual ones."""
        arguments = [*ARGUMENTS, *more]
        browser = self._chromium.launch(executable_path=chromium_path(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def browsers() -> Iterator[Browsers]:
    with sync_playwright() as playwright:
        yield Browsers(playwright)


class Visit:
    """A page that somebody has opened, in a profile of its own."""

    def __init__(self, browser: Browser, address: str, **settings: Any) -> None:
        settings = {"viewport": {"width": 1280, "height": 800}} | settings
        self._context = browser.new_context(**settings)
        self._context.set_default_timeout(PATIENCE)
        self.page: Page = self._context.new_page()
        self.faults: list[str] = []  # what the page's console complained of
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._hear)
        self.page.goto(address)

    def _hear(self, message: Any) -> None:
        if message.type == "error":
            self.faults.append(message.text)

    def close(self) -> None:
        self._context.close()

    def ask(self, expression: str, argument: Any = None) -> Any:
        """The value of an expression of JavaScript in which `perpetuo` is the page's core."""
        return self.page.evaluate(expression, argument)

    def until(self, expression: str, argument: Any = None) -> Any:
        """The value of an expression, or of a function of the argument, once it is true."""
        is_function = re.match(r"\(.*?\)\s*=>", expression) is not None
        asked = expression if is_function else f"() => ({expression})"
        # Playwright's own way to wait is one that the page's content security policy forbids.
        value = self.page.evaluate(WAIT % (asked, PATIENCE), argument)
        assert value, f"never came true: {expression}"
        return value

    def until_playing(self) -> None:
        """Wait until it makes sound, which nothing but a level at the loudspeaker proves."""
        self.until("perpetuo.sound.state.value.kind === 'playing'")
        self.until("perpetuo.sound.level() > 0.001")

    def play(self) -> None:
        self.page.get_by_role("button", name="Play").click()
        self.until_playing()

    def until_words(self, selector: str, words: str) -> None:
        """Wait until an element says this."""
        self.page.locator(selector).filter(has_text=words).wait_for(timeout=PATIENCE)
