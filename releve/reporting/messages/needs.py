"""What needs a person, in words: a sentence, what to do, and the command."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from releve.core.formatting import counted, plural, shortened, span, utc_minute
from releve.core.names import ModelTag
from releve.domain.attention.needs import LABEL_LIMITS, Need, NeedKind
from releve.domain.health.health import HealthCause
from releve.domain.quality.staleness import UNLABELLED, days_between
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.reporting.messages.approval import people
from releve.reporting.messages.money import describe_realised
from releve.reporting.messages.monitoring import describe_drift, describe_late, describe_payoff, describe_quality

LONGEST = 300  # characters of an error


@dataclass(frozen=True)
class NeedText:
    """A sentence without the scenario's name, and one line of advice with its command ("" where there is none)."""

    sentence: str
    advice: str
    command: str = ""


def describe_need(need: Need) -> NeedText:
    """Write what needs a person, and what to do."""
    text = TEXTS[need.kind](need)
    return NeedText(text.sentence, text.advice, text.command.format(scenario=need.scenario))


def ago(since: str, made_at: str) -> str:
    """Write the time from one moment to another, such as "3 days"; "" for no moment."""
    return span(max(0.0, days_between(since, datetime.fromisoformat(made_at))), digits=0) if since else ""


def _nothing_serves(need: Need) -> NeedText:
    if need.cause == HealthCause.NOTHING_RELEASED and need.about:
        return NeedText(
            f"{_version(need)} was accepted and not released, and nothing serves",
            "Release it.",
            "make release SCENARIO={scenario}",
        )
    return {
        HealthCause.NOTHING_INGESTED: NeedText(
            "no row was ingested yet, so nothing serves",
            f"Put a file of labelled rows into var/incoming/{need.scenario}/, unless one waits there, then retrain.",
            "make retrain SCENARIO={scenario}",
        ),
        HealthCause.NOTHING_RELEASED: NeedText(
            "no challenger was judged yet, so nothing serves", "Train one.", "make retrain SCENARIO={scenario}"
        ),
        HealthCause.REFUSED: NeedText(
            f"the gate refused {_version(need)}, and nothing serves",
            "Read why on the scenario's page, bring newer labelled rows, then retrain.",
            "make retrain SCENARIO={scenario}",
        ),
        HealthCause.WITHDRAWN: NeedText(
            "the champion was withdrawn, and nothing serves", "Retrain.", "make retrain SCENARIO={scenario}"
        ),
    }[need.cause or HealthCause.NOTHING_RELEASED]


def _harmful(need: Need) -> NeedText:
    found = f": {describe_payoff(need.run)}" if need.run and need.run.payoff else ""
    return NeedText(
        f"{_version(need)} answers worse than the release before it, and still serves{found}",
        "Go back to the release before.",
        "make rollback SCENARIO={scenario}",
    )


def _degraded(need: Need) -> NeedText:
    refreshed = f"; {need.count} models in a row" if need.count > 1 else ""
    return NeedText(
        f"{_version(need)} is worse than expected{refreshed}: {_quality(need.run)}",
        "Look at the scenario's page; then retrain with a search for other recipes, or go back to the release before, "
        "where there is one (make rollback).",
        "make retrain SCENARIO={scenario} SEARCH=1",
    )


def _dear(need: Need) -> NeedText:
    found = f": {describe_realised(need.run.money)}" if need.run and need.run.money else ""
    return NeedText(
        f"decisions of {_version(need)} cost more than was promised{found}",
        "Look at 'Decisions in money' on the scenario's page; a retraining learns the thresholds anew.",
        "make retrain SCENARIO={scenario}",
    )


def _quality(run: MonitoringRun | None) -> str:
    if run is None:
        return "labels show it"
    return describe_late(run.telling_late) if run.telling_late else describe_quality(run.quality)


def _broken_data(need: Need) -> NeedText:
    found = describe_drift(need.run.drift)[:1] if need.run else ()
    return NeedText(
        f"the newest rows look broken{': ' if found else ''}{'; '.join(found)}",
        "Mend what delivers them; the monitoring report names the columns.",
        "make monitor SCENARIO={scenario}",
    )


