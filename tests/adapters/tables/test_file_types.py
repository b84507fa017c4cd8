import gc
import gzip
import json
import os
import resource
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from releve.adapters.files import write_parquet
from releve.adapters.tables.chunks import LONGEST_ROW
from releve.adapters.tables.file_types import open_table, read_sample
from releve.core.errors import BadInput, StorageRefused
from releve.domain.ingestion.cell_formats import CellFormats, read_cells
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from tests.tables import shop_rows, shop_schema

NAMES = ("kind", "price", "weight", "bought")


def written(folder, content, name):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path):
    """Every row with its number, missing cells as None, and every line that is no row."""
    rows, lines = [], []
    for chunk in open_table(path).chunks:
        cells = chunk.frame.astype(object).where(chunk.frame.notna(), None).to_numpy().tolist()
        rows += list(zip(chunk.rows.tolist(), cells, strict=True))
        lines += list(chunk.lines)
    return rows, lines


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"price": 1, "kind": "a"}\n', [(1, [1, "a"])]),
        ('\ufeff{"price": 1, "kind": "a"}\n\n  \n{"price": 2, "kind": "b"}', [(1, [1, "a"]), (4, [2, "b"])]),
        ('{"price": 1, "kind": "a"}\r\n{"price": 2}\r\n', [(1, [1, "a"]), (2, [2, None])]),
        ('{"price": true, "kind": null}\n', [(1, [True, None])]),
        ('{"price": "1", "kind": "line\u2028and\\nline"}\n', [(1, ["1", "line\u2028and\nline"])]),
    ],
)
@pytest.mark.parametrize("ending", ["jsonl", "ndjson", "jsonl.gz"])
def test_a_jsonl_file_keeps_the_types_of_its_cells(ending, content, expected, tmp_path):
    plain = content.encode()
    path = written(tmp_path, gzip.compress(plain, mtime=0) if ending.endswith("gz") else plain, f"today.{ending}")

    assert read(path) == (expected, [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"price": 1', "is not JSON: "),
        (b"[1, 2]", "holds a list, expected an object of column names and values"),
        (b"3", "holds a number, expected an object"),
        (b'{"kind": "\xff"}', "holds the byte 0xFF, which is not UTF-8"),
        (b"[" * 100_000, "is not JSON: "),
        (rb'{"\udc00": 1}', "holds half a character (a lone surrogate)"),
    ],
)
def test_a_line_that_is_no_object_is_named_and_the_others_are_read(line, reason, tmp_path):
    rows, lines = read(written(tmp_path, b'{"price": 1}\n' + line + b'\n{"price": 2}\n', "today.jsonl"))

    assert rows == [(1, [1]), (3, [2])]
    assert [(each.row, each.reason[: len(reason)]) for each in lines] == [(2, reason)]


@pytest.mark.parametrize(("surplus", "is_read"), [(0, True), (1, False)])
@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
def test_a_json_line_may_be_as_long_as_a_chunk_and_no_longer(ending, surplus, is_read, tmp_path):
    plain = b'{"price": 1}\n{"price": "' + b"z" * (LONGEST_ROW - 14 + surplus) + b'"}\n'
    path = written(tmp_path, gzip.compress(plain, 1) if ending.endswith("gz") else plain, f"today.{ending}")

    if is_read:
        assert len(read(path)[0]) == 2
    else:
        with pytest.raises(BadInput, match="line 2 is longer than 16,777,216 bytes, the most that a row may hold"):
            read(path)


def test_a_parquet_file_is_read_as_it_was_written(tmp_path):
    rows = shop_rows(20)
    write_parquet(tmp_path / "today.parquet", rows)

    chunks = list(open_table(tmp_path / "today.parquet").chunks)

    pd.testing.assert_frame_equal(chunks[0].frame, rows, check_dtype=False)
    assert chunks[0].rows.tolist() == list(range(1, 21))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("today.parquet", b"PAR1", "today.parquet cannot be read as PARQUET"),
        ("today.parquet", b"not parquet at all", "today.parquet cannot be read as PARQUET"),
        ("today.xlsx", b"PK", "today.xlsx cannot be read as XLSX"),
        ("today.csv.gz", b"not packed", "today.csv.gz cannot be read as CSV"),
        ("today.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0)[:-4], "today.csv.gz cannot be read as CSV"),
        ("today.jsonl.gz", gzip.compress(b"{}", mtime=0)[:-4], "today.jsonl.gz cannot be read as JSON Lines"),
        ("today.parquet", b"", "today.parquet is empty"),
        ("today.jsonl", b"", "today.jsonl is empty"),
        ("today.txt", b"x", r"expected one ending in \.csv, "),
        ("today", b"x", r"expected one ending in \.csv, "),
        (".csv", b"x", r"expected one ending in \.csv, "),
    ],
)
def test_a_file_that_cannot_be_read_says_so(name, content, told, tmp_path):
    with pytest.raises(BadInput, match=told):
        read(written(tmp_path, content, name))


