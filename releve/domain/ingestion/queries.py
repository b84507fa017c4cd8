"""The rows of a query: their values as JSON has them, and how far the query was followed.

The next run takes what is new: no row missed, none twice. A row may be committed late, with the very watermark that was
the newest. So the next run asks from where the newest rows are seen again, and what was taken of them is left out, as
often as it was taken: docs/decisions/0023-watermark.md
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from releve.core.errors import BadInput
from releve.domain.schema.cells import EXACT, SHOWN

Since = str | int | float | Decimal | date | datetime
SINCE_TYPES: dict[str, Callable[[str], Since]] = {
    "int": int,
    "float": float,
    "Decimal": Decimal,
    "str": str,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
}
LARGEST_WHOLE = 10**38  # as most databases have it; what is larger is a measurement, not a name
TEXTS = (UUID, IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network)
CASTS: tuple[tuple[type[Any] | tuple[type[Any], ...], str, str], ...] = (
    (dict, "an object", "{column} ->> 'key' AS key, or {column}::text AS {column}"),
    (list, "a list", "array_to_string({column}, ',') AS {column}, or {column}::text AS {column} where it is JSON"),
    (
        (bytes, bytearray, memoryview),
        "bytes",
        "encode({column}, 'hex') AS {column} in PostgreSQL, hex({column}) AS {column} elsewhere",
    ),
    (
        timedelta,
        "an interval",
        "extract(epoch FROM {column}) AS {column} in PostgreSQL, time_to_sec({column}) AS {column} in MySQL",
    ),
)  # what is no cell: its name, and what to write into the query instead


def as_json(value: Any, column: str) -> Any:
    """Convert a database's value: a moment to ISO text (in UTC where it has a zone), a decimal to a number.

    A whole number keeps all its digits; NaN is missing; an infinite number is a text, which a number column rejects row
    by row. Raise BadInput, naming the column and a cast, for what is no number, text or date.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | Decimal):
        if not (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)):
            return None if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
        if isinstance(value, float):
            return value
        whole = value == value.to_integral_value() and -LARGEST_WHOLE < value < LARGEST_WHOLE  # exact, as abs() is not
        if whole and (value.as_tuple().exponent == 0 or not -EXACT <= value <= EXACT):
            return int(value)
        number = float(value)
        return number if math.isfinite(number) else f"{value:.6E}"
    if isinstance(value, datetime):
        try:
            return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
        except OverflowError:  # the first day of year 1, or the last of 9999
            return value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, TEXTS):
        return str(value)
    name = column if column.isidentifier() and column == column.lower() else '"' + column.replace('"', '""') + '"'
    plain = bytes(value) if isinstance(value, bytearray | memoryview) else value
    text = str(value) if isinstance(value, timedelta) else repr(plain)
    kind, cast = next(
        ((kind, cast) for types, kind, cast in CASTS if isinstance(value, types)),
        (f"a {type(value).__name__}", "{column}::text AS {column}"),
    )
    raise BadInput(
        f"source.query: the column {column} holds {kind} ({text if len(text) <= SHOWN else text[:SHOWN] + '...'}), "
        f"which is no number, text or date; cast it in the query: {cast.format(column=name)}"
    )


class SinceValue(BaseModel):
    """The value of :since with its type: a database compares numbers, texts and dates differently."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    type: Literal["int", "float", "Decimal", "str", "date", "datetime"]
    value: str

    @classmethod
    def of(cls, since: Since) -> "SinceValue":
        """Write the value as text; `since` reads it back."""
        text = since.isoformat() if isinstance(since, date) else str(since)
        return cls.model_validate({"type": type(since).__name__, "value": text})

    @property
    def since(self) -> Since:
        return SINCE_TYPES[self.type](self.value)


class QueryProgress(BaseModel):
    """The rows that earlier runs have taken: a document kept between runs."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal[1] = 1
    files: int = 0  # that the query has filled
    query: str = ""
    watermark: str = ""
    columns: list[str] = []
    since: SinceValue | None = None
    taken: dict[str, int] = {}  # digests of the rows that the next run sees again, and how often each was taken


def parse_progress(text: str, *, source: str) -> QueryProgress:
    """Read a QueryProgress. Raise BadInput naming `source` for what is none."""
    try:
        return QueryProgress.model_validate_json(text)
    except ValidationError:
        raise BadInput(
            f"{source} does not say how far the query was followed, in a form that this version knows; set "
            "source.since to where the next run begins, and remove that file"
        ) from None


def digest(cells: Mapping[str, Any]) -> str:
    """Hash a row, given as its cells in JSON form by name."""
    row = json.dumps(cells, ensure_ascii=False)
    return hashlib.blake2b(row.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass
class Newest:
    """The newest watermark among rows, the one below it, and the rows that carry the newest.

    The database may put texts in another order than Python does; that makes a later run see more rows again, and
    changes nothing else.
    """

    column: str
    mark: Any = None
    below: Any = None
    _first: Mapping[str, Any] = field(default_factory=dict)  # of the rows that carry it: most often the only one
    _others: Counter[str] = field(default_factory=Counter)

    def see(self, value: Any, cells: Mapping[str, Any]) -> None:
        """Take a row and its watermark into account. Raise BadInput where watermarks cannot be compared."""

        def describe(mark: Since) -> str:
            return f"the {_kind(mark)} {mark if len(str(mark)) <= SHOWN else str(mark)[:SHOWN] + '...'}"

        mark = watermark(value, self.column)
        if self.mark is not None and _kind(mark) != _kind(self.mark):
            raise BadInput(
                f"source.watermark: {self.column} holds {describe(self.mark)} and {describe(mark)}, which have no "
                "common order; leave one kind out in source.query, or cast the column to one type"
            )
        if self.mark is None or mark > self.mark:
            self.below, self.mark, self._first, self._others = self.mark, mark, cells, Counter()
        elif mark == self.mark:
            self._others[digest(cells)] += 1
        elif self.below is None or mark > self.below:
            self.below = mark

    @property
    def rows(self) -> Counter[str]:
        """Count the rows that carry the newest watermark, by digest."""
        return self._others + Counter([digest(self._first)])


def watermark(value: Any, column: str) -> Any:
    """Return a row's watermark in a form that can be compared. Raise BadInput for what is none."""
    if value is None:
        raise BadInput(
            f"a row of source.query has no watermark: {column} is NULL; leave such rows out, or choose another column"
        )
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bool) or not isinstance(value, Since) or value != value:
        raise BadInput(
            f"source.watermark: {column} holds a {type(value).__name__}; expected a number, a text, a date or a time "
            "stamp that grows with the rows"
        )
    return value


def _kind(mark: Since) -> str:
    if isinstance(mark, int | float | Decimal):
        return "number"
    if isinstance(mark, datetime):
        return "time stamp with a zone" if mark.tzinfo else "time stamp"
    return "date" if isinstance(mark, date) else "text"
