"""Cells that never get into the ledger in clear: what stands there instead."""

import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from releve.core.errors import BadInput
from releve.core.params import LedgerRules
from releve.domain.prediction_log.records import Row
from releve.domain.schema.cells import is_missing
from releve.domain.schema.columns import Column
from releve.domain.schema.schema import Schema


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


def hidden_columns(rules: LedgerRules, schema: Schema, *, source: str) -> tuple[dict[str, Column], frozenset[str]]:
    """Return the columns that are hashed, by name, and the names of those that are left out.

    A personal column is hashed unless `ledger` says otherwise. Raises BadInput where a rule names one that the model
    learns from, or that lags are looked up by, and where such a one is personal and nobody has said that it may stay
    in clear.
    """
    for setting in ("hash", "drop"):
        known = [name for name in getattr(rules, setting) if name in schema.by_name]  # a model's table may be older
        schema.check_not_learned(f"ledger.{setting}", known, source=source)
    said = {*rules.keep_clear, *(name for name, column in schema.made_of.items() if column in rules.keep_clear)}
    if unsaid := [each.name for each in schema.features if each.personal and each.name not in said]:
        raise BadInput(
            f"{source}: '{unsaid[0]}' is personal, and the model learns from it: drift, estimates and rollbacks read "
            "it in the ledger in clear. Name it in ledger.keep_clear if it may stay there, or give it `feature: false`"
        )
    if unsaid_keys := [name for name in schema.looked_up_by if name in schema.personal and name not in said]:
        raise BadInput(
            f"{source}: '{unsaid_keys[0]}' is personal, and 'features' are looked up by it: they read it in the ledger "
            "in clear. Name it in ledger.keep_clear if it may stay there, or take what needs it out of 'features'"
        )
    kept = {*said, *rules.drop}
    hashed = {*rules.hash, *schema.personal} - kept
    return {name: schema.column(name) for name in sorted(hashed) if name in schema.by_name}, frozenset(rules.drop)


NOTHING_HIDDEN = HiddenCells(b"", {}, frozenset())
