"""Pieces of CSV travel unsplit: cut between two rows, and split by Arrow only where that gives the same cells."""

import pickle
import random
from pathlib import Path

import pytest

from releve.adapters.tables import csv_file
from releve.adapters.tables.chunks import UnreadableFile
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
    '"1","a ""quoted"" word",""\r\n"""",\'," "\n',
    '1,x"y,"two\nlines"\n',
    "NA,null,\nnan,,#N/A\n",
    "é,\N{LINE SEPARATOR},\x0c\n",
    "1,\0,3\n4,5,6\n",
    "1,2,3\r4,5,6\r",
]
PLAIN = [True, True, True, False, False, True, False, False, True, False, True, True, False, False]


def pieces(text: str, folder: Path) -> list[CsvPiece]:
    path = folder / "table.csv"
    path.write_text(HEADER + text, newline="")
    return list(csv_file._CsvReader(path, "utf-8", Dialect(",", '"', None, ("a", "b", "c"), 1, 1, False)).pieces())


def piece(text: str, folder: Path) -> CsvPiece:
    [only] = pieces(text, folder)
    return only


@pytest.mark.parametrize("text", ODD)
def test_what_arrow_splits_is_what_pythons_reader_splits(tmp_path: Path, text: str) -> None:
    read = piece(text, tmp_path)
    plain, each = read._read_plain(), read._read_each()

    if plain is not None:
        assert plain.frame.to_numpy(object).tolist() == each.frame.to_numpy(object).tolist()
        assert plain.rows.tolist() == each.rows.tolist()
        assert plain.lines == each.lines


def test_what_arrow_splits_of_quotes_and_delimiters_in_any_order_is_what_pythons_reader_splits(tmp_path: Path) -> None:
    rng, split = random.Random(7), 0
    for _ in range(300):
        cells = ["".join(rng.choices('a,"\n', (6, 0.3, 0.6, 0.05), k=rng.randint(0, 4))) for _ in range(9)]
        cells = [cell if rng.random() < 0.5 else '"' + cell.replace('"', '""') + '"' for cell in cells]
        text = "".join(",".join(cells[at : at + 3]) + "\n" for at in (0, 3, 6))
        for read in pieces(text, tmp_path):
            plain = read._read_plain()
            if plain is not None:
                split += 1
                assert plain.frame.to_numpy(object).tolist() == read._read_each().frame.to_numpy(object).tolist(), text
    assert split > 20


@pytest.mark.parametrize(("text", "is_plain"), list(zip(ODD, PLAIN, strict=True)))
def test_arrow_splits_all_that_is_simple(tmp_path: Path, text: str, is_plain: bool) -> None:
    assert (piece(text, tmp_path)._read_plain() is not None) is is_plain


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


def test_what_cannot_be_read_is_said_in_another_process_too():
    error = pickle.loads(pickle.dumps(UnreadableFile("line 2 holds 'x'", without_cells="line 2")))

    assert (str(error), error.without_cells) == ("line 2 holds 'x'", "line 2")
