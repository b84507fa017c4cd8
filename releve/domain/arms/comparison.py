"""Champion and challenger on live traffic: what the labels that have come say of both, as they come."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.documents import DocumentPart
from releve.domain.arms.arms import Arm, ArmMode
from releve.domain.arms.label_queue import BY_CLASS
from releve.domain.arms.sequences import ConfidenceSequence, gain_sequence
from releve.domain.decision.policy import DecisionTable
from releve.domain.decision.realised import cost_per_row
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.metrics import METRICS
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.prediction_log.records import (
    AnsweredRow,
    AnsweredRows,
    LabelledRows,
    Scalar,
    ShadowLine,
    join_labels,
    row_ids,
)
from releve.domain.quality.realised import as_scored
from releve.domain.schema.target import Target

Floats = NDArray[np.float64]

KEPT_LOOKS = 60  # of the growth: as many as a chart can show
# Looking after every row takes losses that are means over rows: these stand for the metrics that are none.
COMPARED_BY = {"auc": "brier", "f1": "accuracy", "rmse": "squared error"}
LAST = "9999"  # later than any time of the ledger


class Look(DocumentPart):
    """What was known after so many rows; the interval is None where the arms had not differed yet."""

    rows: int
    at: str  # of the newest of these rows, ISO 8601, UTC
    gain: float
    interval: Interval | None
    blocks: int
    block_rows: int  # of each arm, at least


class ArmFigures(DocumentPart):
    """One arm's part of a comparison."""

    model: str
    answered: int  # rows
    failed: int  # requests that it did not answer; of a shadow alone
    labelled: int  # of the rows that are compared
    score: float | None  # of these, by the comparison's metric; None without any
    cost: Interval | None = None  # of a row's decision, at today's prices; None of too few labels, and without costs


class LiveComparison(DocumentPart):
    """Both arms since this pair began; a positive gain is the challenger's.

    Compared is the matured prefix: rows of requests older than arms.label_delay_hours, in the requests' order.
    """

    mode: ArmMode
    since: str  # ISO 8601, UTC
    metric: str
    confidence: float  # of each end of an interval, at all looks together
    champion: ArmFigures
    challenger: ArmFigures
    rows: int  # that are compared
    smaller: int  # of these, those of the arm that has fewer
    waiting: int  # younger than the label delay
    unlabelled: int  # old enough, and their label is missing
    needless: int  # compared without a label: a shadow answered the champion's class
    growth: tuple[Look, ...]
    decisive: Look | None  # the first one whose interval excludes 0
    unit: str = ""  # of costs
    spent: int = 0  # of arms.max_rows: `smaller`, for the share of deciding labels that has come

    @property
    def newest(self) -> Look | None:
        return self.growth[-1] if self.growth else None


@dataclass(frozen=True, eq=False)
class ArmAnswers:
    """What both arms answered since this pair began.

    A shadow's rows have the ids and the times of the champion's that they repeat.
    """

    mode: ArmMode
    since: str
    models: Mapping[Arm, str]
    rows: Mapping[Arm, AnsweredRows]  # the champion's first
    is_shadow: bool  # whether the challenger was nothing else since then
    failed: int = 0  # requests that the shadow did not answer

    def until(self, matured: str) -> dict[str, str]:
        """Row id -> time of the rows that may be compared, in the requests' order; a shadow's, where both answered."""
        champion, challenger = (dict(zip(rows.ids, rows.at, strict=True)) for rows in self.rows.values())
        times = {**champion, **challenger}
        if self.is_shadow:
            times = {row_id: at for row_id, at in champion.items() if row_id in challenger}
        in_order = sorted(times.items(), key=lambda row: row[1])  # of one moment, as their request has them
        return {row_id: at for row_id, at in in_order if at <= matured}

    def agrees(self, row_ids: Iterable[str], target: Target) -> NDArray[np.bool_]:
        """Return of each row, which both answered, whether they answered one class."""
        champion, challenger = (
            dict(zip(rows.ids, map(target.parse, rows.predicted), strict=True)) for rows in self.rows.values()
        )
        return np.array([champion[row_id] == challenger[row_id] for row_id in row_ids], dtype=bool)


@dataclass(frozen=True)
class ArmPrices:
    """By what decisions of both arms are charged."""

    table: DecisionTable
    min_rows: int
    bootstrap: BootstrapConfig


def challenger_rows(shadows: Iterable[ShadowLine], own: AnsweredRows, champion: AnsweredRows) -> AnsweredRows:
    """Join what a challenger answered aside, with the ids and the times of the champion's rows, and in its place."""
    import pandas as pd

    times = dict(zip(champion.ids, champion.at, strict=True))
    found = [
        AnsweredRow(
            id=row_id,
            at=times[row_id],
            model=line.model,
            index=line.index,
            arm=Arm.CHALLENGER,
            features={},
            predicted=line.labels[place],
            probabilities=line.probabilities[place] if line.probabilities else None,
            interval=line.intervals[place] if line.intervals else None,
            decision=line.decisions[place] if line.decisions else None,
        )
        for line in shadows
        for place, row_id in enumerate(row_ids(line.of, len(line.labels)))
        if row_id in times
    ]
    aside = AnsweredRows.of(found)
    columns = ("ids", "at", "models", "arms", "predicted", "probabilities", "intervals", "decisions")
    joined: dict[str, Any] = {name: [*getattr(aside, name), *getattr(own, name)] for name in columns}
    return AnsweredRows(**joined, features=pd.DataFrame(index=range(len(joined["ids"]))))


