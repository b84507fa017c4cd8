"""One monitoring run: has the table changed, does the champion perform as expected, is a refresh or a search due?"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from releve.adapters.drift_report import ReportSubject, drift_report
from releve.adapters.files import write_bytes, write_document
from releve.adapters.registry.registry import Registry
from releve.core.params import Monitor
from releve.core.settings import Settings
from releve.domain.drift.data_quality import MAX_MISSING_RISE
from releve.domain.drift.verdict import ALARMS, DriftState, DriftVerdict, Predictions, compare
from releve.domain.schema.schema import Schema
from releve.domain.trigger import rollback, trigger
from releve.domain.trigger.monitoring_run import AnsweredWindow, MonitoringRun
from releve.reporting.messages.monitoring import describe_decision, describe_drift, describe_due
from tasks.monitoring.challenge_history import PastRuns, gather_past
from tasks.monitoring.evidence import (
    Gathered,
    estimate_quality,
    gather,
    judge_delays,
    judge_late_labels,
    judge_money,
    judge_quality,
    judge_staleness,
    predictions,
)
from tasks.monitoring.payoff import measure_payoff
from tasks.places import ScenarioState

if TYPE_CHECKING:
    import pandas as pd

DOCUMENT, PAGE = "monitoring_run.json", "report.html"
PAGE_DAYS = 7  # without an alarm the page for people is made this often
STAMP = "%Y%m%dT%H%M%S.%fZ"  # name of a run's folder


def monitor(settings: Settings, scenario: str, *, actor: str = "monitor") -> MonitoringRun:
    """Compare the newest answers with what the champion learned from, and decide what is due.

    Its folder below `reports` holds the document; report.html and evidently.json where columns could be compared.
    Raises NotFound before the first release, BadInput when the target has changed since it.
    """
    # gather
    registry, at = Registry(settings.registry_url), datetime.now(UTC)
    folder = ScenarioState(settings.home, scenario).reports / at.strftime(STAMP)
    known = gather(settings, scenario, registry)
    past = gather_past(settings, scenario, registry, known)
    payoff, payoff_problem = measure_payoff(known, registry, settings, scenario)

    # decide
    window, model = known.window, known.champion.release.model
    subject = ReportSubject(scenario, model, at.isoformat(), window.first_at, window.last_at)
    drift = _judge_drift(settings, known, past, subject, folder)
    quality, late, estimate = judge_quality(known), judge_late_labels(known), estimate_quality(known)
    evidence = past.evidence(drift, quality, estimate, late, at=at.isoformat())
    run = MonitoringRun(
        scenario=scenario,
        model=model,
        at=evidence.at,
        window=window,
        drift=drift,
        drift_is_news=is_news(drift, window, past.runs),
        quality=quality,
        late=late,
        estimate=estimate,
        staleness=judge_staleness(known, now=at, retrained_at=past.retrained_at, ingested_at=past.ingested_at),
        late_values=judge_delays(known, past.batches),
        rows=past.rows,
        new_rows=past.new_rows,
        corrected_rows=past.corrected_rows,
        money=judge_money(known, settings),
        payoff=payoff,
        payoff_problem=payoff_problem,
        rollback=rollback.decide(
            (*past.payoffs, payoff) if payoff else (), past.earlier_payoffs, min_rows=known.params.statistics.min_rows
        ),
        decision=trigger.decide(evidence, past.history, known.params),
        report=folder.name,
    )

    # apply
    write_document(folder / DOCUMENT, run)
    reason = f"{describe_due(run)}: {'; '.join(describe_decision(run))}"
    registry.append(scenario, run, reason=reason, actor=actor)
    return run


def _judge_drift(
    settings: Settings, known: Gathered, past: PastRuns, subject: ReportSubject, folder: Path
) -> DriftVerdict:
    return compare_and_report(
        known.reference_before,
        known.recent.features,
        known.schema,
        known.params.monitor,
        subject=subject,
        before=state_before(past.runs, first_at=subject.first_at),
        folder=folder,
        max_missing_rise=known.params.batch.max_missing_rise,
        predictions=predictions(known),
        workspace=settings.home / "evidently" if settings.evidently_pages else None,
    )


def drift_page(settings: Settings, run: MonitoringRun) -> Path | None:
    """Return where Evidently's report of a run lies; None where none was made."""
    path = ScenarioState(settings.home, run.scenario).reports / run.report / PAGE
    return path if path.is_file() else None


def compare_and_report(
    reference: "pd.DataFrame",
    current: "pd.DataFrame",
    schema: Schema,
    params: Monitor,
    *,
    subject: ReportSubject,
    before: DriftState,
    folder: Path,
    max_missing_rise: float = MAX_MISSING_RISE,
    predictions: Predictions | None = None,
    workspace: Path | None = None,
) -> DriftVerdict:
    """Compare, and leave evidently.json in `folder`; report.html too at an alarm, or when the newest is old.

    `folder` is named by the time of the run (STAMP) and lies beside those of earlier runs. `before`: see
    `state_before`. Nothing is written where nothing could be compared.
    """
    comparison = compare(
        reference,
        current,
        schema,
        params,
        max_missing_rise=max_missing_rise,
        before=before,
        predictions=predictions,
    )
    if comparison.verdict.columns:
        report = drift_report(
            comparison,
            params,
            subject,
            sentences=describe_drift(comparison.verdict),
            page=comparison.verdict.of_sound_columns in ALARMS or _page_is_due(folder),
            workspace=workspace,
        )
        write_bytes(folder / "evidently.json", report.json.encode())
        if report.html:
            write_bytes(folder / PAGE, report.html.encode())
    return comparison.verdict


def is_news(drift: DriftVerdict, window: AnsweredWindow, runs: Sequence[MonitoringRun]) -> bool:
    """Return whether the run before was over other rows, or came to another verdict. `runs`: the oldest first."""
    if not runs:
        return True
    before = runs[-1]
    rows = [(each.rows, each.last_at) for each in (before.window, window)]
    return rows[0] != rows[1] or before.drift.of_sound_columns != drift.of_sound_columns


def state_before(runs: Iterable[MonitoringRun], *, first_at: str | None) -> DriftState:
    """Return the drift state of the newest earlier run over other rows: two runs over one window are one alarm.

    `runs`: the oldest first, of whatever release. Only those count whose windows ended before `first_at` (ISO 8601,
    UTC), the first row of the present window.
    """
    for run in reversed(list(runs)):
        last_at = run.window.last_at
        if last_at and first_at and last_at < first_at:
            return run.drift.of_sound_columns
    return DriftState.NO_DRIFT


def _page_is_due(folder: Path) -> bool:
    def time_of(name: str) -> datetime | None:
        try:
            return datetime.strptime(name, STAMP)
        except ValueError:
            return None

    newest = max(
        (time for page in folder.parent.glob(f"*/{PAGE}") if (time := time_of(page.parent.name))), default=None
    )
    now = time_of(folder.name)
    return newest is None or now is None or now - newest >= timedelta(days=PAGE_DAYS)
