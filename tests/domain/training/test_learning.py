import numpy as np
import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.domain.schema.schema import BATCH, Schema
from releve.domain.schema.validation import check_frame
from releve.domain.training.learning import VALUE, answer, learn, window
from releve.domain.training.recipes import Candidate
from tests.tables import SHOP_TABLE, shop_rows, shop_schema
from tests.values import priced_rows, priced_schema

NOTE = {"type": "text", "nullable": True}
LINEAR = Candidate("linear", "standard")
ROWS = pd.DataFrame({"row": range(9), BATCH: ["a", "a", "b", "b", "b", "c", "d", "d", "d"]})


@pytest.mark.parametrize(
    ("end", "last_batches", "expected"),
    [
        (9, 0, range(9)),
        (9, 1, [6, 7, 8]),
        (9, 2, [5, 6, 7, 8]),
        (9, 4, range(9)),
        (9, 5, range(9)),
        (6, 2, [2, 3, 4, 5]),
        (7, 1, [5, 6]),  # the rows of a batch that is cut come on top
        (8, 2, [2, 3, 4, 5, 6, 7]),
        (5, 1, [2, 3, 4]),
        (4, 1, [0, 1, 2, 3]),
        (1, 1, [0]),
        (0, 1, []),
    ],
)
def test_a_window_holds_the_newest_batches_before_its_end(end, last_batches, expected):
    assert window(ROWS, end=end, last_batches=last_batches)["row"].tolist() == list(expected)


def test_probabilities_stand_in_the_order_of_the_classes_of_the_schema():
    schema = shop_schema()
    rows = check_frame(schema, shop_rows(200)).accepted
    model = learn(rows, schema, LINEAR, seed=7)

    found = answer(model, rows.tail(20), schema)

    assert list(found.columns) == ["no", "yes"]
    assert np.allclose(found.sum(axis=1), 1)
    assert ((found["yes"] > 0.5) == (rows["price"].tail(20) < 50).to_numpy()).mean() > 0.8


@pytest.mark.parametrize("recipe", ["linear", "hist_gradient_boosting"])
def test_a_column_without_any_value_yet_keeps_no_recipe_from_learning(recipe):
    schema = shop_schema()
    rows = check_frame(schema, shop_rows(200).assign(weight=None)).accepted
    weighed = check_frame(schema, shop_rows(20, seed=8)).accepted

    found = answer(learn(rows, schema, Candidate(recipe, "standard"), seed=7), weighed, schema)

    assert ((found["yes"] > 0.5) == (weighed["price"] < 50).to_numpy()).mean() > 0.8


@pytest.mark.parametrize("text", [None, "the same words"])
def test_texts_that_say_nothing_or_all_the_same_are_learned_from_without_a_warning(text):
    schema = Schema.from_dict({**SHOP_TABLE, "columns": {**SHOP_TABLE["columns"], "note": NOTE}})
    rows = check_frame(schema, shop_rows(100).assign(note=text)).accepted

    found = answer(learn(rows, schema, LINEAR, seed=7), rows, schema)

    assert ((found["yes"] > 0.5) == (rows["price"] < 50)).mean() > 0.8


def test_a_class_that_was_not_there_to_learn_has_no_probability():
    schema = Schema.from_dict({**SHOP_TABLE, "target": {"name": "bought", "classes": ["maybe", "no", "yes"]}})
    rows = check_frame(schema, shop_rows(100)).accepted

    found = answer(learn(rows, schema, LINEAR, seed=7), rows, schema)

    assert list(found.columns) == ["maybe", "no", "yes"]
    assert (found["maybe"] == 0).all()


def test_a_regression_answers_values():
    schema = priced_schema()
    rows = check_frame(schema, priced_rows(200)).accepted
    model = learn(rows.head(150), schema, LINEAR, seed=7)

    found = answer(model, rows.tail(50), schema)

    assert list(found.columns) == [VALUE]
    assert np.abs(found[VALUE].to_numpy() - rows["spent"].tail(50).to_numpy()).mean() < 3


@pytest.mark.parametrize(("recipe", "rare", "enough"), [("linear", 0, 1), ("svm", 2, 3)])
def test_too_few_rows_of_a_class_are_rejected(recipe, rare, enough):
    schema = shop_schema()
    rows = shop_rows(200)
    bought, left = rows[rows["bought"] == "yes"], rows[rows["bought"] == "no"].head(30)
    too_few, just = (
        check_frame(schema, pd.concat([left, bought.head(count)], ignore_index=True)).accepted
        for count in (rare, enough)
    )

    with pytest.raises(BadInput, match=r"too few labels to learn from \(bought: no: 30"):
        learn(too_few, schema, Candidate(recipe, "standard"), seed=7)
    learn(just, schema, Candidate(recipe, "standard"), seed=7)
