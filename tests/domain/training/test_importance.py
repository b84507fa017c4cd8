"""Permutation importance names the features that a score rests on."""

import numpy as np
import pandas as pd
import pytest

from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from releve.domain.training.importance import STRONGEST, permutation_importances
from releve.domain.training.learning import learn
from releve.domain.training.recipes import Candidate
from tests.tables import rentals_rows, rentals_schema, shop_rows, shop_schema

BOOTSTRAP = BootstrapConfig(confidence=0.95, resamples=200, block=1, seed=7)


def importances(table, schema, *, metric, learned=300, **options):
    rows = check_frame(schema, table).accepted
    model = learn(rows.head(learned), schema, Candidate("linear", "standard"), seed=7)
    bootstrap = options.pop("bootstrap", BOOTSTRAP)
    found = permutation_importances(
        model, rows.iloc[learned:], schema, metric, quantile=0.5, bootstrap=bootstrap, **options
    )
    return {each.feature: each.loss for each in found.features}


@pytest.mark.parametrize("metric", ["accuracy", "auc", "log_loss", "f1"])
def test_the_feature_that_decides_comes_first_and_a_loss_is_positive_whatever_the_metrics_sign(metric):
    found = importances(shop_rows(500), shop_schema(), metric=metric)

    assert next(iter(found)) == "price"
    assert found["price"].low > 0.1
    assert all(each.low <= each.value <= each.high for each in found.values())
    assert abs(found["weight"].value) < found["price"].value / 5


def test_a_date_is_one_feature_and_so_is_a_text():
    found = importances(rentals_rows(500), rentals_schema(), metric="mae")

    assert set(found) <= set(rentals_schema().names)
    assert found["temperature"].low > 0
    assert found["note"].value > found["season"].value


def test_of_a_wide_table_the_strongest_features_are_measured_and_the_same_each_time():
    random, names = np.random.default_rng(1), [f"x{number}" for number in range(STRONGEST + 8)]
    table = pd.DataFrame({name: random.normal(size=500) for name in names})
    table["y"] = np.where(table["x3"] + random.normal(size=500) / 2 > 0, "yes", "no").astype(object)
    schema = Schema.from_dict(
        {"columns": {name: {"type": "number"} for name in names}, "target": {"name": "y", "classes": ["no", "yes"]}}
    )

    found, again = (importances(table, schema, metric="accuracy") for _ in range(2))

    assert found == again
    assert len(found) == STRONGEST
    assert next(iter(found)) == "x3"


def test_two_columns_that_say_the_same_share_their_importance():
    table = shop_rows(500)
    alone = importances(table, shop_schema(), metric="accuracy")["price"].value

    shared = importances(table.assign(weight=table["price"] / 10), shop_schema(), metric="accuracy")["price"].value

    assert shared < 0.8 * alone


def test_where_the_metric_is_not_defined_nothing_is_claimed():
    table = shop_rows(310)

    assert importances(table.assign(bought=[*table["bought"][:300], *["yes"] * 10]), shop_schema(), metric="auc") == {}
