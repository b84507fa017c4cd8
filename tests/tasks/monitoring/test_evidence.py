import pandas as pd

from releve.adapters.registry.registry import Current
from releve.domain.evaluation.intervals import Interval
from releve.domain.prediction_log.records import AnsweredRows, LabelledRows
from releve.domain.quality.realised import QualityState
from releve.domain.registry.release import ExpectedPerformance
from tasks.monitoring.evidence import Gathered, judge_quality
from tests.page_histories import RELEASE
from tests.tables import make_params, rentals_schema

AT = "2026-01-05T09:00:00.000000Z"


def gathered(intervals, labels, *, window_rows=300):
    rows = len(labels)
    answers = AnsweredRows(
        ids=[str(row) for row in range(rows)],
        at=[AT] * rows,
        models=["rentals:1"] * rows,
        arms=["champion"] * rows,
        predicted=[10.0] * rows,
        probabilities=[None] * rows,
        intervals=intervals,
        features=pd.DataFrame(index=range(rows)),
    )
    release = RELEASE.model_copy(update={"expected": ExpectedPerformance("mae", Interval(2.0, 1.5, 2.5), 300)})
    return Gathered(
        params=make_params(monitor={"window_rows": window_rows}),
        schema=rentals_schema(),
        champion=Current(release=release, number=1, since=AT),
        made_at=AT,
        answers=answers,
        labelled=LabelledRows(answers, labels, [AT] * rows),
        late=LabelledRows(answers.take([]), [], []),
        expectations={},
        recent=answers,
        recent_labelled=frozenset(range(rows)),
        reference=pd.DataFrame(),
        holdout=None,
    )


def test_the_record_of_quality_says_what_the_newest_intervals_held():
    labels = [14.0] * 60 + [10.0] * 90 + [14.0] * 10

    quality = judge_quality(gathered([[8.0, 12.0]] * 160, labels, window_rows=100))

    assert (quality.coverage.held.value, quality.coverage.rows, quality.coverage.promised) == (0.9, 100, 0.95)
    assert quality.state == QualityState.WITHIN_TOLERANCE


def test_a_quality_without_intervals_has_no_coverage():
    assert judge_quality(gathered([None] * 100, [10.0] * 100)).coverage is None
