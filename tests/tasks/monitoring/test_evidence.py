from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from releve.adapters.registry.registry import Current
from releve.domain.evaluation.intervals import Interval
from releve.domain.prediction_log.records import AnsweredRows, LabelledRows
from releve.domain.quality.realised import QualityState
from releve.domain.registry.events import BatchIngested, BatchOrigin
from releve.domain.registry.release import ExpectedPerformance
from releve.domain.schema.schema import BATCH
from releve.reporting.messages.monitoring import describe_late_values
from tasks.monitoring.evidence import Gathered, judge_delays, judge_quality
from tests.domain.features.tables import rides, rides_schema
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
        first_released=AT,
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


def asked_hourly(*, labelled_after, reference=None, first_released=AT):
    """What is known where a row is asked each hour, and its label comes so many hours later."""
    known = gathered([None] * 100, [10.0] * 100)
    times = np.datetime64("2026-03-01T00:00", "us") + np.arange(100) * np.timedelta64(1, "h")
    came = times + np.timedelta64(labelled_after, "h")
    answers = replace(known.answers, features=pd.DataFrame({"at": [f"{each}Z" for each in times]}))
    labelled = LabelledRows(answers, known.labelled.labels, [f"{each}Z" for each in came])
    features = {"lags": {"rented": [24], "warmth": [1]}, "calendar": "hour", "delay": {"rented": 12}}
    table = rides_schema(features=features)
    given = pd.DataFrame() if reference is None else reference
    return replace(
        known, answers=answers, labelled=labelled, schema=table, reference=given, first_released=first_released
    )


@pytest.mark.parametrize(("hours", "told"), [(12, False), (13, True)])
def test_labels_that_come_later_than_declared_are_told(hours, told):
    found = judge_delays(asked_hourly(labelled_after=hours), [])

    assert [describe_late_values(each) for each in found] == told * [
        "lags of rented: 100% of 100 values came later than 12 hours after their row, as features.delay says; nine of "
        "ten came within 13. A lag that is shorter is missing at answers: raise features.delay.rented, and the lags "
        "(params.yaml)"
    ]


def batch(name, origin=BatchOrigin.FILE):
    return BatchIngested(batch=name, rows=1, rejected=0, source=name, sha256=name, origin=origin)


def test_rows_of_files_tell_but_for_those_that_are_late_corrections():
    rows = rides(400, gaps=0, first="2026-03-01").assign(**{BATCH: ["one"] * 200 + ["two"] * 200})
    corrected = pd.concat([rows, rows.iloc[:150].assign(**{BATCH: "three"})])
    days = [("2026-03-10T00:00:00+00:00", batch("one")), ("2026-03-17T16:00:00+00:00", batch("two"))]
    days += [("2026-06-01T00:00:00+00:00", batch("three"))]
    known = asked_hourly(labelled_after=0, reference=corrected, first_released="2026-03-11T00:00:00.000000Z")

    [found] = judge_delays(known, days)

    assert found.values == 300  # 100 labels of answers, 200 rows of the second file
    assert found.late == pytest.approx(188 / 300)


@pytest.mark.parametrize(("second", "told"), [(-1, False), (0, False), (1, True)])
def test_files_that_came_before_the_first_release_are_history(second, told):
    rows = rides(1200, gaps=0, first="2025-01-01").assign(**{BATCH: np.repeat([*"abcdefghijkl"], 100)})
    came = np.datetime64("2026-03-01T00:00:00", "s")
    batches = [(f"{came}+00:00", batch(name)) for name in "abcdefghijk"]
    batches += [(f"{came + np.timedelta64(second, 's')}+00:00", batch("l"))]

    found = judge_delays(asked_hourly(labelled_after=0, reference=rows, first_released=f"{came}Z"), batches)

    assert [each.values for each in found] == told * [200]  # 100 labels of answers, 100 rows of the file


def test_harvested_answers_are_no_file():
    rows = rides(400, gaps=0, first="2026-03-01").assign(**{BATCH: ["one"] * 200 + ["two"] * 200})
    batches = [("2026-01-04T00:00:00+00:00", batch("one"))]
    batches += [("2026-05-01T00:00:00+00:00", batch("two", BatchOrigin.ANSWERS))]

    assert not judge_delays(asked_hourly(labelled_after=0, reference=rows), batches)
