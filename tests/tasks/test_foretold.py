"""What `make scenario` says of a file's rows is what ingestion does with them."""

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from releve.adapters.files import read_params, read_schema
from releve.core.errors import BadInput
from releve.core.settings import Settings
from releve.domain.onboarding.table import Roles
from releve.domain.schema.validation import row_problems
from tasks.ingestion.intake import take_in
from tasks.onboarding import Scaffolded, scaffold
from tests.adapters.tables.test_file_types import workbook
from tests.tables import ROOT

ROWS = 120
Make = Callable[[Path], Path]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    project = tmp_path / "project"
    (project / "scenarios" / "digits").mkdir(parents=True)
    for name in ("params.yaml", "scenarios/digits/dvc.yaml"):
        (project / name).write_text((ROOT / name).read_text())
    return Settings.from_environ({"RELEVE_PROJECT": str(project), "RELEVE_HOME": str(tmp_path / "home")}, cwd=project)


def honest(rows: int = ROWS) -> list[dict[str, Any]]:
    dice = random.Random(7)
    return [
        {
            "x": round(dice.gauss(0, 1), 3),
            "n": dice.randint(1, 900),
            "kind": dice.choice("abc"),
            "y": dice.choice(("no", "yes")),
        }
        for _ in range(rows)
    ]


def csv_of(*parts: str) -> Make:
    def make(folder: Path) -> Path:
        path = folder / "t.csv"
        path.write_text("\n".join(parts) + "\n")
        return path

    return make


def lines(rows: list[dict[str, Any]]) -> list[str]:
    return [",".join(map(str, row.values())) for row in rows]


def jsonl_of(cell: Callable[[int], Any]) -> Make:
    def make(folder: Path) -> Path:
        path = folder / "t.jsonl"
        rows = [{"c": cell(number), **row} for number, row in enumerate(honest())]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return make


def parquet_of(cells: list[Any]) -> Make:
    def make(folder: Path) -> Path:
        pd.DataFrame(honest()).assign(c=cells).to_parquet(folder / "t.parquet")
        return folder / "t.parquet"

    return make


def excel_of(cell: Callable[[int], Any]) -> Make:
    def make(folder: Path) -> Path:
        rows = [[cell(number), *row.values()] for number, row in enumerate(honest())]
        workbook(folder / "t.xlsx", [["c", *honest(1)[0]], *rows])
        return folder / "t.xlsx"

    return make


