"""A finished day gives the same in one Parquet file as in its segments, whatever was answered, whoever asks."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet
import pytest

from releve.adapters.prediction_ledger import compaction, days
from releve.adapters.prediction_ledger.cells import find_by_cell
from releve.adapters.prediction_ledger.compaction import compact, drop_days
from releve.adapters.prediction_ledger.lines import SegmentLines
from releve.adapters.prediction_ledger.reader import LedgerReader, find_answers
from releve.adapters.prediction_ledger.segments import ANSWERS, SEARCHES, LedgerUnavailable, segments_of
from releve.adapters.prediction_ledger.writer import LedgerSync, LedgerWriter
from releve.domain.decision.policy import Decided
from releve.domain.prediction_log.records import AnswerLine
from releve.domain.schema.columns import CATEGORY, Column
from tests.tables import ROOT

START = datetime(2026, 1, 1, 22, tzinfo=UTC)
LATER = START + timedelta(days=10)
CUSTOMER = Column("customer", CATEGORY, feature=False)
WORKERS = ("0000000a", "0000000b", "0000000c")
NAMES = ("customer", "label", "a.b", "é", "")
CELLS = (
    0,
    1,
    1.0,
    -0.0,
    2.5,
    "1",
    "x",
    "",
    "é\u0000",
    True,
    None,
    [],
    [1.5],
    [1, 2.5],
    {"b": [None]},
    2**53 + 1,
    2**64 - 1,
)


class Ledger:
    """A folder that several workers write, with a clock that is moved by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, START
        self.ids: list[str] = []
        self._sync = LedgerSync()
        self._writers: dict[str, LedgerWriter] = {}

    def writer(self, worker: str = WORKERS[0]) -> LedgerWriter:
        if worker not in self._writers:
            self._writers[worker] = LedgerWriter(
                self.folder, "shop", clock=lambda: self.now, worker=worker, sync=self._sync
            )
        return self._writers[worker]

    def answer(self, *rows: dict[str, Any], worker: str = WORKERS[0], **line: Any) -> str:
        line = {"labels": ["yes"] * len(rows), "probabilities": None, **line}
        request = self.writer(worker).answer(model="shop:1", index=None, rows=rows, **line)
        self.ids += [f"{request}.{position}" for position in range(len(rows))]
        return request

    def tear(self, worker: str) -> None:
        """The worker loses power in the middle of a line, and comes back."""
        self._writers.pop(worker).close()
        newest = max(self.folder.glob(f"answers-*-{worker}.jsonl"))
        newest.write_bytes(newest.read_bytes() + b'{"id": 5, \xff')

    def close(self, *workers: str) -> None:
        for worker in workers or list(self._writers):
            if worker in self._writers:
                self._writers.pop(worker).close()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger")
    yield made
    made.close()
    made._sync.close()


def fill(ledger: Ledger, seed: int) -> None:
    """Several days of several workers' answers, with what a client may send."""
    draw = random.Random(seed)
    cells = draw.sample(CELLS, draw.choice([1, 3, len(CELLS)]))
    for _ in range(draw.randint(1, 25)):
        ledger.now += timedelta(seconds=draw.choice([0, 1, 5000, 30_000]))
        worker, size = draw.choice(WORKERS), draw.randint(1, 4)
        names = draw.sample(NAMES, draw.randint(0, 4))
        rows = [{name: draw.choice(cells) for name in names} for _ in range(size)]
        numbers = [[0.25, draw.random()] for _ in rows]
        ledger.answer(
            *rows,
            worker=worker,
            labels=[draw.choice(["yes", "no"] if seed % 2 else [1, 2.5]) for _ in rows],
            probabilities=draw.choice([None, numbers]),
            intervals=draw.choice([None, numbers]),
            arm=draw.choice(["champion", "challenger"]),
        )
        then = draw.random()
        if then < 0.3:
            ledger.writer(worker).label([(draw.choice(ledger.ids), draw.choice(["yes", 1, 2.5]))])
        elif then < 0.5:
            ledger.writer(worker).search(model="shop:1", index="i", question={"row": rows[0]}, neighbours=[{"id": 7}])
        elif then < 0.6:
            ledger.tear(worker)


