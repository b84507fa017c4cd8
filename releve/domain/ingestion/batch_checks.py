"""Checks of a batch as a whole, against a profile of the batches before.

A row can be right cell by cell and its file wrong: half of it sent twice, a column that stopped being filled, last
month's export. Each check warns, unless params.yaml (`batch`) refuses or ignores it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from releve.core.documents import DocumentPart
from releve.core.params import BatchLimits
from releve.domain.schema.columns import CATEGORY, NUMBER, Column
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 3  # values in a sentence
MOST_CATEGORIES = 200  # values of a column that are remembered; one with more is no list of categories
DUPLICATE_ROWS, DUPLICATE_IDS = "duplicate_rows", "duplicate_ids"


class BatchProfile(DocumentPart):
    """Figures of the accepted rows of a batch, or of several together, that later batches are compared with."""

    rows: int = 0
    missing: dict[str, int] = Field(default_factory=dict)  # cells, by column
    low: dict[str, float] = Field(default_factory=dict)  # by number column
    high: dict[str, float] = Field(default_factory=dict)
    categories: dict[str, list[str] | None] = Field(default_factory=dict)  # None: more than MOST_CATEGORIES
    oldest: float | None = None  # of the time column; dates as seconds since 1970
    newest: float | None = None

    @classmethod
    def of_frame(cls, frame: "pd.DataFrame", schema: Schema) -> "BatchProfile":
        """Profile checked rows."""
        comparable = _comparable(schema)
        open_lists = [column.name for column in comparable if column.type == CATEGORY and not column.categories]
        numbers = {column.name: frame[column.name].dropna() for column in comparable if column.type == NUMBER}
        is_timed = schema.time and schema.time not in schema.personal
        times = frame[schema.time].dropna() if is_timed else frame.iloc[:0, 0]
        if times.dtype.kind == "M":
            times = times.astype("datetime64[us]").astype(np.int64) / 1e6
        return cls(
            rows=len(frame),
            missing={column.name: int(_is_missing(frame[column.name]).sum()) for column in schema.columns},
            low={name: float(cells.min()) for name, cells in numbers.items() if len(cells)},
            high={name: float(cells.max()) for name, cells in numbers.items() if len(cells)},
            categories={name: _listed({str(value) for value in frame[name].unique()} - {""}) for name in open_lists},
            oldest=float(times.min()) if len(times) else None,
            newest=float(times.max()) if len(times) else None,
        )

    @classmethod
    def joined(cls, profiles: Iterable["BatchProfile"]) -> "BatchProfile":
        """Profile several batches together."""

        def merged(first: Mapping[str, Any], second: Mapping[str, Any], join: Callable[[Any, Any], Any]) -> Any:
            return {**first, **second, **{name: join(first[name], second[name]) for name in first if name in second}}

        def union(first: list[str] | None, second: list[str] | None) -> list[str] | None:
            return None if first is None or second is None else _listed({*first, *second})

        total = cls()
        for other in profiles:
            oldest = [each.oldest for each in (total, other) if each.oldest is not None]
            newest = [each.newest for each in (total, other) if each.newest is not None]
            total = cls(
                rows=total.rows + other.rows,
                missing=merged(total.missing, other.missing, add),
                low=merged(total.low, other.low, min),
                high=merged(total.high, other.high, max),
                categories=merged(total.categories, other.categories, union),
                oldest=min(oldest, default=None),
                newest=max(newest, default=None),
            )
        return total

    def of_types(self, schema: Schema) -> "BatchProfile":
        """Keep what is known of columns that are compared, and whose type has not changed since."""
        types = {column.name: column.type for column in _comparable(schema)}
        numbers = [name for name in self.low if types.get(name) == NUMBER]
        return self.model_copy(
            update={
                "low": {name: self.low[name] for name in numbers},
                "high": {name: self.high[name] for name in numbers},
                "categories": {name: known for name, known in self.categories.items() if types.get(name) == CATEGORY},
            }
        )


@dataclass(frozen=True)
class BatchFinding:
    """A sentence about a batch that is unlike those before, and whether it stops the batch."""

    text: str
    refuse: bool


class BatchInspector:
    """Collects figures of one file while its chunks go by; memory: 8 bytes a row for each check of duplicates."""

    def __init__(self, schema: Schema, earlier: BatchProfile, limits: BatchLimits):
        self._schema, self._earlier, self._limits = schema, earlier.of_types(schema), limits
        self.profile = BatchProfile()
        self._new: dict[str, Counter[str]] = {}
        self._outside: Counter[str] = Counter()
        self._rows: list[NDArray[np.uint64]] = []
        self._ids: list[NDArray[np.uint64]] = []

    def add(self, accepted: "pd.DataFrame") -> None:
        """Take checked rows into account."""
        self.profile = BatchProfile.joined([self.profile, BatchProfile.of_frame(accepted, self._schema)])
        for name, known in self._earlier.categories.items():
            if known is not None and name in accepted:
                counts = Counter(accepted[name].tolist())
                fresh = Counter({str(value): n for value, n in counts.items() if value != "" and value not in known})
                self._new[name] = self._new.get(name, Counter()) + fresh
        for name, low in self._earlier.low.items():
            if name in accepted:
                cells = accepted[name]
                self._outside[name] += int(((cells < low) | (cells > self._earlier.high[name])).sum())
        if DUPLICATE_ROWS not in self._limits.ignore:
            self._rows.append(_hashes(accepted))
        if self._schema.id and DUPLICATE_IDS not in self._limits.ignore:
            self._ids.append(_hashes(accepted[[self._schema.id]][~_is_missing(accepted[self._schema.id])]))

    def findings(self, rows: int) -> list[BatchFinding]:
        """Compare the file as a whole with what was before; `rows`: those of the file, rejected ones included."""
        return [
            BatchFinding(f"{text} (check {check}; params.yaml: batch)", check in self._limits.refuse)
            for check, text in self._deviations(rows)
            if check not in self._limits.ignore
        ]

    def _deviations(self, rows: int) -> Iterator[tuple[str, str]]:
        """Yield a check of `batch` and a sentence for whatever is unlike before."""
        limits, earlier, now, schema = self._limits, self._earlier, self.profile, self._schema

        def share(count: int) -> float:
            return count / max(now.rows, 1)

        if rows < limits.min_rows:
            yield "row_count", f"it has {rows} rows, expected at least {limits.min_rows}"
        elif limits.max_rows and rows > limits.max_rows:
            yield "row_count", f"it has {rows} rows, expected at most {limits.max_rows}"
        for name in schema.names if earlier.rows and now.rows else []:
            before = earlier.missing.get(name, 0) / earlier.rows
            if (missing := share(now.missing[name])) - before > limits.max_missing_rise:
                yield "missing", f"{name} is missing in {missing:.0%} of the rows, in {before:.0%} before"
        for name, counts in self._new.items():
            if share(counts.total()) > limits.max_unusual_share:
                values = ", ".join(repr(value) for value, _ in counts.most_common(SHOWN))
                what = f"{name} has values that were never there before in {share(counts.total()):.1%} of the rows"
                yield "new_categories", f"{what}: {values}"
        for name, count in self._outside.items():
            if share(count) > limits.max_unusual_share:
                span = (
                    f"{name} lies outside {earlier.low[name]:g} to {earlier.high[name]:g}, where it always was before"
                )
                yield "out_of_range", f"{span}, in {share(count):.1%} of the rows"
        if share(repeated := _repeated(self._rows)) > limits.max_unusual_share:
            yield DUPLICATE_ROWS, f"{repeated} rows ({share(repeated):.1%}) repeat another row of the file"
        if repeated := _repeated(self._ids):
            one = f"rows that share its {schema.time}, too, are" if schema.time else "they are"
            what = f"{repeated} rows have the {schema.id} of another row of the file"
            yield DUPLICATE_IDS, f"{what}; {one} versions of one row, the last of which counts"
        if now.oldest is not None and earlier.newest is not None and now.oldest < earlier.newest:
            is_number = schema.column(str(schema.time)).type == NUMBER
            oldest, newest = (
                f"{each:g}" if is_number else str(np.datetime64(round(each * 1e6), "us").astype("datetime64[s]"))
                for each in (now.oldest, earlier.newest)
            )
            yield "time_back", f"{schema.time} begins at {oldest}, before the newest known, {newest}"


def _comparable(schema: Schema) -> list[Column]:
    """Return columns whose values should be like those before: not ids and times, which are new in every batch, and
    not what is no feature, such as a running number. What is remembered of them is in git: nothing of personal ones."""
    own = (schema.id, schema.time, *schema.personal)
    return [column for column in schema.features if column.name not in own]


def _is_missing(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    return cells.isna() | (cells == "") if cells.dtype.kind == "O" else cells.isna()


def _listed(values: set[str]) -> list[str] | None:
    return sorted(values) if len(values) <= MOST_CATEGORIES else None


def _hashes(frame: "pd.DataFrame") -> NDArray[np.uint64]:
    import pandas as pd

    return np.asarray(pd.util.hash_pandas_object(frame, index=False), dtype=np.uint64)


def _repeated(hashes: list[NDArray[np.uint64]]) -> int:
    """Count the rows that were there before."""
    together = np.sort(np.concatenate(hashes)) if hashes else np.empty(0)
    return int((together[1:] == together[:-1]).sum())
