"""Files that break readers, each with the rows that are there, counted by hand."""

import codecs
import gzip
import time
import tracemalloc

import clevercsv
import pytest

from releve.adapters.tables.chunks import LONGEST_ROW
from releve.adapters.tables.csv_file import CsvOptions
from releve.adapters.tables.file_types import open_table, read_sample
from releve.core.errors import BadInput

NAMES = ("kind", "price")


def written(folder, content, name="today.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path, names=(), **options):
    """Every row with its number, and every line that is no row."""
    table = open_table(path, names=names, options=CsvOptions(**options))
    rows, lines = [], []
    for chunk in table.chunks:
        rows += list(zip(chunk.rows.tolist(), chunk.frame.to_numpy().tolist(), strict=True))
        lines += list(chunk.lines)
    return rows, lines, table.read_as


# what is in the file, the rows with the line on which each begins, the lines that are no rows, what was found out
MESSY = {
    "plain": ("kind,price\nbread,1\n", [(2, ["bread", "1"])], [], "utf-8, ','"),
    "no newline at the end": ("kind,price\nbread,1", [(2, ["bread", "1"])], [], "utf-8, ','"),
    "windows": ("kind,price\r\nbread,1\r\ntea,2\r\n", [(2, ["bread", "1"]), (3, ["tea", "2"])], [], "utf-8, ','"),
    "carriage returns alone": ("kind,price\rbread,1\rtea,2\r", [(2, ["bread", "1"]), (3, ["tea", "2"])], [], "','"),
    "byte order mark": ("\ufeffkind,price\nbread,1\n", [(2, ["bread", "1"])], [], "utf-8-sig, ','"),
    "utf-16": (codecs.BOM_UTF16_LE + "kind,price\nthé,1\n".encode("utf-16-le"), [(2, ["thé", "1"])], [], "utf-16, ','"),
    "big-endian": (codecs.BOM_UTF16_BE + "kind,price\nthé,1\n".encode("utf-16-be"), [(2, ["thé", "1"])], [], "utf-16"),
    "semicolons": ("kind;price\nbread;1,5\ntea;2,5\n", [(2, ["bread", "1,5"]), (3, ["tea", "2,5"])], [], "';'"),
    "tabs": ("kind\tprice\nbread, white\t1\ntea\t2\n", [(2, ["bread, white", "1"]), (3, ["tea", "2"])], [], "'tab'"),
    "pipes": ("kind|price\nbread|1\ntea|2\n", [(2, ["bread", "1"]), (3, ["tea", "2"])], [], "'|'"),
    "comma in quotes": ('kind,price\n"bread, white",1\n', [(2, ["bread, white", "1"])], [], ""),
    "doubled quotes": ('kind,price\n"a ""b"" c",1\n', [(2, ['a "b" c', "1"])], [], ""),
    "escaped quotes": (
        'kind,price\n"a \\"b\\", c",1\n"d",2\n',
        [(2, ['a "b", c', "1"]), (3, ["d", "2"])],
        [],
        "escapes",
    ),
    "newline in quotes": ('kind,price\n"once\nupon",1\ntea,2\n', [(2, ["once\nupon", "1"]), (4, ["tea", "2"])], [], ""),
    "apostrophes": ("kind,price\nit's,1\ndon't,2\n", [(2, ["it's", "1"]), (3, ["don't", "2"])], [], "utf-8, ','"),
    "empty cells": ('kind,price\n"",\n,1\n', [(2, ["", ""]), (3, ["", "1"])], [], ""),
    "blank lines hold no row": ("kind,price\n\nbread,1\n\n", [(3, ["bread", "1"])], [], ""),
    "too many cells": ("kind,price\nbread,1,2\ntea,1\n", [(3, ["tea", "1"])], [(2, "has 3 cells, expected 2")], ""),
    "too few cells": ("kind,price\nbread\ntea,1\n", [(3, ["tea", "1"])], [(2, "has 1 cell, expected 2")], ""),
    "trailing delimiter, header too": (
        "kind,price,\nbread,1,\ntea,2,\n",
        [(2, ["bread", "1"]), (3, ["tea", "2"])],
        [],
        "end",
    ),
    "trailing delimiter": (
        "kind,price\nbread,1,\ntea,2,\n",
        [(2, ["bread", "1"]), (3, ["tea", "2"])],
        [],
        "end of lines",
    ),
    "notes above": ("A report,\n,\nkind,price\nbread,1\n", [(4, ["bread", "1"])], [], "header on line 3"),
    "blank lines above": ("\n\nkind,price\nbread,1\n", [(4, ["bread", "1"])], [], "header on line 3"),
    "a broken quote": ('kind,price\n"a"b,1\ntea,2\n', [(3, ["tea", "2"])], [(2, "cannot be split")], ""),
    "an open quote at the end": ('kind,price\ntea,2\n"a,1\n', [(2, ["tea", "2"])], [(3, "cannot be split")], ""),
    "thousands": ('kind,price\nbread,"6,718"\n', [(2, ["bread", "6,718"])], [], ""),
}


@pytest.mark.parametrize("case", MESSY)
def test_every_row_that_is_there_is_read_or_named(case, tmp_path):
    content, rows, lines, read_as = MESSY[case]

    found, odd, said = read(written(tmp_path, content), NAMES)

    assert found == rows
    assert [(line.row, line.reason[: len(reason)]) for line, (_, reason) in zip(odd, lines, strict=True)] == lines
    assert read_as in said


@pytest.mark.parametrize("case", [name for name in MESSY if "broken" not in name and "quote at" not in name])
def test_a_packed_file_reads_as_the_plain_one(case, tmp_path):
    content, rows, _, _ = MESSY[case]
    plain = content if isinstance(content, bytes) else content.encode()

    found, _, _ = read(written(tmp_path, gzip.compress(plain), "today.csv.gz"), NAMES)

    assert found == rows


@pytest.mark.parametrize(
    ("cell", "detects"),
    [("bread", False), ('"bread, white"', False), ('"baker\'s"', False), ("'bread'", True), ("5\\' tall", True)],
)
def test_nothing_is_detected_where_names_tell_the_delimiter_and_only_double_quotes_may_quote(
    cell, detects, tmp_path, monkeypatch
):
    detected = []
    sniff = clevercsv.Sniffer.sniff
    monkeypatch.setattr(
        clevercsv.Sniffer, "sniff", lambda self, sample, **by: detected.append(sample) or sniff(self, sample, **by)
    )

    read(written(tmp_path, f"kind,price\n{cell},1\n"), NAMES)

    assert bool(detected) is detects


def test_a_table_of_one_column_needs_no_delimiter(tmp_path):
    rows, lines, said = read(written(tmp_path, "text\nplain words\nmore\n"))

    assert rows == [(2, ["plain words"]), (3, ["more"])]
    assert lines == []
    assert said == "utf-8, one column"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "today.csv is empty; expected a header line and rows"),
        ("\n\n", "today.csv holds no text in its first lines"),
        ('kind,price\n"bread,1\ntea,2\n', "line 2 opens a quote that is not closed properly up to line 3"),
        (
            "kind,price\nbread\xe9,1\n".encode("cp1252"),
            r"line 2 holds the byte 0xE9, .* encoding is ambiguous, first in line 2, byte 6 \(0xE9\), .*'breadé,1' as",
        ),
        (
            "kind,price\rtea,1\rbread\xe9,1\r".encode("cp1252"),
            r"line 3 holds the byte 0xE9, .* first in line 3, byte 6 \(0xE9\)",
        ),
        (
            "kind,price\npéché,1\n".encode() + b"\xff\n",
            r"line 3 holds the byte 0xFF, which is not UTF-8, .* first in line 2, byte 2 \(0xC3\), which could be read",
        ),
        (b"kind,price\n\x81\n", r"line 2 holds the byte 0x81, .* first in line 2, byte 1 \(0x81\)"),
        (
            codecs.BOM_UTF8 + b"kind,price\nbread,1\n\xff,2\n",
            "line 3 holds the byte 0xFF, which is not utf-8-sig, as its",
        ),
        (
            codecs.BOM_UTF16_LE + "kind,price\n".encode("utf-16-le") + b"x",
            "line 2 holds the byte 0x78, which is not utf-16",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_naming_the_line(content, told, tmp_path):
    with pytest.raises(BadInput, match=told):
        read(written(tmp_path, content), NAMES)


TEXTS = {
    "big5": "名稱,城市\n張三,台北\n李四,高雄\n" * 20,
    "gb18030": "名称,城市\n张三,北京\n李四,上海\n" * 20,
    "koi8_r": "имя,город\nИван,Москва\nМария,Петербург\n" * 20,  # noqa: RUF001
    "cp1251": "имя,город\nИван,Москва\nМария,Петербург\n" * 20,  # noqa: RUF001
    "shift_jis": "名前,都市\n太郎,東京です\n花子は,大阪にいる\n" * 20,
    "cp1253": "όνομα,πόλη\nΓιώργος,Αθήνα\n" * 20,  # noqa: RUF001
    "cp1252": "prix,été\nà côté,du garçon\nNoël,œuvre\n" * 20,
    "iso8859_2": "imię,miasto\nŁukasz,Łódź\nŻaneta,Gdańsk\n" * 20,
    "cp850": "prix,été\nà côté,du garçon\nNoël,réponse\n" * 20,
    "cp1254": "şehir,ığdır\nİstanbul,çğşı\n" * 20,  # noqa: RUF001
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_an_encoding_is_found_rightly_or_doubted_and_never_wrong(encoding, tmp_path):
    text = TEXTS[encoding]
    path = written(tmp_path, text.encode(encoding))

    try:
        rows, _, _ = read(path)
    except BadInput as error:
        assert "is ambiguous" in str(error)
    else:
        assert [",".join(cells) for _, cells in rows] == text.splitlines()[1:]


@pytest.mark.parametrize(("last", "doubted"), [(b"", False), (b"\x8d,1\n", True)])  # cp1251 and kz1048 part there
def test_encodings_that_part_late_in_a_file_are_doubted(last, doubted, tmp_path):
    path = written(tmp_path, (TEXTS["cp1251"] * 800).encode("cp1251") + last)

    if doubted:
        with pytest.raises(
            BadInput, match=r"ambiguous: .* read it alike up to line 48001, byte 1 \(0x8D\), which could"
        ):
            read(path)
    else:
        assert len(read(path)[0]) == 800 * 60 - 1


@pytest.mark.parametrize(
    ("before", "line", "byte"),
    [
        (b"kind,price\n" + b"bread,1\n" * 200_000, 200_002, 6),
        (b"kind,price\n" + b"x" * 1_500_000, 2, 1_500_006),
        (b"kind,price\r" + b"bread,1\r" * 200_000, 200_002, 6),
    ],
)
def test_a_doubt_megabytes_into_a_file_is_told_with_its_line_and_byte(before, line, byte, tmp_path):
    path = written(tmp_path, before + b"bread\xe9,1")

    with pytest.raises(BadInput, match=rf"line {line} holds .* first in line {line}, byte {byte} \(0xE9\)"):
        read(path)


@pytest.mark.parametrize("encoding", TEXTS)
def test_an_encoding_that_is_said_is_taken(encoding, tmp_path):
    rows, _, said = read(written(tmp_path, TEXTS[encoding].encode(encoding)), encoding=encoding)

    assert [",".join(cells) for _, cells in rows] == TEXTS[encoding].splitlines()[1:]
    assert said.startswith(codecs.lookup(encoding).name)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"encoding": "latin-99"}, "ingest.csv_encoding is 'latin-99', which is no encoding"),
        ({"encoding": "ascii"}, "line 2 holds the byte 0xC3, which is not ascii, as ingest.csv_encoding says"),
        ({"header_line": 9}, "has no line 9 to begin with, as ingest.header_line says"),
    ],
)
def test_what_params_say_wrongly_is_told(options, told, tmp_path):
    with pytest.raises(BadInput, match=told):
        read(written(tmp_path, "kind,price\nthé,1\n"), **options)


