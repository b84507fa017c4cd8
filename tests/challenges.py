"""Challenges of the gate with good defaults: a test shows only what matters to it."""

from datetime import date

from releve.domain.evaluation.evaluation import (
    AlterationEffect,
    Comparison,
    GroupDifference,
    Opponent,
    Sanity,
    SliceComparison,
)
from releve.domain.evaluation.intervals import Interval
from releve.domain.gate.gate import GateInputs
from tests.evaluations import make_evaluation
from tests.tables import make_params

CHAMPION, MAJORITY, PREVIOUS_LABEL = Opponent.CHAMPION, Opponent.MAJORITY_LABEL, Opponent.PREVIOUS_LABEL
TODAY = date(2026, 1, 31)


def slight_change(lost):
    return AlterationEffect(
        column="note",
        what="one word more",
        lost=lost,
        most_lost=0.5,
        shift=0.1,
        cells=("'all well'", "'all well so'"),
        label="no",
        answers=(0.9, 0.2),
    )


SANE = Sanity(rows=200, tried=4, worst=(slight_change(0.1),))
INSANE = Sanity(rows=200, tried=4, worst=(slight_change(0.9),), broken=(slight_change(0.9),))


def a_rule(**changes):
    return make_params(gate={"margin": 0.0, "max_latency_ms": 50.0, **changes})


def a_gain(low, high=0.3, *, other=0.7, must_beat=True):
    gain = Interval((low + high) / 2, low, high)
    return Comparison(score=other, gain=gain, rows_won=60, rows_lost=10, must_beat=must_beat)


def a_challenge(
    against=(),
    *,
    has_champion=True,
    latency_ms=1.0,
    sanity=SANE,
    export_problem="",
    not_applicable=frozenset(),
    rows=300,
    moved=None,
    **changes,
):
    known = {name: a_gain(0.1) for name in (CHAMPION, MAJORITY, PREVIOUS_LABEL)} | dict(against)
    known = {name: found for name, found in known.items() if found is not None}
    # Not validated: a figure that is no number must not slip through the gate either.
    evaluation = make_evaluation().model_copy(update={"holdout_rows": rows, "against": known, **changes})
    return GateInputs(evaluation, has_champion, latency_ms, sanity, export_problem, not_applicable, moved)


def a_part(rows, challenger, champion, gain):
    part = SliceComparison(column="kind", value="bread", rows=rows, challenger=0.0, champion=champion, gain=gain)
    return part.model_copy(update={"challenger": challenger})


def a_slice(high, *, rows=50):
    return a_part(rows, 0.7, 0.8, Interval(high - 0.1, high - 0.2, high))


def a_difference(metric, challenger, champion):
    return GroupDifference(attribute="sex", metric=metric, challenger=challenger, champion=champion, left_out={})


def unfair(value, low):
    return a_challenge(fairness=(a_difference("equalized odds difference", Interval(value, low, 0.6), 0.1),))
