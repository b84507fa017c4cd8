"""Monitor the champion: drift, quality, and whether a refresh or a search is due."""

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.events import emit_event

from flows.rollback import roll_back_harm
from flows.shared.context import Scenario, artifact_key, begin, resource_of, show, step
from flows.shared.publish import send_alerts, update_page
from flows.shared.scenario_run import scenario_run
from flows.shared.states import completed, ending
from releve.core.settings import Settings
from releve.domain.drift.verdict import DriftState, by_effect
from releve.domain.evaluation.intervals import Interval, format_interval, format_score_interval
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.reporting.messages.monitoring import describe_decision, describe_due
from tasks.monitoring import monitor as monitor_step
from tasks.monitoring.monitor import drift_page

SHOWN_COLUMNS = 50  # of a wide table, the most changed first
run_monitor = step(monitor_step.monitor, name="monitor")


@flow(name="monitor", flow_run_name="monitor {scenario}", log_prints=True)
@scenario_run()
def monitor(scenario: Scenario) -> Any:
    """Compare the newest answers with what the champion learned from, and decide what is due.

    Only a rollback of what is shown to be worse is done at once. Ends with the MonitoringRun.
    """
    settings = begin(scenario)
    seen = monitor_champion(settings, scenario)
    roll_back_harm(settings, scenario, seen)
    update_page(settings, scenario)
    state = completed(f"{seen.model}: {describe_due(seen)}; {describe_decision(seen)[0]}", seen)
    return ending(settings, scenario, (), state)


def monitor_champion(settings: Settings, scenario: str) -> MonitoringRun:
    """Monitor once, show the verdict, and report what changed to people and to Prefect."""
    seen: MonitoringRun = run_monitor(settings, scenario)
    show_monitoring_run(seen, drift_page(settings, seen))
    cause, *evidence = describe_decision(seen)
    print("\n  ".join([f"{describe_due(seen)}: {cause}", *evidence]))
    emit_event(event="releve.monitor.completed", resource=resource_of(scenario), payload={"at": seen.at})
    send_alerts(settings, scenario)
    if seen.drift_is_news and seen.drift.of_sound_columns == DriftState.DRIFT:
        emit_event(
            event="releve.drift.detected",
            resource=resource_of(scenario),
            payload={
                "scenario": scenario,
                "model": seen.model,
                "columns": [column.name for column in seen.drift.drifted],
                "due": describe_due(seen),
            },
        )
    return seen


def show_monitoring_run(seen: MonitoringRun, page: Path | None) -> None:
    """Show the verdict, its reasons and its evidence, and the columns as a table."""
    from releve.reporting.blocks import FactList, TableBlock, TextBlock

    def figure(metric: str, score: Interval | None) -> str:
        return "" if score is None else f"{metric} {format_score_interval(score)}"

    realised, estimate, age, audit = seen.quality, seen.estimate, seen.staleness, seen.estimate.audit
    audited = ("not yet", "") if audit is None else ("passed" if audit.passed else "failed", format_interval(audit.gap))
    evidence = (
        ("drift", seen.drift.state, f"{seen.window.rows} answers, {seen.window.labelled} of them labelled"),
        ("quality with labels", realised.state, figure(realised.metric, realised.score)),
        ("quality without labels", estimate.state, figure(estimate.metric, estimate.score)),
        ("audit of the estimate", *audited),
        ("age", age.state, f"{age.model_days:.1f} days since a retraining, {age.idle_days:.1f} since a new row"),
    )
    verdict = f"{seen.drift.state}, {describe_due(seen)}"
    blocks = (
        TextBlock(describe_decision(seen), points=True),
        TableBlock(("evidence", "state", "figures"), evidence),
        FactList((("champion", seen.model), *([("report", str(page))] if page else []))),
    )
    show("monitor", seen.scenario, f"{seen.scenario}: {verdict}", blocks, description=verdict)
    rows = [
        {
            "column": column.name,
            "test": column.method,
            "effect": round(column.change.effect, 3),
            "p-value": f"{column.change.p_value:.2g}",
            "threshold": f"{column.threshold:.2g}",
            "drifted": "yes" if column.drifted else "",
        }
        for column in by_effect(seen.drift.columns)[:SHOWN_COLUMNS]
    ]
    if rows:
        key = artifact_key("columns", seen.scenario)
        create_table_artifact(rows, key=key, description="Most changed columns first")
