import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest

from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.prediction_ledger.segments import LedgerUnavailable, check_writable
from releve.adapters.prediction_ledger.writer import LedgerSync, LedgerWriter
from releve.core.errors import BadInput, StorageRefused
from releve.domain.prediction_log.records import AnswerLine, UnknownAnswer, join_labels, row_ids
from releve.domain.schema.columns import CATEGORY, Column

WORKER = "0000000a"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2024, 1, 31, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_writer(tmp_path, clock):
    writers = []

    def make(worker: str | None = WORKER) -> LedgerWriter:
        writers.append(LedgerWriter(tmp_path, "digits", clock=clock, worker=worker))
        return writers[-1]

    yield make
    for writer in writers:
        writer.close()


@pytest.fixture
def writer(make_writer) -> LedgerWriter:
    return make_writer()


@pytest.fixture
def reader(tmp_path) -> LedgerReader:
    return LedgerReader(tmp_path)


def answer(writer, *labels, model="digits:v1", **changes) -> str:
    """One request whose rows are numbered from 0."""
    labels = labels or ("a",)
    request = {"index": "releve_digits_v1", "rows": [{"x": n} for n in range(len(labels))], "probabilities": None}
    return writer.answer(model=model, labels=list(labels), **{**request, **changes})


def test_an_answer_can_be_read_while_the_writer_is_open(writer, reader):
    request = answer(writer, "a", "b")

    answers = reader.answers()
    assert answers.ids == row_ids(request, 2)
    assert answers.predicted == ["a", "b"]
    assert answers.at == ["2024-01-31T12:00:00.000000Z"] * 2
    assert answers.features.to_dict("list") == {"x": [0, 1]}
    assert answers.torn_lines == 0


def test_a_search_is_recorded_apart_from_the_answers(writer, reader, tmp_path):
    request = writer.search(model="digits:v1", index="releve_digits_v1", question={"limit": 1}, neighbours=[{"id": 7}])

    line = orjson.loads(next(tmp_path.glob("searches-*.jsonl")).read_bytes())
    assert (line["id"], line["question"], line["neighbours"]) == (request, {"limit": 1}, [{"id": 7}])
    assert len(reader.answers()) == 0
    assert writer.find(f"{request}.0") is None


def test_what_a_challenger_answered_aside_is_recorded_apart_and_names_the_request(writer, reader, clock):
    request = answer(writer, "a", "b")
    clock.move(hours=1)
    writer.shadow(of=request, model="digits:v2", index=None, labels=["a", "c"], probabilities=None, latency_ms=0.3)
    clock.move(days=1)
    failed = {"labels": [], "probabilities": None, "latency_ms": 9.0, "error": "the deadline of 5 ms was over"}
    writer.shadow(of=request, model="digits:v3", index=None, **failed)

    first, second = reader.shadows()

    assert (first.of, first.model, first.labels, first.latency_ms) == (request, "digits:v2", ["a", "c"], 0.3)
    assert (second.labels, second.error) == ([], "the deadline of 5 ms was over")
    assert len(reader.answers()) == 2
    assert [line.model for line in reader.shadows(since="2024-02-01")] == ["digits:v3"]
    assert [line.model for line in reader.shadows(model="digits:v2")] == ["digits:v2"]


def test_every_answer_is_found_again_by_its_id(writer):
    requests = [answer(writer, f"label {n}", rows=[{"x": "é" * n}]) for n in range(50)]

    for n, request in enumerate(requests):
        row = writer.find(f"{request}.0")
        assert (row.predicted, row.features, row.arm) == (f"label {n}", {"x": "é" * n}, "champion")


def test_an_answer_of_another_worker_is_found_and_labelled(make_writer, reader):
    request = answer(make_writer("0000000a"))

    make_writer("0000000b").label([(f"{request}.0", "true")])

    assert reader.labels()[f"{request}.0"][0] == "true"


