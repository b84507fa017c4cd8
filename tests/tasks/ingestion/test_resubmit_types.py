"""A rejected row whose bad cell alone is fixed is accepted as the row that it would have been in the first place."""

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from releve.domain.schema.schema import Schema
from tasks.ingestion.intake import take_in
from tasks.ingestion.resubmit import as_file
from tests.adapters.tables.test_file_types import workbook
from tests.tables import make_params

BAD = 1e6  # the one cell that the schema refuses
SCHEMA = Schema.from_dict(
    {
        "target": {"name": "y", "classes": ["no", "yes"]},
        "columns": {
            "bad": {"type": "number", "max": 100},
            "number": {"type": "number", "nullable": True},
            "code": {"type": "category", "nullable": True},
            "flag": {"type": "category", "categories": ["false", "true"], "nullable": True},
            "when": {"type": "date", "nullable": True},
            "note": {"type": "text", "nullable": True},
        },
    }
)
PARAMS = make_params(ingest={"max_rejected_share": 1.0}, batch={"ignore": ["missing"]})
BERLIN = ZoneInfo("Europe/Berlin")
FOLD = datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN)  # an hour that comes twice
CELLS = {
    "number": {
        "decimal128": ([Decimal("0.10"), Decimal("-12.00"), None, Decimal("9999.99")], pa.decimal128(12, 2)),
        "int64": ([2**53 + 1, None, -5, 0], pa.int64()),
        "float32": ([0.1, None, -1e30, 5.0], pa.float32()),
        "float64": ([0.1, float("nan"), 1e300 / 1e262, 10115.0], pa.float64()),
    },
    "code": {
        "int64": ([2**53 + 1, None, -(2**63), 10115], pa.int64()),
        "decimal128": ([Decimal(10**37 + 1), None, Decimal(7), Decimal(2**53 + 1)], pa.decimal128(38, 0)),
        "float64": ([10115.0, None, -3.0, 2.0**53], pa.float64()),
        "text": (["007", None, '="x"', "NaN, \u2028 'null'"], pa.string()),
        "dictionary": ([2**60 + 1, None, 7, 7], pa.dictionary(pa.int8(), pa.int64())),
    },
    "flag": {"bool": ([True, None, False, False], pa.bool_()), "text": (["true", None, "false", "true"], pa.string())},
    "when": {
        "us": ([datetime(2024, 1, 1, 1, 2, 3, 4), None, datetime(1, 1, 1), datetime(9999, 12, 31)], pa.timestamp("us")),
        "ns": ([pd.Timestamp("2024-01-01 01:02:03.123456789"), None, *[pd.Timestamp(0)] * 2], pa.timestamp("ns")),
        "zone": (
            [FOLD, FOLD.replace(fold=1), None, datetime(1880, 1, 1, tzinfo=BERLIN)],
            pa.timestamp("us", "Europe/Berlin"),
        ),
        "date": ([date(2024, 2, 29), None, date(1970, 1, 1), date(1, 1, 1)], pa.date32()),
    },
    "note": {"text": (["a\nb", None, '"', "Ünï 💡"], pa.string())},
}


def taken_in(path: Path) -> tuple[pd.DataFrame, Path, str]:
    """The accepted rows, the file of the rejected ones, and the first reason."""
    taken = take_in(path, SCHEMA, params=PARAMS, work_dir=path.parent / path.stem)
    taken.rows.close()
    quarantined = path.with_suffix(".rejected")
    taken.quarantine.keep(quarantined)
    return pyarrow.parquet.read_table(taken.rows.path).to_pandas(), quarantined, taken.quarantine.first


def with_bad(cells: list[object], kind: pa.DataType, column: str) -> tuple[pa.Table, pa.Table]:
    """The same rows with one bad cell in each but the last, and without any."""
    rows = len(cells)
    fixed = {name: pa.nulls(rows) for name in SCHEMA.names} | {column: pa.array(cells, kind)}
    good = fixed | {"bad": pa.array([1.5] * rows), "y": pa.array(["yes"] * rows)}
    return pa.table(good | {"bad": pa.array([BAD] * (rows - 1) + [1.5])}), pa.table(good)


@pytest.mark.parametrize(("column", "kind"), [(column, kind) for column, kinds in CELLS.items() for kind in kinds])
def test_a_row_of_a_parquet_file_comes_back_with_its_types(column, kind, tmp_path):
    spoiled, good = with_bad(*CELLS[column][kind], column)
    pyarrow.parquet.write_table(spoiled, tmp_path / "spoiled.parquet")
    pyarrow.parquet.write_table(good, tmp_path / "good.parquet")
    expected, _, _ = taken_in(tmp_path / "good.parquet")
    _, quarantined, first = taken_in(tmp_path / "spoiled.parquet")

    ending, content = as_file(quarantined, source="spoiled.parquet", params=PARAMS.ingest)

    assert first == f"row 1: bad is {BAD}, expected at most 100"
    pd.testing.assert_frame_equal(resubmitted(ending, content, tmp_path), expected.iloc[:-1])


