"""Small tables to infer from, as the files would hold them."""

from typing import Any

import numpy as np
import pandas as pd

from releve.adapters.files import read_params
from releve.domain.onboarding.params_file import ScenarioDraft
from releve.domain.onboarding.profiles import ColumnProfile, profile
from releve.domain.onboarding.table import NewTable, Roles, describe
from tests.tables import ROOT

ROWS = 200
BASE = read_params(ROOT)


def column(*cells: Any, name: str = "x", as_text: bool = True) -> ColumnProfile:
    return profile(name, pd.Series(list(cells), dtype=object), as_text=as_text)


def a_table(rows: int = ROWS, *, seed: int = 7, **columns: Any) -> pd.DataFrame:
    """Two honest features, a target that follows from them loosely, and `columns`, all cells as text."""
    random = np.random.default_rng(seed)
    length, width = random.normal(5, 2, rows).round(3), random.normal(3, 1, rows).round(3)
    sold = np.where(length + width + random.normal(0, 2, rows) > 8, "yes", "no")
    frame = pd.DataFrame({"length": length, "width": width, "sold": sold} | columns)
    return frame.map(lambda cell: cell if isinstance(cell, str) else "" if cell is None else str(cell)).astype(object)


def described(frame: pd.DataFrame, *, target: str = "sold", as_text: bool = True, **roles: Any) -> ScenarioDraft:
    table = NewTable("table.csv", "utf-8", frame, as_text, True, ())
    return describe(table, Roles(target, **roles), base=BASE)


def issue_texts(found: ScenarioDraft, kind: str) -> str:
    """Every sentence of a kind."""
    return "\n".join(issue.text for issue in found.issues if issue.kind == kind)


def no_features(found: ScenarioDraft) -> list[str]:
    return [name for name, spec in found.table["columns"].items() if not spec.get("feature", True)]