def test_a_row_is_found_by_its_own_id_and_the_newest_answer_counts(make_writer, clock):
    first, second = make_writer("0000000a"), make_writer("0000000b")
    answer(first, "a", "b", rows=[{"customer": 17}, {"customer": "x"}])
    clock.move(seconds=1)
    again = answer(second, "a", rows=[{"customer": 17}])
    clock.move(days=1)
    newest = answer(first, "a", rows=[{"customer": "y"}])

    found = first.find_by_cell(Column("customer", CATEGORY, feature=False), ["17", "y", "nobody"])

    assert (found.rows, found.is_whole) == ({"17": [f"{again}.0"], "y": [f"{newest}.0"]}, True)
    assert first.find_by_cell(Column("other", CATEGORY, feature=False), ["17"]).rows == {}


def test_an_id_that_was_never_given_is_not_found(writer):
    request = answer(writer)
    day, offset, random = "20240131-0000000a", *request.split(".")[1:]
    wrong_random = f"{int(random, 16) ^ 1:06x}"

    for row_id in (
        f"{request}.1",
        f"{day}.{offset}.{wrong_random}.0",
        f"{day}.1.{random}.0",
        f"{day}.ffffffffffff.{random}.0",
        f"20240130-0000000a.{offset}.{random}.0",
        f"20240131-0000000b.{offset}.{random}.0",
    ):
        assert writer.find(row_id) is None


def test_an_id_inside_a_line_is_not_found_whatever_the_caller_sent(writer, tmp_path):
    request = answer(writer)
    nested = (tmp_path / "answers-20240131-0000000a.jsonl").read_text().strip()
    answer(writer, rows=[{"x": nested}])
    start = (tmp_path / "answers-20240131-0000000a.jsonl").read_bytes().rindex(b'{\\"id')

    assert writer.find(f"20240131-0000000a.{start:x}.{request.split('.')[2]}.0") is None


@pytest.mark.parametrize("row_id", ["", "x", "../../etc/passwd", "20240131-0000000a.0.000000"])
def test_what_is_no_id_is_refused(writer, row_id):
    with pytest.raises(BadInput, match="not the id of an answered row"):
        writer.find(row_id)


def test_feedback_for_an_unknown_answer_records_nothing(writer, reader):
    request = answer(writer)

    with pytest.raises(UnknownAnswer, match="no label was recorded"):
        writer.label([(f"{request}.0", "true"), (f"{request}.1", "true")])

    assert reader.labels() == {}


def test_the_ids_that_are_unknown_are_told_whatever_is_wrong_with_them(writer):
    request = answer(writer)
    known, unknown, no_id = f"{request}.0", f"{request}.1", "../x"

    with pytest.raises(UnknownAnswer, match=r"no answer .* \(and 1 more of 3 ids\); no label was recorded") as caught:
        writer.label([(known, "true"), (unknown, "true"), (no_id, "true")])

    assert caught.value.ids == {unknown, no_id}


def test_many_ids_are_found_at_once_whichever_request_they_belong_to(make_writer):
    first, second = make_writer("0000000a"), make_writer("0000000b")
    ids = [*row_ids(answer(first, "a", "b"), 2), *row_ids(answer(second, "c", "d"), 2)]
    absent = [f"{ids[0][:-1]}2", "no id", ""]

    found = first.find_many([ids[2], ids[0], *absent, ids[3], ids[1], ids[1]])

    assert {row_id: row.predicted for row_id, row in found.items()} == dict(zip(ids, "abcd", strict=True))


def test_many_ids_open_each_segment_once_in_whatever_order_they_come(make_writer, monkeypatch):
    writers = make_writer("0000000a"), make_writer("0000000b")
    ids = [f"{answer(writers[number % 2], number)}.0" for number in range(20)]
    opened, open_file = [], Path.open
    monkeypatch.setattr(Path, "open", lambda path, *how: opened.append(path.name) or open_file(path, *how))

    found = writers[0].find_many([*ids[::-3], *ids, f"20240131-0000000a.{2**40:x}.abcdef.0"])

    assert {row_id: row.predicted for row_id, row in found.items()} == dict(zip(ids, range(20), strict=True))
    assert sorted(name[-14:] for name in opened) == ["0000000a.jsonl", "0000000b.jsonl"]


def test_feedback_reads_the_line_of_a_large_request_once(writer):
    rows = [{f"pixel {feature}": row + feature / 7 for feature in range(64)} for row in range(1000)]
    request = answer(writer, *[1] * 1000, rows=rows)
    reading_once = seconds(lambda: writer.find(f"{request}.0"))

    labelling = seconds(lambda: writer.label([(row_id, 1) for row_id in row_ids(request, 1000)]))

    assert labelling < 30 * reading_once  # a line read for each id takes 1000 times as long


