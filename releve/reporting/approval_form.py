"""What people are shown who have to approve a release, in a form or on a terminal."""

from collections.abc import Mapping
from textwrap import wrap

from releve.domain.approval.approval import Approval
from releve.domain.approval.people import CODE_LIFETIME
from releve.domain.registry.events import Challenger
from releve.reporting.blocks import Block, CommandBlock, LinkList, ReportPage, ReportSection, TextBlock
from releve.reporting.comparison import describe_score
from releve.reporting.messages.approval import describe_approval
from releve.reporting.messages.gate import describe_judged_rows

DIGEST_GROUP = 16  # letters between spaces, where the line may be broken


def approval_page(approval: Approval, challenger: Challenger, *, card: str = "", problem: str = "") -> ReportPage:
    """Write the question: how good the model is, what the gate said, and exactly what would be released.

    `card`: address of its model card in the form, "" on a terminal, which needs no code; `problem`: why the last answer
    did not count, "" without one.
    """
    request, subject = approval.request, approval.request.subject
    facts = {
        "score": describe_score(challenger.evaluation),
        "judged on": describe_judged_rows(challenger.evaluation),
        "would replace": request.champion or "nothing: it would be the first release",
        "labelled rows": f"{challenger.rows:,}",
        "approved so far by": ", ".join(approval.approved_by) or "nobody",
    }
    digests = {
        "model": f"{subject.model}, sha256 {' '.join(wrap(subject.model_digest, DIGEST_GROUP))}",
        "data version": subject.data_version,
        "index": subject.index,
        "git revision": subject.revision,
    }
    asked: list[Block] = [TextBlock((f"The last answer did not count: {problem}",))] if problem else []
    asked += [_points(facts), *([LinkList((("the model card", card),))] if card else [])]
    gate: list[Block] = [TextBlock(challenger.sentences, points=True)]
    if request.shown_live:
        gate.append(TextBlock(("The gate found no gain. Labels of live traffic show one since: releve history.",)))
    if challenger.overrides:
        lines = tuple(
            f"{one.floor}: broken, and let pass until {one.until} by {one.by}: {one.reason}"
            for one in challenger.overrides
        )
        gate += [TextBlock(("Overridden floors:",)), TextBlock(lines, points=True)]
    minutes = int(CODE_LIFETIME.total_seconds() // 60)
    how = (
        f"The code says who answers. Whoever may approve gets one where RELEVE_APPROVER_TOKEN is set; it is good for "
        f"{minutes} minutes and one answer:"
    )
    code = ReportSection("Your code", (TextBlock((how,)), CommandBlock(f"releve approve {approval.scenario} --code")))
    return ReportPage(
        f"Release {subject.model}?",
        describe_approval(approval),
        (
            ReportSection("", tuple(asked)),
            ReportSection("What the gate says", tuple(gate)),
            ReportSection("What would be released", (_points(digests),)),
            *([code] if card else []),
        ),
    )


def _points(values: Mapping[str, str]) -> TextBlock:
    """List names and values in lines that are broken where a form is narrow, which tables are not."""
    return TextBlock(tuple(f"{name}: {value}" for name, value in values.items()), points=True)
