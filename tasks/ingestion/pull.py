"""A scenario's query becomes a file in its incoming folder, and is ingested like any other.

With a watermark each run takes what is new since the run before; without one the whole result comes every time, and
ingestion knows it again while it is the same. A file is written under a hidden name; then the record says that its rows
are taken; then it gets its name. So a run that was killed before the record has taken nothing, and one that was killed
after it is finished by the next.
"""

import gzip
import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from releve.adapters.files import write_bytes
from releve.adapters.tables.sql import Ask, QueryResult, connected, says_since
from releve.core.errors import BadInput, explained_storage
from releve.core.params import Source
from releve.domain.ingestion.queries import (
    Newest,
    QueryProgress,
    Since,
    SinceValue,
    as_json,
    digest,
    parse_progress,
    watermark,
)
from tasks.places import ScenarioState

RECORD = "query.json"
Row = dict[str, Any]  # a row as JSON has it


def pull(source: Source, state: ScenarioState, *, environ: Mapping[str, str]) -> int:
    """Put the rows that the query answers with into the incoming folder; returns how many came.

    Raise BadInput when the address is missing or the query is refused, DatabaseUnavailable when nobody answers.
    """
    record = state.pulled / RECORD
    before = parse_progress(record.read_text(), source=str(record)) if record.is_file() else QueryProgress()
    _give_name(state, before.files - 1)
    if not source.query:
        return 0
    url = environ.get(source.url_env, "")
    if not url:
        raise BadInput(
            f"source.url_env is {source.url_env!r}, and no environment variable of that name holds an address; set it "
            "to the database's SQLAlchemy URL, such as postgresql+psycopg://user:password@host/name"
        )
    _check(source, before, record)
    hidden = _hidden(state, before.files)
    try:
        with connected(url) as ask:
            rows, after = _take(ask, source, before, hidden, record)
            if not rows and not before.since and url.startswith("sqlite"):
                _check_first(ask, source)
        if rows:
            write_bytes(record, (after.model_dump_json(indent=2) + "\n").encode())
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    if rows:
        _give_name(state, before.files)
    else:
        hidden.unlink()
    return rows


def pulled_files(state: ScenarioState) -> set[Path]:
    """Return the incoming files that the runs so far wrote, whether they still wait or not."""
    record = state.pulled / RECORD
    files = parse_progress(record.read_text(), source=str(record)).files if record.is_file() else 0
    return {_visible(_hidden(state, number)) for number in range(files)}


def _hidden(state: ScenarioState, number: int) -> Path:
    return state.incoming / f".query-{state.scenario}-{number:08d}.jsonl.gz"


def _give_name(state: ScenarioState, number: int) -> None:
    """Let the file of that number, whose rows are taken, be ingested from now on."""
    hidden = _hidden(state, number)
    if hidden.is_file():
        hidden.replace(_visible(hidden))


def _visible(hidden: Path) -> Path:
    return hidden.with_name(hidden.name.removeprefix("."))


def _check(source: Source, before: QueryProgress, record: Path) -> None:
    """Raise BadInput where source contradicts itself, or the runs before."""
    has_since = says_since(source.query)
    if source.watermark and not has_since:
        raise BadInput(
            "source.watermark is set, but source.query does not say :since; add "
            f"`where {source.watermark} >= :since order by {source.watermark}`"
        )
    if has_since and source.since == "":
        raise BadInput(
            "source.query says :since and source.since is empty, which no number and no date is larger than; set it to "
            "where the first run begins, such as 0 or 1970-01-01"
        )
    if before.watermark and source.watermark != before.watermark:
        raise BadInput(
            f"source.watermark was {before.watermark!r} in the runs before and is {source.watermark!r} now, so rows "
            "would be taken again. Change it back; or set source.since to where the next run begins, and remove "
            f"{record}"
        )