def test_a_bad_label_records_nothing(writer, reader):
    request = answer(writer)

    with pytest.raises(BadInput):
        writer.label([(f"{request}.0", "true"), (f"{request}.0", None)])

    assert reader.labels() == {}


def test_no_feedback_is_no_file(writer, tmp_path):
    writer.label([])

    assert list(tmp_path.iterdir()) == []


def test_late_and_repeated_labels_end_in_the_newest(writer, reader, clock):
    request = answer(writer, "a", "b")
    clock.move(days=40)
    writer.label([(f"{request}.1", "first")])
    clock.move(seconds=1)
    writer.label([(f"{request}.1", "second")])

    labelled = join_labels(reader.answers(), reader.labels())

    assert labelled.answers.ids == [f"{request}.1"]
    assert labelled.labels == ["second"]
    assert labelled.labelled_at == ["2024-03-11T12:00:01.000000Z"]


def test_labels_that_were_queued_are_read_by_who_asks_for_them(writer, reader):
    request = answer(writer, "a", "b")
    writer.label([(f"{request}.0", "first")])
    writer.label([(f"{request}.1", "second")], queued=True)

    assert list(reader.labels()) == [f"{request}.0"]
    assert list(reader.labels(with_queued=True)) == [f"{request}.0", f"{request}.1"]


def test_a_label_may_come_out_of_order_from_another_worker(make_writer, reader, clock):
    first, second = make_writer("0000000a"), make_writer("0000000b")
    request = answer(first)
    clock.move(seconds=2)
    first.label([(f"{request}.0", "newer")])
    clock.move(seconds=-1)
    second.label([(f"{request}.0", "older")])

    assert reader.labels()[f"{request}.0"][0] == "newer"


def test_a_new_day_starts_a_new_segment(writer, reader, tmp_path, clock):
    clock.now = datetime(2024, 1, 31, 23, 59, 59, 999999, tzinfo=UTC)
    before = answer(writer)
    clock.move(microseconds=1)
    after = answer(writer)

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "answers-20240131-0000000a.jsonl",
        "answers-20240201-0000000a.jsonl",
    ]
    assert reader.answers().ids == [f"{before}.0", f"{after}.0"]
    assert writer.find(f"{before}.0") and writer.find(f"{after}.0")


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("2024-01-31T12:00:00Z", [0, 1, 2]),
        ("2024-01-31T12:00:00.000001Z", [1, 2]),
        ("2024-02-01", [1, 2]),
        ("2024-02-01T12:00:01Z", [2]),
        ("2024-02-03", []),
    ],
)
def test_since_is_inclusive(writer, reader, clock, since, expected):
    for hours in (0, 24, 24):
        clock.move(hours=hours)
        answer(writer, rows=[{"x": clock.now.day}])
    days = [31, 1, 2]

    answers = reader.answers(since=since)

    assert answers.features.get("x", pd.Series(dtype=int)).tolist() == [days[n] for n in expected]


def test_segments_of_earlier_days_are_not_even_opened(writer, reader, tmp_path):
    old = tmp_path / "answers-20240130-0000000a.jsonl"
    old.write_bytes(b"torn")
    answer(writer)

    assert reader.answers(since="2024-01-31").torn_lines == 0
    assert reader.answers(since="2024-01-30").torn_lines == 1


def test_answers_of_one_model_can_be_chosen(writer, reader):
    answer(writer, "old", model="digits:v1")
    answer(writer, "new", model="digits:v2", arm="challenger")

    answers = reader.answers(model="digits:v2")

    assert (answers.predicted, answers.arms, answers.models) == (["new"], ["challenger"], ["digits:v2"])


def test_answers_of_several_workers_come_in_time_order(make_writer, reader, clock):
    first, second = make_writer("0000000a"), make_writer("0000000b")
    expected = []
    for n in range(6):
        clock.move(seconds=1)
        expected.append(f"{answer((first, second)[n % 2])}.0")

    assert reader.answers().ids == expected


