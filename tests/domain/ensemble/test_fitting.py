"""Members whose answers are no numbers, as of values near the largest that there are, are told and not believed."""

import numpy as np
import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.domain.ensemble.fitting import LearningData, answers_of_members, fit_members
from releve.domain.ensemble.forward import MemberAnswers
from releve.domain.ensemble.pool import DEFAULT, Member
from releve.domain.ensemble.refresh import weigh_forward, weighed_window
from releve.domain.ensemble.weights import ABSOLUTE, Serves, Weighing
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.schema.schema import Schema
from releve.domain.training.recipes import Candidate

SCHEMA = Schema.from_dict({"target": {"name": "y", "task": "regression"}, "columns": {"x": {"type": "number"}}})
NEIGHBOURS, CONSTANT = (Member.of(Candidate(name, "standard"), origin=DEFAULT) for name in ("k_neighbors", "constant"))
LARGEST = 1.5e308  # the mean of two such values is no number
BLOCK = Fold(200, 300)


def data_of(*large: slice) -> LearningData:
    """Rows near 0 whose target is 1, and rows near 5 whose target is LARGEST."""
    is_large = np.zeros(BLOCK.end, dtype=bool)
    for part in large:
        is_large[part] = True
    x = np.random.default_rng(7).normal(scale=0.1, size=BLOCK.end) + 5 * is_large
    rows = pd.DataFrame({"x": x, "y": np.where(is_large, LARGEST, 1.0), "_batch": "1"})
    return LearningData(rows, SCHEMA, seed=7)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_a_member_that_answers_its_own_rows_with_no_number_is_not_fitted():
    neighbours, constant = fit_members(data_of(slice(150, 200)), [NEIGHBOURS, CONSTANT], end=BLOCK.start)

    problem = "it answers rows that it learned with what is no number"
    assert (neighbours.pipeline, neighbours.problem) == (None, problem)
    assert constant.problem == ""


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_a_member_that_answers_new_rows_with_no_number_is_told_and_has_no_weight():
    data, said = data_of(slice(0, 50), slice(299, 300)), list[str]()
    fitted = fit_members(data, [NEIGHBOURS, CONSTANT], end=BLOCK.start)
    pipelines = {each.member.name: each.pipeline for each in fitted}

    answers = answers_of_members(data, pipelines, BLOCK, progress=said.append)

    assert answers.keys() == {"constant"}
    assert said == ["rows 200 to 300 are answered with what is no number, and so without weight: k_neighbors"]
    weighing = Weighing({"k_neighbors": 0.9, "constant": 0.1}, Serves.ENSEMBLE, "k_neighbors", {})
    weighed = weighed_window(MemberAnswers(data.truth(BLOCK), answers), weighing)
    assert (weighed.blend == answers["constant"]).all()


def test_where_nobody_answers_with_numbers_the_rows_are_looked_at():
    window = MemberAnswers(np.zeros(3), {})

    with pytest.raises(BadInput, match="no member answers the newest rows with numbers; look for cells that are far"):
        weigh_forward([window], plain="linear", loss=ABSOLUTE)
