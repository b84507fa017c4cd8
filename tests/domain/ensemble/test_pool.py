import pytest

from releve.domain.ensemble.pool import default_pool
from releve.domain.schema.schema import Schema
from tests.tables import make_params


def pool_of(target, **train):
    schema = Schema.from_dict({"target": {"name": "y", **target}, "columns": {"x": {"type": "number"}}})
    return default_pool(make_params(train={"recipe": "auto", **train}).train, schema, rows=1000)


CLASSES = {"classes": ["no", "yes"]}


def test_the_plain_refit_is_the_first_member_and_learns_from_all_rows():
    pool = pool_of(CLASSES)

    assert pool.plain == "hist_gradient_boosting"
    assert pool.members[0].last_batches == 0
    assert len(set(pool.names)) == len(pool.names)


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
    assert ("poisson_boosting" in pool_of(target).names) is is_member


def test_a_linear_model_also_learns_from_the_newest_batches_alone():
    windows = {member.last_batches for member in pool_of(CLASSES).members if member.recipe == "linear"}

    assert windows == {0, 5}
