import json

import numpy as np
import orjson
import pytest

from releve.core.errors import BadInput, TooLarge
from releve.domain.neighbours.filters import Condition
from releve.domain.schema.schema import Schema
from releve.serving import requests
from releve.serving.faults import Refused
from releve.serving.requests import check_rows, labels_of, rows_of
from releve.serving.search_questions import SearchQuestion, arrays_near, search_of
from tests.factories import make_row, make_schema
from tests.images import png
from tests.tables import SHOP_TABLE, rentals_row, rentals_schema

ROWS = b'{"rows": [%s]}'
GOOD = b'{"length": 1, "width": 2.5, "weight": null, "colour": "red"}'


def test_rows_come_back_as_they_were_sent():
    rows = rows_of(ROWS % GOOD, max_rows=1)

    assert rows == [{"length": 1, "width": 2.5, "weight": None, "colour": "red"}]


@pytest.mark.parametrize(("count", "allowed"), [(1, True), (2, True), (3, False)])
def test_more_rows_than_allowed_are_too_large(count: int, allowed: bool):
    body = ROWS % b",".join([GOOD] * count)

    if allowed:
        assert len(rows_of(body, max_rows=2)) == count
    else:
        with pytest.raises(TooLarge, match=r"'rows' has 3 items, one request may carry 2"):
            rows_of(body, max_rows=2)


def test_all_faults_are_counted_when_all_rows_were_checked():
    wrong = make_row(length=None, width="w", weight="w", colour="green", x=1)

    with pytest.raises(
        Refused, match=r"^25 problems; the first 20 are listed: row 0: x is not a feature of this scenario$"
    ) as refused:
        check_rows([wrong] * 5, make_schema())

    assert len(refused.value.problems) == 25


def test_the_check_stops_once_the_list_is_full():
    with pytest.raises(Refused, match=r"^20 problems in the first 20 of 1000 rows: row 0: length"):
        check_rows([make_row(length=None)] * 1000, make_schema())


def test_faults_are_counted_from_the_first_row_of_the_request():
    rows = [make_row()] * 60 + [make_row(width="w")]

    with pytest.raises(Refused) as refused:
        check_rows(rows, make_schema())

    assert [problem.row for problem in refused.value.problems] == [60]


@pytest.mark.parametrize(("extra", "problems"), [(4, 4), (5, 1)])
def test_a_row_with_more_than_twice_the_features_is_one_fault(extra: int, problems: int):
    with pytest.raises(Refused) as refused:
        check_rows([make_row(**{f"x{number}": 1 for number in range(extra)})], make_schema())

    assert len(refused.value.problems) == problems


@pytest.mark.parametrize(("label", "expected"), [("2", 2), (2, 2), (2.0, 2), ("null", None)])
def test_a_search_may_name_a_label_in_any_form_of_its_class(label: object, expected: object):
    body = (
        b'{"vector": [0, 1], "label": %s}' % str(label).encode()
        if label != "2"
        else b'{"vector": [0, 1], "label": "2"}'
    )

    assert search_of(body, make_schema(), dimension=2, max_neighbours=5 + 5).label == expected


@pytest.mark.parametrize(("limit", "allowed"), [(0, False), (1, True), (10, True), (11, False)])
def test_the_limit_of_a_search_is_between_1_and_the_setting(limit: int, allowed: bool):
    body = b'{"vector": [0, 1], "limit": %d}' % limit

    if allowed:
        assert search_of(body, make_schema(), dimension=2, max_neighbours=10).limit == limit
    else:
        with pytest.raises(BadInput, match=r"expected a whole number from 1 to 10"):
            search_of(body, make_schema(), dimension=2, max_neighbours=10)


def test_labels_come_back_as_classes():
    body = b'{"labels": [{"id": "a", "label": "1"}, {"id": "b", "label": 2.0}]}'

    assert labels_of(body, make_schema(), max_rows=2) == [("a", 1), ("b", 2)]


def test_labels_may_be_true_and_false_where_ingestion_takes_them():
    schema = Schema.from_dict({**SHOP_TABLE, "target": {"name": "bought", "classes": ["False", "True"]}})
    body = b'{"labels": [{"id": "a", "label": true}]}'

    assert labels_of(body, schema, max_rows=1) == [("a", "True")]
    with pytest.raises(Refused, match="row 0: label is True, expected one of"):
        labels_of(body, make_schema(), max_rows=1)


def test_outcomes_of_a_regression_come_back_as_numbers():
    body = b'{"labels": [{"id": "a", "label": "1.5"}, {"id": "b", "label": 2}]}'

    pairs = labels_of(body, rentals_schema(), max_rows=2)

    assert pairs == [("a", 1.5), ("b", 2.0)]
    assert all(type(label) is float for _, label in pairs)