HEAD, BODY = "x,n,kind,y", lines(honest())
DAY = datetime(2024, 1, 1)
ZOO: dict[str, Make] = {
    "nothing odd": csv_of(HEAD, *BODY),
    "units below the header": csv_of(HEAD, "m,pieces,,", *BODY),
    "units that look like values": csv_of(HEAD, "m,pieces,a,yes", *BODY),
    "the header again": csv_of(HEAD, *BODY[:50], HEAD, *BODY[50:]),
    "the header again, twice": csv_of(HEAD, *BODY[:50], HEAD, *BODY[50:80], HEAD, *BODY[80:]),
    "only words and the header again": csv_of("kind,y", *[f"{row['kind']},{row['y']}" for row in honest()], "kind,y"),
    "totals": csv_of(HEAD, *BODY, "Total,54321,,"),
    "totals in a category": csv_of(HEAD, *BODY, "0.5,54321,Total,yes"),
    "a second table": csv_of(HEAD, *BODY, "", "region,rows,share,note", *["north,2,a,b"] * 5),
    "a large second table": csv_of(HEAD, *BODY, "region,rows,share,note", *["north,2,a,b"] * 60),
    "a narrow second table": csv_of(HEAD, *BODY, "region,rows", *["north,2"] * 5),
    "a comment": csv_of(HEAD, *BODY[:9], "# checked by hand", *BODY[9:]),
    "a comment with all its commas": csv_of(HEAD, *BODY[:9], "# checked by hand,,,", *BODY[9:]),
    "rows without a label": csv_of(HEAD, *BODY, *["0.1,5,a,"] * 9),
    "too many rows without a label": csv_of(HEAD, *BODY, *["0.1,5,a,"] * 90),
    "empty rows with commas": csv_of(HEAD, *BODY, *[",,,"] * 7),
    "a class in rejected rows alone": csv_of(HEAD, *BODY, *["bad,5,a,maybe"] * 3),
    "a category in rejected rows alone": csv_of(HEAD, *BODY, *["bad,5,z,yes"] * 3),
    "errors of a spreadsheet": csv_of(HEAD, *BODY, "#REF!,5,a,yes", "#DIV/0!,4,b,no"),
    "many words among numbers": csv_of(HEAD, *BODY, *["high,5,a,yes", "low,5,b,no"] * 20),
    "huge numbers": csv_of(HEAD, *BODY, "1e300,5,a,yes", "-1e300,5,a,no"),
    "texts and whole numbers": jsonl_of(lambda n: n if n % 2 else str(n)),
    "texts, a few, among whole numbers": jsonl_of(lambda n: str(n) if n == 7 else n),
    "codes": jsonl_of(lambda n: f"A{n}" if n % 2 else n),
    "codes that repeat": jsonl_of(lambda n: f"A{n % 4}" if n % 2 else n % 4),
    "whole numbers beyond any float": jsonl_of(lambda n: 10**400 if n == 3 else n),
    "whole numbers beyond 2^53": jsonl_of(lambda n: 2**60 + n),
    "numbers of which many are too large": jsonl_of(lambda n: (1.5, 1e300, 2**70, 1)[n % 4]),
    "truth values and numbers": jsonl_of(lambda n: (True, 1, 0, False)[n % 4]),
    "truth values": jsonl_of(lambda n: n % 3 == 0),
    "truth values that are all one": jsonl_of(lambda n: True),
    "lists": jsonl_of(lambda n: [n, n]),
    "a few lists": jsonl_of(lambda n: [n] if n < 3 else n),
    "objects in half of the rows": jsonl_of(lambda n: {"a": n} if n % 2 else None),
    "nothing at all": jsonl_of(lambda n: None),
    "one number in all rows": jsonl_of(lambda n: 5.5),
    "half numbers": parquet_of([n / 2 for n in range(ROWS)]),
    "infinity": parquet_of([float("inf") if n % 20 == 0 else float(n) for n in range(ROWS)]),
    "whole numbers of Parquet": parquet_of([2**60 + n for n in range(ROWS)]),
    "texts among dates": jsonl_of(lambda n: "soon" if n < 3 else f"{DAY + timedelta(days=n):%Y-%m-%d}"),
    "half other dates": jsonl_of(
        lambda n: f"{1 + n % 28:02d}.02.2024" if n % 2 else f"{DAY + timedelta(days=n):%Y-%m-%d}"
    ),
    "dates and numbers": jsonl_of(lambda n: 45_000 + n if n % 2 else f"{DAY + timedelta(days=n):%Y-%m-%d}"),
    "dates of Parquet": parquet_of([DAY + timedelta(days=n) for n in range(ROWS)]),
    "text numbers among numbers": excel_of(lambda n: f"{n}" if n % 2 else n),
    "postcodes": excel_of(lambda n: "K1A 0B1" if n % 3 else 10115.0),
}


def ingested(settings: Settings, path: Path, work_dir: Path) -> tuple[int, int] | str:
    """Accepted and rejected rows; or the reason why the file is refused."""
    try:
        taken = take_in(
            path, read_schema(settings.project, "t"), params=read_params(settings.project, "t"), work_dir=work_dir
        )
    except BadInput as error:
        return str(error)
    taken.rows.discard()
    taken.quarantine.discard()
    return taken.accepted, taken.quarantine.rows


def brought(settings: Settings, path: Path) -> Scaffolded:
    return scaffold(settings, "t", data=path, roles=Roles("y"))


