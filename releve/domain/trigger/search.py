"""Is a search due? It is dear, so that evidence opens one, and not the clock alone (params.yaml: search.on).

An answer that is worse than expected, labels that contradict the estimate, a table that drifted, and a search that lies
long back are evidence. A search needs new labelled rows to judge on, and days since the one before: twice as many for
each search in a row that found nothing to join the pool.
"""

from collections.abc import Iterator
from datetime import timedelta

from releve.core.params import Params
from releve.domain.drift.verdict import DriftState
from releve.domain.quality.late import telling_late
from releve.domain.quality.realised import QualityState
from releve.domain.trigger.policies import Cause, CauseKind, Evidence, History, time_since

DAY = timedelta(days=1)
MOST_DOUBLINGS = 3  # of search.min_days: 30 days become 240 at most


def evidence_for_search(evidence: Evidence, history: History, params: Params) -> Iterator[Cause]:
    """Yield what asks for a search, of what `search.on` names."""
    asked = params.search.on
    if "quality" in asked:
        yield from _degradation(evidence)
    if "drift" in asked and evidence.drift.of_sound_columns == DriftState.DRIFT:
        yield Cause(CauseKind.DRIFT)
    if "age" in asked and params.age.max_model_days:
        # before the first search: since the first model
        oldest = history.last_search or next(iter(history.challenges), None)
        since = time_since(oldest, evidence)
        if since is not None and since / DAY > params.age.max_model_days:
            yield Cause(CauseKind.SEARCH_AGE, since / DAY, params.age.max_model_days)


def search_waits_for(evidence: Evidence, history: History, params: Params) -> Cause | None:
    """Return what a search waits for whatever the evidence; None where it may begin."""
    if evidence.new_rows < params.statistics.min_rows:
        return Cause(CauseKind.FEW_ROWS_TO_SEARCH, evidence.new_rows, params.statistics.min_rows)
    since, idle = time_since(history.last_search, evidence), history.idle_searches
    days = params.search.min_days * 2 ** min(idle, MOST_DOUBLINGS)
    if since is not None and since / DAY < days:
        return Cause(CauseKind.SEARCH_GAINED_NOTHING if idle else CauseKind.SEARCHED_LATELY, since / DAY, days)
    return None


def _degradation(evidence: Evidence) -> Iterator[Cause]:
    """By labels, or by the estimate while there are too few: never by an estimate against labels."""
    estimate, late = evidence.estimate, telling_late(evidence.quality, evidence.late)
    if evidence.quality.state == QualityState.DEGRADED:
        yield Cause(CauseKind.DEGRADED)
    elif late and late.quality.state == QualityState.DEGRADED:
        yield Cause(CauseKind.LATE_DEGRADED)
    elif evidence.quality.state == QualityState.UNKNOWN and estimate and estimate.state == QualityState.DEGRADED:
        yield Cause(CauseKind.ESTIMATED_DEGRADED)
    if estimate and estimate.concept_drift_suspected:
        yield Cause(CauseKind.CONCEPT_DRIFT)