@pytest.mark.parametrize(
    ("label", "allowed"), [(b"-0.001", False), (b"0", True), (b"3.4e38", True), (b"3.5e38", False)]
)
def test_an_outcome_has_to_be_one_that_ingestion_would_accept(label: bytes, allowed: bool):
    body = b'{"labels": [{"id": "a", "label": %s}]}' % label

    if allowed:
        assert len(labels_of(body, rentals_schema(), max_rows=1)) == 1
    else:
        with pytest.raises(Refused, match=r"row 0: label is .*, expected a finite number, at least 0"):
            labels_of(body, rentals_schema(), max_rows=1)


@pytest.mark.parametrize("label", [b"41.5", b'"many"', b"true"])
def test_a_search_among_numbers_cannot_be_narrowed_by_label(label: bytes):
    body = b'{"vector": [0, 1], "label": %s}' % label

    with pytest.raises(
        BadInput, match=r"'rented' is a number: neighbours can be asked for by the class .*leave 'label'"
    ):
        search_of(body, rentals_schema(), dimension=2, max_neighbours=10)


def test_a_search_among_numbers_without_a_label_is_fine():
    assert search_of(b'{"vector": [0, 1]}', rentals_schema(), dimension=2, max_neighbours=10).label is None


FILTERABLE = Schema.from_dict(
    {
        "columns": {
            "note": {"type": "text"},
            "plan": {"type": "category", "categories": ["basic", "1"], "nullable": True},
            "tenure": {"type": "number"},
        },
        "target": {"name": "left", "classes": ["no", "yes"]},
    }
)


def asked(**question: object) -> SearchQuestion:
    body = json.dumps({"text": "late again", **question}).encode()
    return search_of(body, FILTERABLE, dimension=2, max_neighbours=10, kept=("plan",))


def test_filters_are_conditions_on_what_is_kept_with_the_index():
    filters = {"label": "yes", "batch": {"from": "2026-01.csv", "to": "2026-03.csv"}, "plan": 1}

    question = asked(filters=filters, label="no")

    assert question.conditions == (
        Condition("label", "no"),
        Condition("label", "yes"),
        Condition("batch", low="2026-01.csv", high="2026-03.csv"),
        Condition("plan", "1"),
    )
    assert asked(filters={"batch": {"from": "a", "to": "a"}}).filters == (Condition("batch", low="a", high="a"),)
    assert asked(filters={"batch": "x.csv", "plan": None}).filters == (
        Condition("batch", "x.csv"),
        Condition("plan", ""),
    )


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        ({"tenure": 3}, "'filters' names 'tenure', which is not kept with the index; .* 'label', 'batch', 'plan'$"),
        ({"plan": "gold"}, "'filters': 'plan' is 'gold', expected one of"),
        ({"plan": ["basic"]}, "'filters': 'plan' is"),
        ({"label": "maybe"}, "'label' is 'maybe', expected one of"),
        ({"batch": 3}, "'batch' is 3, expected the name of a file, or"),
        ({"batch": {}}, "'batch' is"),
        ({"batch": {"form": "a"}}, "'batch' is"),
        ({"batch": "line\n"}, "control characters"),
        ({"batch": {"from": "b", "to": "a"}}, "'batch' is from 'b' to 'a', which comes before it"),
        (["plan"], "'filters' is a list, expected an object"),
    ],
)
def test_a_filter_that_is_none_is_refused_with_what_there_is(filters: object, says: str):
    with pytest.raises(BadInput, match=says):
        asked(filters=filters)


def test_near_a_text_every_other_feature_is_missing():
    arrays = arrays_near(asked(), FILTERABLE)

    assert arrays["texts"].tolist() == [["late again"]]
    assert np.isnan(arrays["numbers"]).all()
    assert arrays["categories"].tolist() == [[""]]


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ({"row": {}}, "send exactly one of a 'row'"),
        ({"text": None}, "send exactly one of a 'row'"),
        ({"text": ["late"]}, "'text' is a list, expected a text"),
        ({"text": " "}, "'text' is an empty text, expected a value"),
    ],
)
def test_a_search_is_near_one_thing_that_can_be_embedded(question: dict[str, object], says: str):
    with pytest.raises(BadInput, match=says):
        asked(**question)


def test_a_table_without_one_text_column_has_no_search_by_text():
    with pytest.raises(BadInput, match="one text column, and this one has none; send a 'row'"):
        search_of(b'{"text": "late"}', make_schema(), dimension=2, max_neighbours=10)


@pytest.mark.parametrize("long", ["y" * 10_000, ["y"] * 10_000, {str(number): "y" for number in range(10_000)}])
def test_a_long_value_in_the_wrong_place_is_cut_in_the_answer(long: object):
    with pytest.raises(Refused) as refused:
        check_rows([rentals_row(day=long, season=long)], rentals_schema())

    assert len(refused.value.problems) == 2
    assert all(len(problem.reason) < 300 and "y" in problem.reason for problem in refused.value.problems)


