"""What people see of a run in the Prefect UI: verdicts, tables and decisions, as words."""

from dataclasses import asdict
from pathlib import Path

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from releve.domain.drift.drift import by_effect
from releve.domain.evaluation.evaluation import headline, score_of
from releve.domain.evaluation.scores import Interval, told, told_interval
from releve.domain.gate import verdicts
from releve.domain.quality.estimates import Audit
from releve.domain.registry.release import Release
from releve.reporting.card.card import Card
from releve.reporting.card.markdown import markdown
from tasks.ingestion.ingest import Ingestion
from tasks.monitoring.monitor import Observation
from tasks.release.release import Released
from tasks.release.retrain import Challenger

SHOWN_COLUMNS = 50  # of a wide table, the most changed first


def show_ingestion(scenario: str, found: Ingestion) -> None:
    """A line per file: what became of it."""
    lines = [f"| {b.source} | batch {b.batch} | {b.rows} | {b.rejected} | {_plain(b.read_as)} |" for b in found.batches]
    lines += [f"| {d.source} | already there | | | |" for d in found.duplicates]
    lines += [f"| {r.source} | **refused** | | | |" for r in found.refusals]
    table = "\n".join(["| file | became | rows | in quarantine | read as |", "|---|---|---|---|---|", *lines])
    told = [f"{b.source}: {_plain(warning)}" for b in found.batches for warning in b.warnings.splitlines()]
    told += [_plain(refusal.reason) for refusal in found.refusals]
    told += [f"Refused files lie in `{found.refused}`, each beside its reason"] if found.refusals else []
    create_markdown_artifact(
        f"# {scenario}: {len(found.batches)} new batches\n\n{table}\n" + "".join(f"\n- {line}" for line in told),
        key=_key("ingest", scenario),
    )


def show_observation(seen: Observation) -> None:
    """The verdict in words, and the columns it rests on."""
    answer = "retrain" if seen.decision.retrain else "wait"
    reasons = "\n".join(f"- {_plain(reason)}" for reason in seen.decision.reasons)
    where = f"\n\nReport: `{seen.html}`" if seen.html else ""
    create_markdown_artifact(
        f"# {seen.scenario}: {seen.drift.state}, {answer}\n\n{reasons}\n\n{_evidence(seen)}\n\n"
        f"Champion `{seen.model}`{where}",
        key=_key("monitor", seen.scenario),
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
        create_table_artifact(rows, key=_key("columns", seen.scenario), description="Most changed columns first")


def _evidence(seen: Observation) -> str:
    """What was weighed, a line each."""
    kept, guess, aged = seen.quality, seen.estimate, seen.age
    lines = [
        ("drift", seen.drift.state, f"{seen.window.rows} answers, {seen.window.labelled} of them labelled"),
        ("quality with labels", kept.state, _figure(kept.metric, kept.score)),
        ("quality without labels", guess.state, _figure(guess.metric, guess.score)),
        ("its audit", _passed(guess.audit), "" if guess.audit is None else told_interval(guess.audit.gap)),
        ("age", aged.state, f"{aged.model_days:.1f} days since a retraining, {aged.idle_days:.1f} since a row"),
    ]
    table = "\n".join(f"| {what} | {state} | {_plain(found)} |" for what, state, found in lines)
    return f"| evidence | says | found |\n|---|---|---|\n{table}"


def _figure(metric: str, score: Interval | None) -> str:
    return "" if score is None else f"{metric} {told(score.value)} [{told(score.low)}, {told(score.high)}]"


def _passed(audit: Audit | None) -> str:
    return "not yet" if audit is None else "passed" if audit.passed else "failed"


def show_challenge(scenario: str, challenger: Challenger) -> None:
    """What the gate decided, with its figures."""
    verdict = verdicts.verdict(asdict(challenger))
    known = headline(challenger.evaluation)
    lines = [f"| **challenger** `{challenger.model}` | {told(known.score.value)} | |"]
    for name, other in challenger.evaluation["against"].items():
        gain = other["gain"]
        lines.append(f"| {name} | {told(score_of(other))} | {told_interval(Interval(**gain))} |")
    table = "\n".join([f"| model | {known.metric} | gain over it |", "|---|---|---|", *lines])
    reasons = "\n".join(f"- {_plain(reason)}" for reason in challenger.reasons)
    create_markdown_artifact(
        f"# {scenario}: {verdict}\n\n{challenger.evaluation['holdout_rows']} rows of holdout\n\n{table}\n\n{reasons}",
        key=_key("gate", scenario),
        description=verdict,
    )


def show_card(scenario: str, model: str, card: Card, html: Path) -> None:
    """The model card, and where its page lies."""
    create_markdown_artifact(
        f"{markdown(card)}\n\nAs a page, with pictures: `{html}`",
        key=_key("card", scenario),
        description=f"{model}: {card.missing} things missing",
    )


def show_page(scenario: str, html: Path) -> None:
    """Where the scenario's page lies."""
    create_markdown_artifact(
        f"# {scenario}: the page\n\nQuality, drift, decisions and costs in one file: `{html}`",
        key=_key("page", scenario),
        description=html.name,
    )


def show_release(scenario: str, done: Released) -> None:
    """What serves now."""
    create_markdown_artifact(
        f"# {scenario}: {done.release.model} serves\n\n{_release_table(done.release)}\n\n{_checks(done)}",
        key=_key("release", scenario),
        description=done.release.model,
    )


def _release_table(release: Release) -> str:
    rows = "\n".join(f"| {name.replace('_', ' ')} | `{value}` |" for name, value in release.as_dict().items())
    return f"| | |\n|---|---|\n{rows}"


def _checks(done: Released) -> str:
    index = f"index: {done.index.rows} rows, recall@10 {done.index.recall:.3f}. " if done.index else ""
    bento = f"Bento: `{done.bento}`. " if done.bento else ""
    swapped = (
        "The running service answers with it." if done.swapped else "No service of this scenario was running here."
    )
    return index + bento + swapped + (f" {_plain(done.note)}" if done.note else "")


def _plain(text: str) -> str:
    """User text inside Markdown: no markup of its own."""
    return text.replace("<", "&lt;").replace("|", "\\|").replace("\n", " ")


def _key(kind: str, scenario: str) -> str:
    return f"{kind}-{scenario.replace('_', '-').strip('-')}"
