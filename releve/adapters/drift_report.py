"""Evidently: drift reports, run with our tests instead of its defaults. The one file that imports it.

The import costs seconds, so it happens inside the call, once for all scenarios of a process. Its preset draws every
column three times (5.5 s CPU for 64 columns of 300 rows); the metrics below draw the most changed ones once (0.9 s)
and test them all.
"""

import json
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from releve.core.errors import ReleveError
from releve.core.params import Monitor
from releve.domain.drift.preprocessing import Pair, as_series
from releve.domain.drift.two_sample_tests import Measured, categories, most_changed, numbers
from releve.domain.drift.verdict import ColumnDrift, Look, by_effect, has_drifted
from releve.domain.schema.columns import CATEGORY

if TYPE_CHECKING:
    import pandas as pd

NUMBER_TEST, CATEGORY_TEST = "releve_numbers", "releve_categories"
COUNT_METRIC = "evidently:metric_v2:DriftedColumnsCount"
KEPT_RUNS = 200  # of a project in the workspace; beyond, Evidently's pages take many seconds to open
MIN_SHARE = 1e-9  # of drifted columns that Evidently calls a drifted table: any

Measure = Callable[[Any, Any], Measured]


class ReportMismatch(ReleveError):
    """Evidently counts other columns as drifted than the rules do; neither is to be trusted then."""

    code = "report_mismatch"


@dataclass(frozen=True)
class DriftReport:
    """Evidently's report on a look: its own JSON, and a page for people where one was asked for."""

    json: str
    html: str | None


def drift_report(look: Look, params: Monitor, *, page: bool, workspace: "Workspace | None" = None) -> DriftReport:
    """Draw a look that compared columns. Raises ReportMismatch when Evidently and the rules disagree."""
    os.environ.setdefault("DO_NOT_TRACK", "1")  # Evidently's pages report their use otherwise
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Evidently's own: pydantic's and numpy's deprecations, nothing about the data
        snapshot = _run(look, params)
        found = str(snapshot.json())
        _check_count(json.loads(found), look.verdict.columns)
        if workspace:
            _keep(snapshot, workspace)
        return DriftReport(found, str(snapshot.get_html_str(as_iframe=False)) if page else None)


@dataclass(frozen=True)
class Workspace:
    """Where `evidently ui` finds the runs of a scenario."""

    folder: Path
    project: str


def _run(look: Look, params: Monitor) -> Any:
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import DriftedColumnsCount, ValueDrift

    columns, pairs = look.verdict.columns, {pair.column.name: pair for pair in look.pairs}
    _register_tests(look, params)
    tests = {name: CATEGORY_TEST if pair.column.type == CATEGORY else NUMBER_TEST for name, pair in pairs.items()}
    count = DriftedColumnsCount(
        drift_share=MIN_SHARE, num_method=NUMBER_TEST, cat_method=CATEGORY_TEST, threshold=columns[0].threshold
    )
    drawn = by_effect(columns)[: params.drawn_columns]
    details = [ValueDrift(column=each.name, method=tests[each.name], threshold=each.threshold) for each in drawn]
    definition = DataDefinition(
        numerical_columns=[name for name, test in tests.items() if test == NUMBER_TEST],
        categorical_columns=[name for name, test in tests.items() if test == CATEGORY_TEST],
    )
    datasets = [Dataset.from_pandas(frame, data_definition=definition) for frame in _frames(look.pairs)]
    return Report([count, *details], include_tests=True).run(*datasets)


def _frames(pairs: Sequence[Pair]) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Current and reference, as Evidently takes them; a text is shown by the part of its vector that changed most."""
    import pandas as pd

    parts = [most_changed(pair.before, pair.now)[0] if pair.before.ndim == 2 else 0 for pair in pairs]
    now, before = (
        {pair.column.name: as_series(side(pair), pair, part) for pair, part in zip(pairs, parts, strict=True)}
        for side in (attrgetter("now"), attrgetter("before"))
    )
    return pd.DataFrame(now), pd.DataFrame(before)


def _register_tests(look: Look, params: Monitor) -> None:
    """Our tests under names that Evidently knows, with what is normal for each column of this look.

    Evidently keeps every function for ever: these hold figures, no cells.
    """
    from evidently.legacy.calculations.stattests import StatTest, register_stattest
    from evidently.legacy.core import ColumnType

    known = {pair.column.name: (pair.tries, normal) for pair, normal in zip(look.pairs, look.normals, strict=True)}

    def judged_by(measure: Measure) -> Any:
        def test(before: Any, now: Any, _: str, threshold: float) -> tuple[float, bool]:
            tries, normal = known[before.name]
            change = normal.change(replace(measure(before, now), tries=tries))
            return change.p_value, has_drifted(change, threshold=threshold, min_effect=params.min_effect)

        return test

    for name, title, kind, measure in (
        (NUMBER_TEST, "KS, rank sum and D", ColumnType.Numerical, numbers),
        (CATEGORY_TEST, "chi-square and TV", ColumnType.Categorical, _named_categories),
    ):
        register_stattest(StatTest(name, title, [kind], default_threshold=params.alpha), judged_by(measure))


def _named_categories(before: "pd.Series[Any]", now: "pd.Series[Any]") -> Measured:
    import pandas as pd

    codes = pd.factorize(pd.concat([before, now]))[0].astype(float)
    return categories(codes[: len(before)], codes[len(before) :])


def _check_count(found: dict[str, Any], columns: Sequence[ColumnDrift]) -> None:
    counted = next(m["value"]["count"] for m in found["metrics"] if m["config"]["type"] == COUNT_METRIC)
    drifted = sum(column.drifted for column in columns)
    if int(counted) != drifted:
        raise ReportMismatch(
            f"Evidently counts {int(counted)} drifted columns, the rules {drifted}; nothing was decided. "
            "Compare the installed evidently with the one in requirements.lock"
        )


def _keep(snapshot: Any, workspace: Workspace) -> None:
    from evidently.ui import workspace as evidently_runs

    runs: Any = evidently_runs.Workspace.create(str(workspace.folder))
    known = [project for project in runs.list_projects() if project.name == workspace.project]
    project: Any = known[0] if known else runs.create_project(workspace.project)
    runs.add_run(project.id, snapshot, include_data=False)
    kept = sorted(
        (workspace.folder / str(project.id) / "snapshots").glob("*.json"), key=lambda run: run.stat().st_mtime
    )
    for run in kept[:-KEPT_RUNS]:
        run.unlink(missing_ok=True)
