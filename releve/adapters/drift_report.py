"""Evidently: drift reports, run with our tests instead of its defaults. The one file that imports it.

The import costs seconds, so it happens inside the call, once for all scenarios of a process. Its preset draws every
column three times (5.5 s CPU for 64 columns of 300 rows); the metrics below draw the most changed ones once (0.9 s)
and test them all.
"""

import json
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from html import escape
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from releve.core.errors import ReleveError
from releve.core.formatting import utc_minute
from releve.core.params import Monitor
from releve.domain.drift.preprocessing import as_series
from releve.domain.drift.two_sample_tests import METHODS, Change, TwoSampleResult, categories, most_changed, numbers
from releve.domain.drift.verdict import ColumnDrift, DriftComparison, by_effect, has_drifted
from releve.domain.schema.columns import CATEGORY, NUMBER

if TYPE_CHECKING:
    import pandas as pd

NUMBER_TEST, CATEGORY_TEST = "releve_numbers", "releve_categories"
COUNT_METRIC = "evidently:metric_v2:DriftedColumnsCount"
DRAWN_COLUMNS = 12  # most changed columns that are drawn, at most: a page of a hundred is read by nobody
KEPT_RUNS = 200  # of a project in the workspace; beyond, Evidently's pages take many seconds to open

Measure = Callable[[Any, Any], TwoSampleResult]


class ReportMismatch(ReleveError):
    """Evidently counts other columns as drifted than our tests do; neither is to be trusted then."""

    code = "report_mismatch"


@dataclass(frozen=True)
class ReportSubject:
    """What a report is about: it stands in the report's title and metadata."""

    scenario: str
    model: str
    at: str  # of the monitoring run, ISO 8601, UTC
    first_at: str | None  # of the window's answers, ISO 8601, UTC
    last_at: str | None

    @property
    def title(self) -> str:
        return f"Drift of {self.scenario}, {utc_minute(self.at)}"


@dataclass(frozen=True)
class DriftReport:
    """Evidently's report on a monitoring run: its JSON, and a page for people where one was asked for."""

    json: str
    html: str | None


def drift_report(
    comparison: DriftComparison,
    params: Monitor,
    subject: ReportSubject,
    *,
    sentences: Sequence[str],
    page: bool,
    workspace: Path | None = None,
    drawn_columns: int = DRAWN_COLUMNS,
) -> DriftReport:
    """Draw a comparison of columns with Evidently, headed by the verdict's own figures.

    `workspace`: the folder in which `evidently ui` finds the runs. Raises ReportMismatch when Evidently counts other
    columns as drifted than the verdict does.
    """
    os.environ.setdefault("DO_NOT_TRACK", "1")  # Evidently's pages report their use otherwise
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Evidently's own: pydantic's and numpy's deprecations, nothing about the data
        snapshot = _run(comparison, params, subject, sentences, drawn_columns)
        report = json.loads(snapshot.json())
        _check_count(report, comparison.verdict.columns)
        if workspace:
            _keep(snapshot, workspace, project=subject.scenario)
        html = str(snapshot.get_html_str(as_iframe=False)) if page else None
    titled = html and html.replace("</head>", f"<title>{escape(subject.title)}</title>\n</head>", 1)
    return DriftReport(json.dumps({"metadata": _metadata(comparison, subject), **report}), titled)


def _run(
    comparison: DriftComparison, params: Monitor, subject: ReportSubject, sentences: Sequence[str], drawn_columns: int
) -> Any:
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import DriftedColumnsCount, ValueDrift

    columns, pairs = comparison.verdict.columns, {pair.column.name: pair for pair in comparison.pairs}
    _register_tests(comparison, params)
    tests = {name: CATEGORY_TEST if pair.column.type == CATEGORY else NUMBER_TEST for name, pair in pairs.items()}
    features = [column.name for column in comparison.verdict.features]
    methods: Any = {"num_method": NUMBER_TEST, "cat_method": CATEGORY_TEST, "threshold": columns[0].threshold}
    count = [DriftedColumnsCount(columns=features, **methods)] if features else []  # to Evidently, [] is every column
    # A picture of a personal column would show its cells.
    personal = {name for name, pair in pairs.items() if pair.column.personal}
    drawn = [each for each in by_effect(columns) if each.name not in personal][:drawn_columns]
    details = [ValueDrift(column=each.name, method=tests[each.name], threshold=each.threshold) for each in drawn]
    definition = DataDefinition(
        numerical_columns=[name for name, test in tests.items() if test == NUMBER_TEST],
        categorical_columns=[name for name, test in tests.items() if test == CATEGORY_TEST],
    )
    # A text is shown by the part of its vector that changed most
    parts = [(each, most_changed(each.before, each.now)[0] if each.before.ndim == 2 else 0) for each in pairs.values()]
    frames = (
        pd.DataFrame({pair.column.name: as_series(side(pair), pair, part) for pair, part in parts})
        for side in (attrgetter("now"), attrgetter("before"))
    )
    datasets = [Dataset.from_pandas(frame, data_definition=definition) for frame in frames]
    # Without Evidently's own tests: their texts say "Drift score is 0.00", and a share of columns is no verdict of ours
    snapshot = Report([*count, *details], include_tests=False).run(
        *datasets,
        timestamp=datetime.fromisoformat(subject.at),
        name=subject.title,
        metadata=_metadata(comparison, subject),
        tags=[subject.scenario, comparison.verdict.state],
    )
    plots = [snapshot.metric_results[each.metric_id].get_widgets()[1:] for each in details]  # [0]: a rounded p-value
    snapshot._widgets = _widgets(
        comparison, subject, sentences, zip(drawn, plots, strict=True), min_effect=params.min_effect
    )
    return snapshot


