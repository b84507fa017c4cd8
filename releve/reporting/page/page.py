"""One page per scenario: is the model still good, and what to do; then quality, drift, decisions, and details."""

from datetime import datetime

from releve.core.formatting import span, to_the_minute
from releve.domain.ensemble.description import EnsembleDescription
from releve.domain.evaluation.intervals import format_score_interval
from releve.domain.quality.realised import QualityState
from releve.domain.quality.staleness import days_between
from releve.reporting.backtest import backtest_blocks
from releve.reporting.blocks import Block, CommandBlock, FactList, FoldedBlock, ReportPage, ReportSection, TextBlock
from releve.reporting.comparison import describe_score
from releve.reporting.messages.gate import describe_judged_rows
from releve.reporting.messages.index import describe_index
from releve.reporting.messages.money import money_blocks
from releve.reporting.messages.monitoring import describe_staleness
from releve.reporting.model_card.ensemble import ensemble_blocks
from releve.reporting.page.arms import arms
from releve.reporting.page.decisions import costs, decisions
from releve.reporting.page.drift import drift
from releve.reporting.page.evidence import PageEvidence, version_of
from releve.reporting.page.quality import estimates, label_delay, quality, whose
from releve.reporting.page.verdict import verdict_block


def build(evidence: PageEvidence) -> ReportPage:
    """Put the page of a scenario together."""
    release, runs = evidence.release, evidence.own_runs
    serving = f"{version_of(release.model)} serves since {to_the_minute(evidence.since)}. " if release else ""
    monitored = f"Monitored last at {to_the_minute(runs[-1].at)}. " if runs else ""
    made = f"This page was made at {to_the_minute(evidence.made_at)}; all times are UTC."
    details: dict[str, list[Block]] = {
        "What serves": _serving(evidence),
        "Members of what serves": _members(evidence),
        "Estimates while labels are late": estimates(evidence),
        "How late labels come": label_delay(evidence),
        "What it cost": costs(evidence),
        "Backtest: what other policies would have been worth": backtest_blocks(evidence.backtest, evidence.scenario),
    }
    sections: dict[str, list[Block]] = {
        "": [verdict_block(evidence)],
        "Quality over time": quality(evidence),
        "Decisions in money": _money(evidence),
        "Champion and challenger on live traffic": arms(evidence),
        "Drift": drift(evidence),
        "Decisions, newest first": decisions(evidence),
        "Details": [*_unknown(evidence), *(FoldedBlock(title, tuple(blocks)) for title, blocks in details.items())],
    }
    return ReportPage(
        f"{evidence.scenario}: is the model still good?",
        serving + monitored + made,
        tuple(ReportSection(title, tuple(blocks)) for title, blocks in sections.items() if blocks),
    )


def _money(evidence: PageEvidence) -> list[Block]:
    """Write what the decisions of what serves have cost."""
    newest = next((run.money for run in reversed(evidence.own_runs) if run.money), None)
    return money_blocks(newest) if newest else []


def _unknown(evidence: PageEvidence) -> list[Block]:
    """List what a reader could miss."""
    estimated = any(run.estimate.score for run in evidence.runs)
    contradicted = any(run.estimate.state == QualityState.AUDIT_FAILED for run in evidence.runs)
    unknown = {
        "drift, as no monitoring run was made": not evidence.runs,
        "realised quality, as no window has labels enough": not any(window.score for window in evidence.windows),
        "quality without labels, as its estimate is switched off: labels contradict it": not estimated and contradicted,
        "quality without labels, as no estimate could be made": not estimated and not contradicted,
        "what other policies would have been worth, as there is no backtest": not evidence.backtest,
    }
    sentences = [sentence for sentence, is_unknown in unknown.items() if is_unknown]
    return [TextBlock((f"Not known yet: {'; '.join(sentences)}.",))] if sentences else []


def _members(evidence: PageEvidence) -> list[Block]:
    """Write what serves is made of; a model whose files left the store has nothing to tell."""
    if not evidence.ensemble or not evidence.evaluation:
        return [TextBlock(("Not known: nothing serves, or its files are not in the model store.",))]
    return ensemble_blocks(evidence.ensemble, evidence.evaluation)


def _serving(evidence: PageEvidence) -> list[Block]:
    release = evidence.release
    if not release:
        how = "Nothing serves. Retraining makes a challenger, and releases it when the gate accepts it:"
        return [TextBlock((how,)), CommandBlock(f"make retrain SCENARIO={evidence.scenario}")]
    expected = release.expected
    lines = {
        "model version": release.model,
        "since": to_the_minute(evidence.since),
        "expected": f"{expected.metric} {format_score_interval(expected.score)} on {expected.rows} rows",
        "learned from": f"{_learned_rows(release.rows, evidence.ensemble)}, data version {release.data_version}",
        "index version": f"{release.index_name}: {describe_index(release)}",
        "git revision": release.revision,
    }
    if judged := evidence.evaluation:
        if judged.sound:
            lines["expected"] += ", without those whose labels are in doubt or were found to be wrong"
        else:
            lines["expected"] = f"{describe_score(judged)}, on {describe_judged_rows(judged)}"
        if judged.naive:
            lines["model version"] += ", the naive answer itself"
    if evidence.challenges:
        judged_at = evidence.challenges[-1].at
        ago = span(max(0.0, days_between(judged_at, datetime.fromisoformat(evidence.made_at))))
        lines["last retraining"] = f"{to_the_minute(judged_at)}, {ago} before this page was made"
    if evidence.runs:
        age = evidence.runs[-1].staleness
        state = "; ".join([age.state, *describe_staleness(age)])
        lines["age"] = f"at the run of {whose(evidence.runs[-1], evidence)}: {state}"
    return [FactList(tuple(lines.items()))]


def _learned_rows(rows: int, ensemble: EnsembleDescription | None) -> str:
    """Write which of the labelled rows members learned."""
    learned = f"{rows} labelled rows"
    if ensemble and ensemble.learned < rows:
        learned = f"the oldest {ensemble.learned} of {learned}, and is weighed by the newest"
    if ensemble and ensemble.left_out:
        learned += f", without {ensemble.left_out} whose labels were found to be wrong"
    return learned
