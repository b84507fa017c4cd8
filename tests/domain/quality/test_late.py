import pandas as pd
import pytest

from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.prediction_log.records import AnsweredRows, LabelledRows
from releve.domain.quality.late import assess_late
from releve.domain.quality.realised import QualityState
from releve.domain.registry.release import ExpectedPerformance
from releve.domain.schema.target import BINARY, Target

TARGET = Target("bought", BINARY, ("no", "yes"), "yes")
EXPECTED = {
    "old": ExpectedPerformance("accuracy", Interval(0.9, 0.85, 0.95), 200),
    "new": ExpectedPerformance("accuracy", Interval(0.8, 0.75, 0.85), 100),
    "other": ExpectedPerformance("log_loss", Interval(0.3, 0.2, 0.4), 100),
}


def answers(*parts, unread=0):
    """Labelled answers, the oldest first, of so many rows of each model, of which that many are right.

    The labels of the newest `unread` answers are none of the target's.
    """
    models = [model for model, rows, _ in parts for _ in range(rows)]
    right = [place < good for _, rows, good in parts for place in range(rows)]
    names = [f"{place:04d}" for place in range(len(models))]
    unknown = [None] * len(models)
    labels = ["yes" if place % 2 else "no" for place in range(len(models))]
    turned = {"yes": "no", "no": "yes"}
    predicted = [label if fits else turned[label] for label, fits in zip(labels, right, strict=True)]
    frame = pd.DataFrame(index=range(len(models)))
    given = AnsweredRows(names, names, models, unknown, predicted, unknown, unknown, frame)
    return LabelledRows(given, labels[: len(labels) - unread] + ["maybe"] * unread, names)


def assessed(*parts, rows=1000, unread=0):
    found = assess_late(
        answers(*parts, unread=unread),
        EXPECTED,
        TARGET,
        metric="accuracy",
        rows=rows,
        quantile=0.5,
        tolerance=0.1,
        min_labels=90,
        bootstrap=BootstrapConfig(0.95, 200, block=0, seed=0),
    )
    return found[0] if found else None


def test_the_newest_release_with_enough_labels_is_judged_by_what_was_expected_of_it():
    late = assessed(("old", 300, 30), ("new", 100, 100))

    assert (late.models, late.last_at) == (("new",), "0399")
    assert (late.quality.labelled, late.quality.expected) == (100, 0.8)
    assert late.quality.state == QualityState.WITHIN_TOLERANCE


def test_few_labels_of_the_newest_release_are_judged_with_those_of_the_one_before():
    late = assessed(("old", 60, 0), ("new", 60, 0))

    assert (late.models, late.quality.labelled) == (("old", "new"), 120)
    assert late.quality.expected == pytest.approx(0.85)
    assert late.quality.state == QualityState.DEGRADED


def test_labels_that_cannot_be_read_leave_room_for_those_of_the_release_before():
    late = assessed(("old", 100, 100), ("new", 95, 95), unread=10)

    assert (late.models, late.quality.labelled) == (("old", "new"), 185)


def test_only_the_newest_answers_count():
    assert assessed(("new", 300, 0), ("new", 100, 100), rows=100).quality.score.value == 1.0


@pytest.mark.parametrize("parts", [(), (("new", 89, 0),), (("gone", 200, 0),), (("other", 200, 0),)])
def test_too_few_labels_and_releases_of_another_metric_are_not_judged(parts):
    assert assessed(*parts) is None