def test_the_case_of_an_ending_does_not_matter(tmp_path):
    assert read(written(tmp_path, "kind,price\nbread,1\n", "TODAY.CSV"))[0] == [(2, ["bread", "1"])]


SHEET = """<?xml version="1.0" encoding="UTF-8"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData>{}</worksheet>"""


def workbook(path, *sheets, corner="", merged=(), hidden=()):
    """An Excel file, written by hand: each sheet is a list of rows of cells, None for an empty one; or its XML.

    corner: the place of one more cell, below all rows. merged: ranges. hidden: numbers of sheets, from 1.
    """
    import zipfile

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    packaged = "http://schemas.openxmlformats.org/package/2006/relationships"
    numbers = range(1, len(sheets) + 1)
    states = {n: ' state="hidden"' if n in hidden else "" for n in numbers}
    listed = "".join(f'<sheet name="S{n}" sheetId="{n}"{states[n]} r:id="r{n}"/>' for n in numbers)
    ranges = "".join(f'<mergeCell ref="{each}"/>' for each in merged)
    parts = "".join(f'<Relationship Id="r{n}" Type="{kind}/worksheet" Target="worksheets/s{n}.xml"/>' for n in numbers)
    whole = f'<Relationship Id="r1" Type="{kind}/officeDocument" Target="xl/workbook.xml"/>'
    sheet_list = f'<workbook xmlns="{main}" xmlns:r="{kind}"><sheets>{listed}</sheets></workbook>'
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("_rels/.rels", f'<Relationships xmlns="{packaged}">{whole}</Relationships>')
        file.writestr("xl/workbook.xml", sheet_list)
        file.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{packaged}">{parts}</Relationships>')
        for number, rows in zip(numbers, sheets, strict=True):
            is_xml = isinstance(rows, str)
            cells = rows if is_xml else "".join(row_xml(at, row) for at, row in enumerate(rows, start=1))
            cells += f"<row>{cell_xml(corner, 1)}</row>" if corner else ""
            file.writestr(
                f"xl/worksheets/s{number}.xml",
                SHEET.format(cells, f"<mergeCells>{ranges}</mergeCells>" if merged else ""),
            )
    return path


def row_xml(number, cells):
    inside = "".join(cell_xml(f"{chr(65 + at)}{number}", cell) for at, cell in enumerate(cells))
    return f'<row r="{number}">{inside}</row>'


def cell_xml(place, cell):
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{cell}</t></is></c>'
    return f'<c r="{place}"><v>{cell}</v></c>'


def test_a_sheet_is_read_with_the_types_of_its_cells(tmp_path):
    rows = [["kind", "price"], ["bread", 1.5], [None, None], ["tea", None]]

    found = read(workbook(tmp_path / "today.xlsx", rows))

    assert found == ([(2, ["bread", 1.5]), (4, ["tea", None])], [])


def test_a_row_with_cells_beside_the_table_is_named(tmp_path):
    rows, lines = read(workbook(tmp_path / "today.xlsx", [["kind"], ["bread", 1], ["tea"]]))

    assert rows == [(3, ["tea"])]
    assert [(line.row, line.reason) for line in lines] == [(2, "has cells beside the 1 columns of the header")]


@pytest.mark.parametrize(
    ("sheets", "told"),
    [
        ([[["a"], [1]], [["b"], [2]]], "has more than one sheet with cells: S1, S2"),
        ([[]], "today.xlsx is empty"),
        ([[["a", None, "c"], [1, 2, 3]]], "row 1, the header, has no name for column 2"),
    ],
)
def test_a_workbook_in_which_a_table_would_be_a_guess_is_refused(sheets, told, tmp_path):
    with pytest.raises(BadInput, match=told):
        read(workbook(tmp_path / "today.xlsx", *sheets))


