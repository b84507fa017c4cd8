"""The start page in headless Chromium, opened from its file: sorted and filtered by real clicks, narrow and dark."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tasks.reporting.fleet_page import write_fleet_page
from tests.fleets import make_fleet

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
SHOTS = os.environ.get("PAGE_SCREENSHOTS")  # a folder: keep pictures of what was tested, to be looked at
NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)
SCENARIOS, CHURN = 200, 20

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fleet")
    return write_fleet_page(make_fleet(folder, scenarios=SCENARIOS, events=15, now=NOW), now=NOW).path


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(request: pytest.FixtureRequest, browser: "Browser", page_file: Path) -> Iterator["Page"]:
    """The page; afterwards nothing was asked but the file, and nothing complained of it."""
    context = browser.new_context(**getattr(request, "param", {}))
    context.set_default_timeout(10_000)
    opened, requested, complaints = context.new_page(), [], []
    opened.on("request", lambda request: requested.append(request.url))
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(page_file.as_uri())
    yield opened
    if SHOTS:
        opened.screenshot(path=Path(SHOTS) / f"{request.node.name}.png")
    context.close()
    assert {url for url in requested if not url.startswith(page_file.parent.as_uri())} == set()
    assert complaints == []


def shown(page: "Page", column: int = 1) -> list[str]:
    """What stands in a column of the lines that can be seen, from top to bottom."""
    return page.locator(f".board tbody tr:visible td:nth-child({column})").all_inner_texts()


def test_a_click_on_a_head_sorts_the_next_one_turns_it_round_and_the_third_brings_back_the_order(page: "Page"):
    written, head = shown(page), page.get_by_role("button", name="scenario")
    assert len(written) == SCENARIOS

    head.click()
    assert shown(page) == sorted(written)
    assert head.locator("xpath=..").get_attribute("aria-sort") == "ascending"

    head.click()
    assert shown(page) == sorted(written, reverse=True)

    head.click()
    assert shown(page) == written
    assert head.locator("xpath=..").get_attribute("aria-sort") is None


def test_figures_are_sorted_as_figures_and_what_is_not_known_comes_last(page: "Page"):
    page.get_by_role("button", name="over naive").click()

    percent = [text.partition("%")[0] for text in shown(page, 5)]
    known = [int(text) for text in percent if text]
    assert known == sorted(known)
    assert percent[len(known) :] == [""] * (SCENARIOS - len(known))
    assert 0 < len(known) < SCENARIOS


def test_filters_and_words_narrow_the_table_together_and_a_second_click_lets_go(page: "Page"):
    needed = sum(bool(text) for text in shown(page, 2))
    needing = page.get_by_role("button", name="needs a person").first
    needing.click()
    assert 0 < len(shown(page)) == needed < SCENARIOS
    assert needing.get_attribute("aria-pressed") == "true"

    page.get_by_role("searchbox").fill("churn")
    found = shown(page)
    assert 0 < len(found) < CHURN
    assert all("churn" in name for name in found)
    assert page.locator("output").inner_text() == f"{len(found)} of {SCENARIOS} shown"

    needing.click()
    assert len(shown(page)) == CHURN


def test_a_scenarios_name_leads_to_its_page(page: "Page"):
    name = shown(page)[0]

    page.locator(".board").get_by_role("link", name=name, exact=True).click()

    assert page.title() == name


def test_by_keyboard_alone_a_head_sorts(page: "Page"):
    page.get_by_role("button", name="scenario").focus()
    page.keyboard.press("Enter")

    assert shown(page) == sorted(shown(page))


@pytest.mark.parametrize(
    "page",
    [
        {"viewport": {"width": 390, "height": 844}},
        {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
        {"viewport": {"width": 1400, "height": 1000}},
    ],
    indirect=True,
    ids=["narrow", "narrow and dark", "wide"],
)
def test_only_the_table_scrolls_sideways_and_the_first_screen_says_who_needs_a_person(page: "Page"):
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".verdict .word").bounding_box()["y"] < 300
    assert page.locator(".todo > li").first.bounding_box()["y"] < 700


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], indirect=True, ids=["without a script"])
def test_without_its_script_the_table_is_whole_and_offers_no_button(page: "Page"):
    assert len(shown(page)) == SCENARIOS
    assert page.get_by_role("button").count() == 0
    assert page.get_by_role("searchbox").count() == 0