@pytest.mark.parametrize("torn", [b'{"id":"20240131-', b'{"id":"x"}\n', b"\x00\x00\x00", b"\xff\n", b"5\n"])
def test_a_line_that_cannot_be_read_is_skipped_and_counted(writer, reader, tmp_path, torn):
    kept = answer(writer)
    writer.label([(f"{kept}.0", "true")])
    writer.close()
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes() + torn)

    labelled = join_labels(reader.answers(), reader.labels())

    assert labelled.answers.ids == [f"{kept}.0"]
    assert labelled.answers.torn_lines == 1


def test_a_writer_that_comes_back_after_a_torn_line_loses_nothing_more(make_writer, reader, tmp_path):
    first = make_writer()
    before = answer(first)
    first.close()
    path = tmp_path / "answers-20240131-0000000a.jsonl"
    path.write_bytes(path.read_bytes() + b'{"id":"2024')

    second = make_writer()
    after = answer(second)

    assert reader.answers().ids == [f"{before}.0", f"{after}.0"]
    assert reader.answers().torn_lines == 1
    assert second.find(f"{after}.0")


def test_an_empty_ledger_and_foreign_files_are_no_answers(reader, tmp_path):
    (tmp_path / "answers-old.jsonl").write_text("notes\n")

    assert len(reader.answers()) == 0
    missing = LedgerReader(tmp_path / "missing")
    assert (len(missing.answers()), missing.labels()) == (0, {})


def test_numbers_of_numpy_and_dates_of_pandas_are_written(writer):
    row = {"n": np.int64(3), "f": np.float32(0.5), "t": pd.Timestamp("2024-01-31"), "nan": float("nan"), "nat": pd.NaT}

    request = answer(writer, np.str_("a"), rows=[row])

    assert writer.find(f"{request}.0").features == {
        "n": 3,
        "f": 0.5,
        "t": "2024-01-31T00:00:00",
        "nan": None,
        "nat": None,
    }


def test_an_interval_is_found_with_its_answer(writer, reader):
    request = answer(writer, 1.5, -2.0, intervals=[[1.25, 2], [-3.5, 0]])

    assert writer.find(f"{request}.1").interval == [-3.5, 0]
    assert reader.answers().intervals == [[1.25, 2], [-3.5, 0]]


def test_probabilities_may_be_an_array(writer):
    request = answer(writer, "a", "b", probabilities=np.array([[0.25, 0.75], [1.0, 0.0]], dtype=np.float32))

    assert writer.find(f"{request}.1").probabilities == [1.0, 0.0]


@pytest.mark.parametrize("value", [object(), {1, 2}, 2**70, "\ud800"])
def test_a_value_that_json_cannot_hold_is_refused_and_nothing_written(writer, reader, value):
    with pytest.raises(BadInput, match="the ledger cannot hold this"):
        answer(writer, rows=[{"x": value}])

    assert len(reader.answers()) == 0


def test_threads_share_a_writer(writer, reader):
    def work() -> None:
        for _ in range(200):
            answer(writer, "a", "b")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    answers = reader.answers()
    assert len(set(answers.ids)) == 1600
    assert answers.torn_lines == 0
    assert all(writer.find(row_id) for row_id in answers.ids[::100])


def test_a_writer_whose_folder_was_moved_away_goes_on_in_a_new_one(tmp_path, clock):
    folder, archive = tmp_path / "ledger", tmp_path / "archive"
    writer = LedgerWriter(folder, "digits", clock=clock, worker=WORKER)
    forgotten = answer(writer)
    writer.label([(f"{forgotten}.0", "true")])

    folder.rename(archive)
    after = answer(writer)
    writer.label([(f"{after}.0", "false")])
    writer.close()

    assert LedgerReader(folder).answers().ids == [f"{after}.0"]
    assert list(LedgerReader(folder).labels()) == [f"{after}.0"]
    assert LedgerReader(archive).answers().ids == list(LedgerReader(archive).labels()) == [f"{forgotten}.0"]


@pytest.mark.parametrize("gone", ["deleted", "replaced"])
def test_a_writer_whose_file_is_gone_makes_another(writer, reader, tmp_path, gone):
    answer(writer)
    path = tmp_path / "answers-20240131-0000000a.jsonl"
    path.rename(tmp_path / "aside")
    if gone == "replaced":
        path.touch()

    after = answer(writer)

    assert reader.answers().ids == [f"{after}.0"]


