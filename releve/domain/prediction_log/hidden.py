"""Cells that never get into the ledger in clear: what stands there instead."""

import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from releve.domain.prediction_log.records import Row
from releve.domain.schema.cells import is_missing
from releve.domain.schema.columns import Column


@dataclass(frozen=True)
class HiddenCells:
    """Columns whose cells are hashed with a key, or left out; `hashed` by name."""

    key: bytes
    hashed: Mapping[str, Column]
    dropped: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        """All columns that are not there in clear."""
        return self.dropped.union(self.hashed)

    def hide(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Return rows as the ledger may hold them."""
        if not (self.hashed or self.dropped):
            return rows
        return [
            {name: self._hidden(name, cell) for name, cell in row.items() if name not in self.dropped} for row in rows
        ]

    def hashes(self, column: Column, cells: Collection[Any]) -> dict[str, Any]:
        """Return hash -> cell, for typed cells that may stand in the ledger as their hash."""
        return {self._hash(column, cell): cell for cell in cells} if self.key else {}

    def _hidden(self, name: str, cell: Any) -> Any:
        column = self.hashed.get(name)
        if column is None or is_missing(cell):
            return cell
        typed = str(cell) if column.problem(cell) else column.typed(cell)
        return self._hash(column, typed)

    def _hash(self, column: Column, typed: Any) -> str:
        """Hash one cell; the column's name goes in, so that equal cells of two columns do not show."""
        return hmac.new(self.key, f"{column.name}\0{typed}".encode(), "sha256").hexdigest()


NOTHING_HIDDEN = HiddenCells(b"", {}, frozenset())
