"""A finished day gives the same in one Parquet file as in its segments, whatever was answered, whoever asks."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from releve.adapters.prediction_ledger import days
from releve.adapters.prediction_ledger.cells import find_by_cell
from releve.adapters.prediction_ledger.compaction import compact
from releve.adapters.prediction_ledger.lines import SegmentLines
from releve.adapters.prediction_ledger.reader import LedgerReader, find_answers
from releve.adapters.prediction_ledger.segments import SEARCHES, segments_of
from releve.adapters.prediction_ledger.writer import LedgerSync, LedgerWriter
from releve.domain.schema.columns import CATEGORY, Column

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
