"""The prediction ledger: what was answered and what turned out true, in append-only JSONL segments.

Every writer owns its segments, so that writers need no lock between them. A line handed to the kernel survives the
death of the process; against a power loss answers are flushed about every second, labels before `label` returns.
"""

import errno
import fcntl
import logging
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from releve.core.errors import BadInput, ReleveError, Unavailable, storage_error
from releve.core.names import check_scenario_name
from releve.domain.prediction_log.records import (
    AnsweredRow,
    AnsweredRows,
    LabelledRows,
    RowId,
    Scalar,
    UnknownAnswer,
    answered_row,
    answers_from,
    by_request,
    check_answer,
    check_label,
    check_worker,
    day_of,
    is_answer,
    is_label,
    join_labels,
    newest_labels,
    parse_row_id,
    parse_since,
    request_id,
    timestamp,
)

ANSWERS, LABELS, SEARCHES = "answers", "labels", "searches"
SEGMENT = re.compile(r"(answers|labels|searches)-([0-9]{8})-([0-9a-f]{8})\.jsonl")
SYNC_SECONDS = 1.0
OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE

log = logging.getLogger(__name__)


class LedgerUnavailable(Unavailable):
    """The ledger is closed, or another writer has its file."""

    code = "ledger_unavailable"


class LedgerWriter:
    """Writes one scenario's answers and labels. Safe to share between the threads of one process; close it."""

    def __init__(
        self, folder: Path, scenario: str, *, clock: Callable[[], datetime], worker: str | None = None
    ) -> None:
        """`clock` gives times with a zone; `worker` (8 hex digits, default random) must be nobody else's."""
        self._folder = folder
        self._scenario = check_scenario_name(scenario)
        self._clock = clock
        self._worker = check_worker(worker or secrets.token_hex(4))
        self._lock = threading.Lock()
        self._segments: dict[str, _Segment] = {}
        self._closed = threading.Event()
        self._timer = threading.Thread(target=self._sync_regularly, name=f"ledger {scenario}", daemon=True)
        self._timer.start()

    def answer(
        self,
        *,
        model: str,
        index: str | None,
        rows: Sequence[dict[str, Any]],
        labels: Sequence[Scalar],
        probabilities: Sequence[Sequence[float]] | None,
        arm: str = "champion",
    ) -> str:
        """Record one request and return its id. Raises BadInput, Unavailable; then nothing is recorded."""
        check_answer(rows, labels, probabilities)
        record: dict[str, Any] = {"scenario": self._scenario, "model": model, "index": index, "arm": arm}
        return self._write(ANSWERS, record | {"rows": rows, "labels": labels, "probabilities": probabilities})

    def search(self, *, model: str, index: str, question: dict[str, Any], neighbours: Sequence[dict[str, Any]]) -> str:
        """Record one search and return its id; monitoring reads answers only. Raises BadInput, Unavailable."""
        record = {"scenario": self._scenario, "model": model, "index": index}
        return self._write(SEARCHES, record | {"question": question, "neighbours": neighbours})

    def label(self, pairs: Iterable[tuple[str, Scalar]]) -> None:
        """Record what turned out true, as (row id, label), all or none; on disk when this returns.

        Raises UnknownAnswer with the ids that were never answered, BadInput, Unavailable.
        """
        checked = [(row_id, check_label(label)) for row_id, label in pairs]
        if not checked:
            return
        self._check_answered([row_id for row_id, _ in checked])
        with self._lock:
            at = timestamp(self._clock())
            lines = [_to_json({"id": row_id, "label": label, "at": at}) for row_id, label in checked]
            segment = self._segment(LABELS, day_of(at))
            segment.append(b"".join(lines))
        segment.sync()

    def find(self, row_id: str) -> AnsweredRow | None:
        """The answered row of that id, whichever writer answered it; one seek. Raises BadInput for no id at all."""
        return find_answer(self._folder, row_id)

    def find_many(self, row_ids: Iterable[str]) -> dict[str, AnsweredRow]:
        """Those of `row_ids` that were answered, by id; every request's line is read once."""
        return find_answers(self._folder, row_ids)

    def close(self) -> None:
        """Flush to disk and end; later answers raise LedgerUnavailable."""
        self._closed.set()
        self._timer.join()
        with self._lock:
            for segment in self._segments.values():
                segment.close()
            self._segments.clear()

    def _check_answered(self, row_ids: Sequence[str]) -> None:
        answered = self.find_many(row_ids)
        unknown = [row_id for row_id in row_ids if row_id not in answered]
        if unknown:
            named = f"no answer {str(unknown[0])[:80]!r} is in the ledger of {self._scenario}"
            others = f" (and {len(unknown) - 1} more of {len(row_ids)} ids)" if len(unknown) > 1 else ""
            raise UnknownAnswer(f"{named}{others}; no label was recorded", unknown)

    def _write(self, kind: str, record: dict[str, Any]) -> str:
        body = _to_json(record)
        with self._lock:
            at = timestamp(self._clock())
            segment = self._segment(kind, day_of(at))
            request = request_id(segment.day, self._worker, segment.size, secrets.token_hex(3))
            # The id holds the line's offset, known only now; the large part was made outside the lock.
            segment.append(b'{"id":"%s","at":"%s",%s' % (request.encode(), at.encode(), body[1:]))
        return request

    def _segment(self, kind: str, day: str) -> "_Segment":
        if self._closed.is_set():
            raise LedgerUnavailable(f"the ledger of {self._scenario} is closed: the service is stopping")
        current = self._segments.get(kind)
        if current and current.day == day and current.in_place():
            return current
        opened = _Segment(self._folder / f"{kind}-{day}-{self._worker}.jsonl", day)
        if current:
            current.close()
        self._segments[kind] = opened
        return opened

    def _sync_regularly(self) -> None:
        while not self._closed.wait(SYNC_SECONDS):
            for segment in list(self._segments.values()):
                try:
                    segment.sync()
                except ReleveError as error:
                    log.error("%s", error)