def resubmitted(ending: str, content: bytes, folder: Path) -> pd.DataFrame:
    """What is accepted once the bad cell alone is fixed, as in an editor; every row is expected to be."""
    text, path = content.decode(), folder / f"fixed{ending}"
    if ending == ".csv":
        fixed = text.replace(f",{BAD},", ",1.5,")
    else:
        fixed = text.replace(f'"bad": {BAD}', '"bad": 1.5').replace(f'"bad": {int(BAD)}', '"bad": 1.5')
    path.write_bytes(fixed.encode())
    accepted, quarantined, first = taken_in(path)
    assert not quarantined.exists(), first
    return accepted


def comes_back(folder: Path, ending: str, source: str) -> str:
    """Hold what is fixed of spoiled.ENDING against good.ENDING, whose last row was never rejected; the file to fix."""
    expected, _, _ = taken_in(folder / f"good{ending}")
    _, quarantined, _ = taken_in(folder / f"spoiled{ending}")
    ending, content = as_file(quarantined, source=source, params=PARAMS.ingest)
    pd.testing.assert_frame_equal(resubmitted(ending, content, folder), expected.iloc[:-1])
    return content.decode()


def test_a_row_of_json_lines_comes_back_with_its_types(tmp_path):
    columns = {column: next(iter(kinds.values()))[0] for column, kinds in CELLS.items()}
    columns |= {"number": [0.1, 2**53 + 1, None, -0.0], "code": ["007", 7, 2**64 + 1, None]}
    columns |= {"when": ["2024-10-27T02:30:00+02:00", None, "2024-02-29", "0001-01-01"]}
    rows = [{"bad": BAD, "y": "yes"} | {name: cells[at] for name, cells in columns.items()} for at in range(4)]
    for name, bad in (("spoiled", BAD), ("good", 1.5)):
        lines = [json.dumps(row | {"bad": bad}) for row in rows] + [json.dumps(rows[0] | {"bad": 1.5})]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))

    comes_back(tmp_path, ".jsonl", "spoiled.jsonl.gz")


def test_a_row_of_a_sheet_comes_back_with_its_types(tmp_path):
    names = ["bad", "number", "code", "flag", "when", "note", "y"]
    rows = [
        [1.5, 0.1, 10115, None, "2024-02-29", "a, b", "yes"],
        [1.5, 12, "K1A 0B1", "true", None, None, "no"],
        [1.5, None, "007", "false", "0001-01-01", "12", "no"],
    ]
    workbook(tmp_path / "good.xlsx", [names, *rows, rows[0]])
    workbook(tmp_path / "spoiled.xlsx", [names, *[[BAD, *row[1:]] for row in rows], rows[0]])

    assert '"number": 0.1, "code": 10115, "flag": null' in comes_back(tmp_path, ".xlsx", "spoiled.XLSX")


def test_what_a_reader_did_to_a_file_is_a_warning_of_the_batch(tmp_path):
    names = ["bad", "number", "code", "flag", "when", "note", "y"]
    rows = [[1.5, 1, "a", "true", None, None, "yes"], [1.5, 1, None, "true", None, None, "no"]]
    workbook(tmp_path / "today.xlsx", [names, *rows], [["no", "yes"]], merged=["C2:C3"], hidden=[2])

    taken = take_in(tmp_path / "today.xlsx", SCHEMA, params=PARAMS, work_dir=tmp_path)

    assert taken.warnings == (
        "the hidden sheet 'S2' is not read",
        "code: 1 cell lies in a merged range, and is read as its first cell is (C2:C3)",
    )


def test_a_row_of_a_csv_file_comes_back_as_it_stood(tmp_path):
    rows = ',0.10,007,true,2024-02-29,"a ""b"", c",yes\n,1E5,10115.0,,,,no\n'
    for name, bad in (("spoiled", BAD), ("good", 1.5)):
        cells = "".join(f"{bad}{row}\n" for row in rows.splitlines())
        (tmp_path / f"{name}.csv").write_text(f"bad,number,code,flag,when,note,y\n{cells}1.5{rows.splitlines()[0]}\n")

    comes_back(tmp_path, ".csv", "spoiled.csv.gz")