def told(ledger: Ledger) -> dict[str, Any]:
    """What each reader says, to the letter."""
    folder, reader = ledger.folder, LedgerReader(ledger.folder)
    answers = [reader.answers(), reader.answers(since="2026-01-02"), reader.newest(3, arm="champion")]
    answers += [*reader.days(arm="champion"), reader.answers_to(ledger.ids[::3])]
    found = find_answers(folder, ledger.ids)
    by_cell = find_by_cell(folder, CUSTOMER, {"1", "x"})
    return {
        "answers": [
            orjson.dumps({name: value for name, value in vars(each).items() if name != "features"}) for each in answers
        ],
        "features": [repr(each.features.astype(object).to_dict("split")) for each in answers],
        "by id": [orjson.dumps(vars(found[name])) for name in sorted(found)],
        "by cell": {cell: sorted(ids) for cell, ids in by_cell.rows.items()},
        "labels": orjson.dumps(reader.labels()),
        "searches": orjson.dumps(list(SegmentLines(segments_of(folder, SEARCHES), dict))),
    }


@pytest.mark.parametrize("seed", range(12))
def test_all_readers_give_the_same_from_both_forms(ledger, seed, monkeypatch):
    monkeypatch.setattr(days, "GROUP_ROWS", 5)
    fill(ledger, seed)
    before = told(ledger)

    if seed % 3 == 0:  # some segments are merged into a day that is there already
        ledger.close(WORKERS[0])
        compact(ledger.folder, now=LATER)
        assert told(ledger) == before
    ledger.close()
    done = compact(ledger.folder, now=LATER)

    assert done.held == 0
    assert not list(ledger.folder.glob("*.jsonl"))
    assert told(ledger) == before
    assert set(find_answers(ledger.folder, ledger.ids)) == set(ledger.ids)


def test_a_shadow_and_its_failure_are_the_same_from_both_forms(ledger):
    of = ledger.answer({"x": 1}, {"x": 2})
    decided = Decided(["keep", "call"], [1.5, 2.0], [None, "large amounts"])
    for labels, error, more in (
        (["no", "yes"], "", {"decided": decided}),
        ([], "too slow", {}),
    ):
        ledger.writer().shadow(
            of=of, model="shop:2", index=None, labels=labels, probabilities=None, latency_ms=1.5, error=error, **more
        )
    before = LedgerReader(ledger.folder).shadows()
    assert [line.decisions for line in before] == [["keep", "call"], None]
    ledger.close()

    compact(ledger.folder, now=LATER)

    assert LedgerReader(ledger.folder).shadows() == before
    table = pyarrow.parquet.read_table(ledger.folder / "shadows-20260101.parquet")
    assert table.select(["of", "label"]).to_pylist() == [
        {"of": f"{of}.0", "label": "no"},
        {"of": f"{of}.1", "label": "yes"},
        {"of": f"{of}.0", "label": None},
    ]


def test_what_was_decided_is_the_same_from_both_forms_beside_lines_that_decided_nothing(ledger):
    ledger.answer({"a": 1})
    decided = Decided([4.5, "review", 2.0], [1.5, 2.0, 0.25], [None, "large amounts", None])
    ledger.answer({"a": 1}, {"a": 2}, {"a": 3}, labels=[4.0, 5.0, 6.0], decided=decided)
    ledger.close()
    before = told(ledger)

    compact(ledger.folder, now=LATER)

    assert told(ledger) == before
    kept = LedgerReader(ledger.folder).answers()
    assert kept.decisions == [None, *decided.decisions]
    assert kept.rules == [None, *decided.rules]


def test_columns_have_the_type_that_a_days_values_have(ledger):
    ledger.answer(
        {"price": 2, "kind": "a", "sold": True, "photo": [0.5], "any": 1},
        {"price": 2.5, "kind": None, "sold": False, "photo": [], "any": "1"},
    )
    ledger.close()

    compact(ledger.folder, now=LATER)

    table = pyarrow.parquet.read_table(ledger.folder / "answers-20260101.parquet")
    features = {cell.name: str(cell.type) for cell in table.schema.field("features").type}
    assert features == {
        "price": "double",
        "kind": "string",
        "sold": "bool",
        "photo": "list<element: double>",
        "any": "string",
    }
    assert str(table.schema.field("at").type) == "timestamp[us, tz=UTC]"
    assert table["features"].to_pylist()[0] == {"price": 2.0, "kind": "a", "sold": True, "photo": [0.5], "any": "1"}


def test_a_segment_that_is_open_is_left_alone_and_merged_later(ledger):
    ledger.answer({"x": 1}, worker=WORKERS[1])
    ledger.answer({"x": 2}, worker=WORKERS[0])
    ledger.close(WORKERS[1])
    before = told(ledger)

    held = compact(ledger.folder, now=LATER).held
    between = sorted(path.name for path in ledger.folder.iterdir())
    ledger.close()
    compact(ledger.folder, now=LATER)

    assert held == 1
    assert between == [f"answers-20260101-{WORKERS[0]}.jsonl", "answers-20260101.parquet"]
    assert [path.name for path in ledger.folder.iterdir()] == ["answers-20260101.parquet"]
    assert told(ledger) == before