def test_what_params_say_of_delimiter_and_header_is_taken(tmp_path):
    rows, _, _ = read(written(tmp_path, "a:b\nkind:price\nbread:1\n"), delimiter=":", header_line=2)

    assert rows == [(3, ["bread", "1"])]


def test_rows_of_many_chunks_keep_their_numbers(tmp_path):
    lines = [f"k{number},{number}" for number in range(120_000)]
    path = written(tmp_path, "\n".join(["kind,price", *lines, "odd"]))

    chunks = list(open_table(path, names=NAMES).chunks)

    assert len(chunks) > 2
    assert [number for chunk in chunks for number in chunk.rows.tolist()] == list(range(2, 120_002))
    assert [line.row for chunk in chunks for line in chunk.lines] == [120_002]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n1,2,3\n4,5,6\n", "line 1 looks like the header and has 2 names, but most lines below it have 3 cells"),
        ("a,b,c\n1,2\n4,5\n", "line 1 looks like the header and has 3 names, but most lines below it have 2 cells"),
        ("a,,c\n1,2,3\n", "line 1, the header, has no name for column 2"),
        ("a,b\n", "today.csv has no rows"),
    ],
)
def test_a_sample_whose_header_is_in_doubt_is_refused(content, told, tmp_path):
    with pytest.raises(BadInput, match=told):
        read_sample(written(tmp_path, content), 10)


