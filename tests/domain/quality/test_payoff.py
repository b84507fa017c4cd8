import numpy as np
import pytest

from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.quality.payoff import Payoff, measure, pool
from tests.tables import make_params, shop_schema


def test_payoffs_are_pooled_by_their_rows():
    pooled = pool([Payoff(Interval(0.3, 0.2, 0.4), 100), Payoff(Interval(0.0, -0.1, 0.1), 200)])

    assert pooled.rows == 300
    assert pooled.gain.value == pytest.approx(0.1)
    assert pooled.gain.high - pooled.gain.value == pytest.approx((0.1**2 / 9 + 0.1**2 * 4 / 9) ** 0.5)


@pytest.mark.parametrize(("wrong", "before", "sign"), [(10, 60, 1), (60, 10, -1), (30, 30, 0)])
def test_a_payoff_is_a_gain_over_the_release_before_on_the_same_rows(wrong, before, sign):
    random = np.random.default_rng(7)
    labels = np.where(random.random(300) < 0.5, "yes", "no").tolist()

    def answered(mistakes):
        right = np.ones(300, dtype=bool)
        right[random.permutation(300)[:mistakes]] = False
        sure = np.where(right == (np.array(labels) == "yes"), 0.9, 0.1)
        return ScoredPredictions.of(np.column_stack([1 - sure, sure]), labels, shop_schema().target, quantile=0.5)

    bootstrap = BootstrapConfig.of(make_params().statistics)
    payoff = measure("accuracy", answered(wrong), answered(before), bootstrap=bootstrap)

    assert payoff.rows == 300
    assert payoff.gain.value == pytest.approx((before - wrong) / 300)
    assert (payoff.gain.low > 0) - (payoff.gain.high < 0) == sign
