"""The model card: what a version is for, what it was made of, how good it is, and who let it in.

After Mitchell et al. 2019, "Model Cards for Model Reporting". Everything comes from evidence; what there is none of is
MISSING, in its place. A card is written anew whenever it is asked for: overrides run out, and models retire.
"""

from collections.abc import Callable

from releve.reporting.blocks import MISSING, Block, ReportPage, ReportSection
from releve.reporting.card import judged as card_judged
from releve.reporting.card import made as card_made
from releve.reporting.card.card import Evidence, interval, said

SECTIONS: dict[str, Callable[[Evidence], list[Block]]] = {
    "What it is for": card_made.purpose,
    "Data": card_made.data,
    "Recipe": card_made.recipe,
    "Quality on the holdout": card_judged.quality,
    "Strongest features": card_judged.importance,
    "Calibration": card_judged.calibration,
    "Slices": card_judged.slices,
    "Fairness": card_judged.fairness,
    "Drift at the time": card_judged.drift,
    "Gate": card_judged.gate,
    "Serving": card_made.serving,
    "Life": card_made.life,
    "Lineage and environment": card_made.lineage,
}


def build(evidence: Evidence) -> ReportPage:
    """The card of a model version."""
    sections = tuple(ReportSection(title, tuple(blocks(evidence))) for title, blocks in SECTIONS.items())
    return ReportPage(f"Model card: {evidence.model}", _summary(evidence), sections)


def _summary(evidence: Evidence) -> str:
    score = f"score {MISSING}"
    if evidence.evaluation:
        own = evidence.evaluation.score
        score = f"{evidence.evaluation.metric} {interval(own.value, own.low, own.high)}"
        score += ", which may be too good to be true" if evidence.evaluation.too_good else ""
    return f"{said(evidence.state)}; {score}; {said(evidence.challenge.get('rows'))} rows; as of {evidence.today}"
