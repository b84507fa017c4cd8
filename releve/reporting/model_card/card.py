"""The model card: what a version is for, what it was made of, how good it is, and who let it in.

After Mitchell et al. 2019, "Model Cards for Model Reporting". Everything comes from evidence; what there is none of is
MISSING, in its place. A card is written anew whenever it is asked for: overrides run out, and models retire.
"""

from collections.abc import Callable
from typing import Any

from releve.core.formatting import utc_minute
from releve.domain.registry.chain import APPROVAL_REFUSED, APPROVED
from releve.domain.registry.events import Challenger
from releve.domain.schema.columns import Column
from releve.domain.schema.target import REGRESSION
from releve.reporting.blocks import MISSING, Block, FoldedBlock, ReportPage, ReportSection, TableBlock, TextBlock
from releve.reporting.comparison import describe_score
from releve.reporting.messages.approval import history_reason
from releve.reporting.messages.brought import NEVER, describe_reading, learned_rows
from releve.reporting.messages.gate import describe_judged_rows, describe_sanity
from releve.reporting.messages.index import describe_index
from releve.reporting.messages.notes import note_journal
from releve.reporting.model_card import assessment
from releve.reporting.model_card.ensemble import ensemble_blocks
from releve.reporting.model_card.front_matter import front_matter
from releve.reporting.model_card.record import NOTHING, ModelRecord, fact_list, or_missing

LINEAGE = ("git revision", "model digest", "data version", "params digest", "requirements.lock digest")
EXPORTED = "the exported model answers as the trained one"
SHOWN_COLUMNS = 40  # of the table of columns
REFIT = (
    "Every member was refitted on all labelled rows of its window, those that are judged on included: these refits are "
    "this model. The figures below are those of the same procedure, which answered each window before it learned it."
)
REWEIGHED = (
    "The members are those of the refresh before, and their weights alone are new: labelled rows came since that were "
    "too few for a refresh. The figures below are those of the same procedure, which answered each window before it "
    "learned it."
)


def build_model_card(record: ModelRecord) -> ReportPage:
    """Write the card of a model version."""
    sections = tuple(ReportSection(title, tuple(blocks(record))) for title, blocks in SECTIONS.items())
    score, rows = f"score {MISSING}", record.challenger.rows if record.challenger else None
    if evaluation := record.evaluation:
        score = describe_score(evaluation)
        score += ", of the naive answer itself: no model is better yet" if evaluation.naive else ""
        score += ", which may be too good to be true" if evaluation.too_good else ""
    summary = f"{or_missing(record.state)}; {score}; {or_missing(rows)} rows; as of {record.today}"
    return ReportPage(f"Model card: {record.model}", summary, sections, front_matter=front_matter(record))


def purpose(record: ModelRecord) -> list[Block]:
    """Write what only a person can say, and the question that the model answers."""
    target = record.schema.target if record.schema else None
    values: dict[str, Any] = {name: record.texts.get(name) for name in ("purpose", "limits", "owner")}
    values |= {"predicts": target and target.name, "task": target and target.task}
    if target and target.task == REGRESSION:
        limits = (("at least", target.min), ("at most", target.max))
        bounded = ", ".join(f"{word} {limit}" for word, limit in limits if limit is not None)
        values["range"] = bounded or "any number"
    elif target:
        values["classes"] = ", ".join(map(str, target.classes))
    if target and target.positive is not None:
        values["positive class"] = target.positive
    return [fact_list(values)]


def data(record: ModelRecord) -> list[Block]:
    """Write which rows it learned from, and the columns they have."""
    challenger, version, evaluation = record.challenger, record.data, record.evaluation
    judged = evaluation and f"{describe_judged_rows(evaluation)}; each was answered before its window was learned from"
    facts = fact_list(
        {
            "data version": challenger and challenger.data_version,
            "labelled rows": challenger and challenger.rows,
            "members learned": challenger and _learned(challenger),
            "batches": version and version.batches,
            "newest batch": version and version.batch,
            "ingested at": version and version.at and utc_minute(version.at),
            "judged on": judged,
        }
    )
    if not record.schema:
        return [facts, NOTHING]
    columns = record.schema.columns
    rows = tuple(
        (column.name, column.type, _allowed(column), "yes" if column.feature else "no")
        for column in columns[:SHOWN_COLUMNS]
    )
    more = [TextBlock((f"and {len(columns) - SHOWN_COLUMNS} more columns",))] if len(columns) > SHOWN_COLUMNS else []
    return [facts, TableBlock(("column", "type", "allowed", "seen by the model"), rows), *more]


