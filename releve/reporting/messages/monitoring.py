"""Sentences for people, written from the values of a monitoring run. Nothing reads them back."""

from releve.adapters.prediction_ledger.compaction import TidiedLedger
from releve.core.formatting import counted, format_score, listed, span
from releve.domain.drift.data_quality import DataIssue, DataIssueKind
from releve.domain.drift.verdict import ALARMS, ColumnDrift, DriftState, DriftVerdict
from releve.domain.evaluation.intervals import format_interval, format_score_interval
from releve.domain.evaluation.metrics import METRICS
from releve.domain.features.lateness import LateValues
from releve.domain.quality.estimate import Estimate, NoEstimate
from releve.domain.quality.late import LateQuality
from releve.domain.quality.realised import Coverage, Quality, QualityState
from releve.domain.quality.staleness import UNLABELLED, Staleness
from releve.domain.registry.events import ShownHarm
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.domain.trigger.policies import Cause, CauseKind
from releve.reporting.messages.money import describe_realised

MINUTE = 1 / (24 * 60)  # days; labels that come faster come with the answers, and their delay says nothing
NAMED = 5  # columns that a sentence names
REPAIR = "repair the source; where the change is real, it is learned from once a window of labelled rows has come in"

CAUSES = {
    CauseKind.NEW_ROWS: "{value:,.0f} new labelled rows, and the policy is to learn from each batch",
    CauseKind.SCHEDULE: "{value:,.0f} batches since the last challenge; a refresh is due after {limit:,.0f} "
    "(params.yaml: trigger.every_batches)",
    CauseKind.NEW_LABELS: "{value:,.0f} labelled rows since members were weighed: too few for a refresh, enough to "
    "weigh the same members anew, from {limit:,.0f} on",
    CauseKind.DRIFT: "the table drifted",
    CauseKind.DEGRADED: "the champion is worse than expected",
    CauseKind.LATE_DEGRADED: "labels that came late show answers of a release before to be worse than expected",
    CauseKind.ESTIMATED_DEGRADED: "labels are late, and the champion is estimated to be worse than expected",
    CauseKind.CONCEPT_DRIFT: "labels contradict the estimate of the quality: what is to be learned has changed",
    CauseKind.SEARCH_AGE: "the last search, or the first model, was made {span} ago, and {limit:g} days are allowed "
    "(params.yaml: age.max_model_days)",
    CauseKind.STATIC: "the policy is to keep the model as it is (params.yaml: trigger.policy)",
    CauseKind.BROKEN_DATA: "most columns look broken, and a model must not learn that; {value:,.0f} labelled rows came "
    "since, and after {limit:,.0f} they are the new normal, which the gate judges (params.yaml: statistics.min_rows)",
    CauseKind.COOLDOWN: "the last challenge was {value:.1f} hours ago, and {limit:g} have to pass "
    "(params.yaml: trigger.cooldown_hours)",
    CauseKind.FEW_ROWS: "{value:,.0f} new labelled rows; {limit:,.0f} are needed (params.yaml: trigger.min_new_rows)",
    CauseKind.NOT_DUE: "{value:,.0f} batches since the last challenge; a refresh is due after {limit:,.0f} "
    "(params.yaml: trigger.every_batches)",
    CauseKind.FEW_ROWS_TO_SEARCH: "{value:,.0f} new labelled rows; a search needs {limit:,.0f} "
    "(params.yaml: statistics.min_rows)",
    CauseKind.SEARCHED_LATELY: "the last search was {span} ago, and {limit:g} days have to pass "
    "(params.yaml: search.min_days)",
    CauseKind.SEARCH_GAINED_NOTHING: "the last search was {span} ago and gained nothing, and {limit:g} days have to "
    "pass: each such search in a row doubles the wait, to eight times search.min_days (params.yaml) at most",
}

