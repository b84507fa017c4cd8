from releve.domain.evaluation.baselines import MAJORITY
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.too_good import TooGood
from releve.domain.gate.challenge import Comparison, SliceFound, Unfairness, read_challenge
from releve.domain.gate.sanity import Sanity
from releve.domain.schema.target import BINARY


def test_an_evaluation_is_read_as_it_is_written():
    gain = {"value": 0.1, "low": 0.05, "high": 0.2}
    other = {"score": 0.7, "gain": gain, "p": 0.01, "wins": 6, "losses": 2, "must_beat": False}
    other |= {"block_rows": 4, "wanted_block_rows": 9}
    part = {"column": "kind", "value": "bread", "rows": 60, "challenger": 0.8, "champion": None, "gain": {}}
    unfair = {"attribute": "sex", "metric": "mae difference", "challenger": 0.1, "low": 0.0, "high": 0.3}
    unfair |= {"champion": None, "left_out": {}}
    evaluation = {
        "task": BINARY,
        "metric": "auc",
        "challenger": {"score": 0.8},
        "holdout_rows": 300,
        "against": {MAJORITY: other},
        "slices": [part],
        "fairness": [unfair],
        "unknown_groups": [],
        "too_good": {"rows": 300, "baseline": MAJORITY, "left": 0.01, "columns": [["closed", 0.98]]},
    }

    found = read_challenge(evaluation, None, has_champion=False, latency_ms=2.0, sanity=Sanity(200, 4))

    assert found.comparisons == {MAJORITY: Comparison(0.7, Interval(**gain), 0.01, 6, 2, False, 4, 9)}
    assert found.slices == (SliceFound("kind = bread", 60, 0.8, None, None),)
    assert found.fairness == (Unfairness("sex", "mae difference", Interval(0.1, 0.0, 0.3), None),)
    assert found.too_good == TooGood(300, MAJORITY, 0.01, (("closed", 0.98),))
    assert found.sanity == Sanity(200, 4)
    assert (found.metric, found.rows, found.latency_ms) == ("auc", 300, 2.0)
