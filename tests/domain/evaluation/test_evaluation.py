import pytest

from releve.domain.evaluation.evaluation import Headline, headline, score_of
from releve.domain.evaluation.intervals import Interval


@pytest.mark.parametrize(
    ("evaluation", "metric"),
    [
        ({"challenger": {"accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 0.95}}, "accuracy"),
        ({"metric": "mae", "challenger": {"score": 0.9, "low": 0.8, "high": 0.95}}, "mae"),
    ],
)
def test_evaluations_of_every_age_have_a_headline(evaluation, metric):
    found = headline({"holdout_rows": 300, **evaluation})

    assert found == Headline(metric, Interval(0.9, 0.8, 0.95), 300)


@pytest.mark.parametrize("other", [{"score": 0.5}, {"accuracy": 0.5}])
def test_the_others_have_a_score_in_every_age(other):
    assert score_of(other) == 0.5
