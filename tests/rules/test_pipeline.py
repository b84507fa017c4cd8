import numpy as np
import pytest

from releve.errors import BadInput
from releve.rules.pipeline import RECIPES, build
from releve.rules.schema import Schema
from tests.tables import SHOP_TABLE, shop_rows, shop_schema

SMALL = {"extra_trees": {"n_estimators": 10}, "hist_gradient_boosting": {"max_iter": 10}}


def fitted(recipe="logistic", *, schema=None, scale="standard", seed=7, rows=None, **options):
    schema = schema or shop_schema()
    accepted = schema.check_frame(shop_rows(120) if rows is None else rows).accepted
    pipeline = build(schema, recipe=recipe, scale=scale, options={**SMALL.get(recipe, {}), **options}, seed=seed)
    return pipeline.fit(accepted[schema.names], accepted["bought"])


def asked(pipeline, *, schema=None, rows=40):
    schema = schema or shop_schema()
    return pipeline.predict_proba(schema.check_frame(shop_rows(rows, seed=8)).accepted[schema.names])


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("scale", ["standard", "none"])
def test_every_recipe_learns_numbers_and_categories_with_missing_values(recipe, scale):
    pipeline = fitted(recipe, scale=scale, rows=shop_rows(300))

    probabilities = asked(pipeline)

    assert pipeline.classes_.tolist() == ["no", "yes"]
    assert probabilities.shape == (40, 2)
    assert np.allclose(probabilities.sum(axis=1), 1)
    labels = shop_rows(40, seed=8)["bought"].to_numpy()
    assert (pipeline.classes_[probabilities.argmax(axis=1)] == labels).mean() > 0.75


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_same_seed_gives_the_same_probabilities(recipe):
    assert (asked(fitted(recipe, seed=3)) == asked(fitted(recipe, seed=3))).all()


def test_another_seed_is_another_forest():
    assert not (asked(fitted("extra_trees", seed=3)) == asked(fitted("extra_trees", seed=4))).all()


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_option_that_the_estimator_does_not_have_is_refused_by_name(recipe):
    with pytest.raises(BadInput, match=r"train\.options has depht, which \w+ does not know; it knows .*random_state"):
        build(shop_schema(), recipe=recipe, scale="none", options={"depht": 3}, seed=7)


def test_several_unknown_options_are_told_at_once():
    with pytest.raises(BadInput, match=r"has a, b, which"):
        build(shop_schema(), recipe="logistic", scale="none", options={"b": 1, "a": 2, "C": 1.0}, seed=7)


def test_options_outweigh_the_recipes_own():
    pipeline = build(shop_schema(), recipe="extra_trees", scale="none", options={"n_estimators": 3}, seed=7)

    assert pipeline.named_steps["model"].n_estimators == 3


@pytest.mark.parametrize("names", [["price"], ["price", "weight"], ["kind"]])
def test_a_table_of_one_type_alone_is_learned_too(names):
    schema = Schema.from_dict({**SHOP_TABLE, "columns": {name: SHOP_TABLE["columns"][name] for name in names}})

    probabilities = asked(fitted(schema=schema), schema=schema)

    assert probabilities.shape == (40, 2)


def test_a_column_without_a_single_number_does_not_stop_it():
    pipeline = fitted(rows=shop_rows(120).assign(weight=np.nan))

    assert np.isfinite(asked(pipeline)).all()


def test_an_unseen_category_is_no_error():
    rows = shop_rows(120)
    pipeline = fitted(rows=rows[rows["kind"] != "cheese"].reset_index(drop=True))

    assert np.isfinite(asked(pipeline)).all()


def test_building_leaves_the_options_alone():
    options = {"C": 0.5}

    build(shop_schema(), recipe="logistic", scale="none", options=options, seed=7)

    assert options == {"C": 0.5}
