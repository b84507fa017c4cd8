"""What is odd about a batch as a whole, beside the batches before.

A row can be right cell by cell and its file wrong: half of it sent twice, a column that stopped being filled, last
month's export. Each check warns, unless params.yaml (`batch`) refuses or ignores it.
"""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from releve.core.params import BatchLimits
from releve.domain.ingestion.batch_profile import BatchProfile as BatchProfile
from releve.domain.ingestion.batch_profile import is_missing, of_types, profile
from releve.domain.ingestion.batch_profile import joined as joined
from releve.domain.schema.columns import NUMBER
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 3  # values in a sentence
DUPLICATE_ROWS, DUPLICATE_IDS = "duplicate_rows", "duplicate_ids"


@dataclass(frozen=True)
class BatchFinding:
    """Something odd about a batch, in words, and whether it stops the batch."""

    text: str
    refuse: bool


class BatchChecks:
    """What is seen of one file while its chunks go by; memory: 8 bytes a row for each check of duplicates."""

    def __init__(self, schema: Schema, earlier: BatchProfile, params: BatchLimits):
        self._schema, self._earlier, self._params = schema, of_types(earlier, schema), params
        self.profile = BatchProfile()
        self._new: dict[str, Counter[str]] = {}
        self._outside: Counter[str] = Counter()
        self._rows: list[NDArray[np.uint64]] = []
        self._ids: list[NDArray[np.uint64]] = []

    def add(self, accepted: "pd.DataFrame") -> None:
        """Take notice of checked rows."""
        self.profile = joined([self.profile, profile(accepted, self._schema)])
        self._count_new(accepted)
        self._count_outside(accepted)
        if DUPLICATE_ROWS not in self._params.ignore:
            self._rows.append(_hashes(accepted))
        if self._schema.id and DUPLICATE_IDS not in self._params.ignore:
            self._ids.append(_hashes(accepted[[self._schema.id]][~is_missing(accepted[self._schema.id])]))

    def findings(self, rows: int) -> list[BatchFinding]:
        """What is odd about the file as a whole; `rows`: those that it holds, rejected ones included."""
        told = {
            "row_count": self._row_count(rows),
            "missing": self._missing_rise(),
            "new_categories": self._new_categories(),
            "out_of_range": self._out_of_range(),
            DUPLICATE_ROWS: self._duplicate_rows(),
            DUPLICATE_IDS: self._duplicate_ids(),
            "time_back": self._time_back(),
        }
        return [
            BatchFinding(f"{text} (check {name}; params.yaml: batch)", name in self._params.refuse)
            for name, texts in told.items()
            for text in texts
            if name not in self._params.ignore
        ]

    def _count_new(self, accepted: "pd.DataFrame") -> None:
        for name, known in self._earlier.categories.items():
            if known is not None and name in accepted:
                counts = Counter(accepted[name].tolist())
                fresh = Counter({str(value): n for value, n in counts.items() if value != "" and value not in known})
                self._new[name] = self._new.get(name, Counter()) + fresh

    def _count_outside(self, accepted: "pd.DataFrame") -> None:
        for name, low in self._earlier.low.items():
            if name in accepted:
                cells = accepted[name]
                self._outside[name] += int(((cells < low) | (cells > self._earlier.high[name])).sum())

    def _row_count(self, rows: int) -> list[str]:
        params = self._params
        if rows < params.min_rows:
            return [f"it has {rows} rows, expected at least {params.min_rows}"]
        if params.max_rows and rows > params.max_rows:
            return [f"it has {rows} rows, expected at most {params.max_rows}"]
        return []

    def _missing_rise(self) -> list[str]:
        if not self._earlier.rows:
            return []
        known = {name: self._earlier.missing.get(name, 0) / self._earlier.rows for name in self._earlier.missing}
        now = {name: self._share(self.profile.missing[name]) for name in self._schema.names if self.profile.rows}
        return [
            f"{name} is missing in {now[name]:.0%} of the rows, in {before:.0%} before"
            for name, before in ({name: known.get(name, 0.0) for name in now}).items()
            if now[name] - before > self._params.max_missing_rise
        ]

    def _new_categories(self) -> list[str]:
        return [
            f"{name} has values that were never there before in {self._share(counts.total()):.1%} of the rows: "
            + ", ".join(repr(value) for value, _ in counts.most_common(SHOWN))
            for name, counts in self._new.items()
            if self._share(counts.total()) > self._params.max_unusual_share
        ]

    def _out_of_range(self) -> list[str]:
        return [
            f"{name} lies outside {self._earlier.low[name]:g} to {self._earlier.high[name]:g}, where it always was "
            f"before, in {self._share(count):.1%} of the rows"
            for name, count in self._outside.items()
            if self._share(count) > self._params.max_unusual_share
        ]

    def _duplicate_rows(self) -> list[str]:
        repeated = _repeated(self._rows)
        if self._share(repeated) <= self._params.max_unusual_share:
            return []
        return [f"{repeated} rows ({self._share(repeated):.1%}) repeat another row of the file"]

    def _duplicate_ids(self) -> list[str]:
        repeated = _repeated(self._ids)
        return [f"{repeated} rows have the {self._schema.id} of another row of the file"] if repeated else []

    def _time_back(self) -> list[str]:
        oldest, newest = self.profile.oldest, self._earlier.newest
        if oldest is None or newest is None or oldest >= newest:
            return []
        kind = self._schema.column(str(self._schema.time)).type
        return [
            f"{self._schema.time} begins at {_moment(oldest, kind)}, before the newest known, {_moment(newest, kind)}"
        ]

    def _share(self, count: int) -> float:
        return count / max(self.profile.rows, 1)


def _moment(value: float, kind: str) -> str:
    return f"{value:g}" if kind == NUMBER else str(np.datetime64(round(value * 1e6), "us").astype("datetime64[s]"))


def _hashes(frame: "pd.DataFrame") -> NDArray[np.uint64]:
    import pandas as pd

    return np.asarray(pd.util.hash_pandas_object(frame, index=False), dtype=np.uint64)


def _repeated(hashes: list[NDArray[np.uint64]]) -> int:
    """How many of them were there before."""
    if not hashes:
        return 0
    together = np.sort(np.concatenate(hashes))
    return int((together[1:] == together[:-1]).sum())
