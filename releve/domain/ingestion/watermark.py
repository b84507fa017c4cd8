"""How far a query was followed, so that the next run takes what is new: no row missed, none twice.

A row may be committed late, with the very watermark that was the newest. So the next run is asked from where the newest
rows are seen again, and what was taken of them is left out, as often as it was taken: docs/decisions/0023-watermark.md
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from releve.core.errors import BadInput

Since = str | int | float | Decimal | date | datetime
TYPES: dict[str, Callable[[str], Since]] = {
    "int": int,
    "float": float,
    "Decimal": Decimal,
    "str": str,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
}


class SinceValue(BaseModel):
    """What fills :since, with its type: a database compares numbers, texts and dates differently."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    type: Literal["int", "float", "Decimal", "str", "date", "datetime"]
    value: str

    @classmethod
    def of(cls, since: Since) -> "SinceValue":
        """The value, to be written down; `since` gives it back."""
        text = since.isoformat() if isinstance(since, date) else str(since)
        return cls.model_validate({"type": type(since).__name__, "value": text})

    @property
    def since(self) -> Since:
        return TYPES[self.type](self.value)


class QueryProgress(BaseModel):
    """What the runs before have taken, as it is kept between them."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal[1] = 1
    files: int = 0  # that the query has filled
    query: str = ""
    watermark: str = ""
    columns: list[str] = []
    since: SinceValue | None = None
    taken: dict[str, int] = {}  # digests of the rows that the next run sees again, and how often each was taken


def parse_progress(text: str, *, source: str) -> QueryProgress:
    """Raises BadInput, naming `source`, for what is no QueryProgress."""
    try:
        return QueryProgress.model_validate_json(text)
    except ValidationError:
        raise BadInput(
            f"{source} does not say how far the query was followed, in a form that this version knows; set "
            "source.since to where the next run begins, and remove that file"
        ) from None


def digest(cells: Mapping[str, Any]) -> str:
    """What a row is known by again: its cells as JSON, by name."""
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
        """Take a row and its watermark into account. Raises BadInput where watermarks cannot be compared."""
        mark = watermark(value, self.column)
        if self.mark is not None and _kind(mark) != _kind(self.mark):
            raise BadInput(
                f"source.watermark: {self.column} holds {_told(self.mark)} and {_told(mark)}, which have no common "
                "order; leave one kind out in source.query, or cast the column to one type"
            )
        if self.mark is None or mark > self.mark:
            self.below, self.mark, self._first, self._others = self.mark, mark, cells, Counter()
        elif mark == self.mark:
            self._others[digest(cells)] += 1
        elif self.below is None or mark > self.below:
            self.below = mark

    @property
    def rows(self) -> Counter[str]:
        """Digests of the rows that carry the newest watermark, and how often each is there."""
        return self._others + Counter([digest(self._first)])


def watermark(value: Any, column: str) -> Any:
    """A row's watermark as it is compared and asked for. Raises BadInput for what is none."""
    if value is None:
        raise BadInput(
            f"a row of source.query has no watermark: {column} is NULL; leave such rows out, or choose another column"
        )
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bool) or not isinstance(value, Since) or value != value:
        raise BadInput(
            f"source.watermark: {column} holds {value!r}; expected a number, a text, a date or a time stamp that grows "
            "with the rows"
        )
    return value


def _kind(mark: Since) -> str:
    if isinstance(mark, int | float | Decimal):
        return "number"
    if isinstance(mark, datetime):
        return "time stamp with a zone" if mark.tzinfo else "time stamp"
    return "date" if isinstance(mark, date) else "text"


def _told(mark: Since) -> str:
    shown = f"{mark}"
    return f"the {_kind(mark)} {shown if len(shown) <= 60 else shown[:60] + '...'}"
