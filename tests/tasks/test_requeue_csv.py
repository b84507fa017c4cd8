"""A mended CSV file is read as every other one of its scenario."""

from contextlib import closing

import pytest

from releve.adapters.tables.reading import open_table
from releve.errors import BadInput
from releve.rules.schema import Schema
from tasks.intake import csv_options, typed
from tasks.quarantine import MENDING
from tasks.requeue import Rejected, as_csv
from tests.tables import make_params

WHY = dict(zip(MENDING, [7, "price", "-1", "is -1, expected at least 0"], strict=True))
ROWS = [Rejected({"kind": "café; crème", "price": "-1,5"}, WHY), Rejected(["thé", "1", "2"], WHY)]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"csv_delimiter": ";"},
        {"csv_encoding": "cp1252"},
        {"csv_encoding": "utf-16"},
        {"csv_header_line": 3},
        {"csv_delimiter": "\t", "csv_encoding": "cp1252", "csv_header_line": 2},
    ],
)
def test_rejected_rows_are_written_as_the_scenario_reads_its_files(said, tmp_path):
    params = make_params(ingest=said).ingest
    path = tmp_path / "mended.csv"

    path.write_bytes(as_csv(ROWS, params))

    table = open_table(path, names=["kind", "price"], options=csv_options(params))
    with closing(table.chunks):
        (chunk,) = table.chunks
    assert chunk.frame.to_dict("records") == [{**{name: str(said) for name, said in WHY.items()}, **ROWS[0].cells}]
    assert [line.cells[len(MENDING) :] for line in chunk.lines] == [["thé", "1", "2"]]


@pytest.mark.parametrize(
    "said", [{"csv_decimal": ",", "csv_thousands": "."}, {"units": {"price": "1.234,5"}}], ids=["file", "column"]
)
def test_a_number_of_a_sheet_is_written_with_the_decimal_sign_that_is_read_again(said, tmp_path):
    params = make_params(ingest=said).ingest
    path = tmp_path / "mended.csv"

    path.write_bytes(as_csv([Rejected({"kind": "tea", "price": 1.234}, WHY)], params))

    table = open_table(path, names=["kind", "price"], options=csv_options(params))
    with closing(table.chunks):
        (chunk,) = table.chunks
    columns = {"kind": {"type": "category"}, "price": {"type": "number"}}
    schema = Schema.from_dict({"columns": columns, "target": {"name": "y", "task": "regression"}})
    read = typed(chunk.frame, schema, params, is_text=True)
    assert [float(cell) for cell in read["price"]] == [1.234]


def test_what_the_encoding_has_not_is_told():
    with pytest.raises(BadInput, match=r"as ingest\.csv_encoding says: 'ascii' codec"):
        as_csv(ROWS, make_params(ingest={"csv_encoding": "ascii"}).ingest)
