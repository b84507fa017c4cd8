"""Look at what the champion answered: has the table changed, does it keep its promise, is a challenge due?"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from releve.adapters.drift_report import Workspace
from releve.adapters.files import read_params, read_schema, write_json
from releve.adapters.prediction_ledger import LedgerReader
from releve.adapters.registry import Current, Registry
from releve.adapters.scenario_branch import ScenarioBranch
from releve.errors import BadInput
from releve.rules import quality, realised, trigger
from releve.rules.drift import Verdict
from releve.rules.metrics import metrics_of
from releve.rules.paired import Doubt
from releve.rules.params import Params
from releve.rules.quality import Quality, promise_of
from releve.rules.schema import Schema
from releve.rules.trigger import Evidence, TriggerDecision
from releve.settings import Settings
from tasks.batches import read_batches
from tasks.champion import check_released, read_reference
from tasks.drift import STAMP, look_for_drift, state_before
from tasks.harvest import waiting_rows
from tasks.history import CHALLENGED, MONITORED, events_of
from tasks.places import ScenarioState

VERDICT_FORMAT = 1  # of verdict.json; raise it when a key changes its meaning


@dataclass(frozen=True)
class Observation:
    """What one look found, and where its report lies."""

    scenario: str
    model: str
    at: str  # ISO 8601, UTC
    drift: Verdict
    quality: Quality
    new_rows: int
    decision: TriggerDecision
    folder: Path  # verdict.json always; report.html and evidently.json where columns could be compared

    @property
    def html(self) -> Path | None:
        """The drift report for people."""
        path = self.folder / "report.html"
        return path if path.is_file() else None


def monitor(settings: Settings, scenario: str, *, actor: str = "monitor") -> Observation:
    """Compare the newest answers with what the champion learned from, and decide whether a challenge is due.

    Raises NotFound before the first release, BadInput when the target has changed since it.
    """
    # gather
    params, schema = read_params(settings.project, scenario), read_schema(settings.project, scenario)
    registry, state = Registry(settings.registry_url), ScenarioState(settings.home, scenario)
    champion = check_released(registry.current(scenario), scenario)
    _check_promise(champion, schema)
    reference = read_reference(settings, champion.release.model)
    answers = LedgerReader(state.ledger).answers(since=champion.since, model=champion.release.model)
    new_rows = count_new_rows(settings, scenario, registry)

    # decide
    at = datetime.now(UTC)
    folder = state.reports / at.strftime(STAMP)
    looks = [event.payload for event in events_of(registry, scenario, MONITORED)]
    places = slice(max(0, len(answers) - params.monitor.window_rows), len(answers))
    first_at = min(answers.at[places], default=None)
    verdict = look_for_drift(
        reference,
        answers.features.iloc[places],
        schema,
        params.monitor,
        before=state_before(looks, model=champion.release.model, first_at=first_at),
        folder=folder,
        workspace=Workspace(settings.home / "evidently", scenario),
    )
    kept = _judge_quality(state, champion, schema, params)
    decision = trigger.decide(Evidence(verdict, kept, new_rows), params.trigger)

    # apply
    observation = Observation(
        scenario, champion.release.model, at.isoformat(), verdict, kept, new_rows, decision, folder
    )
    write_json(folder / "verdict.json", as_json(observation))
    kind = "retrain" if decision.retrain else "wait"
    reason = f"{kind}: {'; '.join(decision.reasons)}"
    registry.append(scenario, MONITORED, reason=reason, actor=actor, payload=as_json(observation))
    return observation


def count_new_rows(settings: Settings, scenario: str, registry: Registry) -> int:
    """Labelled rows, ingested or ready to be harvested, that no challenger was judged with yet."""
    ingested = sum(batch.rows for batch in read_batches(ScenarioBranch(settings.project, scenario)))
    challenges = events_of(registry, scenario, CHALLENGED)
    judged = int(challenges[-1].payload["rows"]) if challenges else 0
    return max(0, ingested - judged) + waiting_rows(settings, scenario)


def as_json(observation: Observation) -> dict[str, Any]:
    """The stable form that flows, pages and the registry read."""
    return {
        "format": VERDICT_FORMAT,
        "scenario": observation.scenario,
        "model": observation.model,
        "at": observation.at,
        "drift": asdict(observation.drift),
        "quality": asdict(observation.quality),
        "new_rows": observation.new_rows,
        "decision": asdict(observation.decision),
        "report": observation.folder.name,
    }


def _judge_quality(state: ScenarioState, champion: Current, schema: Schema, params: Params) -> Quality:
    labelled = LedgerReader(state.ledger).labelled(since=champion.since, model=champion.release.model)
    rule, gate = params.trigger, params.gate
    found = realised.as_sheet(labelled, schema.target, rows=params.monitor.window_rows, quantile=gate.quantile)
    return quality.assess(
        found,
        promise=promise_of(champion.release, confidence=rule.confidence),
        tolerance=rule.quality_tolerance,
        min_labels=rule.min_labels,
        doubt=Doubt(rule.confidence, gate.resamples, gate.block_rows, gate.seed),
    )


def _check_promise(champion: Current, schema: Schema) -> None:
    """Raises BadInput when the target's task has changed since the champion made its promise."""
    metric, task = champion.release.metric, schema.target.task
    if metric not in metrics_of(task):
        raise BadInput(
            f"the champion {champion.release.model} promised {metric}, which is no metric of a {task} target: the "
            "scenario's target has changed since. Change it back, or start the scenario from scratch (`make forget`)"
        )
