"""Look at the champion: drift, realised quality, and whether a challenge is due."""

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.events import emit_event

from flows.alerts import resource_of, tell
from flows.artifacts import key_of, plain
from flows.context import Scenario, begin, step
from flows.pages import publish
from releve.core.formatting import format_score
from releve.core.settings import Settings
from releve.domain.drift import verdict as drift
from releve.domain.drift.verdict import by_effect
from releve.domain.evaluation.intervals import Interval, format_interval
from releve.domain.quality.estimate import Audit
from tasks.monitoring import monitor as monitor_step
from tasks.monitoring.monitor import Observation

SHOWN_COLUMNS = 50  # of a wide table, the most changed first
look = step(monitor_step.monitor, name="monitor")


@flow(name="monitor", flow_run_name="monitor-{scenario}", log_prints=True)
def monitor(scenario: Scenario = "digits") -> Observation:
    """Write the drift report, join the labels, decide; changes nothing."""
    settings = begin(scenario)
    seen = watch(settings, scenario)
    publish(settings, scenario)
    return seen


def watch(settings: Settings, scenario: str) -> Observation:
    """Look once, show what was seen, and tell people and the rest of Prefect what changed."""
    seen: Observation = look(settings, scenario)
    show_observation(seen)
    for reason in seen.decision.reasons:
        print(f"{'retrain' if seen.decision.retrain else 'wait'}: {reason}")
    # Prefect misses this event where no look ends any more, and starts one: prefect.yaml, triggers
    emit_event(event="releve.monitor.looked", resource=resource_of(scenario), payload={"at": seen.at})
    tell(settings, scenario)
    if seen.drift.state == drift.DRIFT:
        emit_event(
            event="releve.drift.detected",
            resource=resource_of(scenario),
            payload={
                "scenario": scenario,
                "model": seen.model,
                "columns": [column.name for column in seen.drift.drifted],
                "retrain": seen.decision.retrain,
            },
        )
    return seen


def show_observation(seen: Observation) -> None:
    """The verdict in words, and the columns it rests on."""
    answer = "retrain" if seen.decision.retrain else "wait"
    reasons = "\n".join(f"- {plain(reason)}" for reason in seen.decision.reasons)
    where = f"\n\nReport: `{seen.html}`" if seen.html else ""
    create_markdown_artifact(
        f"# {seen.scenario}: {seen.drift.state}, {answer}\n\n{reasons}\n\n{_evidence(seen)}\n\n"
        f"Champion `{seen.model}`{where}",
        key=key_of("monitor", seen.scenario),
        description=f"{seen.drift.state}, {answer}",
    )
    if seen.drift.columns:
        ranked = by_effect(seen.drift.columns)[:SHOWN_COLUMNS]
        rows = [
            {
                "column": column.name,
                "test": column.method,
                "effect": round(column.change.effect, 3),
                "p-value": f"{column.change.p_value:.2g}",
                "threshold": f"{column.threshold:.2g}",
                "drifted": "yes" if column.drifted else "",
            }
            for column in ranked
        ]
        create_table_artifact(rows, key=key_of("columns", seen.scenario), description="Most changed columns first")


def _evidence(seen: Observation) -> str:
    """What was weighed, a line each."""
    kept, guess, aged = seen.quality, seen.estimate, seen.age
    lines = [
        ("drift", seen.drift.state, f"{seen.window.rows} answers, {seen.window.labelled} of them labelled"),
        ("quality with labels", kept.state, _figure(kept.metric, kept.score)),
        ("quality without labels", guess.state, _figure(guess.metric, guess.score)),
        ("its audit", _passed(guess.audit), "" if guess.audit is None else format_interval(guess.audit.gap)),
        ("age", aged.state, f"{aged.model_days:.1f} days since a retraining, {aged.idle_days:.1f} since a row"),
    ]
    table = "\n".join(f"| {what} | {state} | {plain(found)} |" for what, state, found in lines)
    return f"| evidence | says | found |\n|---|---|---|\n{table}"


def _figure(metric: str, score: Interval | None) -> str:
    return (
        ""
        if score is None
        else f"{metric} {format_score(score.value)} [{format_score(score.low)}, {format_score(score.high)}]"
    )


def _passed(audit: Audit | None) -> str:
    return "not yet" if audit is None else "passed" if audit.passed else "failed"
