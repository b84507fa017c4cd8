"""Look at what the champion answered: has the table changed, does it perform as expected, is a challenge due?"""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from releve.adapters.drift_report import ReportSubject
from releve.adapters.files import write_json
from releve.adapters.registry.registry import Registry
from releve.core.settings import Settings
from releve.domain.drift.verdict import Verdict
from releve.domain.quality.estimate import Estimate
from releve.domain.quality.realised import Quality
from releve.domain.quality.staleness import Age
from releve.domain.registry.chain import MONITORED
from releve.domain.trigger import trigger
from releve.domain.trigger.cadence import Payoff
from releve.domain.trigger.trigger import Evidence, TriggerDecision
from tasks.monitoring.drift import STAMP, look_for_drift
from tasks.monitoring.evidence import (
    Gathered,
    Window,
    estimate_quality,
    gather,
    judge_age,
    judge_quality,
    judge_recent,
    predictions,
)
from tasks.monitoring.past import Past, gather_past
from tasks.monitoring.payoff import measure_payoff
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
    past = gather_past(settings, scenario, registry, known)
    window = known.window
    subject = ReportSubject(scenario, known.champion.release.model, at.isoformat(), window.first_at, window.last_at)
    payoff, not_asked = measure_payoff(known, registry, settings, scenario)

    # decide
    evidence = Evidence(
        at.isoformat(),
        _drift(known, past, subject, folder, workspace=settings.home / "evidently"),
        judge_quality(known),
        past.new_rows,
        estimate_quality(known),
        judge_age(known, now=at, retrained_at=past.retrained_at, ingested_at=past.ingested_at),
        new_batches=past.new_batches,
        recent=judge_recent(known, since=past.looked_at),
        broken_looks=past.broken_looks,
        payoff=payoff,
    )
    decision = trigger.decide(evidence, past.history, known.params.trigger)
    if not_asked:
        decision = replace(decision, reasons=(*decision.reasons, not_asked))
    seen = _observation(scenario, known, evidence, decision, folder)

    # apply
    write_json(folder / "verdict.json", as_json(seen))
    kind = "retrain" if decision.retrain else "wait"
    reason = f"{kind}: {'; '.join(decision.reasons)}"
    registry.append(scenario, MONITORED, reason=reason, actor=actor, payload=as_json(seen))
    return seen


def _drift(known: Gathered, past: Past, subject: ReportSubject, folder: Path, *, workspace: Path) -> Verdict:
    """The verdict; its report is written into `folder`."""
    return look_for_drift(
        known.reference,
        known.answers.features.tail(known.params.monitor.window_rows),
        known.schema,
        known.params.monitor,
        subject=subject,
        max_missing_rise=known.params.batch.max_missing_rise,
        before=past.drift_before(known),
        folder=folder,
        predictions=predictions(known),
        workspace=workspace,
    )


def _observation(
    scenario: str, known: Gathered, evidence: Evidence, decision: TriggerDecision, folder: Path
) -> Observation:
    assert evidence.estimate is not None and evidence.age is not None, "a look asks for both"
    return Observation(
        scenario=scenario,
        model=known.champion.release.model,
        at=evidence.at,
        window=known.window,
        drift=evidence.drift,
        quality=evidence.quality,
        estimate=evidence.estimate,
        age=evidence.age,
        new_rows=evidence.new_rows,
        payoff=evidence.payoff,
        decision=decision,
        folder=folder,
    )


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
