"""A scenario's query becomes a file in its incoming folder, and is ingested like any other.

With a watermark each run asks for what is newer than the run before; without one the whole result comes every time,
and ingestion knows it again while it is the same. How far the query was followed is written after the file is there:
a run that was killed in between asks for the same again, and replaces the file of the same name.
"""

import gzip
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from releve.adapters.files import write_json
from releve.adapters.tables.sql import open_query
from releve.errors import BadInput
from releve.rules.params import Source
from tasks.places import ScenarioState

RECORD = "query.json"  # how many files the query made, and what :since is next


def pull(source: Source, state: ScenarioState, *, environ: Mapping[str, str]) -> int:
    """Put the rows that the query answers with into the incoming folder; returns how many came.

    Raises BadInput when the address is missing or the query is refused, DatabaseUnavailable when nobody answers.
    """
    if not source.query:
        return 0
    url = environ.get(source.url_env, "")
    if not url:
        raise BadInput(
            f"source.url_env is {source.url_env!r}, and no environment variable of that name holds an address; set it "
            "to the database's SQLAlchemy URL, such as postgresql+psycopg://user:password@host/name"
        )
    since = _since(state, source)
    path = state.incoming / f"query-{state.scenario}-{_pulls(state):08d}.jsonl.gz"
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        rows, newest = _write(beside, open_query(url, source.query, _values(source, since)).chunks, source)
        if rows:
            beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    if rows:
        write_json(state.pulled / RECORD, {"pulls": _pulls(state) + 1, "since": newest if source.watermark else since})
    return rows


def _values(source: Source, since: Any) -> dict[str, Any]:
    """What fills the query's parameters: :since, where the query says it."""
    says = ":since" in source.query
    if source.watermark and not says:
        raise BadInput("source.watermark is set, but source.query does not say :since; add `where WATERMARK > :since`")
    if source.watermark and since == "":
        raise BadInput(
            "source.watermark is set and source.since is empty, which no number and no date is larger than; say where "
            "the first run begins, such as 0 or 1970-01-01"
        )
    return {"since": since} if says else {}


def _record(state: ScenarioState) -> dict[str, Any]:
    path = state.pulled / RECORD
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def _since(state: ScenarioState, source: Source) -> Any:
    return _record(state).get("since", source.since)


def _pulls(state: ScenarioState) -> int:
    return int(_record(state).get("pulls", 0))


def _write(path: Path, chunks: Iterator[Any], source: Source) -> tuple[int, Any]:
    """JSON Lines, packed, and the same bytes for the same rows; how many, and the largest watermark."""
    rows, newest = 0, None
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as file:
        for chunk in chunks:
            if source.watermark and source.watermark not in chunk.frame:
                raise BadInput(f"source.watermark is {source.watermark!r}, which is no column of source.query")
            for row in chunk.frame.to_dict("records"):
                values = {name: _plain(value) for name, value in row.items()}
                file.write(json.dumps(values, ensure_ascii=False).encode() + b"\n")
                if source.watermark:
                    newest = _later(newest, values[source.watermark])
            rows += len(chunk.frame)
    return rows, newest


def _later(newest: Any, value: Any) -> Any:
    if value is None:
        raise BadInput("a row of source.query has no watermark; leave such rows out, or choose another column")
    return value if newest is None or value > newest else newest


def _plain(value: Any) -> Any:
    """A database's value as JSON has it: a moment as ISO text (in UTC where it has a zone), a decimal as a number."""
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise BadInput(f"source.query answers with {value!r}, which is no number, text or date; cast it in the query")
