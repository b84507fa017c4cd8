"""Members whose answers are not all finite numbers, as of values near the largest that there are, are not believed."""

import numpy as np
import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.domain.backtest.jobs import FitMember, JobContext
from releve.domain.ensemble.fitting import LearningData, answers_of_members, fit_members
from releve.domain.ensemble.forward import MemberAnswers
from releve.domain.ensemble.pool import DEFAULT, Member
from releve.domain.ensemble.refresh import weigh_forward, weighed_window
from releve.domain.ensemble.weights import ABSOLUTE, Serves, Weighing, of_answering
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.schema.schema import Schema
from releve.domain.training.recipes import Candidate
from tests.tables import make_params

SCHEMA = Schema.from_dict({"target": {"name": "y", "task": "regression"}, "columns": {"x": {"type": "number"}}})
NEIGHBOURS, CONSTANT = (Member.of(Candidate(name, "standard"), origin=DEFAULT) for name in ("k_neighbors", "constant"))
LARGEST = 1.5e308  # the mean of two such values is no number
LARGER_THAN_KEPT = 1e39  # in single precision it is no number
BLOCK = Fold(200, 300)


def data_of(*large: slice, value: float = LARGEST) -> LearningData:
    """Rows near 0 whose target is 1, and rows near 5 whose target is `value`."""
    is_large = np.zeros(BLOCK.end, dtype=bool)
    for part in large:
        is_large[part] = True
    x = np.random.default_rng(7).normal(scale=0.1, size=BLOCK.end) + 5 * is_large
    rows = pd.DataFrame({"x": x, "y": np.where(is_large, value, 1.0), "_batch": "1"})
    return LearningData(rows, SCHEMA, seed=7)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("value", [LARGEST, LARGER_THAN_KEPT])
def test_a_member_that_answers_its_own_rows_with_no_number_is_not_fitted(value):
    data = data_of(slice(150, 200), value=value)

    neighbours, constant = fit_members(data, [NEIGHBOURS, CONSTANT], end=BLOCK.start)

    problem = "its answers to rows that it learned are not all finite numbers"
    assert (neighbours.pipeline, neighbours.problem) == (None, problem)
    assert constant.problem == ""


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("value", [LARGEST, LARGER_THAN_KEPT])
def test_a_member_that_answers_new_rows_with_no_number_is_told_and_has_no_weight(value):
    data, said = data_of(slice(0, 50), slice(299, 300), value=value), list[str]()
    fitted = fit_members(data, [NEIGHBOURS, CONSTANT], end=BLOCK.start)
    pipelines = {each.member.name: each.pipeline for each in fitted}

    answers = answers_of_members(data, pipelines, BLOCK, progress=said.append)

    assert answers.keys() == {"constant"}
    assert said == ["not all answers to rows 200 to 300 are finite numbers; without weight: k_neighbors"]
    weighing = Weighing({"k_neighbors": 0.9, "constant": 0.1}, Serves.ENSEMBLE, "k_neighbors", {})
    weighed = weighed_window(MemberAnswers(data.truth(BLOCK), answers), weighing)
    assert (weighed.blend == answers["constant"]).all()


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_a_backtest_says_which_member_answers_with_no_number():
    data = data_of(slice(0, 50), slice(299, 300))
    context = JobContext(data.rows, SCHEMA, make_params(), metric="mae")
    job = FitMember.of(NEIGHBOURS.candidate, first=0, end=BLOCK.start, upto=BLOCK.end)

    with pytest.raises(BadInput, match="not all answers of the k_neighbors of rows 0 to 200 are finite numbers"):
        job.run(context)


@pytest.mark.parametrize(
    ("weights", "mixed"),
    [
        ({"a": 0.25, "b": 0.75}, {"a": 0.25, "b": 0.75}),
        ({"a": 0.25, "gone": 0.75}, {"a": 1.0}),
        ({"gone": 1.0}, {"a": 0.5, "b": 0.5}),
        ({"gone": 0.25, "gone, too": 0.75}, {"a": 0.5, "b": 0.5}),
    ],
)
def test_members_that_answered_share_the_weight_of_those_that_did_not(weights, mixed):
    assert of_answering(weights, {"a": np.zeros((1, 1)), "b": np.ones((1, 1))}) == mixed


def test_where_nobody_answers_with_numbers_the_rows_are_looked_at():
    window = MemberAnswers(np.zeros(3), {})

    with pytest.raises(BadInput, match="no member answers the newest rows with numbers; look for cells that are far"):
        weigh_forward([window], plain="linear", loss=ABSOLUTE)
