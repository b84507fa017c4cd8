"""The technical documentation that Annex IV of Regulation (EU) 2024/1689 asks for, as far as a pack has it.

Every sentence is made of one field of one document of the pack, and names it. What no field says is MISSING: a person
has to write it. This is a skeleton, and no statement that a system complies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from releve.core.formatting import format_score
from releve.reporting.blocks import MISSING, Block, ReportPage, ReportSection, TableBlock, TextBlock

MOST = 60  # values of a list that one sentence names


@dataclass(frozen=True)
class Statement:
    """A sentence with a place for what a field holds. `path`: keys, with [] behind one whose list is gone through."""

    sentence: str
    document: str
    path: str

    @property
    def source(self) -> str:
        return f"{self.document}: {self.path}"

    def filled(self, documents: Mapping[str, Any]) -> str | None:
        """Return the sentence; None where the field holds nothing."""
        found = _values(documents.get(self.document), self.path.split("."))
        said = list(dict.fromkeys(text for value in found if (text := _written(value))))
        more = f" and {len(said) - MOST} more" if len(said) > MOST else ""
        return self.sentence.format(", ".join(said[:MOST]) + more) if said else None


@dataclass(frozen=True)
class Point:
    """A point of Annex IV: what it asks for, and what a pack can say. `absent`: what no document of ours ever holds."""

    number: str
    asks: str
    statements: tuple[Statement, ...] = ()
    absent: tuple[str, ...] = ()


def build_annex_iv(model: str, documents: Mapping[str, Any]) -> ReportPage:
    """Fill the skeleton from the documents of a pack."""
    sections = tuple(
        ReportSection(title, tuple(block for point in points for block in _blocks(point, documents)))
        for title, points in ANNEX_IV.items()
    )
    about = (
        "Skeleton of the technical documentation of Annex IV, Regulation (EU) 2024/1689, filled from the documents of "
        "this pack alone; each sentence names its field, and what no field says is MISSING"
    )
    return ReportPage(f"Annex IV: {model}", about, sections)


def missing_points(documents: Mapping[str, Any]) -> int:
    """Count what is MISSING in it."""
    points = [point for points in ANNEX_IV.values() for point in points]
    unsaid = [each for point in points for each in point.statements if each.filled(documents) is None]
    return len(unsaid) + sum(len(point.absent) for point in points)


def _blocks(point: Point, documents: Mapping[str, Any]) -> list[Block]:
    rows = [
        (each.filled(documents) or f"{MISSING} ({each.sentence.format('...')})", each.source)
        for each in point.statements
    ]
    rows += [(f"{MISSING}: {what}", "no field of a pack") for what in point.absent]
    return [TextBlock((f"{point.number} {point.asks}",)), TableBlock(("what is known", "from"), tuple(rows))]


def _values(value: Any, path: list[str]) -> list[Any]:
    """Follow a path. A key with [] goes through a list, or through the values of an object."""
    if not path:
        return [value]
    key, through = path[0].removesuffix("[]"), path[0].endswith("[]")
    if key and not isinstance(value, Mapping):
        return []
    found = value.get(key) if key else value
    if not through:
        return _values(found, path[1:])
    parts = list(found.values()) if isinstance(found, Mapping) else found if isinstance(found, list | tuple) else []
    return [each for part in parts for each in _values(part, path[1:])]


def _written(value: Any) -> str:
    """Write what a field holds; "" for nothing."""
    match value:
        case None | "" | [] | ():
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return format_score(value)
        case {"value": float(), "low": float(), "high": float()}:
            ends = ", ".join(format_score(float(value[end])) for end in ("low", "high"))
            return f"{format_score(float(value['value']))} [{ends}]"
        case Mapping():
            parts = [(name, _written(each)) for name, each in value.items()]
            return "; ".join(f"{name} {text}" for name, text in parts if text)
        case list() | tuple():
            more = f" and {len(value) - MOST} more" if len(value) > MOST else ""
            return ", ".join(filter(None, map(_written, value[:MOST]))) + more
        case _:
            return str(value)


ANNEX_IV: dict[str, tuple[Point, ...]] = {
    "1. A general description of the AI system": (
        Point(
            "(a)",
            "its intended purpose, the name of the provider and the version, with its relation to previous versions",
            (
                Statement("It is intended for: {}", "purpose.json", "purpose"),
                Statement("Its owner is {}.", "purpose.json", "owner"),
                Statement("The version is {}.", "model.json", "model"),
                Statement("It was judged against {}.", "gate.json", "payload.champion"),
                Statement("It is now: {}.", "model.json", "state"),
            ),
            ("the name of the provider, as the Regulation means it",),
        ),
        Point("(b)", "how it interacts with hardware or software that is no part of it", absent=("what calls it",)),
        Point(
            "(c)",
            "versions of relevant software or firmware, and what an update requires",
            (
                Statement("It was made with: {}.", "lineage.json", "environment"),
                Statement(
                    "The lock of all libraries has the sha256 {}.", "lineage.json", "lineage.requirements_lock_digest"
                ),
            ),
        ),
        Point(
            "(d)",
            "the forms in which it is placed on the market or put into service",
            (Statement("It runs as {}.", "model.json", "runtime"),),
            ("in which products or services it is offered",),
        ),
        Point(
            "(e)",
            "the hardware on which it is intended to run",
            (Statement("It was made on {}.", "lineage.json", "environment.platform"),),
            ("the hardware on which it is to run",),
        ),
        Point("(f)", "photographs or illustrations, where it is a component of products", absent=("illustrations",)),
        Point("(g)", "the user interface that the deployer gets", absent=("the user interface",)),
        Point("(h)", "instructions for use for the deployer", absent=("instructions for use",)),
    ),
    "2. Its elements, and how it was developed": (
        Point(
            "(a)",
            "methods and steps of the development, with systems and tools of third parties",
            (
                Statement("Members: {}.", "model.json", "ensemble.members[].name"),
                Statement("Recipes: {}.", "model.json", "ensemble.members[].recipe"),
                Statement("It was made because: {}.", "gate.json", "reason"),
                Statement("The code is that of the commit {}.", "lineage.json", "lineage.git_revision"),
            ),
        ),
        Point(
            "(b)",
            "general logic, key design choices, what it is designed to optimise for, expected output",
            (
                Statement("The weights of the members minimise {}.", "model.json", "ensemble.loss"),
                Statement("The gate judges by {}.", "evaluation.json", "metric"),
                Statement("The task is {}.", "model.json", "task"),
                Statement("It answers {}.", "model.json", "schema.target.name"),
                Statement("The answers are: {}.", "model.json", "classes"),
                Statement("It sees the columns: {}.", "data.json", "seen"),
            ),
            ("why these choices were made, and for whom the system is to be used",),
        ),
        Point(
            "(c)",
            "the architecture, and the computational resources that were used",
            (
                Statement("What serves: {}.", "model.json", "ensemble.serves"),
                Statement("To make and judge it took {} seconds of processor time.", "model.json", "cpu_seconds"),
                Statement("An answer takes {} ms of processor time, in the median.", "model.json", "latency_ms"),
            ),
        ),
        Point(
            "(d)",
            "training data: provenance, scope, main characteristics, selection, labelling, cleaning",
            (
                Statement("The data version is {}.", "data.json", "data_version"),
                Statement("It has {} labelled rows.", "data.json", "rows"),
                Statement("They came in the files: {}.", "data.json", "files[].source"),
                Statement("Rows that did not fit the schema, and were set aside: {}.", "data.json", "rejected_rows"),
                Statement("The columns say something of persons: {}.", "data.json", "personal"),
            ),
            ("how the data was obtained and selected", "how the labels were made"),
        ),
        Point(
            "(e)",
            "human oversight that Article 14 asks for",
            (Statement("What people said before it was released: {}.", "approvals.json", "answers[]"),),
            ("what a deployer can do to interpret its answers, and to oversee it in use",),
        ),
        Point(
            "(f)",
            "changes of the system that were determined in advance, and how compliance continues",
            (
                Statement(
                    "Runs of the monitoring that found a refresh due: {}.", "monitoring.json", "runs[].refresh_due"
                ),
            ),
            ("which changes were determined in advance",),
        ),
        Point(
            "(g)",
            "validation and testing: data, metrics of accuracy, robustness and discrimination, signed reports",
            (
                Statement(
                    "It was judged on {} rows, each answered before it was learned from.",
                    "evaluation.json",
                    "holdout_rows",
                ),
                Statement("Score by the gate's metric: {}.", "evaluation.json", "challenger.score"),
                Statement("All metrics: {}.", "evaluation.json", "challenger.metrics"),
                Statement("Confidence of all intervals: {}.", "evaluation.json", "confidence"),
                Statement("Rows that were slightly altered: {}.", "gate.json", "payload.sanity.tried"),
                Statement("Differences between groups: {}.", "fairness.json", "fairness[].challenger"),
                Statement("The gate decided at {}.", "gate.json", "at"),
                Statement("It let the model pass: {}.", "gate.json", "payload.promote"),
                Statement("Its reasons: {}.", "gate.json", "payload.reasons"),
                Statement("Floors that a person let it break: {}.", "gate.json", "payload.overrides[].floor"),
            ),
            ("signatures of the persons who are responsible for the tests",),
        ),
        Point("(h)", "cybersecurity measures", absent=("cybersecurity measures",)),
    ),
    "3. Monitoring, functioning and control": (
        Point(
            "3.",
            "capabilities and limits, accuracy for persons or groups, unintended outcomes and risks, input data",
            (
                Statement("Limits: {}", "purpose.json", "limits"),
                Statement("The expected score is {}.", "evaluation.json", "challenger.score"),
                Statement("Scores of groups: {}.", "fairness.json", "groups[]"),
                Statement("Scores of parts of the table: {}.", "evaluation.json", "slices[]"),
                Statement("Each row is held to the schema of these columns: {}.", "data.json", "columns"),
            ),
            ("foreseeable unintended outcomes, and sources of risks to health, safety and fundamental rights",),
        ),
    ),
    "4. Appropriateness of the performance metrics": (
        Point(
            "4.",
            "why the metrics suit the system",
            (Statement("The metric is {}.", "evaluation.json", "metric"),),
            ("why this metric suits the purpose",),
        ),
    ),
    "5. Risk management system (Article 9)": (
        Point("5.", "the risk management system", absent=("the risk management system",)),
    ),
    "6. Changes through its lifecycle": (
        Point(
            "6.",
            "relevant changes that the provider made",
            (
                Statement("It went into service at: {}.", "releases.json", "events[].at"),
                Statement("What changed: {}.", "releases.json", "events[].payload.change"),
                Statement("By: {}.", "releases.json", "events[].actor"),
            ),
        ),
    ),
    "7. Harmonised standards": (
        Point("7.", "standards that were applied, or other solutions", absent=("standards that were applied",)),
    ),
    "8. EU declaration of conformity (Article 47)": (
        Point("8.", "a copy of the declaration", absent=("the declaration",)),
    ),
    "9. Performance after it is on the market (Article 72)": (
        Point(
            "9.",
            "how performance is evaluated in the post-market phase, with the monitoring plan",
            (
                Statement("It was looked at, at: {}.", "monitoring.json", "runs[].at"),
                Statement("Drift since: {}.", "monitoring.json", "runs[].drift"),
                Statement("Quality since: {}.", "monitoring.json", "runs[].quality"),
                Statement("Scores since: {}.", "monitoring.json", "runs[].score"),
            ),
            ("the post-market monitoring plan",),
        ),
    ),
}
