"""Challenger, champion and naive baselines on the same holdout rows: by the gate's metric, over all and per slice.

Pure, so that the retrain flow and a backtest judge by the same rule.
"""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from releve.core.params import Gate
from releve.domain.evaluation import baselines, paired
from releve.domain.evaluation.calibration import calibration
from releve.domain.evaluation.evaluation import CHAMPION
from releve.domain.evaluation.metrics import METRICS, metrics_of, resolve, score_or_none
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.evaluation.slices import Slice, slices
from releve.domain.evaluation.too_good import telling_columns, too_good
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Case:
    """Everything that is weighed: all rows, and the answers of each model to the holdout."""

    rows: "pd.DataFrame"
    folds: tuple[Fold, ...]
    challenger: ScoredPredictions
    champion: ScoredPredictions | None
    schema: Schema
    gate: Gate
    bootstrap: BootstrapConfig

    @cached_property
    def metric(self) -> str:
        return resolve(self.gate.metric, self.schema.target.task)

    @property
    def first(self) -> int:
        """Where the holdout begins."""
        return self.folds[0].start

    @property
    def holdout(self) -> "pd.DataFrame":
        return self.rows.iloc[self.first :]


def judge(case: Case) -> dict[str, Any]:
    """evaluation.json but for fairness, which another library measures: no group is named here."""
    against, mine = _against(case), case.challenger
    return {
        "task": case.schema.target.task,
        "metric": case.metric,
        "sign": METRICS[case.metric].sign,
        "rows": len(case.rows),
        "holdout_rows": len(mine),
        "block_rows": max((other["block_rows"] for other in against.values()), default=1),
        "confidence": case.bootstrap.confidence,
        "challenger": _own(case, mine),
        "against": against,
        "slices": [_slice(case, part) for part in _slices(case)],
        "fairness": [],
        "unknown_groups": [],
        "too_good": _too_good(case),
    }


def _too_good(case: Case) -> dict[str, Any]:
    """Nothing where the score is believable; the columns are looked at only where it is not."""
    mine = case.challenger
    naive = {name: other.answers for name, other in _baselines(case).items() if other.must_beat}
    found = too_good(mine.y_true, mine.outputs, naive)
    if found is None:
        return {}
    truth = baselines.labels_as_places(case.rows[case.schema.target.name].tolist(), case.schema.target)
    parts = truth[: case.first], truth[case.first :]
    columns = telling_columns(case.rows.iloc[: case.first], case.holdout, case.schema, truths=parts)
    return replace(found, columns=columns).as_dict()


def _own(case: Case, found: ScoredPredictions) -> dict[str, Any]:
    """A model's own figures, by every metric of the task that is defined on these rows."""
    interval = paired.score_interval(case.metric, found, case.bootstrap)
    task = case.schema.target.task
    scores = {name: score_or_none(name, found) for name in metrics_of(task)}
    return {
        "score": interval.value,
        "low": interval.low,
        "high": interval.high,
        "metrics": {name: value for name, value in scores.items() if value is not None},
        "calibration": {} if task == REGRESSION else calibration(found),
    }


def _against(case: Case) -> dict[str, Any]:
    champion = {CHAMPION: _compare(case, case.champion, must_beat=True)} if case.champion else {}
    naive = _baselines(case).items()
    return champion | {
        name: _compare(case, case.challenger.with_outputs(other.answers), must_beat=other.must_beat)
        for name, other in naive
    }


def _baselines(case: Case) -> dict[str, baselines.Baseline]:
    schema, gate = case.schema, case.gate
    truth = baselines.labels_as_places(case.rows[schema.target.name].tolist(), schema.target)
    positive = None if case.challenger.is_multiclass else case.challenger.positive
    past = baselines.LabelHistory(truth, case.folds, len(schema.target.classes), case.metric, gate.quantile, positive)
    times = case.rows[schema.time] if schema.time and case.rows[schema.time].dtype.kind == "M" else None
    return baselines.baselines(past, task=schema.target.task, label_delay_rows=gate.label_delay_rows, times=times)


def _compare(case: Case, other: ScoredPredictions, *, must_beat: bool) -> dict[str, Any]:
    gain = paired.compare(case.metric, case.challenger, other, case.bootstrap)
    return {
        "score": gain.other,
        "gain": asdict(gain.gain),
        "p": gain.p,
        "wins": gain.wins,
        "losses": gain.losses,
        "block_rows": gain.block,
        "wanted_block_rows": gain.wanted_block,
        "must_beat": must_beat,
    }


def _slices(case: Case) -> list[Slice]:
    before = case.rows.iloc[: case.first]
    return list(slices(before, case.holdout, case.gate.slices, case.schema))


def _slice(case: Case, part: Slice) -> dict[str, Any]:
    mine = case.challenger.take(part.rows)
    theirs = case.champion.take(part.rows) if case.champion else None
    score = score_or_none(case.metric, mine)
    other = None if theirs is None else score_or_none(case.metric, theirs)
    known = theirs is not None and score is not None
    gain = (
        asdict(paired.compare(case.metric, mine, theirs, case.bootstrap).gain) if theirs is not None and known else {}
    )
    return {
        "column": part.column,
        "value": part.value,
        "rows": len(mine),
        "challenger": score,
        "champion": other,
        "gain": gain,
    }
