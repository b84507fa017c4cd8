from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import pytest

from releve.adapters.models import timing
from releve.adapters.models.description import GoldenRows
from releve.adapters.models.model_runtime import load
from tasks.retraining.latency import answer_milliseconds
from tests.factories import make_model_folder, make_row


@pytest.fixture
def model(tmp_path):
    model = load(make_model_folder(tmp_path), tag="flowers:one")
    golden = GoldenRows(rows=(make_row(),))
    return replace(model, description=model.description.model_copy(update={"golden": golden}))


def test_an_answer_takes_some_cpu_time_and_the_figure_has_two_digits(model):
    found = answer_milliseconds(model)

    assert 0 < found < 50
    assert found == float(f"{found:.2g}")


def test_a_busy_machine_that_slows_some_answers_of_every_round_does_not_slow_the_figure(model, monkeypatch):
    """A clock by which an answer takes 1 ms, and every fifth 900 ms."""
    readings = count()
    passed = 0.0

    def process_time():
        nonlocal passed
        reading = next(readings)
        if reading % 2:
            passed += 0.9 if reading % 10 == 1 else 0.001
        return passed

    monkeypatch.setattr(timing, "time", SimpleNamespace(process_time=process_time))

    assert answer_milliseconds(model) == 1.0