class LedgerReader:
    """Reads all writers' segments of one scenario, while they are being written or later."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def answers(self, *, since: str | None = None, model: str | None = None) -> AnsweredRows:
        """Answered rows in time order, from `since` (ISO date or time, inclusive) on and of one model.

        Raises BadInput for a `since` that is no time.
        """
        start = parse_since(since) if since else ""
        lines = _Records(_segments(self._folder, ANSWERS, day_of(start)), is_answer)
        wanted = [record for record in lines if record["at"] >= start and (model is None or record["model"] == model)]
        return answers_from(wanted, torn_lines=lines.torn)

    def days(self, *, arm: str) -> Iterator[AnsweredRows]:
        """One arm's answers of every model in time order, a day (UTC) at a time and without features: a ledger of any
        length, read once."""
        segments = _segments(self._folder, ANSWERS)
        for _, paths in groupby(segments, key=lambda path: path.name.split("-")[1]):
            lines = _Records(paths, is_answer)
            yield answers_from([record for record in lines if record["arm"] == arm], featureless=True)

    def labels(self) -> dict[str, tuple[Scalar, str]]:
        """Row id -> (label, at); the newest label of a row counts."""
        return newest_labels(self._label_lines())

    def labelled(self, *, since: str | None = None, model: str | None = None) -> LabelledRows:
        """The answers, chosen as by `answers`, whose label has come."""
        lines = self._label_lines()
        labels = newest_labels(lines)
        return join_labels(self.answers(since=since, model=model), labels, torn_lines=lines.torn)

    def _label_lines(self) -> "_Records":
        return _Records(_segments(self._folder, LABELS), is_label)


def find_answer(folder: Path, row_id: str) -> AnsweredRow | None:
    """The row of that id in the ledger at `folder`, or None. Raises BadInput for what is not a row id."""
    parse_row_id(row_id)
    return find_answers(folder, [row_id]).get(row_id)


def find_answers(folder: Path, row_ids: Iterable[str]) -> dict[str, AnsweredRow]:
    """Those of `row_ids` that the ledger at `folder` answered, by id. Raises Unavailable."""
    found: dict[str, AnsweredRow] = {}
    for ids in by_request(row_ids).values():
        record = _record_at(folder, parse_row_id(ids[0]))
        if is_answer(record):
            rows = ((row_id, answered_row(record, row_id)) for row_id in ids)
            found |= {row_id: row for row_id, row in rows if row is not None}
    return found


def _record_at(folder: Path, place: RowId) -> Any:
    """What the line at that place says; None where there is none."""
    path = folder / f"{ANSWERS}-{place.day}-{place.worker}.jsonl"
    try:
        with path.open("rb") as segment:
            if place.offset >= os.fstat(segment.fileno()).st_size:
                return None
            segment.seek(place.offset)
            return _from_json(segment.readline())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refusal(path, error) from None


class _Segment:
    """One file with one writer. `size` is where the next line starts."""

    def __init__(self, path: Path, day: str) -> None:
        self.path = path
        self.day = day
        self._sync_lock = threading.Lock()
        self._dirty = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # two writers of one name would overwrite each other
            self._inode = os.fstat(self._fd).st_ino
            self.size = os.lseek(self._fd, 0, os.SEEK_END)
            _sync_folder(path.parent)
        except OSError as error:
            raise _refusal(path, error) from None
        if self.size:
            self.append(b"\n")  # a line that was torn by a power loss ends here

    def in_place(self) -> bool:
        """Whether its path still leads to it: `archive` moves the whole folder into the archive."""
        try:
            return os.stat(self.path).st_ino == self._inode
        except OSError:  # whatever else it is, opening anew will say so
            return False

    def append(self, data: bytes) -> None:
        """Hand `data` to the kernel in one write, or leave the file as it was. Raises Unavailable."""
        try:
            written = os.pwrite(self._fd, data, self.size)
            if written < len(data):
                os.ftruncate(self._fd, self.size)
                raise OSError(errno.ENOSPC, f"only {written} of {len(data)} bytes fitted")
        except OSError as error:
            raise _refusal(self.path, error) from None
        self.size += len(data)
        self._dirty = True

    def sync(self) -> None:
        """Make what was appended survive a power loss. Raises Unavailable."""
        with self._sync_lock:
            if self._fd < 0 or not self._dirty:
                return
            self._dirty = False
            try:
                os.fsync(self._fd)
            except OSError as error:
                self._dirty = True
                raise _refusal(self.path, error) from None

    def close(self) -> None:
        try:
            self.sync()
        finally:
            with self._sync_lock:
                os.close(self._fd)
                self._fd = -1


class _Records:
    """The records of segments, one file after the other; counts the lines that are none."""

    def __init__(self, paths: Iterable[Path], is_record: Callable[[Any], bool]) -> None:
        self._paths = paths
        self._is_record = is_record
        self.torn = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for path in self._paths:
            with path.open("rb") as segment:
                for line in segment:
                    record = _from_json(line)
                    if self._is_record(record):
                        yield record
                    elif line != b"\n":
                        self.torn += 1


def _segments(folder: Path, kind: str, first_day: str = "") -> list[Path]:
    """Paths of one kind from `first_day` (YYYYMMDD) on, by name; other files are not ours."""
    matches = [SEGMENT.fullmatch(path.name) for path in folder.glob(f"{kind}-*.jsonl")]
    return sorted(folder / match.group() for match in matches if match and match[2] >= first_day)


def _to_json(record: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(record, default=_plain, option=OPTIONS)
    except orjson.JSONEncodeError as error:
        raise BadInput(f"the ledger cannot hold this: {error}; use texts, numbers, dates, lists and null") from None


def _plain(value: Any) -> Any:
    """What orjson does not know: texts and dates of numpy and pandas."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat() if value == value else None  # pandas' missing time is unequal to itself
    raise TypeError


def _from_json(line: bytes) -> Any:
    """The line's value; None for a line that is torn or not JSON."""
    if not line.endswith(b"\n"):
        return None
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _sync_folder(folder: Path) -> None:
    """Make a new file's name survive a power loss too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal(path: Path, error: OSError) -> ReleveError:
    """The error of a disk as everywhere (507 where it is full, else 503); LedgerUnavailable for any other."""
    other = f"the prediction ledger {path} cannot be used: {error.strerror or error}"
    return storage_error(error, path) or LedgerUnavailable(other)