def compare(
    answers: ArmAnswers,
    labels: Mapping[str, tuple[Scalar, str]],
    target: Target,
    *,
    queued: Container[str] = frozenset(),
    metric: str,
    quantile: float,
    confidence: float,
    matured: str,
    prices: ArmPrices | None = None,
) -> LiveComparison:
    """Compare the arms by the rows of requests until `matured`, a timestamp of the ledger.

    labels: by row id. queued: rows whose label was asked for because the models differ on them: they say nothing of one
    model alone. metric: the gate's. Where a shadow's class is the champion's, both are right or both are wrong, so that
    by accuracy such a row counts without a label.
    """
    known = {row_id: label for row_id, label in labels.items() if target.parse(label[0]) is not None}
    times = answers.until(matured)
    columns = {row_id: place for place, row_id in enumerate(times)}
    losses, figures = np.full((len(Arm), len(times)), np.nan), {}
    for place, (arm, rows) in enumerate(answers.rows.items()):
        labelled = join_labels(rows, {row_id: known[row_id] for row_id in columns.keys() & known.keys()})
        ids, scored = labelled.answers.ids, as_scored(labelled, target, rows=len(labelled), quantile=quantile)
        found = METRICS[metric].losses(scored) if scored else np.array([])
        losses[place, [columns[row_id] for row_id in ids]] = found
        by_itself = [row for row, row_id in enumerate(ids) if row_id not in queued]
        own = found[by_itself]
        figures[arm] = ArmFigures(
            model=answers.models[arm],
            answered=len(rows),
            failed=answers.failed if arm is Arm.CHALLENGER else 0,
            labelled=len(ids),
            score=None if not len(own) else float(1 - own.mean() if metric in BY_CLASS else own.mean()),
            cost=_cost(labelled.take(by_itself), target, prices) if prices else None,
        )
    is_labelled, by_class = ~np.isnan(losses).all(axis=0), answers.is_shadow and metric in BY_CLASS
    agrees = answers.agrees(columns, target) if by_class else np.zeros(len(times), dtype=bool)
    if by_class:
        losses[:, agrees | ~is_labelled] = 0.0  # where classes differ, the labelled rows stand for all: see `_looks`
    compared = is_labelled | by_class
    moments = [at for at, is_compared in zip(times.values(), compared, strict=True) if is_compared]
    sequence = gain_sequence(losses[:, compared], confidence=confidence)
    labelled_share = float(is_labelled[~agrees].mean()) if by_class and not agrees.all() else 1.0
    smaller = int((~np.isnan(losses[:, compared])).sum(axis=1).min())
    looks = _looks(sequence, moments, scale=1 / labelled_share if labelled_share else 1.0)
    decisive, kept = sequence.first_decisive(), np.linspace(0, len(looks) - 1, min(KEPT_LOOKS, len(looks))).round()
    return LiveComparison(
        mode=answers.mode,
        since=answers.since,
        metric=COMPARED_BY.get(metric, metric),
        confidence=confidence,
        champion=figures[Arm.CHAMPION],
        challenger=figures[Arm.CHALLENGER],
        rows=int(compared.sum()),
        smaller=smaller,
        spent=int(smaller * labelled_share),
        waiting=len(answers.until(LAST)) - len(times),
        unlabelled=int((~is_labelled & ~agrees).sum()),
        needless=int((~is_labelled & agrees).sum()),
        growth=tuple(looks[int(place)] for place in kept),
        decisive=None if decisive is None else looks[decisive],
        unit=prices.table.unit if prices else "",
    )


def _cost(labelled: LabelledRows, target: Target, prices: ArmPrices) -> Interval | None:
    return cost_per_row(labelled, prices.table.costs, target, min_rows=prices.min_rows, bootstrap=prices.bootstrap)


def _looks(sequence: ConfidenceSequence, moments: Sequence[str], *, scale: float) -> list[Look]:
    """Put a sequence into looks.

    scale: 1 over the share of the differing rows that have a label; the others count as no gain. It changes no sign.
    """
    columns = (sequence.rows, sequence.gains, sequence.lows, sequence.highs, sequence.blocks, sequence.block_rows)
    found = []
    for rows, gain, low, high, blocks, block_rows in zip(*(column.tolist() for column in columns), strict=True):
        interval = Interval(*(scale * end for end in (gain, low, high))) if np.isfinite(low) else None
        at = moments[rows - 1]
        look = Look(rows=rows, at=at, gain=scale * gain, interval=interval, blocks=blocks, block_rows=block_rows)
        found.append(look)
    return found