DATA_ISSUES = {
    DataIssueKind.FEW_ANSWERS: "{value:.0f} answered rows; a drift verdict needs {limit:.0f}",
    DataIssueKind.FEW_REFERENCE_ROWS: "{value:.0f} rows of reference; a drift verdict needs {limit:.0f}",
    DataIssueKind.FEW_CELLS: "no column has {limit:.0f} present cells on both sides",
    DataIssueKind.COLUMN_MISSING: "{columns}: the column is missing",
    DataIssueKind.COLUMN_REPEATED: "{columns}: the column is there {value:.0f} times",
    DataIssueKind.CELLS_MISSING: "{columns}: {value:.0%} of the cells are missing; {limit:.0%} were before "
    "(params.yaml: batch.max_missing_rise)",
    DataIssueKind.CELLS_UNREADABLE: "{columns}: {value:.0%} of the cells are missing or cannot be read as a {type}, "
    "such as {example}; {limit:.0%} were before (params.yaml: batch.max_missing_rise)",
    DataIssueKind.NEW_CATEGORIES: "{columns}: {value:.0%} of the cells hold categories that the reference never had, "
    "such as '{example}'",
    DataIssueKind.LARGER_UNIT: "{columns}: median and spread are {value:g} times what they were; the unit seems to "
    "have changed",
    DataIssueKind.SMALLER_UNIT: "{columns}: median and spread are 1/{value:g} of what they were; the unit seems to "
    "have changed",
    DataIssueKind.OUTSIDE: "{columns}: {value:.0%} of the values lie outside the {low:.4g} to {high:.4g} of the "
    "reference",
    DataIssueKind.FAR_OUTSIDE: "{columns}: {value:.0%} of the values lie far outside the {low:.4g} to {high:.4g} of "
    "the reference",
    DataIssueKind.CONSTANT: "{columns}: every cell is {example} now, and no window of the reference was like that; "
    "the source seems stuck",
    DataIssueKind.DATES: "not compared, as time always moves: {columns}",
    DataIssueKind.FEW_PRESENT: "not compared, as fewer than {limit:.0f} cells are present on one side: {columns}",
    DataIssueKind.UNIQUE_VALUES: "not compared, as nearly every row has a value of its own: {columns}",
    DataIssueKind.NOT_IN_SCHEMA: "not compared, as the scenario does not describe it: {columns}",
    DataIssueKind.MISSING_IN_REFERENCE: "not compared, as it is missing in the reference: {columns}",
    DataIssueKind.REPEATED_IN_REFERENCE: "not compared, as it is there {value:.0f} times in the reference: {columns}",
    DataIssueKind.SOME_UNREADABLE_BEFORE: "{columns}: {value:.0f} of {limit:.0f} cells of the reference cannot be read "
    "as a {type} (the first is {example}) and count as missing",
    DataIssueKind.SOME_UNREADABLE_NOW: "{columns}: {value:.0f} of {limit:.0f} cells of the window cannot be read "
    "as a {type} (the first is {example}) and count as missing",
    DataIssueKind.SOME_FAR_OUTSIDE: "{columns}: {value:.0f} of {limit:.0f} values lie far outside the reference, such "
    "as {example}",
}

WITHOUT_ENDS: dict[DataIssueKind | None, str] = {  # of personal columns, whose ends are cells
    DataIssueKind.OUTSIDE: "{columns}: {value:.0%} of the values lie outside the range of the reference",
    DataIssueKind.FAR_OUTSIDE: "{columns}: {value:.0%} of the values lie far outside the range of the reference",
}

LIMITS = {
    "max_model_days": "not retrained for {days}, {limit:g} are allowed (params.yaml: age.max_model_days)",
    "max_idle_days": "no rows since {days}, {limit:g} are allowed (params.yaml: age.max_idle_days)",
    "max_label_days": "labels late by {days}, {limit:g} are allowed (params.yaml: age.max_label_days)",
    UNLABELLED: "{value:.0%} of the answers older than {old:g} days have no label, {limit:.0%} may "
    "(params.yaml: age.max_label_days)",
}


def describe_cause(cause: Cause) -> str:
    """Write why it refreshes, searches or waits."""
    value = cause.value or 0.0
    return CAUSES[cause.kind].format(value=value, limit=cause.limit or 0.0, span=span(value))


def describe_due(run: MonitoringRun) -> str:
    """Write what is due."""
    if run.rollback.roll_back:
        return "roll back"
    if run.decision.search:
        return "refresh and search"
    if run.decision.reweigh:
        return "re-weighting"
    return "refresh" if run.decision.refresh else "wait"


def describe_decision(run: MonitoringRun) -> tuple[str, ...]:
    """Write why the run asks to refresh, to search or to wait, a sentence each, and what it saw."""
    decision = run.decision
    causes = [*map(describe_cause, decision.causes)]
    payoff = [describe_payoff(run)] if run.payoff or run.payoff_problem else []
    if run.rollback.roll_back:
        causes, payoff = [*payoff, *causes], []
    if decision.search_waits:
        asked = ", and ".join(map(describe_cause, decision.search_causes))
        causes.append(f"a search waits: {asked}; {describe_cause(decision.search_waits)}")
    if decision.without:
        causes.append(f"the refresh does without {', '.join(decision.without)}, which look broken")
    if CauseKind.BROKEN_DATA in decision.kinds:
        return (*causes, *describe_drift(run.drift))
    evidence = [f"drift: {run.drift.state} ({'; '.join(describe_drift(run.drift))})"]
    evidence.append(f"quality: {describe_quality(run.quality)}")
    if run.money:
        evidence.append(f"money: {describe_realised(run.money)}")
    if run.late:
        evidence.append(f"late labels: {describe_late(run.late)}")
    if run.corrected_rows:
        labels = counted(run.corrected_rows, "corrected label")
        evidence.append(f"{labels} came since the last challenge, and count as new rows to learn")
    if run.new_rows and run.quality.state == QualityState.UNKNOWN and not run.late and not run.window.labelled:
        evidence.append("rows of files are learned from; only labels of its own answers (/feedback) judge the champion")
    estimate = "; ".join(describe_estimate(run.estimate))
    # which begins with these words where the audit failed
    failed = run.estimate.state == QualityState.AUDIT_FAILED
    evidence.append(f"estimate: {estimate}" if failed else f"estimate: {run.estimate.state} ({estimate})")
    evidence.append(f"age: {run.staleness.state} ({'; '.join(describe_staleness(run.staleness))})")
    return (*causes, *evidence, *map(describe_late_values, run.late_values), *payoff)