def _metadata(comparison: DriftComparison, subject: ReportSubject) -> dict[str, Any]:
    """The run's identity and the verdict's own figures."""
    features = comparison.verdict.features
    return {
        **asdict(subject),
        "verdict": comparison.verdict.state,
        "rows": comparison.verdict.rows,
        "reference_rows": comparison.verdict.reference_rows,
        "columns": len(features),
        "drifted_columns": [column.name for column in features if column.drifted],
    }


def _widgets(
    comparison: DriftComparison,
    subject: ReportSubject,
    sentences: Sequence[str],
    drawn: Iterable[tuple[ColumnDrift, list[Any]]],
    *,
    min_effect: float,
) -> list[Any]:
    """The verdict first, then each column under the figures that decided on it."""
    from evidently.legacy.renderers.html_widgets import CounterData, counter

    def headed(value: str, label: str) -> Any:
        return counter(counters=[CounterData(label, value)])

    verdict = comparison.verdict
    window = " to ".join(utc_minute(at) for at in (subject.first_at, subject.last_at) if at)
    about = (
        f"Window: {window}, {verdict.rows} rows, compared with {verdict.reference_rows} rows of reference. "
        f"Champion: {subject.model}."
    )
    widgets = [headed(subject.title, about), headed(f"Verdict: {verdict.state}", "; ".join(sentences))]
    for column, plots in drawn:
        change, name = column.change, "the champion's answers" if column.of_predictions else column.name
        figures = (
            f"{column.method}: effect {change.effect:.3g} (drift from {min_effect:g}), "
            f"p-value {change.p_value:.2g} (drift up to {column.threshold:.2g})"
        )
        widgets += [headed(f"{name}: {'drifted' if column.drifted else 'not drifted'}", figures), *plots]
    return widgets


def _register_tests(comparison: DriftComparison, params: Monitor) -> None:
    """Our tests under names that Evidently knows, with what is normal for each column of this comparison.

    Evidently keeps every function for ever: these hold figures, no cells.
    """
    import pandas as pd
    from evidently.legacy.calculations.stattests import StatTest, register_stattest
    from evidently.legacy.core import ColumnType

    known = {
        pair.column.name: (pair.tries, inflation)
        for pair, inflation in zip(comparison.pairs, comparison.inflations, strict=True)
    }

    def named_categories(before: "pd.Series[Any]", now: "pd.Series[Any]") -> TwoSampleResult:
        codes = pd.factorize(pd.concat([before, now]))[0].astype(float)
        return categories(codes[: len(before)], codes[len(before) :])

    def statistic_of(measure: Measure) -> Any:
        def test(before: Any, now: Any, _: str, threshold: float) -> tuple[float, bool]:
            tries, inflation = known[before.name]
            found = replace(measure(before, now), tries=tries)
            change = Change(inflation.p_value(found), found.effect)
            return change.p_value, has_drifted(change, threshold=threshold, min_effect=params.min_effect)

        return test

    for name, title, kind, measure in (
        (NUMBER_TEST, METHODS[NUMBER].name, ColumnType.Numerical, numbers),
        (CATEGORY_TEST, METHODS[CATEGORY].name, ColumnType.Categorical, named_categories),
    ):
        register_stattest(StatTest(name, title, [kind], default_threshold=params.alpha), statistic_of(measure))


def _check_count(report: dict[str, Any], columns: Sequence[ColumnDrift]) -> None:
    counted = sum(m["value"]["count"] for m in report["metrics"] if m["config"]["type"] == COUNT_METRIC)
    drifted = sum(column.drifted for column in columns if not column.of_predictions)
    if int(counted) != drifted:
        raise ReportMismatch(
            f"Evidently counts {int(counted)} drifted columns, our tests {drifted}; nothing was decided. "
            "Compare the installed evidently with the one in requirements.lock"
        )


def _keep(snapshot: Any, folder: Path, *, project: str) -> None:
    from evidently.ui.workspace import Workspace

    runs: Any = Workspace.create(str(folder))
    known = next((each for each in runs.list_projects() if each.name == project), None) or runs.create_project(project)
    runs.add_run(known.id, snapshot, include_data=False)
    kept = sorted((folder / str(known.id) / "snapshots").glob("*.json"), key=lambda run: run.stat().st_mtime)
    for run in kept[:-KEPT_RUNS]:
        run.unlink(missing_ok=True)
