"""From a file to an answer in headless Chromium, over the whole stack, by somebody who reads what the pages say."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from releve.adapters.local_stack import stack
from tests.adapters.local_stack.small import clean_environ, free_settings
from tests.projects import Project, fresh_project
from tests.serving.process import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
SHOTS = os.environ.get("PAGE_SCREENSHOTS")  # a folder: keep pictures of what was tested, to be looked at
MINUTES = 5
PROGRAMS = {
    "Shell": ["bash", "ask.sh"],
    "Python": ["python", "ask.py"],
    "JavaScript": ["node", "ask.mjs"],
    "Java": ["java", "Ask.java"],
}

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (apt-get install chromium)"),
]


def customers(path: Path, rows: int = 400) -> Path:
    """Who leaves has called often; who called a refund was known only afterwards."""
    random = np.random.default_rng(3)
    calls = random.poisson(3, rows)
    leaves = random.random(rows) < 1 / (1 + np.exp(6 - 2 * calls))
    table = {
        "signed_up": pd.date_range("2024-01-01", periods=rows, freq="D").strftime("%Y-%m-%d"),
        "customer": [f"K-{number:04d}" for number in range(rows)],
        "calls": calls,
        "plan": random.choice(["basic", "plus"], rows),
        "refund": leaves * 3,
        "left": np.where(leaves, "yes", "no"),
    }
    pd.DataFrame(table).to_csv(path, index=False)
    return path


@pytest.fixture
def project(work_dir: Path, tmp_path: Path) -> Project:
    project = fresh_project(work_dir).copy(tmp_path)
    project.edit(project.root / "params.yaml", "trials: 20 ", "trials: 3 ")
    return project


@pytest.fixture
def guide(project: Project) -> Iterator[str]:
    """The address of the guide, as `make bring` prints it."""
    settings = free_settings(project.root)
    ports = {"PREFECT": settings.prefect_port, "SERVICE": settings.service_port, "MILVUS": settings.milvus_port}
    environ = clean_environ() | {f"RELEVE_{name}_PORT": str(port) for name, port in ports.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "releve", "guide"],
        cwd=project.root,
        env=environ | {"RELEVE_GUIDE_PORT": str(free_port()), "PYTHONPATH": str(project.root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield next(found[1] for line in process.stdout if (found := re.match(r"Open (http\S+)", line)))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode in (0, 130)
    stack.down(settings)


@contextmanager
def browsing(address: str) -> Iterator["Page"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(address)
        yield page
        browser.close()


def keep(page: "Page", name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"guide-{name}.png", full_page=True)


def test_a_person_comes_from_a_file_to_an_answer(guide: str, tmp_path: Path) -> None:
    with browsing(guide) as page:
        page.set_input_files("#file", customers(tmp_path / "Who left.csv"))
        keep(page, "1-upload")
        page.get_by_role("button", name="Upload").click()

        assert page.get_by_role("row", name="calls number").is_visible()
        page.get_by_label("What do you want to know in advance?").select_option("left")
        page.get_by_label("Which column says when?").select_option("signed_up")
        page.get_by_label("Which column names a row").select_option("customer")
        page.get_by_label("A name for it").fill("leavers")
        keep(page, "2-choose")
        page.get_by_role("button", name="Go on").click()

        doubt = page.get_by_role("group", name="When you want to know left, do you know refund already?")
        assert doubt.get_by_label("No, only afterwards").is_checked()
        keep(page, "3-answer")
        page.get_by_role("button", name="Start").click()

        page.get_by_role("heading", name="A model for leavers is being made").wait_for()
        time.sleep(4)
        keep(page, "4-watch")
        page.get_by_role("heading", name="leavers answers").wait_for(timeout=MINUTES * 60_000)
        keep(page, "5-ask")
        programs = {each.get_attribute("data-language"): each.inner_text() for each in page.locator("pre").all()}
        assert {*programs} == {*PROGRAMS}
        for language, command in PROGRAMS.items():
            if shutil.which(command[0]):
                assert "leavers" in answered(programs[str(language)], command, tmp_path)

        page.get_by_role("link", name="Its card").click()
        assert "leavers" in page.get_by_role("heading", level=1).inner_text()
        page.go_back()
        page.get_by_role("link", name="Ask it by hand").click()
        page.get_by_role("button", name=re.compile("Predict|Ask", re.IGNORECASE)).first.click()
        assert page.locator(".answer").inner_text()


def answered(program: str, command: list[str], folder: Path) -> str:
    (folder / command[1]).write_text(program)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