def test_a_table_may_begin_below_and_to_the_right_of_the_first_cell(tmp_path):
    rows, lines = read(workbook(tmp_path / "today.xlsx", [[None], [None, "kind", "price"], [None, "bread", 1]]))

    assert (rows, lines) == ([(3, ["bread", 1])], [])


@pytest.mark.parametrize(("most", "is_read"), [(6, True), (5, False)])
def test_a_sheet_that_spans_too_many_cells_is_refused_before_it_is_opened(most, is_read, tmp_path, monkeypatch):
    monkeypatch.setattr("releve.adapters.tables.workbook_scan.MOST_CELLS", most)
    path = workbook(tmp_path / "today.xlsx", [["kind"], ["bread"], [None, 1]])

    if is_read:
        assert len(read(path)[0]) == 1
    else:
        with pytest.raises(BadInput, match=r"reaches to row 3 and column 2, which makes 6 cells; .* at most 5; remove"):
            read(path)


def test_one_stray_cell_in_the_last_corner_of_a_sheet_does_not_end_the_process(tmp_path):
    path = workbook(tmp_path / "today.xlsx", [["kind"], ["bread"]], corner="XFD1048576")

    with pytest.raises(BadInput, match="reaches to row 1,048,576 and column 16,384"):
        read(path)


@pytest.mark.parametrize(
    ("cells", "row", "column"),
    [
        ("<row><c/><c/><c/></row><row><c/></row>", 2, 3),
        ("<row r='9'><c/><c/></row><row><c r='E10' /><c/></row>", 10, 6),
        ('<row r="2"><c s="1" r="b7"/><c/></row><row><c/></row>', 7, 3),
        ('<x:row r="4"><x:c/></x:row><row spans="1:99"/>', 4, 1),
        ('<row><c x=">" r="C5"/></row>', 5, 3),
        ("<row>" + "<c/>" * (1 << 18) + "</row>", 1, 1 << 18),  # more than a piece
    ],
)
def test_cells_that_do_not_say_where_they_stand_count_as_well(cells, row, column, tmp_path, monkeypatch):
    monkeypatch.setattr("releve.adapters.tables.workbook_scan.MOST_CELLS", row * column - 1)

    with pytest.raises(BadInput, match=f"reaches to row {row:,} and column {column:,}, "):
        read(workbook(tmp_path / "today.xlsx", cells))


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("releve.adapters.tables.workbook_scan.MOST_UNPACKED", 100)

    with pytest.raises(
        BadInput, match=r"today.xlsx holds [\d,]+ bytes unpacked; .* at most 100, or save the sheet as CSV"
    ):
        read(workbook(tmp_path / "today.xlsx", [["kind"], ["bread"]]))


def test_every_reader_gives_the_same_rows(tmp_path):
    rows = shop_rows(30)
    write_parquet(tmp_path / "today.parquet", rows)
    (tmp_path / "today.csv").write_text(rows.to_csv(index=False))
    (tmp_path / "today.jsonl").write_text(rows.to_json(orient="records", lines=True))
    values = json.loads(rows.to_json(orient="values"))
    workbook(tmp_path / "today.xlsx", [list(rows.columns), *values])

    accepted = []
    for ending in ("parquet", "csv", "jsonl", "xlsx"):
        table = open_table(tmp_path / f"today.{ending}", names=NAMES)
        frame = next(table.chunks).frame
        read = read_cells(frame, shop_schema(), CellFormats(), is_text=table.is_text).frame
        accepted.append(check_frame(shop_schema(), read).accepted)

    for other in accepted[1:]:
        pd.testing.assert_frame_equal(accepted[0], other)
        assert len(other) == 30


def test_a_sample_of_a_jsonl_file_keeps_its_types(tmp_path):
    sample = read_sample(written(tmp_path, '{"a": 1}\n3\n{"a": "x"}\n', "today.jsonl"), 10)

    assert sample.frame["a"].tolist() == [1, "x"]
    assert [line.row for line in sample.lines] == [2]
    assert not sample.is_text


def test_a_named_index_of_a_parquet_file_is_a_column_and_row_numbers_are_none(tmp_path):
    frame = shop_rows(20)
    frame.set_index("price").to_parquet(tmp_path / "named.parquet")
    frame.iloc[::2].to_parquet(tmp_path / "numbered.parquet")

    named, numbered = (next(open_table(tmp_path / f"{name}.parquet").chunks).frame for name in ("named", "numbered"))

    assert sorted(named) == sorted(frame) and named["price"].tolist() == frame["price"].tolist()
    assert list(numbered) == list(frame) and len(numbered) == 10