@pytest.mark.parametrize(("rows", "complete"), [(2, False), (3, True), (4, True)])
def test_a_sample_says_whether_it_is_the_whole_file(rows, complete, tmp_path):
    sample = read_sample(written(tmp_path, "a,b\n1,2\n3,4\n5,6\n"), rows)

    assert sample.complete is complete
    assert len(sample.frame) == min(rows, 3)
    assert sample.is_text


def test_names_that_are_expected_settle_what_separates_the_cells(tmp_path):
    rows, _, said = read(written(tmp_path, "kind,price\n1;2;3,4;5\n6;7;8,9;1\n"), NAMES)

    assert rows == [(2, ["1;2;3", "4;5"]), (3, ["6;7;8", "9;1"])]
    assert said == "utf-8, ','"


@pytest.mark.parametrize(("surplus", "is_read"), [(-1, True), (0, True), (1, False)])
def test_a_row_may_be_as_long_as_a_chunk_and_no_longer(surplus, is_read, tmp_path):
    path = written(tmp_path, "kind,price\nbread,1\n" + "z" * (LONGEST_ROW - 3 + surplus) + ",2\n")

    if is_read:
        assert len(read(path, NAMES)[0]) == 2
    else:
        with pytest.raises(BadInput, match="line 3 is longer than 16,777,216 characters, the most that a row may hold"):
            read(path, NAMES)


@pytest.mark.parametrize(
    ("piece", "told"),
    [
        ("z" * (1 << 20), "line 2 is longer than 16,777,216 characters"),
        (f'{"z" * 9_000}","y\n' * 100, r"lines 2 to \d+ are one row, which is longer than 16,777,216 characters"),
    ],
)
def test_a_file_without_line_breaks_is_refused_in_little_memory(piece, told, tmp_path):
    path = tmp_path / "today.csv"
    with path.open("w") as file:
        file.write('kind,price\n"' if "," in piece else "kind,price\n")
        file.writelines(piece for _ in range(150))
    tracemalloc.start()

    with pytest.raises(BadInput, match=told):
        read(path, NAMES)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 90_000_000 and peak < 15 * LONGEST_ROW


def test_a_long_run_of_letters_is_read_as_fast_as_other_text(tmp_path):
    begun = time.process_time()

    rows, lines, _ = read(written(tmp_path, f"kind,price\nbread,1\n{'z' * 1_000_000},2\n"))

    assert [len(row[0]) for _, row in rows] == [5, 1_000_000] and not lines
    assert time.process_time() - begun < 5  # seconds; a minute before
