"""model.json: what a model is, beside what runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from releve.core.documents import DocumentPart, parse_document
from releve.domain.brought.description import BroughtDescription
from releve.domain.decision.policy import DecisionPolicy
from releve.domain.ensemble.description import EnsembleDescription
from releve.domain.ensemble.weights import Serves
from releve.domain.evaluation.conformal import ConformalIntervals
from releve.domain.evaluation.evaluation import Evaluation, Sanity
from releve.domain.neighbours.embedding import EmbedderDescription
from releve.domain.prediction_log.records import Row
from releve.domain.registry.search_outcome import SearchOutcome
from releve.domain.schema.target import REGRESSION, Label

DESCRIPTION = "model.json"
GOLDEN_TOLERANCE = 1e-5  # share of the largest golden number; float32 holds seven digits, and sums of trees lose two


class GoldenRows(DocumentPart):
    """Rows with the answers the model gives, asked again before every release."""

    rows: tuple[Row, ...] = ()
    labels: tuple[Label, ...] = ()

    def are_answered_by(self, labels: Sequence[Label], *, task: str) -> bool:
        """Whether these are the answers; numbers may differ by what float32 sums lose, as one of them may be near 0."""
        if task != REGRESSION or len(labels) != len(self.labels):
            return list(labels) == list(self.labels)
        wanted = [float(each) for each in self.labels]
        within = GOLDEN_TOLERANCE * max(map(abs, wanted), default=0.0)
        return all(abs(float(now) - known) <= within for now, known in zip(labels, wanted, strict=True))


class ModelDescription(DocumentPart):
    """Everything that the model's folder says of it; what was measured is there once the model was packaged."""

    format: Literal[1] = 1
    scenario: str
    runtime: str  # "onnx" or "sklearn"
    parity: str | None = None  # why scikit-learn serves it; None where the exported model answers as the trained one
    task: str = ""
    classes: tuple[Label, ...]  # that the model learned, in the order of its output; none of a regression
    table: dict[str, Any] = Field(alias="schema")  # as `Schema.as_dict` writes it
    embedder: EmbedderDescription
    ensemble: EnsembleDescription | None = None
    brought: BroughtDescription | None = None  # what somebody else fitted, and serves alone
    environment: dict[str, str] = Field(default_factory=dict)
    rows: int = 0
    learned_rows: int = 0  # the holdout included: what was judged on it was fitted on the rows before
    evaluation: Evaluation | None = None
    intervals: ConformalIntervals | None = None  # of a regression; None where too few rows were answered before
    decision: DecisionPolicy | None = None  # what is decided by its answers; None where no costs are known
    sanity: Sanity | None = None
    golden: GoldenRows = GoldenRows()

    def to_json(self) -> dict[str, Any]:
        """Return it as model.json holds it."""
        return self.model_dump(mode="json", by_alias=True)


def read_description(folder: Path, *, tag: str) -> ModelDescription:
    """Read the model.json of a model in the store. Raise BadInput where it is damaged."""
    return parse_description((folder / DESCRIPTION).read_bytes(), tag=tag)


def parse_description(text: bytes, *, tag: str) -> ModelDescription:
    """Read a model.json from its bytes. Raise BadInput where they are damaged."""
    return parse_document(
        text,
        ModelDescription,
        source=f"{DESCRIPTION} of model {tag}",
        remedy="restore the model store from its backup, or train again with `make retrain`",
    )


class ModelSummary(DocumentPart):
    """What people compare of models, and the gate reads: results/<scenario>/summary.json."""

    format: Literal[1] = 1
    task: str
    runtime: str
    parity: str | None
    sanity: Sanity
    rows: int
    learned_rows: int
    learned: (
        int  # labelled rows that members learned, the oldest; of an ensemble that was weighed anew fewer than `rows`
    )
    classes: tuple[Label, ...]
    serves: Serves
    weights: dict[str, float]  # of the members that have a say
    search: SearchOutcome | None  # None without a search

    @classmethod
    def of(cls, description: ModelDescription) -> "ModelSummary":
        """Summarise a model that was packaged. Raises ValueError where it was not tried or has no members."""
        if description.sanity is None or description.ensemble is None:
            raise ValueError(f"the model of {description.scenario} was not packaged")
        return cls(
            task=description.task,
            runtime=description.runtime,
            parity=description.parity,
            sanity=description.sanity,
            rows=description.rows,
            learned_rows=description.learned_rows,
            learned=description.ensemble.learned,
            classes=description.classes,
            serves=description.ensemble.serves,
            weights={member.name: member.weight for member in description.ensemble.members if member.weight},
            search=description.ensemble.search.outcome if description.ensemble.search else None,
        )


class GoldenRequests(DocumentPart):
    """Golden rows that travel beside an image, to be asked of the service that it becomes."""

    format: Literal[1] = 1
    scenario: str
    model: str  # "<scenario>:<version>"
    task: str
    golden: GoldenRows

    @classmethod
    def of(cls, description: ModelDescription, *, model: str) -> "GoldenRequests":
        """Take them from what a model says of itself."""
        return cls(scenario=description.scenario, model=model, task=description.task, golden=description.golden)
