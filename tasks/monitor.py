"""Look at what the champion answered: has the table changed, does it keep its promise, is a challenge due?"""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from releve.adapters.drift_report import Workspace
from releve.adapters.files import write_json
from releve.adapters.registry import Registry
from releve.adapters.scenario_branch import ScenarioBranch
from releve.rules import trigger
from releve.rules.age import Age
from releve.rules.cadence import Payoff
from releve.rules.drift import Verdict
from releve.rules.estimates import Estimate
from releve.rules.params import Params
from releve.rules.quality import Quality
from releve.rules.trigger import Evidence, TriggerDecision
from releve.settings import Settings
from tasks.batches import read_batches
from tasks.drift import STAMP, look_for_drift, state_before
from tasks.evidence import Window, estimate_quality, gather, judge_age, judge_quality, judge_recent, predictions
from tasks.harvest import waiting_rows
from tasks.history import CHALLENGED, INGESTED, MONITORED, broken_looks, challenges_of, events_of, new_batches
from tasks.payoff import measure_payoff
from tasks.places import ScenarioState

VERDICT_FORMAT = 2  # of verdict.json; raise it when a key changes its meaning. 1 had no window, estimate, age, causes


@dataclass(frozen=True)
class Observation:
    """What one look found, and where its report lies."""

    scenario: str
    model: str
    at: str  # ISO 8601, UTC
    window: Window
    drift: Verdict
    quality: Quality
    estimate: Estimate
    age: Age
    new_rows: int
    payoff: Payoff | None  # what the last promotion brought; None where nobody asks, or knows
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
    registry, at = Registry(settings.registry_url), datetime.now(UTC)
    folder = ScenarioState(settings.home, scenario).reports / at.strftime(STAMP)
    known = gather(settings, scenario, registry)
    waiting, batch_rows = waiting_rows(settings, scenario), answers_of_a_batch(known.params)
    new_rows = count_new_rows(settings, scenario, registry, waiting=waiting)
    history = challenges_of(registry, scenario, batch_rows=batch_rows)
    ingested = events_of(registry, scenario, INGESTED)
    looks = [event.payload for event in events_of(registry, scenario, MONITORED)]

    # decide
    verdict = look_for_drift(
        known.reference,
        known.answers.features.tail(known.params.monitor.window_rows),
        known.schema,
        known.params.monitor,
        before=state_before(looks, model=known.champion.release.model, first_at=known.window.first_at),
        folder=folder,
        predictions=predictions(known),
        workspace=Workspace(settings.home / "evidently", scenario),
    )
    kept, guess = judge_quality(known), estimate_quality(known)
    retrained_at = history.challenges[-1].at if history.challenges else known.champion.since
    newest_at = max([known.champion.since, *(each.at for each in ingested[-1:])], key=datetime.fromisoformat)
    aged = judge_age(known, now=at, retrained_at=retrained_at, ingested_at=newest_at)
    payoff, not_asked = measure_payoff(known, registry, settings, scenario)
    evidence = Evidence(
        at.isoformat(),
        verdict,
        kept,
        new_rows,
        guess,
        aged,
        new_batches=new_batches(registry, scenario, waiting=waiting, batch_rows=batch_rows),
        recent=judge_recent(known, since=looks[-1]["at"] if looks else None),
        broken_looks=broken_looks(registry, scenario, last_at=known.window.last_at),
        payoff=payoff,
    )
    decision = trigger.decide(evidence, history, known.params.trigger)
    if not_asked:
        decision = replace(decision, reasons=(*decision.reasons, not_asked))

    # apply
    observation = Observation(
        scenario=scenario,
        model=known.champion.release.model,
        at=evidence.at,
        window=known.window,
        drift=verdict,
        quality=kept,
        estimate=guess,
        age=aged,
        new_rows=new_rows,
        payoff=payoff,
        decision=decision,
        folder=folder,
    )
    write_json(folder / "verdict.json", as_json(observation))
    kind = "retrain" if decision.retrain else "wait"
    reason = f"{kind}: {'; '.join(decision.reasons)}"
    registry.append(scenario, MONITORED, reason=reason, actor=actor, payload=as_json(observation))
    return observation


def answers_of_a_batch(params: Params) -> int:
    """Labelled answers that count as one batch: fewer make no challenge, or none that the gate could judge."""
    return max(params.trigger.min_new_rows, params.gate.min_rows)


def count_new_rows(settings: Settings, scenario: str, registry: Registry, *, waiting: int) -> int:
    """Labelled rows, ingested or `waiting` to be harvested, that no challenger was judged with yet."""
    ingested = sum(batch.rows for batch in read_batches(ScenarioBranch(settings.project, scenario)))
    challenges = events_of(registry, scenario, CHALLENGED)
    judged = int(challenges[-1].payload["rows"]) if challenges else 0
    return max(0, ingested - judged) + waiting


def as_json(observation: Observation) -> dict[str, Any]:
    """The stable form that flows, pages and the registry read."""
    return {
        "format": VERDICT_FORMAT,
        "scenario": observation.scenario,
        "model": observation.model,
        "at": observation.at,
        "window": asdict(observation.window),
        "drift": asdict(observation.drift),
        "quality": asdict(observation.quality),
        "estimate": asdict(observation.estimate),
        "age": asdict(observation.age),
        "new_rows": observation.new_rows,
        "payoff": asdict(observation.payoff) if observation.payoff else None,
        "decision": asdict(observation.decision),
        "report": observation.folder.name,
    }