def test_names_that_pandas_holds_as_numbers_are_texts(tmp_path):
    pd.DataFrame({0: [1.5], 1: ["a"]}).to_parquet(tmp_path / "today.parquet")

    assert list(next(open_table(tmp_path / "today.parquet").chunks).frame) == ["0", "1"]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_long_texts_fill_a_chunk_before_rows_do(ending, tmp_path):
    letter, path = "a long letter, " * 40_000, tmp_path / f"today.{ending}"
    frame = pd.DataFrame({"text": [letter + str(number) for number in range(60)], "kind": "a"})
    if ending == "parquet":
        frame.to_parquet(path)
    else:
        content = frame.to_csv(index=False) if ending == "csv" else frame.to_json(orient="records", lines=True)
        written(tmp_path, content, path.name)

    chunks = list(open_table(path).chunks)

    assert len(chunks) > 1
    assert [row for chunk in chunks for row in chunk.frame["text"]] == frame["text"].tolist()


def test_a_name_that_a_line_gives_twice_is_told(tmp_path):
    rows, lines = read(written(tmp_path, '{"price": 1}\n{"price": 1, "price": 2}\n', "today.jsonl"))

    assert rows == [(1, [1])]
    assert [(line.row, line.reason) for line in lines] == [(2, "is not JSON: it names 'price' twice")]


def test_a_sample_in_which_no_line_is_a_row_names_the_first(tmp_path):
    path = written(tmp_path, "[\n{},\n]\n", "pretty.jsonl")

    with pytest.raises(BadInput, match="has no rows: of 3 lines none is one; line 1 is not JSON"):
        read_sample(path, 10)


def test_a_year_names_a_column_of_a_sheet_as_it_is_shown(tmp_path):
    workbook(tmp_path / "today.xlsx", [["kind", 2020], ["bread", 1]])

    assert list(next(open_table(tmp_path / "today.xlsx").chunks).frame) == ["kind", "2020"]


IDS = [2**53 + 1, None, -(2**53) - 1, 2**63 - 1]


@pytest.mark.parametrize(
    ("kind", "ids"),
    [
        (pa.int64(), IDS),
        (pa.dictionary(pa.int32(), pa.int64()), IDS),
        (pa.uint64(), [2**64 - 1, None, 2**53 + 1, 0]),
        (pa.decimal128(38, 0), [Decimal(10**37 + 1), None, Decimal(7), Decimal(2**53 + 1)]),
        (pa.int8(), [-128, 127, None, 0]),
    ],
)
def test_whole_numbers_of_a_parquet_file_keep_their_digits_beside_missing_cells(kind, ids, tmp_path):
    pa.parquet.write_table(pa.table({"id": pa.array(ids, kind)}), tmp_path / "today.parquet")
    schema = Schema.from_dict(
        {"target": {"name": "y", "task": "regression"}, "columns": {"id": {"type": "category", "nullable": True}}}
    )

    (chunk,) = open_table(tmp_path / "today.parquet").chunks
    accepted = check_frame(schema, chunk.frame.assign(y=1)).accepted

    assert accepted["id"].tolist() == ["" if each is None else str(int(each)) for each in ids]


def test_whole_numbers_of_json_lines_keep_their_digits_beside_missing_cells(tmp_path):
    lines = [json.dumps({"id": each}) for each in [*IDS, 2**64 + 1]]

    assert read(written(tmp_path, "\n".join(lines), "today.jsonl"))[0] == [
        (line, [each]) for line, each in enumerate([*IDS, 2**64 + 1], start=1)
    ]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of what other tests left open
def test_what_the_system_refuses_is_no_fault_of_the_file(tmp_path):
    path = written(tmp_path, "kind,price\nbread,1\n", "today.csv")
    read(path)  # with all that is imported on the way
    gc.collect()  # what closes meanwhile would leave room for one more
    next_free = os.dup(0)
    os.close(next_free)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    resource.setrlimit(resource.RLIMIT_NOFILE, (next_free, limits[1]))
    try:
        with pytest.raises(StorageRefused, match=r"today\.csv cannot be used \(Too many open files\)"):
            read(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