def test_two_writers_of_one_name_cannot_overwrite_each_other(make_writer):
    first, second = make_writer(WORKER), make_writer(WORKER)
    answer(first)

    with pytest.raises(LedgerUnavailable, match="cannot be used"):
        answer(second)


def test_each_writer_has_a_name_of_its_own(make_writer, tmp_path):
    for _ in range(3):
        answer(make_writer(None))

    assert len(list(tmp_path.iterdir())) == 3


def test_a_closed_writer_refuses_and_may_be_closed_again(writer):
    answer(writer)
    writer.close()
    writer.close()

    with pytest.raises(LedgerUnavailable, match="closed"):
        answer(writer)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, clock):
    (tmp_path / "file").write_text("")
    writer = LedgerWriter(tmp_path / "file", "digits", clock=clock)

    with pytest.raises(StorageRefused, match=r"jsonl cannot be used .* move away what stands in its place"):
        answer(writer)
    writer.close()


FULL_DISK = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.core.errors import DiskFull
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
writer = LedgerWriter(Path(sys.argv[1]), "digits", clock=lambda: datetime.now(UTC), worker="0000000a")
try:
    while True:
        request = writer.answer(model="m", index=None, rows=[{"x": 1}], labels=["a"], probabilities=None)
        print(request, flush=True)
except DiskFull as error:
    print(error.status, error.code, error)
writer.close()
"""


def test_a_full_disk_tears_no_line(reader, tmp_path):
    """The size limit of a process stands for the disk: the kernel writes what fits, then refuses."""
    done = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, timeout=60)

    *acknowledged, message = done.stdout.splitlines()
    answers = reader.answers()
    assert message.startswith("507 disk_full no space is left for answers-")  # as every full disk is answered
    assert answers.ids == [f"{request}.0" for request in acknowledged]
    assert answers.torn_lines == 0
    assert len(acknowledged) > 1


ENDLESS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from releve.adapters.prediction_ledger.writer import LedgerWriter
writer = LedgerWriter(Path(sys.argv[1]), "digits", clock=lambda: datetime.now(UTC))
while True:
    request = writer.answer(model="m", index=None, rows=[{"x": 1}], labels=["a"], probabilities=None)
    writer.label([(request + ".0", "true")])
    print(request, flush=True)
"""


def test_a_killed_process_loses_nothing_it_had_acknowledged(reader, tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ENDLESS, tmp_path], stdout=subprocess.PIPE, text=True)
    acknowledged = [process.stdout.readline().strip() for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.communicate(timeout=30)[0].split()

    labelled = join_labels(reader.answers(), reader.labels())

    whole = {f"{request}.0" for request in acknowledged if request.count(".") == 2 and len(request) > 25}
    assert len(whole) >= 50
    assert whole - set(labelled.answers.ids) <= set(last_one(acknowledged))


def last_one(requests: list[str]) -> list[str]:
    """The last line read may itself be cut by the kill."""
    return [f"{requests[-1]}.0"]


def test_the_timer_flushes_to_disk_within_about_a_second(writer, monkeypatch):
    flushed = threading.Event()
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (real(descriptor), flushed.set()))
    answer(writer)
    flushed.clear()  # the new file's folder was flushed at once

    assert flushed.wait(60)


def test_many_writers_are_flushed_by_one_thread(tmp_path, clock, monkeypatch):
    sync, threads = LedgerSync(), threading.active_count()
    writers = [LedgerWriter(tmp_path / name, name, clock=clock, sync=sync) for name in ("birds", "fish", "bees")]
    for writer in writers:
        answer(writer)
    flushed, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (real(descriptor), flushed.append(descriptor)))

    deadline = time.monotonic() + 60
    while len(flushed) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)

    assert (len(set(flushed)), threading.active_count()) == (3, threads + 1)
    for each in (*writers, sync):
        each.close()


