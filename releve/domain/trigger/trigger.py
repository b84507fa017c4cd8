"""Refresh, search, or wait: evidence, what was done before, and params.yaml (docs/backtest.md).

A refresh is due by the policy, once enough new labelled rows are there. Before there are enough, the members that serve
are weighed anew by those that are. Evidence opens a search, which comes with a
refresh, and makes one due by itself. What holds both back is asked first: `static`, which never does either, data that
are broken as a whole, a cooldown.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from releve.core.params import Params
from releve.domain.evaluation.rolling_origin import MIN_FOLD_ROWS
from releve.domain.trigger.policies import (
    DUE,
    POLICIES,
    REFRESH,
    STATIC,
    Cause,
    CauseKind,
    Evidence,
    History,
    time_since,
)
from releve.domain.trigger.search import evidence_for_search, search_waits_for

HOUR = timedelta(hours=1)
REWEIGHING_SHARE = 0.25  # of trigger.min_new_rows: at most two re-weightings between two refreshes


@dataclass(frozen=True)
class TriggerDecision:
    """What is due, and why; of waiting too."""

    refresh: bool
    causes: tuple[Cause, ...]  # why a refresh is due, or what it waits for
    search: bool = False  # with the refresh
    search_causes: tuple[Cause, ...] = ()  # what asks for a search
    search_waits: Cause | None = None  # what it waits for
    without: tuple[str, ...] = ()  # broken columns, which the refresh does without
    reweigh: bool = False  # in place of a refresh: no member is fitted

    @property
    def kinds(self) -> tuple[CauseKind, ...]:
        return tuple(cause.kind for cause in self.causes)

    @property
    def search_reason(self) -> str:
        """Name what opens the search; "" without one."""
        return ", ".join(cause.kind for cause in self.search_causes) if self.search else ""


def decide(evidence: Evidence, history: History, params: Params) -> TriggerDecision:
    """Weigh what is known by `trigger` and `search` of the params."""
    if holds := tuple(_holds(evidence, history, params)):
        return TriggerDecision(False, holds)
    # What stays broken for a window of labelled rows is the new normal: it is learned from, and the gate judges it.
    is_news = evidence.rows_since_broken < params.statistics.min_rows
    asked = tuple(evidence_for_search(evidence, history, params))
    waits = search_waits_for(evidence, history, params) if asked else None
    search = bool(asked) and waits is None
    cause = POLICIES[params.trigger.policy](evidence, params.trigger)
    if evidence.rows_to_learn < params.trigger.min_new_rows:
        cause = Cause(CauseKind.FEW_ROWS, evidence.rows_to_learn, params.trigger.min_new_rows)
    refresh = search or cause.kind in DUE
    causes = (*asked, *([cause] if cause.kind in DUE else [])) if search else (cause,)
    least = reweighing_rows(evidence, params)
    if not refresh and not (evidence.drift.broken and is_news) and evidence.unweighed_rows >= least:
        causes = (Cause(CauseKind.NEW_LABELS, evidence.unweighed_rows, least),)
        return TriggerDecision(False, causes, False, asked, waits, reweigh=True)
    without = evidence.drift.broken if refresh and is_news else ()
    return TriggerDecision(refresh, causes, search, asked, waits, without)


def reweighing_rows(evidence: Evidence, params: Params) -> float:
    """Return how many labelled rows make a re-weighting due: a part of what a refresh needs; inf where none is made.

    Under other policies a schedule says when something is released. Where as many rows again make a refresh due, that
    one is near. A window of fewer than MIN_FOLD_ROWS is not judged by itself.
    """
    is_near = evidence.rows_to_learn + evidence.unweighed_rows >= params.trigger.min_new_rows
    if params.trigger.policy != REFRESH or is_near:
        return math.inf
    return max(MIN_FOLD_ROWS, math.ceil(params.trigger.min_new_rows * REWEIGHING_SHARE))


def _holds(evidence: Evidence, history: History, params: Params) -> Iterator[Cause]:
    """What forbids a challenge, whatever asks for one."""
    if params.trigger.policy == STATIC:
        yield Cause(CauseKind.STATIC)
        return
    since, needed = evidence.rows_since_broken, params.statistics.min_rows
    if evidence.drift.is_wholly_broken and since < needed:
        yield Cause(CauseKind.BROKEN_DATA, since, needed)
    age = time_since(history.last, evidence)
    # one that a wrong clock dated later than that puts nothing off
    if age is not None and abs(age / HOUR) < params.trigger.cooldown_hours:
        yield Cause(CauseKind.COOLDOWN, age / HOUR, params.trigger.cooldown_hours)