def _check_first(ask: Ask, source: Source) -> None:
    """Raise BadInput where the first run gets nothing because SQLite takes every text to be larger than any number."""
    if source.watermark and isinstance(source.since, str | date):
        answer = ask(source.query, -math.inf)
        for mark in (row[answer.names.index(source.watermark)] for row in answer.rows):
            if isinstance(mark, int | float):
                raise BadInput(
                    f"source.since is {source.since}, and {source.watermark} holds numbers, such as {mark}, which "
                    "SQLite takes to be smaller than any date or text; set source.since to a number, such as 0"
                )
            return


def _take(ask: Ask, source: Source, before: QueryProgress, path: Path, record: Path) -> tuple[int, QueryProgress]:
    """Write the rows that no run before has taken; returns their number, and what the next run has to know of them."""
    since = before.since.since if before.since else source.since
    answer, left, newest = ask(source.query, since), Counter(before.taken), Newest(source.watermark)
    if source.watermark and source.watermark not in answer.names:
        raise BadInput(f"source.watermark is {source.watermark!r}, which is no column of source.query")
    rows = 0
    # With a watermark two files of equal rows are two files to ingestion, by the name within: no row is taken twice.
    name = path.name if source.watermark else ""
    path.parent.mkdir(parents=True, exist_ok=True)
    with explained_storage(path), path.open("wb") as raw:
        with gzip.GzipFile(filename=name, fileobj=raw, mode="wb", mtime=0) as file:
            for cells in _new_rows(answer, before, left, newest):
                file.write(json.dumps(cells, ensure_ascii=False).encode() + b"\n")
                rows += 1
        raw.flush()
        os.fsync(raw.fileno())
    if left and (source.query != before.query or not set(before.columns) <= set(answer.names)):
        raise BadInput(
            f"source.query or its columns were changed, and {left.total():,} of the {sum(before.taken.values()):,} "
            f"rows that were taken last (:since is {since}) do not come again as they were, so nobody can tell which "
            f"rows are new. Undo the change; or set source.since to where the new query begins, and remove {record}"
        )
    if not source.watermark:
        return rows, QueryProgress(files=before.files + 1)
    if not rows:
        return rows, before
    since, taken = _seen_again(ask, source, newest, since)
    return rows, QueryProgress(
        files=before.files + 1,
        query=source.query,
        watermark=source.watermark,
        columns=answer.names,
        since=SinceValue.of(since),
        taken=dict(taken),
    )


def _new_rows(answer: QueryResult, before: QueryProgress, left: Counter[str], newest: Newest) -> Iterator[Row]:
    """Yield the rows that were not taken before. `left` loses those that were; `newest` sees all."""
    for row in answer.rows:
        cells = _cells(answer, row)
        if newest.column:
            newest.see(row[answer.names.index(newest.column)], cells)
        if left and left[key := digest({name: cells.get(name) for name in before.columns})]:
            left[key] -= 1
            if not left[key]:
                del left[key]
            continue
        yield cells


def _seen_again(ask: Ask, source: Source, newest: Newest, since: Since) -> tuple[Since, Counter[str]]:
    """Choose :since of the next run; returns it and the rows taken by now that the query answers with then.

    With `>=` that is the newest watermark. With `>` it is the one below, which sees the newest rows again.
    """
    carried = newest.rows
    for asked in (newest.mark, since if newest.below is None else newest.below):
        answer, of_newest, older = ask(source.query, asked), 0, Counter[str]()
        for row in answer.rows:
            mark = watermark(row[answer.names.index(newest.column)], newest.column)
            of_newest += mark == newest.mark
            if mark < newest.mark:
                older[digest(_cells(answer, row))] += 1
        if of_newest >= carried.total():
            return asked, older + carried
    raise BadInput(
        f"source.query does not answer with the rows whose {newest.column} is {newest.mark}, the newest, when :since "
        f"is {newest.mark} or {newest.below}, so rows that come later would be missed; write "
        f"`where {newest.column} >= :since order by {newest.column}`, and a larger LIMIT if there is one"
    )


def _cells(answer: QueryResult, row: tuple[Any, ...]) -> Row:
    return {name: as_json(value, name) for name, value in zip(answer.names, row, strict=True)}
