"""Which columns an input of a foreign model takes, and what is said where that is not clear."""

from typing import Any

import pytest

from releve.core.errors import BadInput
from releve.domain.brought.mapping import MappingFile, TensorInput, match_inputs, read_mapping
from releve.domain.schema.schema import Schema

SCHEMA = Schema.from_dict(
    {
        "target": {"name": "bought", "classes": ["no", "yes"]},
        "columns": {
            "price": {"type": "number"},
            "weight": {"type": "number", "nullable": True},
            "kind": {"type": "category"},
            "note": {"type": "text"},
            "day": {"type": "date"},
            "photo": {"type": "image", "size": [2, 3]},
            "shelf": {"type": "number", "feature": False},
        },
    }
)
ROWS = None  # a size that the file leaves open


def matched(name: str, kind: str, *shape: int | None, **mapping: Any) -> Any:
    return match_inputs([TensorInput(name, kind, shape)], SCHEMA, MappingFile(**mapping))[0]


@pytest.mark.parametrize(
    ("name", "kind", "shape", "block", "places", "tail"),
    [
        ("price", "float", (ROWS, 1), "numbers", (0,), (1,)),
        ("price", "double", (ROWS,), "numbers", (0,), ()),
        ("weight", "float16", (ROWS, ROWS), "numbers", (1,), (1,)),
        ("kind", "string", (ROWS, 1), "categories", (0,), (1,)),
        ("note", "string", (ROWS,), "texts", (0,), ()),
        ("day", "float", (ROWS, 5), "numbers", (2, 3, 4, 5, 6), (5,)),
        ("day.month", "int64", (ROWS, 1), "numbers", (3,), (1,)),
        ("photo", "float", (ROWS, 1, 3, 2), "numbers", tuple(range(7, 13)), (1, 3, 2)),
    ],
)
def test_an_input_with_a_columns_name_takes_that_column(
    name: str, kind: str, shape: tuple[int | None, ...], block: str, places: tuple[int, ...], tail: tuple[int, ...]
):
    found = matched(name, kind, *shape)

    assert (found.block, found.places, found.tail) == (block, places, tail)


def test_a_mapping_orders_columns_and_says_what_missing_ones_become():
    found = matched("x", "float", ROWS, 7, inputs={"x": ["weight", "day", "price"]}, missing={"weight": -1, "day": 0})

    assert found.places == (1, 2, 3, 4, 5, 6, 0)
    assert found.missing == {1: -1.0, **dict.fromkeys(range(2, 7), 0.0)}


@pytest.mark.parametrize(
    ("arguments", "mapping", "said"),
    [
        (
            ("x", "float", ROWS, 2),
            {},
            r"has the name of no column; .* which 2 numbers .*; in the table's it is inputs: \{x: \[price, weight\]\}$",
        ),
        (("x", "float", ROWS, 13), {}, r"in the table's it is inputs: \{x: \[price, weight, day, photo\]\}$"),
        (
            ("x", "float", ROWS, 3),
            {},
            r"which 3 numbers .*: inputs: \{x: \[...\]\}, of 'price', 'weight', 'day', 'photo'$",
        ),
        (("x", "float", ROWS, ROWS), {}, r"which columns .*: inputs: \{x: \[...\]\}, of 'price', 'weight', "),
        (("x", "string", ROWS, 1), {}, r"which one column it takes.* inputs: \{x: \[kind\]\}$"),
        (("x", "string", ROWS, 2), {}, r"in the table's it is inputs: \{x: \[kind, note\]\}$"),
        (("Weight", "float", ROWS, 1), {}, r"did you mean inputs: \{Weight: \[weight\]\}\?$"),
        (("day_month", "float", ROWS, 1), {}, r"did you mean inputs: \{day_month: \[day.month\]\}\?$"),
        (("bought", "string", ROWS, 1), {}, "it is the target, which nobody knows when a model is asked"),
        (("shelf", "float", ROWS, 1), {}, "the scenario says of it `feature: false`"),
        (("x", "float", ROWS, 1), {"inputs": {"x": ["prize"]}}, "no such column; did you mean 'price'"),
        (
            ("x", "float", ROWS, 1),
            {"inputs": {"y": ["price"]}},
            "the mapping names the input 'y', and the file has",
        ),
        (("x", "float", ROWS, 3), {"inputs": {"x": ["price", "weight"]}}, "takes 3 cells of a row, and 2 columns are"),
        (
            ("x", "float", ROWS, 2),
            {"inputs": {"x": ["price", "kind"]}},
            "'price' and 'kind', which are of different",
        ),
        (("price", "string", ROWS, 1), {}, "takes texts, and 'price' holds numbers"),
        (("kind", "int64", ROWS, 1), {}, r"takes numbers \(int64\), and 'kind' holds texts"),
        (("price", "complex64", ROWS, 1), {}, "takes complex64; expected numbers or texts"),
        (("price", "float", 4, 1), {}, "takes exactly 4 at a time; export it with an open first dimension"),
        (("price", "float"), {}, "takes one number and no rows"),
        (("photo", "float", ROWS, ROWS, 3), {}, r"only rows.* may be open"),
        (("weight", "int32", ROWS, 1), {}, r"cells of 'weight' may be missing; .* missing: \{weight: 0\}"),
        (
            ("price", "float", ROWS, 1),
            {"missing": {"kind": 0}},
            "'missing' names 'kind', which is no number of",
        ),
        (
            ("price", "float", ROWS, 1),
            {"missing": {"price": float("nan")}},
            "gives 'price' nan; expected a finite",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_what_to_do(arguments: tuple[Any, ...], mapping: dict[str, Any], said: str):
    with pytest.raises(BadInput, match=said):
        matched(*arguments, **mapping)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"input": {}}, "map.yaml: 'input' is not known; known are inputs, output, means, classes, missing"),
        ({"means": "odds"}, "map.yaml: 'means' is 'odds'"),
        ({"inputs": {"x": "price"}}, "map.yaml: 'inputs.x' is 'price'"),
        ({"classes": "no, yes"}, "map.yaml: 'classes' is 'no, yes'"),
        ({"missing": {"price": "none"}}, "map.yaml: 'missing.price' is 'none'"),
    ],
)
def test_a_mapping_file_that_says_something_else_is_refused_by_its_key(values: dict[str, Any], said: str):
    assert read_mapping({"inputs": {"x": ["price"]}, "missing": {"weight": 0.5}}, source="map.yaml").missing
    with pytest.raises(BadInput, match=said):
        read_mapping(values, source="map.yaml")
