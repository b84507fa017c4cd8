"""Look at what the champion answered: has the table changed, does it keep its promise, is a challenge due?"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from releve.adapters.drift_report import drift_report
from releve.adapters.files import read_params, read_schema, write_bytes, write_json
from releve.adapters.prediction_ledger import LedgerReader
from releve.adapters.registry import Current, Registry
from releve.adapters.scenario_branch import ScenarioBranch
from releve.errors import BadInput
from releve.rules import age, drift, estimates, quality, realised, trigger
from releve.rules.age import Age
from releve.rules.drift import Verdict
from releve.rules.estimates import Estimate
from releve.rules.ledger import Answers, Labelled, join_labels
from releve.rules.metrics import metrics_of
from releve.rules.paired import Doubt
from releve.rules.params import Monitor, Params
from releve.rules.quality import Promise, Quality, promise_of
from releve.rules.realised import Answered
from releve.rules.schema import Schema
from releve.rules.trigger import Evidence, TriggerDecision
from releve.settings import Settings
from tasks.batches import read_batches
from tasks.champion import check_released, read_holdout, read_reference
from tasks.harvest import waiting_rows
from tasks.history import CHALLENGED, INGESTED, MONITORED, challenges_of, events_of
from tasks.places import ScenarioState

if TYPE_CHECKING:
    import pandas as pd

VERDICT_FORMAT = 2  # of verdict.json; raise it when a key changes its meaning. 1 had no window, estimate, age, causes


@dataclass(frozen=True)
class Window:
    """The newest answers, which drift and estimate look at."""

    rows: int
    first_at: str | None  # ISO 8601, UTC; None where there is no answer
    last_at: str | None
    labelled: int  # of the rows


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
    decision: TriggerDecision
    folder: Path  # verdict.json always; report.html and evidently.json where columns could be compared

    @property
    def html(self) -> Path | None:
        """The drift report for people."""
        path = self.folder / "report.html"
        return path if path.is_file() else None


@dataclass(frozen=True, eq=False)
class Gathered:
    """What the ledger and the store know of the champion; one reading of the ledger."""

    params: Params
    schema: Schema
    champion: Current
    answers: Answers
    labelled: Labelled
    reference: "pd.DataFrame"
    holdout: Answered | None

    @property
    def newest(self) -> range:
        """Positions of the newest answers: batches are pooled until a verdict has enough of them."""
        return range(max(0, len(self.answers) - self.params.monitor.window_rows), len(self.answers))

    @property
    def window(self) -> Window:
        at, known = [self.answers.at[row] for row in self.newest], set(self.labelled.answers.ids)
        there = sum(self.answers.ids[row] in known for row in self.newest)
        return Window(len(at), at[0] if at else None, at[-1] if at else None, there)

    @property
    def promise(self) -> Promise:
        return promise_of(self.champion.release, confidence=self.params.trigger.confidence)

    @property
    def doubt(self) -> Doubt:
        gate = self.params.gate
        return Doubt(self.params.trigger.confidence, gate.resamples, gate.block_rows, gate.seed)


def monitor(settings: Settings, scenario: str, *, actor: str = "monitor") -> Observation:
    """Compare the newest answers with what the champion learned from, and decide whether a challenge is due.

    Raises NotFound before the first release, BadInput when the target has changed since it.
    """
    # gather
    registry, at = Registry(settings.registry_url), datetime.now(UTC)
    folder = ScenarioState(settings.home, scenario).reports / at.strftime("%Y%m%dT%H%M%S.%fZ")
    known = gather(settings, scenario, registry)
    new_rows, history = count_new_rows(settings, scenario, registry), challenges_of(registry, scenario)
    ingested = events_of(registry, scenario, INGESTED)

    # decide
    current = drift.as_compared(known.answers.features.iloc[known.newest], known.schema)
    verdict = _judge_drift(known.reference, current, known.schema, known.params.monitor, folder)
    kept, guess = judge_quality(known), estimate_quality(known)
    retrained_at = history.challenges[-1].at if history.challenges else known.champion.since
    newest_at = max([known.champion.since, *(each.at for each in ingested[-1:])], key=datetime.fromisoformat)
    aged = judge_age(known, now=at, retrained_at=retrained_at, ingested_at=newest_at)
    evidence = Evidence(at.isoformat(), verdict, kept, new_rows, guess, aged)
    decision = trigger.decide(evidence, history, known.params.trigger)

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
        decision=decision,
        folder=folder,
    )
    write_json(folder / "verdict.json", as_json(observation))
    kind = "retrain" if decision.retrain else "wait"
    reason = f"{kind}: {'; '.join(decision.reasons)}"
    registry.append(scenario, MONITORED, reason=reason, actor=actor, payload=as_json(observation))
    return observation


def gather(settings: Settings, scenario: str, registry: Registry) -> Gathered:
    """Raises NotFound before the first release, BadInput when the target has changed since it."""
    params, schema = read_params(settings.project, scenario), read_schema(settings.project, scenario)
    champion = check_released(registry.current(scenario), scenario)
    _check_promise(champion, schema)
    model, ledger = champion.release.model, LedgerReader(ScenarioState(settings.home, scenario).ledger)
    answers = ledger.answers(since=champion.since, model=model)
    return Gathered(
        params,
        schema,
        champion,
        answers,
        join_labels(answers, ledger.labels()),
        read_reference(settings, model),
        read_holdout(settings, model, schema, quantile=params.gate.quantile),
    )


def judge_quality(known: Gathered) -> Quality:
    """The newest labelled answers against the promise."""
    found = realised.as_sheet(known.labelled, known.schema.target, **_newest(known))
    rule = known.params.trigger
    return quality.assess(
        found,
        promise=known.promise,
        tolerance=rule.quality_tolerance,
        min_labels=rule.min_labels,
        doubt=known.doubt,
        answered=len(known.answers),
    )


def estimate_quality(known: Gathered) -> Estimate:
    """The newest answers, whatever their labels, against the promise."""
    target = known.schema.target
    return estimates.estimate(
        known.holdout,
        realised.as_answered(known.answers, target, **_newest(known)),
        realised.as_labelled(known.labelled, target, **_newest(known)),
        schema=known.schema,
        promise=known.promise,
        tolerance=known.params.trigger.quality_tolerance,
        params=known.params.estimate,
        doubt=known.doubt,
    )


def judge_age(known: Gathered, *, now: datetime, retrained_at: str, ingested_at: str) -> Age:
    """What time alone says. `ingested_at`: when a row came last, answers aside."""
    answers, labelled = known.answers, known.labelled
    there = set(labelled.answers.ids)
    waiting = [at for name, at in zip(answers.ids, answers.at, strict=True) if name not in there]
    labels = age.labelling(waiting, list(zip(labelled.answers.at, labelled.labelled_at, strict=True)), now=now)
    newest = max([ingested_at, *answers.at[-1:]], key=datetime.fromisoformat)
    limits = known.params.age
    return age.assess(now=now, retrained_at=retrained_at, newest_row_at=newest, labels=labels, limits=limits)


def _newest(known: Gathered) -> dict[str, Any]:
    return {"rows": known.params.monitor.window_rows, "quantile": known.params.gate.quantile}


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
        "window": asdict(observation.window),
        "drift": asdict(observation.drift),
        "quality": asdict(observation.quality),
        "estimate": asdict(observation.estimate),
        "age": asdict(observation.age),
        "new_rows": observation.new_rows,
        "decision": asdict(observation.decision),
        "report": observation.folder.name,
    }


def _judge_drift(
    reference: "pd.DataFrame", current: "pd.DataFrame", schema: Schema, params: Monitor, folder: Path
) -> Verdict:
    reference = drift.as_compared(reference, schema)
    cannot = drift.check_data(reference, current, schema, params)
    if cannot:
        return cannot
    report = drift_report(reference, current, drift.comparable(reference, current, schema), params)
    write_bytes(folder / "report.html", report.html.encode())
    write_bytes(folder / "evidently.json", report.json.encode())
    sizes = {"rows": len(current), "reference_rows": len(reference)}
    return drift.judge(report.columns, **sizes, params=params, dates=schema.dates)


def _check_promise(champion: Current, schema: Schema) -> None:
    """Raises BadInput when the target's task has changed since the champion made its promise."""
    metric, task = champion.release.metric, schema.target.task
    if metric not in metrics_of(task):
        raise BadInput(
            f"the champion {champion.release.model} promised {metric}, which is no metric of a {task} target: the "
            "scenario's target has changed since. Change it back, or start the scenario from scratch (`make forget`)"
        )
