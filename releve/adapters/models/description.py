"""model.json: what a model is, beside what runs."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from releve.domain.evaluation.evaluation import Evaluation, Sanity
from releve.domain.schema.target import Label
from releve.domain.training.recipe_choice import RecipeChoice

DESCRIPTION = "model.json"


class GoldenRows(BaseModel):
    """Rows with the answers the model gives, asked again before every release."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: tuple[dict[str, Any], ...] = ()
    labels: tuple[Label, ...] = ()


class ModelDescription(BaseModel):
    """Everything that the model's folder says of it; what was measured is there once the model was packaged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    scenario: str
    runtime: str  # "onnx" or "sklearn"
    parity: str | None = None  # why scikit-learn serves it; None where the exported model answers as the trained one
    task: str = ""
    classes: tuple[Label, ...]  # that the model learned, in the order of its output; none of a regression
    table: dict[str, Any] = Field(alias="schema")  # as `Schema.as_dict` writes it
    embedder: dict[str, Any]  # as `Embedder.as_dict` writes it
    recipe: RecipeChoice | None = None
    environment: dict[str, str] = {}
    rows: int = 0
    learned_rows: int = 0  # the holdout included: what was judged on it was fitted on the rows before
    evaluation: Evaluation | None = None
    sanity: Sanity | None = None
    golden: GoldenRows = GoldenRows()

    def to_json(self) -> dict[str, Any]:
        """Return it as model.json holds it."""
        return self.model_dump(mode="json", by_alias=True)