ROW = '"length": 1, "width": 2.5, "weight": null, "colour": "red"'
TWICE = "stands twice in one object; send each key once"


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        (f'{{"rows": [{{{ROW}}}, {{{ROW}, "width": 3}}]}}', [(1, "width")]),
        (f'{{"rows": [{{{ROW}, "w\\u0069dth": 3}}]}}', [(0, "width")]),
        (f'{{"rows": [{{{ROW}, "width"  \n: 3}}]}}', [(0, "width")]),
        (f'{{"rows": [{{{ROW}, "width"\t:3, "length" :1}}]}}', [(0, "length")]),
        (f'{{"rows": [{{{ROW}, "colour": "\\":"}}]}}', [(0, "colour")]),
        (f'{{"rows": [{{{ROW}, "x": {{"a": 1, "a": [2]}}}}]}}', [(0, "a")]),
        (f'{{"rows": [{{{ROW}}}], "rows": [{{{ROW}}}]}}', [(None, "rows")]),
        (f'{{"rows": [{{{ROW}, "length": 1}}], "rows": [{{{ROW}, "":1, "":2}}]}}', [(None, "rows"), (0, "")]),
        (f'{{"rows": [{{{ROW}, "width": {"9" * 300}}}]}}', [(0, "width")]),
        (f'{{"rows": [{{{ROW}, "{"k" * 70}": 1, "{"k" * 70}": 1}}]}}', [(0, "k" * 60)]),
    ],
)
def test_a_key_that_stands_twice_is_refused_wherever_it_stands(body, problems):
    with pytest.raises(Refused, match=TWICE) as refused:
        rows_of(body.encode(), max_rows=2)

    assert [(problem.row, problem.column) for problem in refused.value.problems] == problems


@pytest.mark.parametrize(
    "row", [f"{{{ROW}}}", f"{{{ROW.replace(':', ' :')}}}", f"{{{ROW.replace('red', 'white')}}}", f"{{\n{ROW}\t}}"]
)
def test_a_key_that_stands_once_is_fine_however_it_is_spaced(row):
    assert len(rows_of(f'{{"rows" : [{row}, {row}]}}'.encode(), max_rows=2)) == 2


@pytest.mark.parametrize("note", ["12:30", 'a \\":', "a :b", '{\\"a\\": 1, \\"a\\": 2}', "\\u003a", "\\u0022:"])
def test_colons_and_quotes_inside_a_text_are_no_keys(note):
    row = rentals_row()
    body = orjson.dumps({"rows": [row, row]}).decode().replace(row["note"], note)

    assert [each["note"] for each in rows_of(body.encode(), max_rows=2)] == [json.loads(f'"{note}"')] * 2


@pytest.mark.parametrize("row", ['{"a": %s}', '{"a": 1, "a": %s}', '{"length": %s}'])
def test_deep_nesting_is_an_error_of_the_request(row):
    row %= "[" * 980 + "]" * 980

    with pytest.raises(BadInput, match="nested too deeply"):
        check_rows(rows_of(f'{{"rows": [{row}]}}'.encode(), max_rows=1), make_schema())
    with pytest.raises(BadInput, match="nested too deeply"):
        labels_of(f'{{"labels": [{row}]}}'.encode(), make_schema(), max_rows=1)


@pytest.mark.parametrize("body", ['{"vector": [0, 1], "limit": 3, "limit": 4}', '{"limit": 1, "limit": 1}'])
def test_a_search_that_says_something_twice_is_refused(body):
    with pytest.raises(Refused, match=f"limit {TWICE}"):
        search_of(body.encode(), make_schema(), dimension=2, max_neighbours=10)


def test_an_item_of_feedback_that_says_something_twice_is_named():
    body = b'{"labels": [{"id": "a", "label": 1}, {"id": "b", "label": 1, "label": 2}]}'

    with pytest.raises(Refused, match=f"row 1: label {TWICE}"):
        labels_of(body, make_schema(), max_rows=2)


def test_two_labels_for_one_id_are_refused_and_the_same_one_twice_is_not():
    same = [{"id": "a", "label": 1}, {"id": "b", "label": 2}, {"id": "a", "label": 1.0}, {"id": "a", "label": "1"}]
    body = orjson.dumps({"labels": [*same, {"id": "b", "label": 0}]})

    assert labels_of(orjson.dumps({"labels": same}), make_schema(), max_rows=5)[2:] == [("a", 1), ("a", 1)]
    with pytest.raises(Refused, match="1 problem: row 4: label is 0, but item 1 gives 'b' 2; send one label an id"):
        labels_of(body, make_schema(), max_rows=5)


def test_images_that_would_take_long_to_decode_are_refused_before_one_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(requests, "MAX_PIXELS_TOGETHER", 12)
    schema, row = rentals_schema(sky={"max_pixels": 4}), rentals_row(sky=png(np.zeros((2, 2))))

    assert len(check_rows([row] * 3, schema)["numbers"]) == 3
    with pytest.raises(TooLarge, match=r"the images have 16 pixels, one request may carry 12; send several"):
        check_rows([row] * 4, schema)


def test_a_path_is_no_image_in_a_request():
    with pytest.raises(Refused) as refused:
        check_rows([rentals_row(sky="photos/1.png")], rentals_schema())

    assert [str(each) for each in refused.value.problems] == [
        "row 0: sky is 'photos/1.png', expected a PNG or JPEG image as base64"
    ]
