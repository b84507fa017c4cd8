"""One page per scenario: what serves, how good it is, what was seen and decided, and what is not known yet."""

from collections.abc import Callable
from datetime import datetime

from releve.core.formatting import span
from releve.domain.quality.realised import QualityState
from releve.domain.quality.staleness import days_between
from releve.reporting.backtest_page import backtest
from releve.reporting.blocks import Block, FactList, ReportPage, ReportSection, TextBlock
from releve.reporting.page.decisions import costs, decisions
from releve.reporting.page.drift import drift
from releve.reporting.page.evidence import PageEvidence
from releve.reporting.page.figures import figures, told_look
from releve.reporting.page.history import Look, to_the_minute, told_score
from releve.reporting.page.quality import estimates, label_delay, quality

WITHOUT_SCORE = {QualityState.AUDIT_FAILED: "labels contradicted the estimate, which is switched off"}
SECTIONS: dict[str, Callable[[PageEvidence], list[Block]]] = {
    "Quality over time": quality,
    "Estimates while labels are late": estimates,
    "How late labels come": label_delay,
    "Drift": drift,
    "Decisions, newest first": decisions,
    "What it cost": costs,
    "Backtest: what other policies would have been worth": backtest,
}


def build(evidence: PageEvidence) -> ReportPage:
    """The page's words and figures; `html.render_html` writes it."""
    sections = tuple(ReportSection(title, tuple(write(evidence))) for title, write in SECTIONS.items())
    head = ReportSection("", (figures(evidence), *_unknown(evidence)))
    serving = ReportSection("What serves now", tuple(_serving(evidence)))
    summary = f"As of {to_the_minute(evidence.made_at)} UTC; all times are UTC."
    return ReportPage(f"{evidence.scenario}: is the model still good?", summary, (head, serving, *sections))


def _unknown(evidence: PageEvidence) -> list[Block]:
    """What a reader could miss is said at the head, in one list."""
    unknown = {
        "nothing serves": evidence.release is None,
        "drift, as nobody has looked": not evidence.looks,
        "realised quality, as no window has labels enough": not any(one.score for one in evidence.windows),
        f"quality without labels, as {_why_not_estimated(evidence)}": not any(
            look.estimate.get("score") for look in evidence.looks
        ),
        "what other policies would have been worth, as there is no backtest": not evidence.backtest,
    }
    said = [sentence for sentence, is_unknown in unknown.items() if is_unknown]
    return [TextBlock((f"Not known yet: {'; '.join(said)}.",))] if said else []


def _why_not_estimated(evidence: PageEvidence) -> str:
    made = [look.estimate for look in evidence.looks if look.estimate]
    if not made:
        return "no look has estimated it"
    return WITHOUT_SCORE.get(made[-1].get("state", ""), "no estimate could be made yet: see below")


def _serving(evidence: PageEvidence) -> list[Block]:
    release = evidence.release
    if not release:
        return [
            TextBlock(
                ("Nothing serves. The retrain flow makes a challenger, and releases it when the gate accepts it.",)
            )
        ]
    expected = evidence.expectations.get(release.model)
    lines = [
        ("model version", release.model),
        ("since", to_the_minute(evidence.since)),
        (
            "expected performance",
            f"{expected.metric} {told_score(expected.score)} on {expected.rows} rows" if expected else "",
        ),
        ("learned from", f"{release.rows} labelled rows, data version {release.data_version}"),
        ("index version", f"{release.index}, {release.index_rows} rows"),
        ("git revision", release.revision),
        ("last retraining", _last_retraining(evidence)),
        ("age", _age(evidence.looks[-1], evidence) if evidence.looks else ""),
    ]
    return [FactList(tuple((name, value) for name, value in lines if value))]


def _last_retraining(evidence: PageEvidence) -> str:
    """Whether its challenger was accepted or not; as long ago as it is where the page is made."""
    if not evidence.challenges:
        return ""
    judged_at = evidence.challenges[-1].at
    days = max(0.0, days_between(judged_at, datetime.fromisoformat(evidence.made_at)))
    return f"{to_the_minute(judged_at)}, {span(days)} before this page was made"


def _age(look: Look, evidence: PageEvidence) -> str:
    """What a look said holds for its own moment."""
    if not look.age:
        return ""
    said = "; ".join([str(look.age.get("state", "")), *look.age.get("reasons", ())])
    return f"at the look of {told_look(look, evidence)}: {said}"