def describe_harm(harm: ShownHarm) -> str:
    """Write why a release was rolled back by itself."""
    over = f", pooled over the newest {harm.promotions} promotions" if harm.promotions > 1 else ""
    return (
        f"{harm.model} is shown to be worse than the release before it: a gain of {format_interval(harm.gain)} on "
        f"{counted(harm.answers, 'labelled answer')}{over}"
    )


def describe_payoff(run: MonitoringRun) -> str:
    """Write what the last promotion brought, and what that means."""
    payoff, rollback = run.payoff, run.rollback
    if payoff is None:
        return run.payoff_problem
    known = f"the last promotion gained {format_interval(payoff.gain)} on {counted(payoff.rows, 'labelled answer')}"
    if rollback.evidence and rollback.promotions > 1:
        known += f"; the last {rollback.promotions} promotions, pooled, {format_interval(rollback.evidence.gain)}"
    return f"{known}: harm is shown, and the release before comes back" if rollback.roll_back else known


def describe_drift(verdict: DriftVerdict) -> tuple[str, ...]:
    """Write what the comparison found, the most telling sentence first."""
    problems, notes = (tuple(map(describe_issue, issues)) for issues in (verdict.problems, verdict.notes))
    if verdict.state == DriftState.INSUFFICIENT_DATA:
        return (*problems, *notes)
    broken = (*problems, REPAIR) if verdict.state == DriftState.BROKEN_DATA else ()
    if broken and not verdict.columns:
        return (*broken, *notes)
    changed = [column for column in verdict.drifted if not column.of_predictions]
    named = ", ".join(f"{column.name} ({describe_column(column)})" for column in changed[:NAMED])
    sentences = [f"{len(changed)} of {len(verdict.features)} columns drifted" + (f": {named}" if named else "")]
    if strong := [column.name for column in verdict.drifted if column.strong]:
        sentences.append(f"a strong alarm: {', '.join(strong[:NAMED])}")
    elif verdict.drifted and verdict.before in ALARMS:
        sentences.append(f"the second alarm in a row (the monitoring run before: {verdict.before})")
    elif verdict.drifted:
        sentences.append("one weak alarm; a second one in a row, or a strong one, makes it drift")
    sentences += [
        f"the champion's predictions changed ({describe_column(column)})"
        for column in verdict.drifted
        if column.of_predictions
    ]
    most = max(verdict.columns, key=lambda column: column.normal_effect)
    if most.normal_effect:
        name = "the champion's predictions" if most.of_predictions else most.name
        sentences.append(f"changes of up to {most.normal_effect:.2f} ({name}) are normal between windows of this size")
    return (*broken, *sentences, *notes)


def describe_issue(issue: DataIssue) -> str:
    """Write what is broken, was not compared, or should be known."""
    return WITHOUT_ENDS.get(issue.kind if issue.low == issue.high else None, DATA_ISSUES[issue.kind]).format(
        columns=", ".join(issue.columns),
        value=issue.value,
        limit=issue.limit,
        low=issue.low,
        high=issue.high,
        type=issue.type,
        example=issue.example,
    )


def describe_column(column: ColumnDrift) -> str:
    """Write test, effect and p-value."""
    return f"{column.method} {column.change.effect:.2f}, p {column.change.p_value:.1g}"


def describe_quality(quality: Quality) -> str:
    """Write the realised score beside the expected one."""
    # labels of a part may be of a chosen part, which need not stand for the rest
    part = f" (of {quality.answered} answers)" if quality.answered and quality.answered > quality.labelled else ""
    if quality.score is None or quality.change is None:
        return f"{quality.labelled} labelled answers{part} are too few to know the quality"
    better = "" if METRICS[quality.metric].sign > 0 else " (positive is better)"
    return (
        f"{quality.metric} {format_score(quality.score.value)} on {quality.labelled} labelled answers{part}, "
        f"{format_score(quality.expected)} was expected, a change of {format_interval(quality.change)}{better}: "
        f"{quality.state}{_describe_coverage(quality.coverage)}{_describe_doubt(quality)}"
    )


