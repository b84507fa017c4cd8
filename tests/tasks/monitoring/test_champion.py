import math

import numpy as np
import pytest

from releve.adapters.models.model_runtime import Model
from releve.domain.neighbours.embedding import Embedder
from releve.domain.schema.schema import Schema
from tasks.monitoring.champion import GOLDEN_TOLERANCE, GoldenMismatch, check_golden

NUMBER = {"name": "y", "task": "regression"}
CLASSES = {"name": "y", "classes": [0, 1]}


def asked(target, *, golden, found):
    """A model that was packaged with the answers `golden` and answers `found` now."""
    schema = Schema.from_dict({"target": target, "columns": {"x": {"type": "number"}}})
    described = {"classes": [0, 1], "golden": {"rows": [{"x": 1.0}] * len(golden), "labels": golden}}
    return Model("t:one", schema, Embedder((0.0,), (1.0,), ()), described, lambda _: np.array(found, dtype=float))


@pytest.mark.parametrize(
    ("found", "same"),
    [
        ([[0.0], [1000.0]], True),
        ([[0.0], [1000.0 * (1 + 0.9 * GOLDEN_TOLERANCE)]], True),
        ([[0.0], [1000.0 * (1 + 1.1 * GOLDEN_TOLERANCE)]], False),
        ([[1000 * 0.9 * GOLDEN_TOLERANCE], [1000.0]], True),  # a number near 0 is measured by the largest
        ([[1000 * 1.1 * GOLDEN_TOLERANCE], [1000.0]], False),
        ([[0.0], [math.nan]], False),
        ([[0.0]], False),
        ([], False),
    ],
)
def test_golden_numbers_may_differ_by_what_float32_loses(found, same):
    model = asked(NUMBER, golden=[0.0, 1000.0], found=found)

    if same:
        check_golden(model)
    else:
        with pytest.raises(GoldenMismatch, match="answers its golden rows with"):
            check_golden(model)


@pytest.mark.parametrize(("found", "same"), [([[0.9, 0.1]], True), ([[0.1, 0.9]], False)])
def test_golden_classes_are_the_same_or_not(found, same):
    model = asked(CLASSES, golden=[0], found=found)

    if same:
        check_golden(model)
    else:
        with pytest.raises(GoldenMismatch):
            check_golden(model)
