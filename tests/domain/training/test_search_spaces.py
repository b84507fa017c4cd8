import pytest

from releve.domain.schema.schema import Schema
from releve.domain.training.pipeline import CLASSIFIERS, TEXT_OPTIONS, build
from releve.domain.training.search_spaces import (
    CLASS_SPACES,
    LARGEST_TABLE,
    SIMPLEST_FIRST,
    TEXT_SPACE,
    VALUE_SPACES,
    Candidate,
    Choice,
    Number,
    default,
    fitting,
    from_parameters,
    parameters_of,
    spaces,
)
from tests.tables import SHOP_TABLE, shop_schema
from tests.values import priced_schema

VALUES = priced_schema()
TEXTS = Schema.from_dict({**SHOP_TABLE, "columns": {**SHOP_TABLE["columns"], "words": {"type": "text"}}})
TASKS = [pytest.param(shop_schema(), CLASS_SPACES, id="classes"), pytest.param(VALUES, VALUE_SPACES, id="values")]


@pytest.mark.parametrize(("schema", "known"), TASKS)
def test_every_recipe_has_a_space_for_every_task(schema, known):
    assert spaces(SIMPLEST_FIRST, schema) == known
    assert sorted(known) == sorted(SIMPLEST_FIRST) == sorted(CLASSIFIERS)


@pytest.mark.parametrize("recipe", SIMPLEST_FIRST)
def test_a_table_with_texts_has_their_options_too(recipe):
    space = spaces((recipe,), TEXTS)[recipe]

    assert set(space) == {*CLASS_SPACES[recipe], *TEXT_SPACE} == {*CLASS_SPACES[recipe], *TEXT_OPTIONS}
    assert {name: default(recipe, space).options[name] for name in TEXT_SPACE} == TEXT_OPTIONS
    build(TEXTS, **default(recipe, space).as_dict(), seed=7)


@pytest.mark.parametrize(("schema", "known"), TASKS)
@pytest.mark.parametrize("recipe", SIMPLEST_FIRST)
def test_the_defaults_of_a_recipe_are_a_point_of_its_space_that_can_be_built(schema, known, recipe):
    found = default(recipe, known[recipe])

    assert parameters_of(found, known[recipe]) == {name: parameter.default for name, parameter in known[recipe].items()}
    build(schema, **found.as_dict(), seed=7)


@pytest.mark.parametrize(("schema", "known"), TASKS)
@pytest.mark.parametrize("recipe", SIMPLEST_FIRST)
def test_every_end_of_every_parameter_can_be_built(schema, known, recipe):
    for name, parameter in known[recipe].items():
        for value in parameter.values if isinstance(parameter, Choice) else (parameter.low, parameter.high):
            candidate = from_parameters(recipe, {name: value}, known[recipe])

            assert parameters_of(candidate, known[recipe])[name] == value
            build(schema, **candidate.as_dict(), seed=7)


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

    assert parameters_of(by_hand, CLASS_SPACES["svm"]) == {"C": 1.0, "gamma": 0.001, "scale": "none"}


@pytest.mark.parametrize("options", [{"gamma": 0.5}, {"kernel": "linear"}, {"C": 1e6}])
def test_a_candidate_with_an_option_that_is_not_searched_lies_outside(options):
    assert parameters_of(Candidate("svm", "standard", options), CLASS_SPACES["svm"]) is None


def test_a_candidate_survives_json():
    candidate = Candidate("svm", "none", {"C": 2.5, "gamma": "scale"})

    assert Candidate.from_dict({**candidate.as_dict(), "seed": 7}) == candidate


def test_a_parameter_has_six_digits():
    found = from_parameters("linear", {"C": 0.123456789}, CLASS_SPACES["linear"])

    assert found.options == {"C": 0.123457}


def test_a_recipe_whose_cost_explodes_is_left_out_of_a_large_table_and_says_so():
    most = LARGEST_TABLE["svm"]

    assert fitting(("linear", "svm"), rows=most) == (("linear", "svm"), ())
    recipes, told = fitting(("linear", "svm"), rows=most + 1)
    assert recipes == ("linear",)
    assert told == (f"svm is left out: {most + 1} rows, it learns from {most} at most",)


def test_a_candidate_is_told_in_a_line():
    assert str(Candidate("svm", "none", {"gamma": "scale", "C": 0.12345})) == "svm C=0.123 gamma=scale unscaled"
    assert str(Candidate("extra_trees", "none")) == "extra_trees"