@pytest.mark.parametrize("make", ZOO.values(), ids=ZOO.keys())
def test_as_many_rows_are_rejected_as_was_expected(settings: Settings, tmp_path: Path, make: Make) -> None:
    path = make(tmp_path)

    foretold = brought(settings, path)
    found = ingested(settings, path, tmp_path / "work_dir")

    kinds = {issue.kind for issue in foretold.draft.issues}
    rejections = foretold.rejections
    if isinstance(found, str):
        few = "none" if rejections.total == rejections.checked else f"{rejections.total}"
        assert f"{few} of {rejections.checked} rows" in found
        assert foretold.draft.issues[0].kind == "refused"
    else:
        assert found == (rejections.checked - rejections.total, rejections.total)
        assert "refused" not in kinds
    if rejections.rows:
        assert "rejected" in kinds
    assert bool(rejections.unread) is ("unread" in kinds)


@pytest.mark.parametrize(
    "name",
    [
        "the header again",
        "a class in rejected rows alone",
        "a category in rejected rows alone",
        "a second table",
        "totals",
        "totals in a category",
        "units below the header",
    ],
)
def test_rows_that_are_rejected_add_neither_a_class_nor_a_category(
    settings: Settings, tmp_path: Path, name: str
) -> None:
    brought(settings, ZOO[name](tmp_path))

    schema = read_schema(settings.project, "t")
    assert list(schema.target.classes) == ["no", "yes"]
    assert schema.column("kind").categories == ("a", "b", "c")
    assert not schema.column("kind").nullable
    assert schema.column("n").type == "number"


def test_where_all_columns_are_words_the_header_again_adds_no_class(settings: Settings, tmp_path: Path) -> None:
    brought(settings, ZOO["only words and the header again"](tmp_path))

    assert list(read_schema(settings.project, "t").target.classes) == ["no", "yes"]


def said(settings: Settings, path: Path) -> str:
    return "\n".join(issue.text for issue in brought(settings, path).draft.issues)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("the header again", "line 52 repeats the header: it will be rejected, and nothing was inferred from it"),
        ("totals", "line 122 looks like a row of totals: it will be rejected"),
        ("rows without a label", "9 rows (the first in line 122) will be rejected into quarantine: the target y"),
        ("errors of a spreadsheet", "2 rows (lines 122, 123) will be rejected into quarantine: column x is '#REF!'"),
        ("many words among numbers", "x holds 120 numbers (such as '"),
        ("lists", "c holds lists or objects such as [0, 0]"),
        ("a comment", "1 line could not be read as a row: line 11"),
        ("too many rows without a label", "the file as it is will be refused whole: 90 of 210 rows will be rejected"),
    ],
)
def test_what_is_wrong_is_described_with_column_count_and_line(
    settings: Settings, tmp_path: Path, name: str, sentence: str
) -> None:
    assert sentence in said(settings, ZOO[name](tmp_path))


def test_a_row_of_totals_that_ingestion_takes_is_an_issue(settings: Settings, tmp_path: Path) -> None:
    frame = pd.DataFrame({"kind": [f"k{n % 50}" for n in range(ROWS)], "y": [n % 7 * 1.5 for n in range(ROWS)]})
    frame.loc[ROWS] = ["Total", frame["y"].sum()]
    frame.to_csv(tmp_path / "t.csv", index=False)

    assert "nothing was inferred from it, but 1 will be accepted as a row: delete it" in said(
        settings, tmp_path / "t.csv"
    )


def test_what_is_no_feature_refuses_nothing_next_month(settings: Settings, tmp_path: Path) -> None:
    january = pd.DataFrame(honest()).assign(month="2024-01", source="web", empty=None, flag=True, rate=0)
    january.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    brought(settings, tmp_path / "t.jsonl")
    february = pd.DataFrame(honest()).assign(month="2024-02", source="shop", empty=3.5, flag=False, rate=7.25)
    february.to_json(tmp_path / "next.jsonl", orient="records", lines=True)

    assert ingested(settings, tmp_path / "next.jsonl", tmp_path / "work_dir") == (ROWS, 0)
    schema = read_schema(settings.project, "t")
    row = february.to_dict("records")[0]
    assert row_problems(schema, [{name: row[name] for name in schema.by_name}]) == []
