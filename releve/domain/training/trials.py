"""A candidate's trial: fitted before each block of some validation rows, and scored on the block.

The blocks are cut in time order, and lie before the windows that members are weighed on: those, which the gate judges
on, have no say in what is proposed.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import TYPE_CHECKING

from releve.core.errors import BadInput, ReleveError
from releve.domain.evaluation.intervals import rounded
from releve.domain.evaluation.metrics import METRICS, score
from releve.domain.evaluation.rolling_origin import Fold, cut_blocks, numbered
from releve.domain.schema.schema import Schema
from releve.domain.training.learning import answer, learn, window
from releve.domain.training.recipes import RECIPES, Candidate
from releve.domain.training.trial_record import TrialRecord

if TYPE_CHECKING:
    import pandas as pd

MIN_ROWS = 20  # that a search can be made of; half of so many are learned from at least
PARAMS, DEFAULTS, SEARCH = "params", "defaults", "search"  # where a candidate came from


@dataclass(frozen=True)
class SearchSizes:
    """The limits of a search; measured once (docs/decisions/0012-search.md), so that nobody has to choose."""

    together: int = 4  # trials per round, suggested before any result of the round is reported: it stays repeatable
    rows: int = 20_000  # newest rows before the windows, at most
    validation_share: float = 0.4  # share 0-1 of these, the newest, that candidates are scored on
    folds: int = 3  # blocks of the validation rows, each scored by a model fitted on everything before it


SIZES = SearchSizes()


@dataclass(frozen=True)
class SearchData:
    """What every trial of a search is given."""

    rows: "pd.DataFrame"  # in time order, older than the windows
    schema: Schema
    folds: tuple[Fold, ...]
    metric: str
    seed: int
    last_batches: int
    quantile: float = 0.5  # of the pinball loss


@dataclass(frozen=True)
class TrialScore:
    """Of all validation rows together, and of each block; None and a `reason` when the trial failed."""

    score: float | None
    folds: tuple[float | None, ...] = ()
    reason: str = ""  # why it failed, or what the estimator warned of


@dataclass(frozen=True)
class Trial:
    """One candidate with its score."""

    number: int  # from 1, in the order suggested
    origin: str
    candidate: Candidate
    result: TrialScore

    def record(self) -> TrialRecord:
        """Return it as ensemble.json keeps it."""
        return TrialRecord(
            number=self.number,
            origin=self.origin,
            recipe=self.candidate.recipe,
            scale=self.candidate.scale,
            options=dict(self.candidate.options),
            score=self.result.score,
            folds=self.result.folds,
            reason=self.result.reason,
        )


def validation_folds(rows: int, *, share: float, folds: int) -> tuple[Fold, ...]:
    """Cut blocks over the newest `share` (0-1) of the rows, oldest first. Raises BadInput below MIN_ROWS."""
    if rows < MIN_ROWS:
        raise BadInput(
            f"there are {rows} labelled rows before the newest windows, and a search needs {MIN_ROWS}; ingest more rows"
        )
    size = min(max(folds, int(rows * share)), rows - MIN_ROWS // 2)
    return cut_blocks(rows - size, rows, count=min(folds, size))


def try_candidate(data: SearchData, candidate: Candidate) -> TrialScore:
    """Score a candidate. A candidate that cannot be fitted to this table is a result, not an error."""
    import pandas as pd

    blocks: list[pd.DataFrame] = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            for fold in data.folds:
                known = window(data.rows, end=fold.start, last_batches=data.last_batches)
                model = learn(known, data.schema, candidate, seed=data.seed)
                blocks.append(answer(model, data.rows.iloc[fold.start : fold.end], data.schema))
        except (ReleveError, MemoryError) as error:
            return TrialScore(None, reason=str(error) or "not enough memory")
        except Exception as error:  # every estimator has its own ways to fail, and the other candidates go on
            return TrialScore(None, reason=f"{type(error).__name__}: {error}"[:500])
    pooled = _score(data, pd.concat(blocks, ignore_index=True), data.folds)
    scores = tuple(_score(data, block, (fold,)) for block, fold in zip(blocks, data.folds, strict=True))
    notes = sorted({str(warning.message).split("\n")[0] for warning in warned})
    reason = "; ".join(notes) if pooled is not None else f"{data.metric} of its answers is not defined on these rows"
    return TrialScore(pooled, scores, reason)


def _score(data: SearchData, answers: "pd.DataFrame", folds: tuple[Fold, ...]) -> float | None:
    """None where the metric has no value, as AUC on rows of one class."""
    target, values = data.schema.target, answers.to_numpy(dtype=float)
    labels = data.rows[target.name].iloc[folds[0].start : folds[-1].end].tolist()
    answered = values if target.classes else values[:, 0]
    try:
        value = score(data.metric, answered, labels, target, quantile=data.quantile, blocks=numbered(folds))
    except BadInput:
        return None
    return rounded(value) if math.isfinite(value) else None  # two that agree so far are the same


def best(trials: Sequence[Trial], *, metric: str) -> Trial:
    """Return the trial with the best score; of several, the simplest recipe's, then the earliest.

    What was searched for has to beat the best of the others by more than one standard error over the folds, since the
    best of many scores is partly chance (Breiman et al. 1984, the rule of one standard error). Raises BadInput when
    none has a score.
    """
    sign, simplest_first = METRICS[metric].sign, list(RECIPES)
    ranked = sorted(
        (-sign * trial.result.score, simplest_first.index(trial.candidate.recipe), trial.number, place)
        for place, trial in enumerate(trials)
        if trial.result.score is not None
    )
    if not ranked:
        raise BadInput(
            f"none of {len(trials)} candidates could be fitted and scored; the first, {trials[0].candidate}: "
            f"{trials[0].result.reason}"
        )
    scored = [trials[place] for *_, place in ranked]
    known = next((trial for trial in scored if trial.origin != SEARCH), scored[0])
    pairs = zip(scored[0].result.folds, known.result.folds, strict=True)
    gains = [sign * (one - another) for one, another in pairs if one is not None and another is not None]
    is_clear = len(gains) < 2 or mean(gains) > stdev(gains) / math.sqrt(len(gains))
    return scored[0] if is_clear else known
