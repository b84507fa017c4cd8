import pytest

from releve.core.errors import BadInput
from releve.domain.schema.schema import Schema
from tests.tables import SHOP_TABLE, shop_schema


def described(**changes):
    return Schema.from_dict({**SHOP_TABLE, **changes}, source="shop.yaml")


def test_numbers_come_first_whatever_the_order_of_the_description():
    assert list(SHOP_TABLE["columns"]) == ["kind", "price", "weight"]
    assert shop_schema().names == ["price", "weight", "kind"]


def test_a_schema_is_read_back_as_it_was_written():
    schema = shop_schema(price={"min": None, "max": 0})

    assert Schema.from_dict(schema.as_dict()) == schema


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"classes": ["no", "yes"]}, "'target' needs a 'name'"),
        ({"name": "y", "classes": ["yes"]}, "at least two 'classes'"),
        ({"name": "y", "classes": "yes"}, "at least two 'classes'"),
        ({"name": "y"}, "at least two 'classes'"),
        ({"name": "price", "classes": [0, 1]}, "the target 'price' is also among the columns"),
        ({"name": "y", "classes": [False, True]}, "YAML reads yes, no, on and off as true and false"),
        ({"name": "y", "classes": [1, "1"]}, r"target.classes is \[1, '1'\]; expected only whole"),
        ({"name": "y", "classes": [1, "x"]}, r"target.classes is \[1, 'x'\]; expected only whole"),
        ({"name": "y", "classes": [1, 2, 1]}, "all different"),
        ({"name": "y", "classes": ["a", "a"]}, "all different"),
        ({"name": "y", "classes": ["_position", "b"]}, "the name '_position' begins with '_'"),
        ({"name": "_row", "classes": ["a", "b"]}, "the name '_row' begins with '_'"),
        ({"name": "y", "classes": [1.0, 2.0]}, "expected only whole numbers or only texts"),
    ],
)
def test_a_target_that_is_described_wrongly_is_named(target, said):
    with pytest.raises(BadInput, match=f"shop.yaml: .*{said}"):
        described(target=target)


@pytest.mark.parametrize("name", ["_batch", "_row", "_"])
def test_a_feature_may_not_be_called_as_our_own_columns_are(name):
    with pytest.raises(BadInput, match=f"shop.yaml: the name '{name}' begins with '_'.*choose another name"):
        described(columns={name: {"type": "number"}})


def test_an_underscore_elsewhere_in_a_name_is_fine():
    schema = described(columns={"row_": {"type": "number"}}, target={"name": "is_it", "classes": ["a_", "b_c"]})

    assert (schema.names, schema.target.classes) == (["row_"], ("a_", "b_c"))


@pytest.mark.parametrize("key", ["columns", "target"])
@pytest.mark.parametrize("value", [None, {}, [], "x"])
def test_a_description_without_columns_or_target_is_told(key, value):
    with pytest.raises(BadInput, match=f"shop.yaml: '{key}' is missing"):
        described(**{key: value})
