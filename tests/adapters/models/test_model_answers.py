"""What a loaded model makes of what its runtime gives."""

import json

import numpy as np
import pytest

from releve.adapters.models.description import ModelDescription
from releve.adapters.models.model_runtime import Model
from releve.domain.neighbours.embedding import Embedder
from releve.domain.schema.schema import Schema


def answering(target, classes, found):
    """A model of a table with one number, whose runtime gives `found`."""
    schema = Schema.from_dict({"target": {"name": "y", **target}, "columns": {"x": {"type": "number"}}})
    embedder = Embedder((0.0,), (1.0,), ())
    described = ModelDescription(
        scenario="t", runtime="onnx", classes=classes, schema=schema.as_dict(), embedder=embedder.describe()
    )
    return Model("t:one", schema, embedder, described, lambda _: np.array(found))


def test_probabilities_come_in_the_order_of_the_target_not_of_the_training():
    model = answering({"classes": ["yes", "no"]}, ["no", "yes"], [[0.3, 0.7], [0.9, 0.1]])

    answers = model.answer({})

    assert answers.labels == ["yes", "no"]
    assert answers.probabilities.tolist() == [[0.7, 0.3], [0.1, 0.9]]


def test_a_class_that_the_training_never_saw_has_no_probability():
    model = answering({"classes": [0, 1, 2]}, [0, 2], [[0.3, 0.7]])

    answers = model.answer({})

    assert answers.labels == [2]
    assert answers.probabilities.tolist() == [[0.3, 0.0, 0.7]]


@pytest.mark.parametrize("found", [[[1.5], [-2.0]], np.array([[1.5], [-2.0]], dtype=np.float32)])
def test_a_regression_answers_plain_numbers(found):
    answers = answering({"task": "regression"}, [], found).answer({})

    assert answers.labels == [1.5, -2.0]
    assert answers.probabilities is None
    json.dumps(answers.labels)
