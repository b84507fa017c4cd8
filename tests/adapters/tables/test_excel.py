"""What a sheet holds beside plain cells: errors, formulas, merged ranges, titles, hidden sheets and rows."""

import pytest

from releve.adapters.tables import workbook_scan
from releve.adapters.tables.csv_file import CsvOptions
from releve.adapters.tables.file_types import open_table
from releve.core.errors import BadInput
from tests.adapters.tables.test_file_types import cell_xml, row_xml, workbook


def read(path, *, names=(), **said):
    """Rows with their numbers, lines that are no rows, sentences of the notes, and how the file was read."""
    table = open_table(path, names=names, options=CsvOptions(**said))
    rows, lines = [], []
    for chunk in table.chunks:
        rows += list(zip(chunk.rows.tolist(), chunk.frame.to_numpy(object).tolist(), strict=True))
        lines += [(line.row, line.reason) for line in chunk.lines]
    return rows, lines, [str(note) for note in table.notes()], table.read_as


HEADER = row_xml(1, ["kind", "price"])


def two_rows(second):
    return f'{HEADER}<row r="2">{cell_xml("A2", "tea")}{second}</row>{row_xml(3, ["bread", 3])}'


@pytest.mark.parametrize(
    "cell",
    [
        '<c r="B2"><f>1+1</f></c>',
        '<c r="B2"><f>1+1</f><v/></c>',
        '<c r="B2"><f>1+1</f><v></v></c>',
        '<c r="B2" ><f t="shared" si="0"/><v /></c>',
        "<c s='1' r='B2'><f>HYPERLINK(&quot;>&quot;)</f></c>",
        '<x:c r="B2"><x:f>1+1</x:f><x:v></x:v></x:c>',
        "<c><f>1+1</f></c>",
    ],
)
def test_a_formula_without_a_stored_result_is_missing_and_told(cell, tmp_path):
    rows, lines, notes, _ = read(workbook(tmp_path / "today.xlsx", two_rows(cell)))

    assert (rows, lines) == ([(2, ["tea", None]), (3, ["bread", 3.0])], [])
    assert notes == [
        "price: 1 formula has no stored result (B2), and is read as missing; open the file in Excel or LibreOffice and "
        "save it, and they have one"
    ]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('<c r="B2"><f>1+1</f><v>2</v></c>', 2.0),
        ('<c r="B2" t="str"><f>""</f><v></v></c>', None),
        ('<c r="B2" t="b"><f>1=1</f><v>1</v></c>', True),
        ('<c r="B2"/>', None),
        ('<c r="B2"><v></v></c>', None),
    ],
)
def test_a_formula_with_a_result_and_an_empty_cell_are_not_told(cell, value, tmp_path):
    rows, _, notes, _ = read(workbook(tmp_path / "today.xlsx", two_rows(cell)))

    assert (rows[0], notes) == ((2, ["tea", value]), [])


@pytest.mark.parametrize("piece", range(40, 100))
def test_formulas_are_found_wherever_a_piece_of_the_sheet_ends(piece, tmp_path, monkeypatch):
    monkeypatch.setattr(workbook_scan, "PIECE", piece)
    results = ["<v>2</v>", "<v></v>", "", "<v>3</v>", "<v/>"]
    rows = [f'<row r="{at}"><c r="B{at}"><f>1</f>{each}</c></row>' for at, each in enumerate(results, start=2)]

    _, _, notes, _ = read(workbook(tmp_path / "today.xlsx", HEADER + "".join(rows)))

    assert [note[:53] for note in notes] == ["price: 3 formulas have no stored result (B3, B4, B6),"]


@pytest.mark.parametrize("error", ["#N/A", "#DIV/0!", "#REF!"])
def test_an_error_is_missing_and_told(error, tmp_path):
    cell = f'<c r="B2" t="e"><f>A1</f><v>{error}</v></c>'

    rows, _, notes, _ = read(workbook(tmp_path / "today.xlsx", two_rows(cell)))

    assert rows[0] == (2, ["tea", None])
    assert notes == ["price: 1 cell shows an error such as #N/A or #DIV/0! (B2), and is read as missing"]


def test_errors_are_counted_by_column_and_the_first_three_are_named(tmp_path):
    errors = "".join(
        f'<row r="{at}"><c r="A{at}" t="e"><v>#N/A</v></c>{cell_xml(f"B{at}", 1)}</row>' for at in range(2, 8)
    )

    _, _, notes, _ = read(workbook(tmp_path / "today.xlsx", HEADER + errors))

    assert notes == [
        "kind: 6 cells show an error such as #N/A or #DIV/0! (A2, A3, A4 and 3 more), and are read as missing"
    ]


ROWS = [["region", "price", "sold"], ["north", 1, "no"], [None, 2, "yes"], [None, 3, "no"], ["south", 4, "no"]]


def test_merged_cells_are_filled_down_and_right_and_told(tmp_path):
    rows = [*ROWS, ["west", None, "no"]]
    path = workbook(tmp_path / "today.xlsx", rows, merged=["A2:A4", "A6:B6"])

    found, lines, notes, _ = read(path)

    assert [cells[:2] for _, cells in found] == [
        ["north", 1],
        ["north", 2],
        ["north", 3],
        ["south", 4],
        ["west", "west"],
    ]
    assert lines == []
    assert notes == [
        "region: 2 cells lie in a merged range, and are read as its first cell is (A2:A4)",
        "price: 1 cell lies in a merged range, and is read as its first cell is (A6:B6)",
    ]