@pytest.mark.parametrize("stands_there", ["nothing", "a folder", "a file"])
def test_whether_an_answer_could_be_written_is_tried(tmp_path, stands_there):
    folder = tmp_path / "ledger"
    if stands_there == "a folder":
        folder.mkdir()
    if stands_there == "a file":
        folder.write_text("")
        with pytest.raises(StorageRefused, match="ledger"):
            check_writable(folder)
    else:
        check_writable(folder)
        assert list(folder.iterdir()) == []


def test_a_label_is_on_disk_when_label_returns(writer, monkeypatch):
    request = answer(writer)
    flushed, real = [], os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: (real(descriptor), flushed.append(os.fstat(descriptor).st_size))
    )

    writer.label([(f"{request}.0", "true")])

    label_line = len(f'{{"id":"{request}.0","label":"true","at":"2024-01-31T12:00:00.000000Z"}}\n')
    assert label_line in flushed


def test_pandas_is_not_imported_for_writing():
    code = "import sys, releve.adapters.prediction_ledger.writer; print('pandas' in sys.modules)"

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


def test_reading_cost_is_linear_in_lines(writer, reader):
    for _ in range(2000):
        answer(writer, "a", "b")
    small = seconds(lambda: reader.answers())
    for _ in range(6000):
        answer(writer, "a", "b")

    assert seconds(lambda: reader.answers()) < small * 16


def seconds(work) -> float:
    """CPU seconds, the best of three."""
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def test_the_newest_answers_of_an_arm_are_of_every_model_and_no_older_day_is_read(writer, reader, tmp_path):
    (tmp_path / "answers-20240130-0000000a.jsonl").write_bytes(b"torn")
    answer(writer, "old", model="digits:v1", arm="champion")
    answer(writer, "shadow", model="digits:v3", arm="challenger")
    answer(writer, "new", model="digits:v2", arm="champion")

    newest = reader.newest(2, arm="champion")

    assert (newest.predicted, newest.models, newest.torn_lines) == (["old", "new"], ["digits:v1", "digits:v2"], 0)
    assert reader.newest(1, arm="champion").predicted == ["new"]
    assert len(reader.newest(3, arm="champion")) == 2


def test_answers_to_rows_are_in_time_order_and_nothing_else_is_read(make_writer, reader, clock, monkeypatch):
    first, second = make_writer("0000000a"), make_writer("0000000b")
    late = answer(second, *"abcdefghijkl")
    clock.move(seconds=-1)
    early = [answer(first, "other"), answer(first, "x", "y"), answer(first, "z", arm="challenger")]
    parsed, parse = [], AnswerLine.parse
    monkeypatch.setattr(AnswerLine, "parse", lambda value: parsed.append(value["id"]) or parse(value))
    wanted = [f"{late}.10", f"{late}.2", f"{early[2]}.0", f"{early[1]}.1", "no id", f"{early[1]}.9"]

    answers = reader.answers_to(wanted)

    assert answers.ids == [f"{early[1]}.1", f"{early[2]}.0", f"{late}.2", f"{late}.10"]
    assert (answers.predicted, answers.features["x"].tolist()) == (["y", "z", "c", "k"], [1, 0, 2, 10])
    assert set(parsed) == {late, early[1], early[2]}
    assert len(reader.answers_to([])) == 0


def test_the_first_answers_that_some_models_gave_in_an_arm_are_found_behind_any_number_of_others(make_writer, reader):
    writer = make_writer()
    request = answer(writer, *"abcdefgh", model="digits:new")
    gone = answer(writer, *"ijklm", model="digits:gone")
    shadow = answer(writer, "n", model="digits:new", arm="challenger")
    wanted = [f"{shadow}.0", *(f"{gone}.{place}" for place in range(5)), *(f"{request}.{place}" for place in range(8))]

    def first(most):
        return reader.first_answers_to(wanted, arm="champion", models={"digits:new"}, most=most).predicted

    assert (first(3), first(8), first(9)) == ([*"abc"], [*"abcdefgh"], [*"abcdefgh"])


def test_a_row_that_is_asked_for_twice_counts_once_among_the_first_answers(writer, reader):
    request = answer(writer, *"abc", model="digits:new")
    wanted = [f"{request}.{place}" for place in (2, 2, 1, 2, 0)]

    first = reader.first_answers_to(wanted, arm="champion", models={"digits:new"}, most=2)

    assert first.predicted == ["b", "c"]
