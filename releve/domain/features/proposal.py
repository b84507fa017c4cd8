"""Which features a new table in time order may be given, and what each is worth: measured on rows before the holdout.

One model learns the older rows and answers the newer ones, with and without the features; the newest half of the rows,
on which a first model is judged, is not looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.core.errors import BadInput
from releve.core.formatting import counted, format_score
from releve.core.params import Params
from releve.domain.ensemble.origins import origin_blocks
from releve.domain.evaluation.baselines import LabelHistory, baselines, entities_of, labels_as_places
from releve.domain.evaluation.evaluation import Comparison, Opponent
from releve.domain.evaluation.metrics import METRICS, compute_score, resolve
from releve.domain.evaluation.paired import BootstrapConfig, compare
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.features.completion import complete_frame
from releve.domain.schema.columns import CATEGORY, DATE
from releve.domain.schema.derived import DAY, HOUR, MONTH
from releve.domain.schema.schema import BATCH, Schema
from releve.domain.training.learning import answer, learn
from releve.domain.training.recipes import default_candidate, search_spaces

if TYPE_CHECKING:
    import pandas as pd

RECIPE = "hist_gradient_boosting"
MOST_ROWS = 10_000  # the newest before the holdout
FEWEST_ROWS = 300
LEARNED = 0.7  # share of them
MOST_CLASSES = 20  # a boosted model is one of trees for each
FEW_TIES = 0.9  # different times per row, below which rows are of several things, whose lags have to be kept apart
EVEN, NEARLY = 0.5, 0.1  # share of the gaps that have to be like the usual one, and by how much of it they may differ
FEWEST_OF_EACH = 10  # rows on average of an entity whose lags are kept apart
HOURS = {HOUR: 1.0, DAY: 24.0, MONTH: 24 * 30.44}
SEASONS: Mapping[str, tuple[int, ...]] = {HOUR: (24, 168), DAY: (7, 28), MONTH: (12,)}
COARSEST = {HOUR: 12.0, DAY: 15 * 24.0}  # hours between rows, up to which rows are so many steps apart
CYCLES_SEEN = 2  # of a season, in the rows that are learned, for its lag to be tried


@dataclass(frozen=True)
class FeatureProposal:
    """Features as params.yaml declares them, and a sentence of what they are worth. Not `chosen`: a person decides."""

    spec: Mapping[str, Any]
    worth: str
    chosen: bool


@dataclass(frozen=True, eq=False)
class _Trial:
    """Rows in time order, and the part of them that is answered."""

    table: Mapping[str, Any]
    rows: "pd.DataFrame"
    start: int
    params: Params

    def answered(self, spec: Mapping[str, Any] | None) -> ScoredPredictions:
        """Raises BadInput for rows that cannot be learned from."""
        schema = Schema.from_dict({**self.table, "features": spec})
        rows = complete_frame(schema, self.rows)
        candidate = default_candidate(RECIPE, search_spaces((RECIPE,), schema)[RECIPE])
        model = learn(rows.iloc[: self.start], schema, candidate, seed=self.params.statistics.seed)
        outputs = answer(model, rows.iloc[self.start :], schema).to_numpy(np.float64)
        return self.scored(outputs)

    def scored(self, outputs: Any) -> ScoredPredictions:
        target = Schema.from_dict(self.table).target
        labels = self.rows[target.name].iloc[self.start :].tolist()
        return ScoredPredictions.of(outputs, labels, target, quantile=self.params.gate.quantile)


def propose(table: Mapping[str, Any], rows: "pd.DataFrame", params: Params) -> list[FeatureProposal]:
    """Propose features for `table`, as `Schema.from_dict` reads it; `rows`: checked ones, in any order.

    None where the table has no time, too few rows, images, or rows that cannot be learned from. The calendar is chosen
    where it is shown to be better: it is known of every row. Lags are for a person to choose, who alone knows when a
    label comes in.
    """
    from threadpoolctl import threadpool_limits

    schema = Schema.from_dict(table)
    if schema.time is None or schema.images or len(schema.target.classes) > MOST_CLASSES:
        return []
    ordered = rows[rows[schema.time].notna()].sort_values(schema.time, kind="stable", ignore_index=True)
    blocks = origin_blocks([""] * len(ordered))
    before = ordered.iloc[: blocks[0].start if blocks else 0].tail(MOST_ROWS).reset_index(drop=True)
    if len(before) < FEWEST_ROWS:
        return []
    before[BATCH] = ""
    trial = _Trial(table, before, int(len(before) * LEARNED), params)
    try:
        with threadpool_limits(limits=1):  # results are the same on every machine
            return _measured(trial, schema)
    except BadInput:  # too few labels of a class, as a rule: there is nothing to compare
        return []


def _measured(trial: _Trial, schema: Schema) -> list[FeatureProposal]:
    metric = resolve(trial.params.gate.metric, schema.target.task)
    bootstrap = BootstrapConfig.of(trial.params.statistics)
    learned = trial.rows.iloc[: trial.start]
    by = entity(schema, learned)
    naive, without = _naive(trial, schema, metric, by), trial.answered(None)

    def measured(spec: Mapping[str, Any], when: str, opponents: Sequence[Opponent]) -> tuple[FeatureProposal, bool]:
        found = compare(metric, trial.answered(spec), without, bootstrap)
        known = {name: score for name, score in naive.items() if name in opponents}
        proposal = FeatureProposal(spec, when + _describe(metric, found, known, rows=len(without)), chosen=False)
        return proposal, found.gain.low > 0

    step, near, seasons = spacing(schema, learned[schema.time].to_numpy(), learned[by].to_numpy() if by else None)
    usual = [name for name in naive if name != Opponent.ROW_BEFORE]
    proposals, calendar = [], {}
    if step:
        proposal, is_better = measured({"calendar": step}, "", usual)
        calendar = {"calendar": step} if is_better else {}
        proposals.append(FeatureProposal(proposal.spec, proposal.worth, chosen=is_better))
    target, kept = schema.target.name, calendar or ({"step": step} if step else {})
    unit, apart = f" {step}s" if step else "", {"by": by} if by else {}
    if seasons:
        when = f"if {target} is known {seasons[0]}{unit} later: "
        proposals.append(measured({"lags": {target: [*seasons]}, **apart, **kept}, when, usual)[0])
    if near:
        when = f"if {target} is known when the next row is asked: "
        proposals.append(measured({"lags": {target: [near, *seasons]}, **apart, **kept}, when, [*naive])[0])
    return proposals


def entity(schema: Schema, rows: "pd.DataFrame") -> str | None:
    """Return the category that tells rows of one time apart, such as a shop; None where none does, or none has to."""
    if rows[schema.time].nunique() >= FEW_TIES * len(rows):
        return None
    names = [column.name for column in schema.sent.columns if column.type == CATEGORY and column.name != schema.id]
    counts = {name: rows[name].nunique() for name in names}
    apart = [
        name
        for name, count in counts.items()
        if count * FEWEST_OF_EACH <= len(rows) <= len(rows[[schema.time, name]].drop_duplicates()) / FEW_TIES
    ]
    return min(apart, key=counts.__getitem__, default=None)


def spacing(schema: Schema, times: Any, entities: Any = None) -> tuple[str | None, float, tuple[int, ...]]:
    """Return the step of a table, how many of it lie between neighbouring rows, and the seasons that it shows.

    `times`: of the rows, ascending. `entities`: of what each row is, where that tells rows of one time apart. None
    where time is a number; 0 rows apart where several rows share most times, or where rows come at uneven times, as
    events do: no row lies so many steps before.
    """
    distinct = np.unique(times)
    is_date, is_alone = schema.by_name[str(schema.time)].type == DATE, len(distinct) >= FEW_TIES * len(times)
    gaps = np.diff(distinct)
    if entities is not None:
        is_alone = True
        gaps = np.concatenate([np.diff(np.unique(times[entities == each])) for each in np.unique(entities.astype(str))])
    if len(gaps) < 1:
        return None, 0.0, ()
    usual = np.median(gaps)
    is_alone = is_alone and bool(np.mean(np.abs(gaps - usual) <= NEARLY * usual) >= EVEN)
    if not is_date:
        gap = float(f"{usual:.6g}")
        return None, gap if is_alone else 0.0, ()
    hours = float(usual / np.timedelta64(1, "s")) / 3600
    step = next((step for step, coarsest in COARSEST.items() if hours <= coarsest), MONTH)
    near = round(hours / HOURS[step], 2 if step == HOUR else 0)
    if not near or not is_alone:
        return step, 0.0, ()
    span = float((distinct[-1] - distinct[0]) / np.timedelta64(1, "s")) / 3600 / HOURS[step]
    seasons = tuple(each for each in SEASONS[step] if near < each <= span / CYCLES_SEEN and each % near == 0)
    return step, int(near) if near.is_integer() else near, seasons


def _naive(trial: _Trial, schema: Schema, metric: str, by: str | None) -> dict[Opponent, float]:
    """Score every naive answer to the same rows."""
    target, folds = schema.target, (Fold(trial.start, len(trial.rows)),)
    truth = labels_as_places(trial.rows[target.name].tolist(), target)
    positive = None if len(target.classes) != 2 else target.classes.index(target.positive or target.classes[-1])
    entities = entities_of(trial.rows, by)
    past = LabelHistory(truth, folds, len(target.classes), metric, trial.params.gate.quantile, positive, entities)
    times = trial.rows[schema.time] if schema.by_name[str(schema.time)].type == DATE else None
    answers = baselines(past, task=target.task, label_delay_rows=0, times=times)
    found = {name: trial.scored(each.outputs) for name, each in answers.items()}
    return {name: compute_score(metric, each) for name, each in found.items() if METRICS[metric].is_defined(each)}


def _describe(metric: str, found: Comparison, naive: Mapping[Opponent, float], *, rows: int) -> str:
    """Write what the features are worth, with the best naive answer beside."""
    sign = METRICS[metric].sign
    with_them = found.score + sign * found.gain.value
    gain = f"[{format_score(found.gain.low, sign='+')}, {format_score(found.gain.high, sign='+')}]"
    best = max(naive, key=lambda name: sign * naive[name], default=None)
    beside = "" if best is None else f"; naive, {best}: {format_score(naive[best])}"
    return (
        f"{metric} {format_score(with_them)}, and {format_score(found.score)} without, gain "
        f"{format_score(found.gain.value, sign='+')} {gain} on {counted(rows, 'row')} before the holdout{beside}"
    )
