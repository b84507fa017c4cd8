"""Which version of a row counts: the newest one, in the place of the first.

A label is corrected by sending the row again. Nothing that was ingested is changed for it: the later version takes the
place of the first one wherever rows of all batches are read together. Rows keep their places, and so their windows.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.schema.schema import BATCH, ROW, Schema
from releve.domain.schema.validation import with_columns

if TYPE_CHECKING:
    import pandas as pd

ANSWER_ID = "_answer_id"  # names the answer that a harvested row was, "" for other rows; no feature


@dataclass(frozen=True, eq=False)
class RowVersions:
    """The places of the first and of the newest version of each row, in the order in which the rows came first."""

    first: NDArray[np.intp]
    newest: NDArray[np.intp]
    rows: NDArray[np.integer[Any]]  # of each version, which row it is of

    @classmethod
    def of(cls, frame: "pd.DataFrame", schema: Schema) -> "RowVersions":
        """Find the versions of each row; `frame`: rows in the order in which they were ingested.

        A row is named by its id, together with its time where the scenario has one: a customer may be seen twice. One
        without an id is named by the answer that it was, and what has neither is a row of its own.
        """
        import pandas as pd

        def is_filled(name: str | None) -> NDArray[np.bool_]:
            if name is None or name not in frame:
                return np.zeros(len(frame), dtype=bool)
            return (frame[name].notna() & (frame[name] != "")).to_numpy(bool)

        places, has_id = np.arange(len(frame)), is_filled(schema.id)
        is_answer = is_filled(ANSWER_ID) & ~has_id
        names = pd.DataFrame({"alone": np.where(has_id | is_answer, -1, places)}, index=frame.index)
        if is_answer.any():
            names["answer"] = frame[ANSWER_ID].where(is_answer)
        for number, column in enumerate(id_columns(schema)):
            names[number] = frame[column].where(has_id)
        rows = names.groupby(list(names), sort=False, dropna=False).ngroup().to_numpy()
        _, first = np.unique(rows, return_index=True)
        newest = np.empty_like(first)
        newest[rows] = places  # of several places of one row numpy keeps the last
        return cls(first, newest, rows)

    def superseded_from(self, place: int) -> int:
        """Count the versions from `place` on that are not the first of their row."""
        return len(self.rows) - place - int((self.first >= place).sum())

    def corrected_from(self, place: int, labels: NDArray[Any]) -> int:
        """Count the rows of before `place` that the versions from there on give another label than they had."""
        newest_before = np.full_like(self.newest, -1)
        newest_before[self.rows[:place]] = np.arange(place)
        is_known = newest_before >= 0
        return int((labels[newest_before[is_known]] != labels[self.newest[is_known]]).sum())


def positions_in(frame: "pd.DataFrame") -> NDArray[np.int64]:
    """Return where the rows of a batch stood when it was ingested; a batch that lost rows since says so itself."""
    return frame[ROW].to_numpy(np.int64) if ROW in frame else np.arange(len(frame), dtype=np.int64)


def id_columns(schema: Schema) -> list[str]:
    """Return the columns that name a row together; none where the scenario has no `id`."""
    return [schema.id, *([schema.time] if schema.time else [])] if schema.id else []


@dataclass(frozen=True, eq=False)
class NewestRows:
    """Rows of all batches, each once, with the cells of its newest version."""

    rows: "pd.DataFrame"  # `_batch` and `_row` are those of the first version
    is_corrected: NDArray[np.bool_]  # a later version has taken the place of the first
    corrections: list[str]  # batch and row of that version, "" where the first one counts
    superseded: int  # versions that do not count

    @classmethod
    def of(cls, frame: "pd.DataFrame", schema: Schema) -> "NewestRows":
        """Let every row count once; `frame`: all versions, in the order in which they were ingested."""
        versions = RowVersions.of(frame, schema)
        newest = frame.iloc[versions.newest].drop(columns=ANSWER_ID, errors="ignore").reset_index(drop=True)
        places = frame[[BATCH, ROW]].iloc[versions.first].reset_index(drop=True)
        rows = with_columns(newest, {BATCH: places[BATCH], ROW: places[ROW]})
        is_corrected = versions.newest != versions.first
        corrections = np.full(len(rows), "", dtype=object)
        counting = frame[[BATCH, ROW]].iloc[versions.newest[is_corrected]]
        corrections[is_corrected] = [f"{batch} {row}" for batch, row in counting.itertuples(index=False)]
        return cls(rows, is_corrected, corrections.tolist(), len(frame) - len(rows))
