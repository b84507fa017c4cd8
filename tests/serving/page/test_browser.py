"""The page in headless Chromium: with the mouse, by keyboard alone, narrow, dark, and without a script."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.serving.page.conftest import DIGITS, OPERATE, READ, Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
SHOTS = os.environ.get("PAGE_SCREENSHOTS")  # a folder: keep pictures of what was tested, to be looked at
PATH = f"/scenarios/{DIGITS}"

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (apt-get install chromium)"),
]

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def open_page(site: Site, browser: "Browser") -> Iterator[Open]:
    """Opens a path in a browser of its own, signed in; afterwards nothing was asked elsewhere, nothing complained."""
    contexts, requested, complaints = [], [], []

    def opened(path: str = PATH, *, token: str = READ, **options) -> "Page":
        context = browser.new_context(base_url=site.address, **options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requested.append(request.url))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if token:
            page.goto(path)
            complaints.clear()  # 401 is one, and what the sign-in is for
            page.get_by_label("Token", exact=True).fill(token)
            page.get_by_role("button", name="Go on").click()
            page.wait_for_url(path)
        else:
            page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [url for url in requested if not url.startswith(site.address)] == []
    assert complaints == []


def keep(page: "Page", name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def test_a_form_is_answered_with_probabilities_and_pictures_of_neighbours(open_page: Open):
    page = open_page()
    keep(page, "form")
    page.get_by_role("button", name="Predict", exact=True).click()

    answer = page.locator("#answer")
    assert answer.locator("output").inner_text() in map(str, range(10))
    assert answer.locator(".bars rect").count() == 10
    assert answer.locator(".chart.wide svg .paper").count() == 7  # the row, and six neighbours
    assert answer.locator(".chart.wide svg .ink").count() > 7 * 10
    assert page.evaluate("document.activeElement.id") == "answer"
    keep(page, "answer")


def test_who_may_have_answers_explained_sees_why_beside_the_answer(open_page: Open):
    page = open_page(token=OPERATE, viewport={"width": 390, "height": 800})
    page.get_by_role("button", name="Predict", exact=True).click()

    moved = page.get_by_role("region", name="What each feature moved")
    assert moved.locator("tr").count() == 1 + 12
    assert page.get_by_text("52 other features moved it").is_visible()
    keep(page, "explained")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_digit_that_is_drawn_is_answered(open_page: Open):
    page = open_page(token=READ)
    canvas = page.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None

    def at(x: float, y: float) -> tuple[float, float]:
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    ring = [(0.5, 0.1), (0.3, 0.25), (0.25, 0.5), (0.3, 0.75), (0.5, 0.9), (0.7, 0.75), (0.75, 0.5), (0.7, 0.25)]
    page.mouse.move(*at(*ring[0]))
    page.mouse.down()
    for place in [*ring[1:], ring[0]]:
        page.mouse.move(*at(*place))
    page.mouse.up()
    keep(page, "drawn")
    page.get_by_role("button", name="Predict", exact=True).click()

    assert page.locator("#answer output").inner_text() == "0"
    keep(page, "drawn-answer")


def test_an_image_is_scaled_onto_the_grid(open_page: Open, tmp_path: Path):
    from matplotlib import pyplot

    size = 40
    dark_left = [[0.0 if column < size // 2 else 1.0 for column in range(size)] for _ in range(size)]
    pyplot.imsave(tmp_path / "half.png", dark_left, cmap="gray", vmin=0, vmax=1)
    page = open_page()
    page.locator("#image").set_input_files(tmp_path / "half.png")
    page.get_by_text("half.png is on the grid").wait_for()

    values = [float(page.locator(f'[name="feature.pixel_3_{column}"]').input_value()) for column in range(8)]

    assert values == [16, 16, 16, 16, 0, 0, 0, 0]


def test_everything_is_reached_and_sent_by_keyboard_alone(open_page: Open):
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    for _ in range(12):
        if page.evaluate("document.activeElement.tagName") == "CANVAS":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Delete")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    for _ in range(8):
        page.keyboard.press("Space")
        page.keyboard.press("ArrowDown")
    assert page.locator('[name="feature.pixel_5_3"]').input_value() == "16"
    keep(page, "keyboard")
    for _ in range(12):
        if page.evaluate("document.activeElement.id") == "predict":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    page.locator("#answer").wait_for()
    assert page.evaluate("document.activeElement.id") == "answer"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", PATH])
def test_a_narrow_window_never_scrolls_sideways_in_either_scheme(open_page: Open, path: str, scheme: str):
    page = open_page(path, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    if path != "/":
        page.get_by_role("button", name="Predict", exact=True).click()
        page.locator("#answer").wait_for()
    for details in page.locator("details").all():
        details.locator("summary").first.click()

    keep(page, "explained")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    keep(page, f"narrow-{scheme}-{'front' if path == '/' else 'answer'}")


def test_the_page_works_without_its_script(open_page: Open):
    page = open_page(java_script_enabled=False)
    assert not page.locator("canvas").is_visible()
    page.get_by_role("button", name="Predict", exact=True).click()

    assert page.locator("#answer output").inner_text() in map(str, range(10))


def test_why_it_serves_is_text_whatever_it_holds(open_page: Open):
    page = open_page()

    assert page.get_by_text("better than the champion: <b>gain</b> +0.020").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_operator_starts_a_retraining_by_keyboard_alone_in_a_narrow_window(open_page: Open, site: Site, scheme: str):
    page = open_page(token=OPERATE, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    keep(page, f"runs-narrow-{scheme}")
    page.locator("#reason").focus()  # behind the buttons: from here it is a few steps back
    for _ in range(8):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.name") == "search":
            break
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Retrain"
    page.keyboard.press("Enter")
    page.get_by_text("Started: retrain digits").wait_for()

    assert page.evaluate("document.activeElement.id") == "started"
    keep(page, "explained")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    link = page.get_by_role("status").get_by_role("link", name="retrain digits").get_attribute("href")
    assert link is not None
    (run,) = [each for each in site.prefect.runs(DIGITS) if link.endswith(each["id"])]
    assert run["parameters"]["search"] is True
    keep(page, f"runs-started-{scheme}")


def test_an_operator_writes_a_note_by_keyboard_alone_in_a_narrow_window(open_page: Open, site: Site):
    page = open_page(token=OPERATE, viewport={"width": 390, "height": 800})
    page.get_by_label("A note or a question for the team.").focus()
    page.keyboard.type("why <b>so</b> late?")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    page.wait_for_url(f"{site.address}{PATH}#history")
    assert page.get_by_text(f"note of an operator on {DIGITS}").is_visible()
    assert page.get_by_text("why <b>so</b> late?").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    keep(page, "note")


def test_a_double_click_starts_one_run(open_page: Open, site: Site):
    page = open_page(token=OPERATE)
    before = len(site.prefect.runs(DIGITS))

    page.get_by_role("button", name="Monitor").dblclick()
    page.get_by_text("Started: monitor digits").wait_for()

    assert len(site.prefect.runs(DIGITS)) == before + 1
    keep(page, "runs-started")


def test_a_rollback_needs_the_operator_token_and_moves_the_registry(open_page: Open, site: Site):
    reader = open_page()
    assert reader.get_by_role("button", name="Roll back to").count() == 0
    keep(reader, "reader")
    reader.get_by_label("Operator token").fill(OPERATE)
    reader.get_by_role("button", name="Sign in as operator").click()
    reader.get_by_label("Why does digits:one come back").fill("<i>it errs</i> more")
    keep(reader, "operator")
    reader.get_by_role("button", name="Roll back to digits:one").click()
    reader.get_by_role("heading", name="Why digits:one serves").wait_for()

    current = site.registry.current(DIGITS)
    assert current is not None
    assert current.release.model == "digits:one"
    event = next(site.registry.newest(DIGITS, kinds=("rolled_back",)))
    assert (event.actor, event.reason) == ("page", "<i>it errs</i> more")
    assert reader.get_by_text("<i>it errs</i> more").is_visible()
    keep(reader, "rolled-back")
