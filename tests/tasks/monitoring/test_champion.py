import math

import numpy as np
import pytest

from releve.adapters.models.description import GOLDEN_TOLERANCE, GoldenRows, ModelDescription
from releve.adapters.models.model_runtime import GoldenMismatch, Model, check_golden
from releve.domain.neighbours.embedding import Embedder
from releve.domain.schema.schema import Schema

NUMBER = {"name": "y", "task": "regression"}
CLASSES = {"name": "y", "classes": [0, 1]}


def packaged(target, labels, *, now):
    """A model that was packaged with `labels` as its golden answers and has the output `now`."""
    schema = Schema.from_dict({"target": target, "columns": {"x": {"type": "number"}}})
    golden = GoldenRows(rows=[{"x": 1.0}] * len(labels), labels=labels)
    classes = target.get("classes", [])
    embedder = Embedder((0.0,), (1.0,), ())
    described = ModelDescription(
        scenario="t",
        runtime="onnx",
        classes=classes,
        schema=schema.as_dict(),
        embedder=embedder.describe(),
        golden=golden,
    )
    return Model("t:one", schema, embedder, described, lambda _: np.array(now, dtype=float))


@pytest.mark.parametrize(
    ("now", "same"),
    [
        ([[0.0], [1000.0]], True),
        ([[0.0], [1000.0 * (1 + 0.9 * GOLDEN_TOLERANCE)]], True),
        ([[0.0], [1000.0 * (1 + 1.1 * GOLDEN_TOLERANCE)]], False),
        ([[1000 * 0.9 * GOLDEN_TOLERANCE], [1000.0]], True),  # a number near 0 is measured by the largest
        ([[1000 * 1.1 * GOLDEN_TOLERANCE], [1000.0]], False),
        ([[0.0], [math.nan]], False),
        ([[0.0]], False),
        ([], False),
        ([[0.9, 0.1]], True),
        ([[0.1, 0.9]], False),
    ],
)
def test_golden_numbers_may_differ_by_what_float32_loses_and_classes_may_not(now, same):
    is_class = len(now) == 1 and len(now[0]) == 2
    model = packaged(CLASSES, [0], now=now) if is_class else packaged(NUMBER, [0.0, 1000.0], now=now)

    if same:
        check_golden(model)
    else:
        with pytest.raises(GoldenMismatch, match="answers its golden rows with"):
            check_golden(model)
