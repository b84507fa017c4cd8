"""Whole tables, judged column by column: what is accepted is typed, and every other row has its problems."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from releve.core.errors import BadInput
from releve.domain.schema.frames import cells_of, column_problems, problems_of, typed_column
from releve.domain.schema.row_checks import Checked, Problem

if TYPE_CHECKING:
    import pandas as pd

    from releve.domain.schema.schema import Schema


def check_columns(schema: "Schema", names: Sequence[str], *, source: str) -> None:
    """Raises BadInput when the columns of `source` are not the described ones; only features and target must be."""
    needed = [*schema.names, schema.target.name]
    missing = [name for name in needed if name not in set(names)]
    extra = [str(name) for name in names if name not in schema.by_name and name != schema.target.name]
    twice = sorted({str(name) for name in names if list(names).count(name) > 1})
    parts = [
        f"{what} {', '.join(map(repr, found))}"
        for what, found in (("is missing", missing), ("has the unknown", extra), ("has twice", twice))
        if found
    ]
    if parts:
        raise BadInput(
            f"{source} {' and '.join(parts)}; expected the columns of scenarios/<name>/params.yaml. "
            "Correct the file, or change 'columns' there if the table itself has changed"
        )


def check_frame(schema: "Schema", frame: "pd.DataFrame") -> Checked:
    """The accepted rows of `frame`, typed, and the problems of all others; `frame` itself is left alone."""
    problems = [
        Problem(row, column.name, value, reason)
        for column in schema.columns
        for row, value, reason in column_problems(column, cells_of(frame, column))
    ]
    labels = frame[schema.target.name].to_numpy(object)
    found = problems_of(schema.target.problem, labels, repeats=True)
    problems += [Problem(row, schema.target.name, labels[row], reason) for row, reason in found]
    problems.sort(key=lambda problem: problem.row)
    bad = np.zeros(len(frame), dtype=bool)
    bad[[problem.row for problem in problems]] = True
    return Checked(_typed(schema, frame.loc[~bad]), tuple(problems))


def _typed(schema: "Schema", frame: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    typed = {column.name: typed_column(column, cells_of(frame, column)) for column in schema.columns}
    labels = pd.Series([schema.target.parse(label) for label in frame[schema.target.name].to_numpy(object)])
    return pd.DataFrame({**typed, schema.target.name: labels})