def test_merged_cells_right_of_empty_columns_are_filled(tmp_path):
    path = workbook(tmp_path / "today.xlsx", [[None, *row] for row in ROWS], merged=["B2:B4"])

    assert [cells[0] for _, cells in read(path)[0]] == ["north", "north", "north", "south"]


def test_a_merged_range_that_holds_nothing_or_lies_elsewhere_fills_nothing(tmp_path):
    path = workbook(tmp_path / "today.xlsx", ROWS, merged=["A3:A4", "A1:B1", "H2:J9", "A40:A50"])

    rows, _, notes, _ = read(path)

    assert [cells[0] for _, cells in rows] == ["north", None, None, "south"]
    assert notes == []


def test_a_range_that_goes_on_below_the_table_makes_no_rows(tmp_path):
    path = workbook(tmp_path / "today.xlsx", ROWS, merged=["A5:A90"])

    assert len(read(path)[0]) == 4


def test_a_heading_across_the_table_is_no_row(tmp_path):
    path = workbook(tmp_path / "today.xlsx", [*ROWS, ["Source: us"]], merged=["A6:C6"])

    rows, lines, notes, _ = read(path)

    assert (len(rows), lines, notes) == (4, [(6, "holds one merged cell alone, as a heading or a note does")], [])


def test_a_hidden_sheet_is_not_read_and_told(tmp_path):
    for place, sheets in ((2, [ROWS, [["yes"], ["no"]]]), (1, [[["yes"], ["no"]], ROWS])):
        found, _, notes, read_as = read(workbook(tmp_path / "today.xlsx", *sheets, hidden=[place]))

        assert (len(found), read_as) == (4, f"sheet 'S{3 - place}'")
        assert notes == [f"the hidden sheet 'S{place}' is not read"]


def test_a_hidden_sheet_is_read_where_no_other_has_cells(tmp_path):
    assert len(read(workbook(tmp_path / "today.xlsx", ROWS, [], hidden=[1]))[0]) == 4


def test_the_sheet_that_is_read_may_be_said(tmp_path):
    path = workbook(tmp_path / "today.xlsx", [["a"], [1]], ROWS)

    with pytest.raises(
        BadInput, match=r"more than one sheet with cells: S1, S2; say which one .*, as ingest\.sheet in"
    ):
        read(path)
    assert len(read(path, sheet="S2")[0]) == 4
    with pytest.raises(BadInput, match=r"has no sheet 's3', as ingest\.sheet says; it has S1, S2"):
        read(path, sheet="s3")


TITLED = [["Sales of all towns"], [None], *ROWS]


@pytest.mark.parametrize(
    ("rows", "names", "said", "line"),
    [
        (TITLED, (), {}, 3),
        (ROWS, (), {}, 1),
        ([["kind"], ["bread"], ["tea"]], (), {}, 1),
        ([["Sales", "2024"], *ROWS], ["sold", "region"], {}, 2),
        ([["Sales", "2024"], *ROWS], (), {"header_line": 2}, 2),
        (ROWS, ["unknown"], {}, 1),
    ],
)
def test_the_header_is_found_below_a_title(rows, names, said, line, tmp_path):
    path = workbook(tmp_path / "today.xlsx", rows, merged=["A1:C1"] if rows is TITLED else ())

    found, _, notes, read_as = read(path, names=names, **said)

    assert read_as == ("sheet 'S1'" if line == 1 else f"sheet 'S1', header on row {line}")
    assert found == [] or found[0][0] == line + 1
    assert notes == []


def test_a_first_row_that_is_narrower_than_most_is_asked_about(tmp_path):
    with pytest.raises(
        BadInput, match=r"row 1 looks like the header and has 2 names, .* as ingest\.header_line .* 2\)"
    ):
        read(workbook(tmp_path / "today.xlsx", [["Sales", "2024"], *ROWS]))


def test_a_header_line_that_is_empty_is_told(tmp_path):
    with pytest.raises(BadInput, match=r"has no filled row 2 to begin with, as ingest\.header_line says"):
        read(workbook(tmp_path / "today.xlsx", TITLED), header_line=2)


def test_a_header_without_all_names_says_how_to_choose_another_row(tmp_path):
    with pytest.raises(
        BadInput, match=r"no name for column 2; name it, or say which row the header is, as ingest\.header_line"
    ):
        read(workbook(tmp_path / "today.xlsx", [["Sales", None, "2024"], *ROWS]))


def test_hidden_rows_are_read_and_told(tmp_path):
    hidden = row_xml(2, ["tea", 1]).replace("<row ", '<row hidden="1" ')

    rows, _, notes, _ = read(workbook(tmp_path / "today.xlsx", HEADER + hidden + row_xml(3, ["bread", 2])))

    assert len(rows) == 2
    assert notes == ["1 row is hidden in the sheet, by a filter perhaps, and is read like the others"]


def test_a_workbook_with_macros_is_read_like_any_and_other_kinds_say_what_to_do(tmp_path):
    assert len(read(workbook(tmp_path / "today.xlsm", ROWS))[0]) == 4
    for ending in ("xls", "xlsb", "ods"):
        (tmp_path / f"today.{ending}").write_bytes(b"x")
        with pytest.raises(BadInput, match=r"expected one ending in \.csv, .*; save it as \.xlsx"):
            read(tmp_path / f"today.{ending}")