def _learned(challenger: Challenger) -> str:
    if challenger.brought:
        return learned_rows(challenger.brought)
    return f"the oldest {challenger.learned:,} of them"


def _allowed(column: Column) -> str:
    limits = (("min", column.min), ("max", column.max), ("max_length", column.max_length))
    parts = [f"{name} {limit}" for name, limit in limits if limit is not None]
    parts += [", ".join(column.categories)] if column.categories else []
    return "; ".join([*parts, *(["may be missing"] if column.nullable else [])])


def members(record: ModelRecord) -> list[Block]:
    """Write what it is made of, and what a search for more has brought; of a brought model, where it comes from."""
    if not record.ensemble or not record.evaluation:
        return [NOTHING]
    if record.description and (brought := record.description.brought):
        facts = {
            "origin": "brought",
            "file": f"{brought.file}, {brought.bytes:,} bytes",
            "file digest": brought.file_digest,
            "producer": brought.producer,
            "opset": ", ".join(f"{domain} {version}" for domain, version in brought.opsets.items()),
            "learned": learned_rows(brought),
            "refreshed": NEVER,
        }
        return [fact_list(facts), TextBlock(tuple(describe_reading(brought)), points=True)]
    is_refit = not record.challenger or not record.challenger.is_reweighting
    return [*ensemble_blocks(record.ensemble, record.evaluation), TextBlock((REFIT if is_refit else REWEIGHED,))]


def serving(record: ModelRecord) -> list[Block]:
    """Write what answers, and how fast."""
    description, challenger = record.description, record.challenger
    parity = description and (description.parity or ("the brought graph itself" if description.brought else EXPORTED))
    sanity = description and description.sanity
    return [
        fact_list(
            {
                "runtime": description and description.runtime,
                "parity": parity,
                "latency": challenger and f"{challenger.latency_ms:.3g} ms of CPU time for one answer, in the median",
                "golden rows": (len(description.golden.rows) or None) if description else None,
                "slightly altered rows": sanity and describe_sanity(sanity),
            }
            | ({"neighbours": describe_index(record.release)} if record.release else {})
        )
    ]


def life_cycle(record: ModelRecord) -> list[Block]:
    """Write its state, and how it came there."""
    rows = tuple((utc_minute(event.at), event.kind, event.actor, history_reason(event)) for event in record.history)
    table = TableBlock(("at", "what", "by", "why"), rows)
    notes = [FoldedBlock("Notes of the team", (note_journal(record.notes),))] if record.notes else []
    return [fact_list({"state": record.state} | _approved_by(record)), table if rows else NOTHING, *notes]


def _approved_by(record: ModelRecord) -> dict[str, str]:
    """Name the people who let it in; nothing where nobody was asked."""
    answers = [event for event in record.history if event.kind in (APPROVED, APPROVAL_REFUSED)]
    said = [f"{event.actor} {event.kind.removeprefix('approval_')} it at {utc_minute(event.at)}" for event in answers]
    return {"people": "; ".join(said)} if said else {}


def lineage(record: ModelRecord) -> list[Block]:
    """Write what it can be made of again."""
    environment = record.description.environment if record.description else {}
    made_with = {name: environment.get(name) for name in ("python", "platform")} | environment
    return [fact_list({name: record.lineage.get(name) for name in LINEAGE} | made_with)]


SECTIONS: dict[str, Callable[[ModelRecord], list[Block]]] = {
    "What it is for": purpose,
    "Data": data,
    "Members": members,
    "Quality on the newest windows": assessment.quality,
    "Strongest features": assessment.importance,
    "Calibration": assessment.calibration,
    "Decisions in money": assessment.decisions,
    "Slices": assessment.slices,
    "Fairness": assessment.fairness,
    "Drift at the time": assessment.drift,
    "Gate": assessment.gate,
    "Serving": serving,
    "Life cycle": life_cycle,
    "Lineage and environment": lineage,
}