def _refused_files(need: Need) -> NeedText:
    files = counted(need.count, "file")
    newest = f"{shortened(need.about)}" if need.count == 1 else f"the newest {shortened(need.about)}"
    return NeedText(
        f"{files} {plural(need.count, 'was', 'were')} refused, {newest}",
        f"Read the note beside {plural(need.count, 'it', 'each')}, correct the file, and move it back or delete it.",
        "ls var/refused/{scenario}",
    )


def _labels_overdue(need: Need) -> NeedText:
    age = need.run.staleness if need.run else None
    passed = {each.key: each for each in age.exceeded} if age else {}
    if unlabelled := passed.get(UNLABELLED):
        share = f"{unlabelled.value:.0%} of the answers older than {age.max_label_days if age else 0:g} days"
        sentence = f"labels do not come: {share} have none"
    elif late := passed.get(LABEL_LIMITS[0]):
        sentence = f"labels come late: half of them after {late.value:.0f} days, {late.limit:g} are allowed"
    else:
        sentence = "labels are late"
    return NeedText(
        sentence,
        "Send the true values (docs/serve.md), or allow more time in params.yaml: age.max_label_days.",
        "make page SCENARIO={scenario}",
    )


def _no_rows(need: Need) -> NeedText:
    days = f"for {need.run.staleness.idle_days:.0f} days" if need.run else "for long"
    return NeedText(
        f"no row was answered or ingested {days}",
        "Find out why nothing comes; archive the scenario if it is over.",
        "ls var/incoming/{scenario}",
    )


TEXTS: Mapping[NeedKind, Callable[[Need], NeedText]] = {
    NeedKind.UNREADABLE: lambda need: NeedText(
        f"cannot be read: {shortened(need.about, most=LONGEST)}", "Correct what it names."
    ),
    NeedKind.NOTHING_SERVES: _nothing_serves,
    NeedKind.HARMFUL: _harmful,
    NeedKind.DEGRADED: _degraded,
    NeedKind.DEAR: _dear,
    NeedKind.BROKEN_DATA: _broken_data,
    NeedKind.TAKEN_BACK: lambda need: NeedText(
        f"{_version(need)} was rolled back by itself: labels showed that it answered worse than the release before it",
        "Correct the labels that it learned, by sending them again, or bring newer rows; then retrain.",
        "make retrain SCENARIO={scenario}",
    ),
    NeedKind.WAITING_APPROVAL: lambda need: NeedText(
        f"{_version(need)} waits for {people(need.count)} to approve its release",
        "See what it brings, then approve or refuse it, by command or in Prefect's form.",
        "releve approve {scenario}",
    ),
    NeedKind.REFUSED_FILES: _refused_files,
    NeedKind.UNRELEASED: lambda need: NeedText(
        f"{_version(need)} was accepted by the gate, and not released",
        "Release it; nothing has to be done where that is on purpose.",
        "make release SCENARIO={scenario}",
    ),
    NeedKind.SILENT: lambda need: NeedText(
        f"not monitored since {utc_minute(need.since)}; {need.limit_hours:g} hours are allowed",
        "See whether the worker runs (make status), then monitor.",
        "make monitor SCENARIO={scenario}",
    ),
    NeedKind.NO_ROWS: _no_rows,
    NeedKind.LABELS_OVERDUE: _labels_overdue,
    NeedKind.INDEX_BEHIND: lambda need: NeedText(
        f"searches do not find {counted(need.count, 'batch').replace('batchs', 'batches')}, the newest {need.about}",
        "See whether Milvus answers (make status); the next ingestion tries again.",
        "make ingest SCENARIO={scenario}",
    ),
    NeedKind.LEDGER_BEHIND: lambda need: NeedText(
        f"the ledger was not compacted since {need.about[:4]}-{need.about[4:6]}-{need.about[6:]}",
        "Tidy up; it says what stands in the way.",
        "make tidy SCENARIO={scenario}",
    ),
}


def _version(need: Need) -> str:
    return ModelTag.parse(need.about).version or need.about
