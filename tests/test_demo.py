"""What `make demo` answers with; that the loop really keeps its word is the demo's own business."""

from contextlib import nullcontext

import numpy as np
import pytest

from examples import demo
from examples.comparison import Comparison
from examples.service_calls import ServiceCalls
from releve.core.errors import BadInput
from releve.core.settings import LOOPBACK
from tests.serving.process import free_port


def story_of(*, right: int = 90, static: int = 80, retrainings: int = 2, windows: int = 4) -> demo.Story:
    """Windows of 100 rows: `right` of the loop's answers, and `static` of the first model's, are right in each."""
    flags = np.arange(100 * windows) < static * windows
    return demo.Story(
        turns=[demo.Turn(number, 100, right, "", "wait", "digits:v1") for number in range(1, windows + 1)],
        retrainings=retrainings,
        comparison=Comparison(flags, flags, (), ()),
    )


@pytest.mark.parametrize(("right", "kept"), [(87, False), (88, True), (89, True)])
def test_the_loop_has_to_gain_eight_points(right, kept):
    missed = demo.missed_expectation(story_of(right=right))

    assert (missed == "") is kept
    assert kept or "7.0 points of accuracy above the model that is never retrained, expected at least 8" in missed


@pytest.mark.parametrize(("retrainings", "kept"), [(0, True), (2, True), (3, False), (4, False)])
def test_the_loop_has_to_retrain_less_often_than_after_every_window(retrainings, kept):
    missed = demo.missed_expectation(story_of(retrainings=retrainings))

    assert (missed == "") is kept
    assert kept or f"the loop retrained {retrainings} times, expected fewer than the 3" in missed


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


@pytest.mark.parametrize(("right", "exit_code"), [(90, 0), (80, 1)])
def test_the_exit_code_says_whether_the_loop_kept_its_word(played, capsys, right, exit_code):
    assert played(lambda: story_of(right=right)) == exit_code

    assert capsys.readouterr().out.count("error: the loop is") == exit_code


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
