"""What came before a look at the champion: challenges, ingestions, earlier looks, and the rows that are new since."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.registry.registry import Registry
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.registry.chain import CHALLENGED, INGESTED, MONITORED
from releve.domain.trigger.trigger import History
from tasks.history import events_of
from tasks.ingestion.batches import read_batches
from tasks.ingestion.harvest import waiting_rows
from tasks.monitoring.challenge_history import broken_looks, challenges_of, new_batches
from tasks.monitoring.drift import state_before
from tasks.monitoring.evidence import Gathered


@dataclass(frozen=True)
class Past:
    """Since the scenario was last started over; times are ISO 8601, UTC."""

    history: History
    looks: tuple[Mapping[str, Any], ...]  # verdict.json of every look, oldest first
    retrained_at: str  # the last challenge; the champion's release where there is none
    ingested_at: str  # when a row came last, answers aside
    new_rows: int  # labelled rows since the last challenge, ingested or ready to be
    new_batches: int  # that these rows came in
    broken_looks: int  # running, with the one that is taken now, where the data are broken

    @property
    def looked_at(self) -> str | None:
        """The last look."""
        return self.looks[-1]["at"] if self.looks else None

    def drift_before(self, known: Gathered) -> str:
        """What the last look said of drift, where this one can confirm it."""
        return state_before(self.looks, model=known.champion.release.model, first_at=known.window.first_at)


def gather_past(settings: Settings, scenario: str, registry: Registry, known: Gathered) -> Past:
    """Raises what the registry and the scenario's branch raise where they cannot be read."""
    waiting, batch_rows = waiting_rows(settings, scenario), answers_of_a_batch(known.params)
    history = challenges_of(registry, scenario, batch_rows=batch_rows)
    ingested = [event.at for event in events_of(registry, scenario, INGESTED)]
    return Past(
        history,
        tuple(event.payload for event in events_of(registry, scenario, MONITORED)),
        retrained_at=history.last.at if history.last else known.champion.since,
        ingested_at=max([known.champion.since, *ingested[-1:]], key=datetime.fromisoformat),
        new_rows=count_new_rows(settings, scenario, registry, waiting=waiting),
        new_batches=new_batches(registry, scenario, waiting=waiting, batch_rows=batch_rows),
        broken_looks=broken_looks(registry, scenario, last_at=known.window.last_at),
    )


def answers_of_a_batch(params: Params) -> int:
    """Labelled answers that count as one batch: fewer make no challenge, or none that the gate could judge."""
    return max(params.trigger.min_new_rows, params.statistics.min_rows)


def count_new_rows(settings: Settings, scenario: str, registry: Registry, *, waiting: int) -> int:
    """Labelled rows, ingested or `waiting` to be harvested, that no challenger was judged with yet."""
    ingested = sum(batch.rows for batch in read_batches(ScenarioBranch(settings.project, scenario)))
    challenges = events_of(registry, scenario, CHALLENGED)
    judged = int(challenges[-1].payload["rows"]) if challenges else 0
    return max(0, ingested - judged) + waiting
