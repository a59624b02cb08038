"""How the page looks and is operated, in a real browser at a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser

from tests.server.served import Served
from tests.web.browsing import Visit
from tests.web.building import AXE
from tests.web.conftest import Visiting

pytestmark = pytest.mark.in_time

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
PROJECTOR = {"viewport": {"width": 1920, "height": 1080}}
DESK = {"viewport": {"width": 1280, "height": 800}}
Scheme = Literal["light", "dark"]
SMALLEST = 24  # pixels of what is touched, as WCAG 2.2 asks


@pytest.fixture(scope="module")
def steered(built_page: None, serve: Callable[..., Any]) -> Iterator[Served]:
    """A server whose stations these tests turn as they like."""
    with serve() as served:
        yield served


@pytest.fixture
def page(browser: Browser, steered: Served) -> Iterator[Visit]:
    visit = Visit(browser, steered.page)
    visit.until("document.querySelectorAll('.control').length > 20")
    visit.until("perpetuo.plan.bars().length > 2")
    yield visit
    faults = visit.faults
    visit.close()
    assert faults == []


def control(visit: Visit, name: str) -> Any:
    return visit.ask("(name) => perpetuo.session.stream.value.controls[name]", name)


def until_control(visit: Visit, name: str, value: Any) -> None:
    visit.until(
        """([name, value]) => JSON.stringify(perpetuo.session.stream.value.controls[name])
            === JSON.stringify(value)""",
        [name, value],
    )


def test_every_control_of_the_table_is_there_in_its_group(page: Visit) -> None:
    rows = page.ask("fetch('api/controls').then((answer) => answer.json())")
    shown = page.ask(
        """[...document.querySelectorAll('.control')].map((control) =>
            [control.dataset.control, control.closest('.group').dataset.group])"""
    )
    assert sorted(shown) == sorted([row["name"], row["group"]] for row in rows)
    for row in rows:
        words = page.page.locator(f"[data-control={row['name']}]").text_content() or ""
        assert row["help"] in words
        assert row["unit"] in words


def test_a_control_is_turned_by_keys_and_goes_back_by_a_double_click(page: Visit) -> None:
    slider = page.page.get_by_role("slider", name="Variety")
    slider.press("ArrowRight")
    until_control(page, "variety", 0.51)
    page.page.locator("#log").get_by_text("variety 0.51").wait_for()
    slider.dblclick()
    until_control(page, "variety", 0.5)


def test_a_value_that_is_refused_says_why(page: Visit) -> None:
    metre = page.page.get_by_role("combobox", name="Metre")
    metre.fill("zwiefach")
    metre.press("Enter")
    page.page.locator("[data-control=metre] .fault").filter(has_text="metre").wait_for()


def test_styles_are_mixed_by_dragging(page: Visit) -> None:
    field = page.page.locator(".drag-field")
    field.evaluate("(element) => element.scrollIntoView({ block: 'end' })")
    box = field.bounding_box()
    assert box is not None
    mouse = page.page.mouse
    mouse.move(box["x"] + 20, box["y"] + 20)
    mouse.down()
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    mouse.up()
    page.until("perpetuo.session.stream.value.controls.style !== null")
    assert sum(control(page, "style").values()) == pytest.approx(1, abs=0.03)
    page.page.locator("[data-control=style] .control-head button").click()
    until_control(page, "style", None)


def test_key_and_chords_are_entered(page: Visit) -> None:
    page.page.locator(".keyboard").get_by_text("E♭").click()
    until_control(page, "key", "Eb major")
    page.page.get_by_label("Mode").select_option("dorian")
    until_control(page, "key", "Eb dorian")
    chords = page.page.get_by_role("group", name="Add a chord")
    chords.get_by_role("button", name="i", exact=True).click()
    chords.get_by_role("button", name="iv", exact=True).click()
    until_control(page, "chords", "i iv")
    page.until("perpetuo.plan.bars().at(-1).key === 'Eb dorian'")


def test_a_preset_sets_everything(page: Visit) -> None:
    page.page.get_by_role("button", name="Ragtime").click()
    page.until_words("#announcement", "heard from bar")
    until_control(page, "metre", "2/4")
    assert page.page.get_by_role("button", name="Ragtime").get_attribute("aria-pressed") == "true"


def test_the_mixer_names_what_plays_and_silences_it(page: Visit) -> None:
    row = page.page.get_by_role("group", name="Part 1", exact=True)
    row.get_by_role("button", name="Mute part 1").click()
    assert page.ask("perpetuo.sound.mix.value[0].muted") is True
    row.get_by_role("combobox").select_option(label="Violin")
    assert page.ask("perpetuo.sound.mix.value[0].program") == 40


def test_keys_play_zoom_and_ask_for_help(page: Visit) -> None:
    page.page.keyboard.press("?")
    page.page.get_by_role("dialog", name="Keys and help").wait_for()
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("s")
    page.page.get_by_role("dialog", name="Listen to").wait_for()
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("k")
    page.until_playing()
    page.page.keyboard.press("k")
    page.until("perpetuo.sound.state.value.kind === 'off'")


def test_the_coming_bars_are_told_in_words(page: Visit) -> None:
    page.until("document.querySelectorAll('#coming li').length > 2")
    words = page.page.locator("#coming").inner_text()
    assert "notes, sounding" in words
    assert "notes, open" in words


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_or_dark_follows_the_system_until_told_otherwise(
    visit: Visiting, scheme: Scheme
) -> None:
    other: Scheme = "dark" if scheme == "light" else "light"
    made = visit(color_scheme=scheme)
    theme = "document.documentElement.dataset.theme"
    assert made.ask(theme) == scheme
    made.page.get_by_role("button", name="Light or dark").click()
    assert made.ask(theme) == other
    made.page.reload()
    assert made.ask(theme) == other
    made.page.get_by_role("button", name="Light or dark").click()
    made.page.emulate_media(color_scheme=other)
    made.until(f"{theme} === '{other}'")


def test_a_phone_shows_it_all_without_scrolling_sideways(visit: Visiting) -> None:
    made = visit(**PHONE)
    made.until("document.querySelectorAll('.control').length > 20")
    made.until("perpetuo.plan.bars().length > 2")
    for panel in ("Mixer", "MIDI", "Log", "Steer"):
        made.page.get_by_role("button", name=panel, exact=True).tap()
        assert made.page.get_by_role("heading", name=_heading(panel)).is_visible()
        assert made.ask("document.documentElement.scrollWidth") <= 360
    made.page.get_by_role("button", name="Play").tap()
    made.until_playing()
    small = made.ask(
        """(least) => [...document.querySelectorAll('button, select, input[type=text]')]
            .filter((one) => one.checkVisibility({ visibilityProperty: true }))
            .map((one) => [one.id || one.ariaLabel || one.textContent, one.getBoundingClientRect()])
            .filter(([, box]) => box.width < least || box.height < least)
            .map(([name]) => name)""",
        SMALLEST,
    )
    assert small == []


def _heading(panel: str) -> str:
    return {"Log": "What happened"}.get(panel, panel)


@pytest.mark.parametrize("settings", [PHONE, DESK, PROJECTOR], ids=["phone", "desk", "projector"])
def test_the_roll_is_drawn_at_every_size(visit: Visiting, settings: dict[str, Any]) -> None:
    made = visit(**settings)
    made.until("perpetuo.plan.bars().length > 3")
    # Colours of parts are nowhere else on the canvas: notes are there.
    made.until(
        """() => {
            const canvas = document.querySelector("#roll");
            const { data } = canvas.getContext("2d")
                .getImageData(0, 0, canvas.width, canvas.height);
            let colourful = 0;
            for (let i = 0; i < data.length; i += 4) {
                const high = Math.max(data[i], data[i + 1], data[i + 2]);
                const low = Math.min(data[i], data[i + 1], data[i + 2]);
                if (high - low > 90) colourful += 1;
            }
            return colourful > 200;
        }"""
    )


def violations(visit: Visit) -> list[str]:
    """What axe-core finds wrong with what is to be seen now."""
    visit.ask(AXE.read_text("utf-8"))
    found = visit.ask("axe.run().then(({ violations }) => violations)")
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for rule in found
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize(
    ("settings", "scheme"), [(PHONE, "light"), (DESK, "dark")], ids=["phone light", "desk dark"]
)
def test_it_is_accessible(visit: Visiting, settings: dict[str, Any], scheme: str) -> None:
    made = visit(color_scheme=scheme, reduced_motion="reduce", **settings)
    made.until("document.querySelectorAll('.control').length > 20")
    made.until("document.querySelectorAll('.part').length > 0")
    made.ask("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert violations(made) == []
    made.page.locator("#keys").click()
    assert violations(made) == []
    made.page.keyboard.press("Escape")
    made.page.locator("#stream").click()
    assert violations(made) == []
