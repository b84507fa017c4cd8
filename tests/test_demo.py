"""What `make demo` answers with; that the loop really keeps its word is the demo's own business."""

import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext

import pandas as pd
import pytest

from examples import demo
from examples.comparison import PolicyAccuracies
from examples.service_calls import ServiceCalls
from releve.core.errors import BadInput
from releve.core.settings import LOOPBACK
from tasks.monitoring import champion
from tests.serving.process import free_port


def story_of(*, right: int = 97, refreshes: int = 2, searches: int = 1, windows: int = 4) -> demo.Story:
    """Windows of 100 rows: `right` of the loop's answers are right in each."""
    return demo.Story(
        turns=[demo.DemoWindow(number, 100, right, "", "wait", "digits:v1") for number in range(1, windows + 1)],
        refreshes=refreshes,
        searches=searches,
        comparison=PolicyAccuracies(0.8, 0.97, 0.9, {}),
    )


@pytest.mark.parametrize(("right", "kept"), [(95, False), (96, True), (97, True)])
def test_the_loop_has_to_be_right_in_96_of_100_rows(right, kept):
    missed = demo.missed_expectation(story_of(right=right))

    assert (missed == "") is kept
    assert kept or "the loop's accuracy is 0.950, expected at least 0.960" in missed


@pytest.mark.parametrize(("refreshes", "kept"), [(0, True), (2, True), (3, False), (4, False)])
def test_the_loop_has_to_refresh_less_often_than_after_every_window(refreshes, kept):
    missed = demo.missed_expectation(story_of(refreshes=refreshes))

    assert (missed == "") is kept
    assert kept or f"the loop refreshed {refreshes} times, expected fewer than the 3" in missed


@pytest.mark.parametrize(("searches", "kept"), [(0, False), (1, True), (2, True)])
def test_drift_has_to_open_a_search(searches, kept):
    missed = demo.missed_expectation(story_of(searches=searches))

    assert (missed == "") is kept
    assert kept or "no drift opened a search" in missed


@pytest.fixture
def played(monkeypatch, tmp_path):
    """Run `main` with servers that need not start, and a loop that does as it is told."""
    monkeypatch.setenv("RELEVE_HOME", str(tmp_path))
    monkeypatch.setattr(demo, "running_stack", lambda settings, console: nullcontext())

    def run(play, finish=lambda *_: None):
        monkeypatch.setattr(demo, "play", lambda settings, console: play())
        monkeypatch.setattr(demo, "finish", finish)
        return demo.main()

    return run


@pytest.mark.parametrize(("right", "exit_code"), [(97, 0), (80, 1)])
def test_the_exit_code_says_whether_the_loop_kept_its_word(played, capsys, right, exit_code):
    assert played(lambda: story_of(right=right)) == exit_code

    assert capsys.readouterr().out.count("error: the loop's accuracy is") == exit_code


def test_a_service_that_is_away_is_one_line(played, capsys):
    def ask_nobody():
        ServiceCalls(f"http://{LOOPBACK}:{free_port()}").ready()

    assert played(ask_nobody) == 2

    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert said[0].startswith("error: the service did not answer as expected: ")
    assert said[0].endswith("service.log")


def test_an_error_while_finishing_is_one_line_too(played, capsys):
    def finish(*_):
        raise BadInput("the history [of digits] was changed")

    assert played(story_of, finish) == 1

    assert capsys.readouterr().out == "error: the history [of digits] was changed\n"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, BadInput])
def test_who_stops_it_does_not_wait_for_the_rivals(stop):
    began = time.monotonic()

    with pytest.raises(stop), demo.process_beside() as beside:
        rivals = beside.submit(time.sleep, 300)
        raise stop("on the way")

    assert isinstance(rivals.exception(), BrokenProcessPool)
    assert time.monotonic() - began < 100


def test_the_digit_that_is_asked_is_none_of_its_neighbours(monkeypatch):
    learned = pd.DataFrame({"pixel": [1.0, 2.0], "_batch": ["b", "b"], "_row": [0, 1]})
    monkeypatch.setattr(champion, "read_reference", lambda settings, model: learned)

    class Service:
        def search(self, row, *, limit):
            return [{"label": 8, "distance": float(place), "batch": "b", "row": place} for place in (0, 1)]

    story = demo.Story(champions=["digits:v1"])
    demo.search_example(None, [pd.DataFrame({"pixel": [1.0], "digit": [8]})], Service(), story)

    assert [distance for _, distance, _ in story.neighbours] == [1.0]
