import pytest

from releve.domain.ensemble.pool import CONSTANT, SEARCH, Member, pool_of
from releve.domain.schema.schema import Schema
from releve.domain.training.recipes import Candidate
from tests.tables import make_params

FOUND = Member.of(Candidate("svm", "standard"), origin=SEARCH)


def pool(target, *found, **train):
    schema = Schema.from_dict({"target": {"name": "y", **target}, "columns": {"x": {"type": "number"}}})
    return pool_of(make_params(train={"recipe": "auto", **train}).train, schema, rows=1000, more=found)


CLASSES = {"classes": ["no", "yes"]}


def test_the_plain_refit_is_the_first_member_and_learns_from_all_rows():
    made = pool(CLASSES)

    assert made.plain == "hist_gradient_boosting"
    assert made.members[0].last_batches == 0


@pytest.mark.parametrize("recipe", ["auto", "linear", CONSTANT, ["linear", "svm"]])
def test_every_member_has_a_name_of_its_own(recipe):
    names = pool(CLASSES, recipe=recipe).names

    assert CONSTANT in names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("ensemble", "is_member"), [(True, True), (False, False)])
def test_what_a_search_found_joins_an_ensemble_and_no_single_model(ensemble, is_member):
    assert (FOUND in pool(CLASSES, FOUND, ensemble=ensemble).members) is is_member


@pytest.mark.parametrize(
    ("target", "is_member"),
    [
        (CLASSES, False),
        ({"task": "regression"}, False),
        ({"task": "regression", "min": -1}, False),
        ({"task": "regression", "min": 0}, True),
    ],
)
def test_poisson_boosting_is_a_member_where_values_are_never_below_zero(target, is_member):
    assert ("poisson_boosting" in pool(target).names) is is_member


def test_a_linear_model_also_learns_from_the_newest_batches_alone():
    windows = {member.last_batches for member in pool(CLASSES).members if member.recipe == "linear"}

    assert windows == {0, 5}