def describe_late(late: LateQuality) -> str:
    """Write what labels that came late say, and whose answers they are of."""
    models = listed(reversed(late.models), most=3, between=" and ")  # the newest first
    return f"answers of {models}, given before the release that serves now: {describe_quality(late.quality)}"


def _describe_doubt(quality: Quality) -> str:
    if not quality.labels_in_doubt or quality.naive is None:
        return ""
    return (
        f"; the usual answer reaches {format_score(quality.naive)}: wrong labels, or an abrupt change, so check some "
        "of them"
    )


def _describe_coverage(coverage: Coverage | None) -> str:
    if coverage is None:
        return ""
    held, promised = format_score_interval(coverage.held), format_score(coverage.promised)
    return f"; intervals held {held} of {coverage.rows} labels, {promised} was promised"


def describe_estimate(estimate: Estimate) -> tuple[str, ...]:
    """Write the estimate beside the expected score, and how its audit went."""
    needed = f"an estimate needs {estimate.min_rows} (params.yaml: statistics.min_rows)"
    missing = {
        NoEstimate.NO_HOLDOUT: "this model version has no forward answers for the classes of today; the next "
        "retraining keeps them",
        NoEstimate.FEW_HOLDOUT_ROWS: f"{estimate.holdout_rows} forward answers; {needed}",
        NoEstimate.FEW_ANSWERS: f"{estimate.rows} answers that an estimate can be made of; {needed}",
        NoEstimate.UNDEFINED_ON_HOLDOUT: f"{estimate.metric} is not defined on the forward answers",
        NoEstimate.UNDEFINED_ON_ANSWERS: f"{estimate.metric} is not defined on labels that could come of it",
    }
    first = (missing[estimate.missing],) if estimate.missing else ()
    if estimate.score and estimate.change:
        first = (
            f"{estimate.metric} {format_score_interval(estimate.score)} without labels, "
            f"{format_score(estimate.expected)} was expected, a change of {format_interval(estimate.change)}",
        )
    if not estimate.method:
        return first
    if not (audit := estimate.audit):
        needed = f"{estimate.min_rows} are needed (params.yaml: statistics.min_rows)"
        return (*first, f"not audited: {estimate.labelled} labels, {needed}")
    verdict = "" if audit.passed else "; answers no longer mean what they meant before: concept drift suspected"
    return (
        *first,
        f"audit {'passed' if audit.passed else 'failed'}: on {audit.rows} labelled answers {estimate.metric} "
        f"{format_score(audit.realised)} came true and {format_score(audit.expected)} was estimated, a gap of "
        f"{format_interval(audit.gap)}{verdict}",
    )


def describe_staleness(staleness: Staleness) -> tuple[str, ...]:
    """Write which limits are exceeded; where none is, the ages."""
    if staleness.exceeded:
        return tuple(
            LIMITS[each.key].format(
                days=span(each.value), value=each.value, limit=each.limit, old=staleness.max_label_days
            )
            for each in staleness.exceeded
        )
    ages = f"retrained {span(staleness.model_days)} ago, newest row {span(staleness.idle_days)} ago"
    median, late = staleness.label_delay_days, staleness.late_label_days
    if median is None or late is None or late < MINUTE:
        return (ages,)
    return (f"{ages}, half of the labels within {span(median)}, nine of ten within {span(late)}",)


def describe_late_values(late: LateValues) -> str:
    """Write how much later the values of a lagged column are known than its lags need."""
    says = "features.delay says" if late.declared else "its shortest lag needs"
    return (
        f"lags of {late.column}: {late.late:.0%} of {counted(late.values, 'value')} came later than {late.allowed:g} "
        f"{late.unit}s after their row, as {says}; nine of ten came within {late.usual:.3g}. A lag that is shorter is "
        f"missing at answers: raise features.delay.{late.column}, and the lags (params.yaml)"
    )


def describe_ledger(done: TidiedLedger) -> list[str]:
    """Write what became of the ledger's finished days; no line where nothing happened."""
    sizes = f"{done.bytes_before / 1e6:.1f} MB became {done.bytes_after / 1e6:.1f}"
    lines = [f"the ledger's segments of {counted(len(done.days), 'day')} were compacted: {sizes}"] if done.days else []
    held = counted(done.held, "segment")
    lines += [f"{held} of finished days stay until their writers close them"] if done.held else []
    lines += [f"{done.freed / 1e6:.1f} MB of days older than ledger.keep_days left the ledger"] if done.freed else []
    lines += [f"{counted(len(done.pushed), 'file')} of the ledger went to the data remote"] if done.pushed else []
    lines += [f"{counted(len(done.dropped), 'file')} of the ledger left the data remote"] if done.dropped else []
    return lines
