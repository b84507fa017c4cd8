import pandas as pd
import pytest

from releve.domain.ingestion.batch_checks import BatchInspector, BatchProfile
from releve.domain.schema.schema import Schema
from tests.tables import make_params

SCHEMA = Schema.from_dict(
    {
        "target": {"name": "bought", "classes": ["no", "yes"]},
        "time": "day",
        "id": "order",
        "columns": {
            "order": {"type": "number", "feature": False},
            "day": {"type": "date", "nullable": True},
            "town": {"type": "category", "nullable": True},
            "price": {"type": "number", "nullable": True},
        },
    }
)


def rows(count=100, *, first=0, **columns):
    """Checked rows of different orders; `columns` replaces the first cells of columns."""
    frame = pd.DataFrame(
        {
            "order": [float(first + number) for number in range(count)],
            "day": pd.to_datetime(["2024-01-02"] * count).astype("datetime64[us]"),
            "town": ["Lyon"] * count,
            "price": [float(number % 10) for number in range(count)],
            "bought": ["no"] * count,
        }
    )
    for name, cells in columns.items():
        frame[name] = [*cells, *frame[name].tolist()[len(cells) :]]
    return frame.astype({"day": "datetime64[us]"})


EARLIER = BatchProfile.of_frame(rows(first=1000), SCHEMA)


def told(frame, *, earlier=EARLIER, chunks=1, total=None, **params):
    watch = BatchInspector(SCHEMA, earlier, make_params(batch=params).batch)
    size = -(-len(frame) // chunks)
    for start in range(0, len(frame), size):
        watch.add(frame.iloc[start : start + size].reset_index(drop=True))
    return watch.findings(len(frame) if total is None else total)


def test_a_batch_like_those_before_is_not_odd():
    assert told(rows()) == []


def test_the_first_batch_is_held_against_nothing():
    assert told(rows(town=["Nice"] * 50, price=[900.0] * 50), earlier=BatchProfile()) == []


@pytest.mark.parametrize(("total", "odd"), [(9, True), (10, False), (20, False), (21, True)])
def test_too_few_or_too_many_rows_are_odd_and_rejected_rows_count(total, odd):
    found = told(rows(5), total=total, min_rows=10, max_rows=20)

    assert [finding.text.startswith(f"it has {total} rows, expected at ") for finding in found] == [True] * odd


@pytest.mark.parametrize(
    ("count", "columns", "text"),
    [
        (20, {"price": [None]}, None),
        (
            21,
            {"price": [None]},
            "price is missing in 21% of the rows, in 0% before (check missing; params.yaml: batch)",
        ),
        (21, {"town": [""]}, "town is missing in 21% of the rows, in 0% before (check missing; params.yaml: batch)"),
        (5, {"town": ["Nice"]}, None),
        (6, {"town": ["Nice"]}, "town has values that were never there before in 6.0% of the rows: 'Nice'"),
        (5, {"price": [9.5]}, None),
        (6, {"price": [9.5]}, "price lies outside 0 to 9, where it always was before, in 6.0% of the rows"),
        (6, {"price": [-1.0]}, "price lies outside 0 to 9, where it always was before, in 6.0% of the rows"),
        (1, {"day": [pd.Timestamp("2024-01-02")]}, None),
        (
            1,
            {"day": [pd.Timestamp("2024-01-01")]},
            "day begins at 2024-01-01T00:00:00, before the newest known, 2024-01-02T",
        ),
        (
            2,
            {"order": [7.0]},
            "2 rows have the order of another row of the file; rows that share its day, too, are versions of one row",
        ),
        (1, {"order": [None]}, None),
    ],
)
@pytest.mark.parametrize("chunks", [1, 7])
def test_what_is_odd_is_said_with_its_figures(chunks, count, columns, text):
    frame = rows(**{name: cells * count for name, cells in columns.items()})

    found = told(frame, chunks=chunks)

    assert [finding.text[: len(text)] for finding in found] == [text] if text else found == []


@pytest.mark.parametrize(("copies", "odd"), [(5, False), (6, True)])
def test_rows_that_repeat_are_odd_wherever_in_the_file_they_are(copies, odd):
    frame = rows(order=[None] * 100)
    frame["price"] = [float(number) for number in range(100)]
    frame.loc[99 - copies : 98, "price"] = 0.0

    found = told(frame, chunks=4, ignore=["out_of_range", "missing"])

    assert [finding.text.startswith(f"{copies} rows ({copies}.0%) repeat") for finding in found] == [True] * odd


@pytest.mark.parametrize(
    ("said", "refused"),
    [({"ignore": ["new_categories"]}, []), ({}, [False]), ({"refuse": ["new_categories"]}, [True])],
)
def test_params_say_what_an_odd_batch_means(said, refused):
    assert [finding.refuse for finding in told(rows(town=["Nice"] * 50), **said)] == refused


def test_a_profile_survives_json_and_joins_with_others():
    other = BatchProfile.of_frame(rows(50, town=["Nice"], price=[None, 70.0]), SCHEMA)
    read = BatchProfile.model_validate_json(other.model_dump_json())

    together = BatchProfile.joined([EARLIER, read])

    assert (together.rows, together.missing["price"], together.high["price"]) == (150, 1, 70.0)
    assert together.categories == {"town": ["Lyon", "Nice"]}


@pytest.mark.parametrize(("values", "kept"), [(200, True), (201, False)])
def test_a_column_of_very_many_values_is_no_list_of_categories(values, kept):
    found = BatchProfile.of_frame(rows(250, town=[f"t{number % values}" for number in range(250)]), SCHEMA)

    assert (found.categories["town"] is not None) is kept


@pytest.mark.parametrize("before", [True, False], ids=["when it was a feature still", "as no feature"])
@pytest.mark.parametrize(("name", "cell"), [("price", 900.0), ("town", "Nice")])
def test_a_column_that_is_no_feature_may_hold_what_was_never_there(name, cell, before):
    columns = SCHEMA.as_dict()["columns"]
    columns[name] = columns[name] | {"feature": False}
    schema = Schema.from_dict({**SCHEMA.as_dict(), "columns": columns})
    watch = BatchInspector(schema, BatchProfile.of_frame(rows(), SCHEMA if before else schema), make_params().batch)

    watch.add(rows().assign(**{name: cell}))

    assert not [finding for finding in watch.findings(100) if name in finding.text]


def test_a_column_that_no_request_carries_is_not_missed():
    frame = rows().assign(order=None).astype({"order": "float64"})

    assert told(frame, ignore=["duplicate_rows"]) == []


@pytest.mark.parametrize(("name", "kind", "cell"), [("price", "category", "1"), ("town", "number", 1.0)])
def test_what_was_seen_of_a_column_of_another_type_is_not_held_against_it(name, kind, cell):
    earlier = BatchProfile.of_frame(rows(), SCHEMA)
    columns = {column.name: {"type": column.type, "nullable": True} for column in SCHEMA.columns}
    columns[name] = {"type": kind}
    schema = Schema.from_dict({**SCHEMA.as_dict(), "columns": columns})
    watch = BatchInspector(schema, earlier, make_params().batch)

    watch.add(rows().assign(**{name: cell}))

    assert not [finding for finding in watch.findings(100) if name in finding.text]
