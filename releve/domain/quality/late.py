"""Labels that come once a newer release serves: judged beside what was expected of the release that gave the answer.

Where every batch brings a release, most labels come like that. They tell how good the newest answers were that anybody
can judge. What serves may have learned some of them since, but the answers were given before.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from releve.domain.evaluation.intervals import weighted_mean
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.prediction_log.records import LabelledRows
from releve.domain.quality import realised
from releve.domain.quality.realised import Quality, QualityState
from releve.domain.registry.release import ExpectedPerformance
from releve.domain.schema.target import Target


@dataclass(frozen=True)
class LateQuality:
    """The quality of the newest answers that releases of before gave, by labels that came late."""

    quality: Quality
    models: tuple[str, ...]  # that gave these answers, the newest last
    last_at: str  # of the newest of these answers, ISO 8601, UTC


def telling_late(own: Quality, late: LateQuality | None) -> LateQuality | None:
    """Return what late labels say where they tell more than those of what serves, whose answers are newer.

    Where these tell nothing yet, late labels do; where they are inconclusive, late labels that show a degradation.
    """
    if late is None or own.state == QualityState.UNKNOWN:
        return late
    is_worse = own.state == QualityState.INCONCLUSIVE and late.quality.state == QualityState.DEGRADED
    return late if is_worse else None


def assess_late(
    labelled: LabelledRows,
    expectations: Mapping[str, ExpectedPerformance],
    target: Target,
    *,
    metric: str,
    rows: int,
    quantile: float,
    tolerance: float,
    min_labels: int,
    bootstrap: BootstrapConfig,
) -> tuple[LateQuality, LabelledRows] | None:
    """Judge the newest answers, at most `rows`, of as few releases as have `min_labels`; return them, too.

    `labelled`: in time order. `expectations`: by model; what was expected by another metric than `metric` is left out.
    None where the labels are too few.
    """
    known = {model: expected for model, expected in expectations.items() if expected.metric == metric}
    fit = [
        place
        for place, (model, label) in enumerate(zip(labelled.answers.models, labelled.labels, strict=True))
        if model in known and target.parse(label) is not None
    ]
    labels = Counter(labelled.answers.models[place] for place in reversed(fit))  # by model, the newest first
    chosen: dict[str, int] = {}
    for model, count in labels.items():
        if chosen and sum(chosen.values()) >= min_labels:
            break
        chosen[model] = count
    judged = labelled.take([place for place in fit if labelled.answers.models[place] in chosen][-rows:])
    counts = Counter(reversed(judged.answers.models))
    if not counts:
        return None
    expected = ExpectedPerformance(
        metric,
        weighted_mean([known[model].score for model in counts], list(counts.values())),
        sum(known[model].rows for model in counts),
    )
    quality = realised.assess(
        realised.as_scored(judged, target, rows=rows, quantile=quantile),
        expected=expected,
        tolerance=tolerance,
        min_labels=min_labels,
        bootstrap=bootstrap,
    )
    if quality.state == QualityState.UNKNOWN:
        return None
    return LateQuality(quality, tuple(reversed(counts)), judged.answers.at[-1]), judged
