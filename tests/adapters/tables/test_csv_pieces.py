"""Pieces of CSV travel unsplit: cut between two rows, and split by Arrow only where that gives the same cells."""

import pickle
from pathlib import Path

import pytest

from releve.adapters.tables import csv_file
from releve.adapters.tables.csv_file import CsvOptions, CsvPiece, open_csv
from releve.adapters.tables.dialect import Dialect

HEADER, UTF_8 = "a,b,c\n", CsvOptions(encoding="utf-8")  # a file with zero bytes has to name it
ODD = [
    "1,2,3\n4,5,6\n",
    "1,2,3\r\n4,5,6\r\n",
    "1,2,3\n4,5,6",
    "1,2,3\n\n4,5,6\n",
    "1,2\n4,5,6,7\n1,2,3\n",
    ' 1 ,"2, and more",3\n4,5,6\n',
    '1,"over\ntwo lines",3\n4,5,6\n',
    '1,"a ""quoted"" word",3\n4,5"6,7\n',
    "NA,null,\nnan,,#N/A\n",
    "é,\N{LINE SEPARATOR},\x0c\n",
    "1,\0,3\n4,5,6\n",
    "1,2,3\r4,5,6\r",
]
PLAIN = [True, True, True, *[False] * 5, True, True, False, False]


def piece(text: str) -> CsvPiece:
    return CsvPiece(text, 2, Dialect(",", '"', None, ("a", "b", "c"), 1, 1, False), Path("table.csv"))


@pytest.mark.parametrize("text", ODD)
def test_what_arrow_splits_is_what_pythons_reader_splits(text: str) -> None:
    plain, each = piece(text)._read_plain(), piece(text)._read_each()

    if plain is not None:
        assert plain.frame.to_numpy(object).tolist() == each.frame.to_numpy(object).tolist()
        assert plain.rows.tolist() == each.rows.tolist()
        assert plain.lines == each.lines


@pytest.mark.parametrize(("text", "is_plain"), list(zip(ODD, PLAIN, strict=True)))
def test_arrow_splits_all_that_is_simple(text: str, is_plain: bool) -> None:
    assert (piece(text)._read_plain() is not None) is is_plain


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("rows", [1, 2, 1000])
def test_pieces_have_the_rows_of_the_file_wherever_it_is_cut(tmp_path, monkeypatch, text: str, rows: int) -> None:
    path = tmp_path / "table.csv"
    path.write_text(HEADER + text * 3, newline="")
    monkeypatch.setattr(csv_file, "chunk_rows", lambda columns: 10_000)
    [whole] = open_csv(path, options=UTF_8).chunks
    monkeypatch.setattr(csv_file, "chunk_rows", lambda columns: rows)

    pieces = list(open_csv(path, options=UTF_8).pieces or ())

    read = [pickle.loads(pickle.dumps(each)).read() for each in pieces]
    cells = [row for each in read for row in each.frame.to_numpy(object).tolist()]
    assert cells == whole.frame.to_numpy(object).tolist()
    assert [number for each in read for number in each.rows.tolist()] == whole.rows.tolist()
    assert [line for each in read for line in each.lines] == list(whole.lines)
    assert len(pieces) > 1 or rows == 1000