def test_a_writer_ends_the_segment_of_a_day_that_is_over_though_no_request_comes(ledger):
    ledger.answer({"x": 1})
    ledger.now += timedelta(days=1)

    ledger.writer().sync()

    assert compact(ledger.folder, now=LATER).held == 0


@pytest.mark.parametrize("hours", [0, 2.9])
def test_a_day_is_left_alone_until_it_is_over_everywhere(ledger, hours):
    ledger.answer({"x": 1})
    ledger.close()

    assert compact(ledger.folder, now=START + timedelta(hours=hours)).days == ()
    assert compact(ledger.folder, now=START + timedelta(hours=3)).days == ("20260101",)


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", ["write_day", "_check_same", "_sync_folder"])
def test_a_run_that_is_killed_loses_nothing_and_the_next_one_completes_it(ledger, step, monkeypatch):
    fill(ledger, seed=3)
    ledger.close()
    before = told(ledger)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(compaction, step, kill)
        compact(ledger.folder, now=LATER)
    between = told(ledger)
    compact(ledger.folder, now=LATER)

    assert between == told(ledger) == before
    assert {path.suffix for path in ledger.folder.iterdir()} == {".parquet"}


def kill(*_: Any, **__: Any) -> None:
    raise Killed


def test_a_segment_leaves_only_once_the_file_gives_every_line_back(ledger, monkeypatch):
    ledger.answer({"x": 1})
    ledger.close()
    before = told(ledger)
    monkeypatch.setattr(days.StoredDay, "lines", lambda self, **_: iter(()))

    with pytest.raises(LedgerUnavailable, match="came back otherwise"):
        compact(ledger.folder, now=LATER)

    assert [path.suffix for path in ledger.folder.iterdir()] == [".jsonl"]
    assert told(ledger) == before


def test_a_reader_that_began_before_goes_on_in_the_days_file(ledger):
    for _ in range(3):
        ledger.now += timedelta(days=1)
        ledger.answer({"x": ledger.now.day})
    ledger.close()
    lines = iter(SegmentLines(segments_of(ledger.folder, ANSWERS), AnswerLine.parse))
    first = next(lines)

    compact(ledger.folder, now=LATER)

    assert [first.id, *(line.id for line in lines)] == [row_id.rpartition(".")[0] for row_id in ledger.ids]


def test_an_id_is_looked_up_in_few_groups_of_rows(ledger, monkeypatch):
    monkeypatch.setattr(days, "GROUP_ROWS", 10)
    for number in range(200):
        ledger.answer({"x": number}, worker=WORKERS[number % 2])
    ledger.close()
    compact(ledger.folder, now=LATER)
    read, real = [], pyarrow.parquet.ParquetFile.read_row_group
    monkeypatch.setattr(
        pyarrow.parquet.ParquetFile,
        "read_row_group",
        lambda self, group, **options: read.append(group) or real(self, group, **options),
    )

    found = find_answers(ledger.folder, [ledger.ids[77]])

    assert found[ledger.ids[77]].features == {"x": 77}
    assert len(set(read)) == 1


def test_days_that_are_too_old_leave_in_either_form(ledger):
    for _ in range(4):
        ledger.now += timedelta(days=1)
        ledger.answer({"x": 1})
    ledger.close()
    compact(ledger.folder, now=START + timedelta(days=3))

    freed = drop_days(ledger.folder, before="20260105")

    assert freed > 0
    assert LedgerReader(ledger.folder).answers().ids == ledger.ids[-1:]


def test_the_query_of_the_documentation_gives_what_it_says(ledger):
    """docs/storage.md shows it."""
    ledger.answer({"kind": "a"}, {"kind": "b"}, labels=["yes", "no"])
    ledger.writer().label([(ledger.ids[0], "no"), (ledger.ids[1], "no")])
    ledger.close()
    compact(ledger.folder, now=LATER)
    shown = (ROOT / "docs/storage.md").read_text().partition("```python\n")[2].partition("```")[0]

    scope: dict[str, Any] = {}
    exec(shown.replace("var/ledger/churn", str(ledger.folder)), scope)

    assert scope["right"].to_pylist() == [{"model": "shop:1", "right_mean": 0.5, "right_count": 2}]
