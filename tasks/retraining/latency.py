"""How long one answer of a model takes."""

from releve.adapters.models.model_runtime import Model
from releve.adapters.models.timing import median_milliseconds
from releve.domain.schema.arrays import arrays_of_rows


def answer_milliseconds(model: Model) -> float:
    """Of the model's first golden row, from cells to answer: CPU time."""
    row = model.description.golden.rows[:1]
    return median_milliseconds(lambda: model.answer(arrays_of_rows(model.schema, row)))
