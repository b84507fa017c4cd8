"""What follows from a live comparison: the challenger is promoted, goes on, or is stopped."""

from enum import StrEnum

import numpy as np

from releve.core.documents import DocumentPart
from releve.domain.arms.comparison import LiveComparison, Look
from releve.domain.arms.sequences import FIRST_ROWS, half_widths
from releve.domain.registry.chain import ARMS_COMPARED, EventPayload

FARTHEST = 1000  # times the blocks there are, that a forecast reaches
FORECAST_STEPS = 2000


class ArmsAction(StrEnum):
    """What is done with the challenger."""

    PROMOTE = "promote"
    CONTINUE = "continue"
    STOP = "stop"


class ArmsReason(StrEnum):
    """Why; `reporting.live_comparison` puts it into words."""

    BETTER = "better"  # the whole interval is above 0
    WORSE = "worse"  # the whole interval is below 0
    UNDECIDED = "undecided"  # and as many rows as params.yaml gives it: arms.max_rows
    FEW_ROWS = "few rows"
    NO_DIFFERENCE = "no difference"  # yet, in any labelled row
    NOT_SHOWN = "not shown"


class ArmsDecision(DocumentPart):
    """What a comparison decides, and what is missing to a decision."""

    action: ArmsAction
    reason: ArmsReason
    rows_left: int | None  # until it is decided, if the gain stays as it is; None where nobody can tell
    rows_given: int  # of the arm that has fewer, until the comparison ends undecided


class ArmsCompared(EventPayload):
    """Somebody looked at the arms, and new labels had come."""

    kind = ARMS_COMPARED

    comparison: LiveComparison
    decision: ArmsDecision

    def is_news(self, before: "ArmsCompared | None") -> bool:
        """Whether rows, labels or the decision have changed since the look before."""
        if before is None or before.decision.action != self.decision.action:
            return True
        theirs, ours = before.comparison, self.comparison
        return (theirs.since, theirs.rows, theirs.unlabelled, theirs.newest) != (
            ours.since,
            ours.rows,
            ours.unlabelled,
            ours.newest,
        )


def decide(comparison: LiveComparison, *, max_rows: int) -> ArmsDecision:
    """Promote what is shown to be better, and stop what is shown to be worse, or is not told apart by `max_rows` rows
    of the arm that has fewer. Rows wait for the labels that decide: without them nothing was tried."""
    newest, given = comparison.newest, max(0, max_rows - comparison.spent)

    def decided(action: ArmsAction, reason: ArmsReason, left: int | None) -> ArmsDecision:
        return ArmsDecision(action=action, reason=reason, rows_left=left, rows_given=given)

    if shown := comparison.decisive:
        if shown.gain > 0:
            return decided(ArmsAction.PROMOTE, ArmsReason.BETTER, 0)
        return decided(ArmsAction.STOP, ArmsReason.WORSE, 0)
    if not given:
        return decided(ArmsAction.STOP, ArmsReason.UNDECIDED, None)
    if newest is None:
        left = FIRST_ROWS - comparison.smaller
        return decided(ArmsAction.CONTINUE, ArmsReason.FEW_ROWS, left if left > 0 else None)
    if newest.interval is None:
        return decided(ArmsAction.CONTINUE, ArmsReason.NO_DIFFERENCE, None)
    return decided(
        ArmsAction.CONTINUE, ArmsReason.NOT_SHOWN, rows_to_decision(newest, confidence=comparison.confidence)
    )


def rows_to_decision(look: Look, *, confidence: float) -> int | None:
    """Estimate how many further rows of both arms decide it, if gain and spread stay as they are."""
    if look.interval is None or not look.gain:
        return None
    alpha, now = 1 - confidence, np.array([look.blocks])
    deviation = (look.interval.high - look.gain) / half_widths(now, look.block_rows, alpha=alpha)[0]
    blocks = np.unique(np.geomspace(look.blocks, FARTHEST * look.blocks, FORECAST_STEPS).round().astype(np.int64))
    decided = blocks[deviation * half_widths(blocks, look.block_rows, alpha=alpha) < abs(look.gain)]
    return int((decided[0] - look.blocks) * look.rows / look.blocks) if len(decided) else None
