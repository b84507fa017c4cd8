"""A fixed CSV file is read as every other one of its scenario."""

from contextlib import closing

import pytest

from releve.adapters.tables.file_types import open_table
from releve.core.errors import BadInput
from tasks.ingestion.intake import csv_options
from tasks.ingestion.quarantine import REJECTION_COLUMNS
from tasks.ingestion.resubmit import RejectedRow, as_csv
from tests.tables import make_params

WHY = dict(zip(REJECTION_COLUMNS, [7, "price", "-1", "is -1, expected at least 0"], strict=True))
ROWS = [RejectedRow({"kind": "café; crème", "price": "-1,5"}, WHY), RejectedRow(["thé", "1", "2"], WHY)]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"csv_delimiter": ";"},
        {"csv_encoding": "cp1252"},
        {"csv_encoding": "utf-16"},
        {"header_line": 3},
        {"csv_delimiter": "\t", "csv_encoding": "cp1252", "header_line": 2},
    ],
)
def test_rejected_rows_are_written_as_the_scenario_reads_its_files(said, tmp_path):
    params = make_params(ingest=said).ingest
    path = tmp_path / "fixed.csv"

    path.write_bytes(as_csv(ROWS, params))

    table = open_table(path, names=["kind", "price"], options=csv_options(params))
    with closing(table.chunks):
        (chunk,) = table.chunks
    assert chunk.frame.to_dict("records") == [{**{name: str(said) for name, said in WHY.items()}, **ROWS[0].cells}]
    assert [line.cells[len(REJECTION_COLUMNS) :] for line in chunk.lines] == [["thé", "1", "2"]]


def test_what_the_encoding_has_not_is_told():
    with pytest.raises(BadInput, match=r"as ingest\.csv_encoding says: 'ascii' codec"):
        as_csv(ROWS, make_params(ingest={"csv_encoding": "ascii"}).ingest)


@pytest.mark.parametrize(("said", "delimiter"), [("", ";"), ("|", "|")])
def test_a_file_to_fix_has_the_delimiter_of_its_batch_unless_params_name_one(said, delimiter):
    content = as_csv(ROWS, make_params(ingest={"csv_delimiter": said}).ingest, delimiter=";")

    assert content.decode().splitlines()[0] == delimiter.join([*REJECTION_COLUMNS, "kind", "price"])
