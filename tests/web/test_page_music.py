"""What is heard and seen of the music, in a real browser at a real server."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.server.served import Served
from tests.web.browsing import Browsers, Visit
from tests.web.conftest import Visiting
from tests.web.cutting import wire_to
from tests.web.endure import faults, looks
from tests.web.listening import Ear, paired
from tests.web.tabs import tabs

pytestmark = pytest.mark.in_time

WOODBLOCK, XYLOPHONE = 115, 13
NEAR = 40_000  # microseconds by which an onset and its note may differ: busy machines stutter
EXACT = 3_000  # ... and between two notes that follow each other


def sounding_as(visit: Visit, program: int) -> Ear:
    """An ear at a page that plays, with this instrument and without reverb."""
    visit.play()
    visit.ask(
        """(program) => {
            perpetuo.sound.setReverb(0);
            perpetuo.sound.setVolume(1);
            perpetuo.sound.setPart(1, { program });
        }""",
        program,
    )
    return Ear(visit)


def test_one_click_plays(making: Browsers, served: Served) -> None:
    """In a browser that lets nothing sound without one."""
    with making.opened("--autoplay-policy=document-user-activation-required") as strict:
        visit = Visit(strict, served.page)
        visit.page.get_by_role("button", name="Play").click()
        visit.until_playing()
        visit.page.get_by_role("button", name="Stop").click()
        visit.until("perpetuo.sound.state.value.kind === 'off'")
        assert visit.faults == []
        visit.close()


@pytest.mark.alone
def test_notes_sound_when_they_are_due(visit: Visiting) -> None:
    ear = sounding_as(visit("#station=test", bypass_csp=True), WOODBLOCK)
    onsets = ear.until(10)
    pairs = paired(onsets, ear.planned(), NEAR)
    assert len(pairs) >= 0.8 * len(onsets), (onsets, pairs)
    assert len({note for _, note in pairs}) == len(pairs), "no note sounds twice"
    # What lies between notes is exact to the frame, whatever the readings of clocks are.
    late = sorted(onset.at - note.at for onset, note in pairs)
    exact = [error for error in late if abs(error - late[len(late) // 2]) < EXACT]
    assert len(exact) >= 0.7 * len(late), late


def turn(visit: Visit, label: str, value: int) -> int:
    """Turns a control on the page; the bar from which on it is said to be heard."""
    visit.page.get_by_role("slider", name=label).fill(str(value))
    told = visit.page.locator("#announcement").filter(has_text=f"{label}: heard from bar")
    return int(told.inner_text().split("bar ")[1].rstrip("."))


@pytest.mark.alone
def test_a_knob_is_heard_at_the_bar_that_is_announced(
    browser: Browser, serve: Callable[..., Any]
) -> None:
    """Two octaves up, by moving the range in which notes may lie."""
    with serve() as served:
        visit = Visit(browser, served.page, bypass_csp=True)
        ear = sounding_as(visit, XYLOPHONE)
        ear.until(2)
        widened = turn(visit, "High pitch", 95)
        raised = turn(visit, "Low pitch", 84)
        visit.page.locator("[data-control=low_pitch] .heard").filter(
            has_text=re.compile(f"from bar {raised}|heard now")
        ).wait_for()
        due = "(index) => perpetuo.plan.bars().find((bar) => bar.index === index)?.due"
        before, after = visit.until(due, widened), visit.until(due, raised)
        visit.until("(time) => perpetuo.clock.now() > time + 9e6", after)
        heard = [onset for onset, _ in paired(ear.until(2), ear.planned(), NEAR)]
        low = [onset.pitch for onset in heard if onset.at < before - NEAR]
        high = [onset.pitch for onset in heard if onset.at > after - NEAR]
        assert len(low) >= 1
        assert len(high) >= 2
        assert max(low) < 75, heard
        assert min(high) > 80, heard
        assert visit.faults == []
        visit.close()


@pytest.mark.alone
def test_a_cut_leaves_neither_gap_nor_double(browser: Browser, served: Served) -> None:
    with wire_to(urlsplit(served.page).port or 0) as wire:
        visit = Visit(browser, f"http://127.0.0.1:{wire.port}/#station=other")
        visit.play()
        visit.until("perpetuo.plan.bars().length > 5")
        counted = "[perpetuo.clock.now(), perpetuo.sound.figures().notes]"
        from_time, from_notes = visit.ask(counted)
        wire.cut()
        visit.until_words("#connection", "Connection lost")
        assert "plays on" in visit.page.locator("#connection").inner_text()
        # It sounds on meanwhile: what is planned is there.
        visit.until("(before) => perpetuo.sound.figures().notes > before", from_notes)
        wire.mend()
        visit.until_words("#connection", "nothing was lost")
        last = visit.ask("perpetuo.plan.bars().at(-1).index")
        visit.until("(last) => perpetuo.plan.bars().at(-1).index > last + 4", last)
        bars = visit.ask("perpetuo.plan.bars().map((bar) => bar.index)")
        assert bars == list(range(bars[0], bars[-1] + 1)), "no bar is missing and none there twice"
        until_time, until_notes = visit.ask(counted)
        struck = visit.ask(
            """([from, until]) => perpetuo.plan.bars().flatMap((bar) => bar.notes
                .filter((note) => !note.goesOnFromBefore)
                .filter((note) => from < bar.due + note.onset && bar.due + note.onset < until)
            ).length""",
            [from_time, until_time],
        )
        # Figures come a little after the notes that they count.
        assert abs((until_notes - from_notes) - struck) <= 12
        assert visit.ask("perpetuo.sound.figures().missed") == 0
        visit.close()


@pytest.mark.alone
def test_it_goes_on_without_late_notes_or_growing(visit: Visiting) -> None:
    """A short run of what `python -m tests.web.endure` does for as long as is wanted."""
    made = visit("#station=other")
    made.play()
    found = list(looks(made, 6, every=2))
    assert faults(found) == [], found


@pytest.mark.alone
def test_a_tab_behind_another_one_plays_on(served: Served, tmp_path: Path) -> None:
    with tabs(tmp_path) as browser:
        tab = browser.open(f"{served.page}#station=other")
        tab.until("globalThis.perpetuo?.session.stream.value")
        tab.ask("document.querySelector('#play').click()")
        tab.until("perpetuo.sound.level() > 0.001")
        browser.open("about:blank").to_front()
        tab.until("document.visibilityState === 'hidden'")
        before = tab.ask("perpetuo.sound.figures()")
        bar = tab.ask("perpetuo.plan.bars().at(-1).index")
        levels = []
        for _ in range(12):
            sleep(0.5)
            levels.append(tab.ask("perpetuo.sound.level()"))
        after = tab.ask("perpetuo.sound.figures()")
        assert tab.ask("document.visibilityState") == "hidden"
        assert sum(level > 0.001 for level in levels) >= 8, levels
        assert after["notes"] - before["notes"] >= 12
        assert after["missed"] == 0
        assert tab.ask("perpetuo.plan.bars().at(-1).index") > bar + 3
        assert tab.ask("perpetuo.session.connection.value.state") == "open"


def test_a_server_that_is_gone_is_told_and_found_again(
    browser: Browser, serve: Callable[..., Any]
) -> None:
    with serve() as served:
        visit = Visit(browser, served.page)
        visit.until("perpetuo.plan.bars().length > 2")
        port = urlsplit(served.page).port
        served.end()
        visit.until_words("#connection", "Connection lost")
    with serve(port=port) as served:
        # By itself; whoever does not want to wait may press the button, which may go at any moment.
        visit.until("perpetuo.session.connection.value.state === 'open'")
        visit.until("perpetuo.plan.bars().some((bar) => bar.end > perpetuo.clock.now())")
        visit.close()


def test_a_link_brings_the_same_music_back(visit: Visiting) -> None:
    first = visit()
    first.page.get_by_role("button", name="Test").click()
    first.page.get_by_label("Seed").fill("42")
    first.page.get_by_label("Preset", exact=True).select_option("folk")
    first.page.get_by_role("button", name="Begin", exact=True).click()
    first.until("perpetuo.session.stream.value?.station === false")
    notes = """() => perpetuo.plan.bars().slice(0, 4).map((bar) =>
        bar.notes.map(({ part, pitch, velocity, tick, length }) =>
            [part, pitch, velocity, tick, length]))"""
    first.until("perpetuo.plan.bars().length >= 4 && perpetuo.plan.bars()[0].index === 0")
    link = first.ask("perpetuo.link.value")
    assert "#seed=42&preset=folk" in link
    second = visit(address=link)
    second.until("perpetuo.plan.bars().length >= 4 && perpetuo.plan.bars()[0].index === 0")
    assert second.ask(notes) == first.ask(notes)
    assert any(second.ask(notes))


def test_the_last_minutes_are_saved_as_a_midi_file(visit: Visiting) -> None:
    made = visit("#station=other")
    made.until("perpetuo.save(10) !== null")
    with made.page.expect_download() as download:
        made.page.get_by_role("button", name="Save .mid").click()
    assert download.value.suggested_filename.endswith(".mid")
    assert download.value.path().read_bytes().startswith(b"MThd")


def test_over_plain_http_it_says_why_it_cannot_play_itself(
    making: Browsers, serve: Callable[..., Any]
) -> None:
    """On an address that browsers do not trust without TLS."""
    rules = "--host-resolver-rules=MAP music.test 127.0.0.1"
    with serve('[web]\norigins = ["*"]\n') as served, making.opened(rules) as browser:
        visit = Visit(browser, served.page.replace("127.0.0.1", "music.test"))
        visit.until("perpetuo.session.connection.value.state === 'open'")
        assert visit.ask("window.isSecureContext") is False
        visit.until_words("#sound", "plain http")
        visit.page.get_by_role("button", name="Play").click()
        visit.until("!['off', 'loading'].includes(perpetuo.sound.state.value.kind)")
        said = visit.page.locator("#sound").inner_text()
        assert "plain http" in said
        assert "audio stream" in said
        visit.close()


def test_a_server_with_a_token_says_what_is_missing(
    browser: Browser, serve: Callable[..., Any]
) -> None:
    with serve('[web]\ntoken = "open-sesame"\n') as served:
        stranger = Visit(browser, served.page)
        stranger.until_words("#connection", "token")
        assert stranger.page.get_by_role("button", name="Try again").is_visible()
        friend = Visit(browser, f"{served.page}?token=open-sesame")
        friend.until("perpetuo.session.connection.value.state === 'open'")
        stranger.close()
        friend.close()
