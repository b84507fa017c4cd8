from dataclasses import asdict

import pytest

from releve.domain.schema.schema import Schema
from releve.domain.training.pipeline import TEXT_OPTIONS, build
from releve.domain.training.recipes import (
    RECIPES,
    TEXT_SPACE,
    Candidate,
    Choice,
    Number,
    default_candidate,
    fitting_recipes,
    from_parameters,
    parameters_of,
    search_spaces,
)
from tests.mixed_tables import LEARNERS
from tests.tables import SHOP_TABLE, shop_schema
from tests.values import priced_schema

VALUES = priced_schema()
TEXTS = Schema.from_dict({**SHOP_TABLE, "columns": {**SHOP_TABLE["columns"], "words": {"type": "text"}}})
SPACES = [
    pytest.param(shop_schema(), {name: recipe.class_space for name, recipe in RECIPES.items()}, id="classes"),
    pytest.param(VALUES, {name: recipe.value_space for name, recipe in RECIPES.items()}, id="values"),
]


@pytest.mark.parametrize(("schema", "known"), SPACES)
def test_every_recipe_has_a_space_for_every_task(schema, known):
    assert search_spaces(tuple(RECIPES), schema) == known


@pytest.mark.parametrize("recipe", LEARNERS)
def test_a_table_with_texts_has_their_options_too(recipe):
    space = search_spaces((recipe,), TEXTS)[recipe]

    assert set(space) == {*RECIPES[recipe].class_space, *TEXT_SPACE} == {*RECIPES[recipe].class_space, *TEXT_OPTIONS}
    assert {name: default_candidate(recipe, space).options[name] for name in TEXT_SPACE} == TEXT_OPTIONS
    build(TEXTS, **asdict(default_candidate(recipe, space)), seed=7)


@pytest.mark.parametrize(("schema", "known"), SPACES)
@pytest.mark.parametrize("recipe", LEARNERS)
def test_the_defaults_of_a_recipe_are_a_point_of_its_space_that_can_be_built(schema, known, recipe):
    found = default_candidate(recipe, known[recipe])

    assert parameters_of(found, known[recipe]) == {name: parameter.default for name, parameter in known[recipe].items()}
    build(schema, **asdict(found), seed=7)


@pytest.mark.parametrize(("schema", "known"), SPACES)
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_end_of_every_parameter_can_be_built(schema, known, recipe):
    for name, parameter in known[recipe].items():
        for value in parameter.values if isinstance(parameter, Choice) else (parameter.low, parameter.high):
            candidate = from_parameters(recipe, {name: value}, known[recipe])

            assert parameters_of(candidate, known[recipe])[name] == value
            build(schema, **asdict(candidate), seed=7)


@pytest.mark.parametrize(
    ("parameter", "inside", "outside"),
    [
        (Number(1, 32, 1, whole=True), [1, 32, 7.0], [0, 33, 1.5, True, "7", None]),
        (Number(0.1, 10, 1.0), [0.1, 10, 3], [0.0999, 10.1, float("nan")]),
        (Choice(("sqrt", 0.3, 1.0), "sqrt"), ["sqrt", 0.3, 1], ["log2", 0.31, True, None]),
    ],
)
def test_a_parameter_holds_its_ends_and_not_what_is_beyond_them(parameter, inside, outside):
    assert [value for value in inside if not parameter.holds(value)] == []
    assert [value for value in outside if parameter.holds(value)] == []


def test_an_option_that_a_candidate_leaves_out_stands_at_its_default():
    by_hand = Candidate("svm", "none", {"gamma": 0.001})

    assert parameters_of(by_hand, RECIPES["svm"].class_space) == {"C": 1.0, "gamma": 0.001, "scale": "none"}


@pytest.mark.parametrize("options", [{"gamma": 0.5}, {"kernel": "linear"}, {"C": 1e6}])
def test_a_candidate_with_an_option_that_is_not_searched_lies_outside(options):
    assert parameters_of(Candidate("svm", "standard", options), RECIPES["svm"].class_space) is None


def test_a_parameter_has_six_digits():
    found = from_parameters("linear", {"C": 0.123456789}, RECIPES["linear"].class_space)

    assert found.options == {"C": 0.123457}


def test_a_recipe_whose_cost_explodes_is_left_out_of_a_large_table_and_says_so():
    most = RECIPES["svm"].max_rows

    assert fitting_recipes(("linear", "svm"), rows=most) == (("linear", "svm"), ())
    recipes, left_out = fitting_recipes(("linear", "svm"), rows=most + 1)
    assert recipes == ("linear",)
    assert left_out == (f"svm is left out: {most + 1} rows, it learns from {most} at most",)


def test_a_candidate_is_written_in_a_line():
    assert str(Candidate("svm", "none", {"gamma": "scale", "C": 0.12345})) == "svm C=0.123 gamma=scale unscaled"
    assert str(Candidate("extra_trees", "none")) == "extra_trees"
