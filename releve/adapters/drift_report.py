"""Evidently: drift reports, run with our two tests instead of its defaults. The one file that imports it.

The import costs seconds, so it happens inside the call. Its preset draws every column three times (5.5 s CPU for
64 columns of 300 rows); the metrics below draw the most changed ones once (0.9 s) and test them all.
"""

import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from releve.errors import ReleveError
from releve.rules.drift import ColumnDrift, by_effect, category_change, has_drifted, method_of, number_change
from releve.rules.params import Monitor
from releve.rules.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_ROWS = 20_000  # a side; cost grows with rows, and an effect of 0.1 shows in far fewer
SAMPLE_SEED = 7
NUMBER_TEST, CATEGORY_TEST = "releve_ks", "releve_chi_square"
COUNT_METRIC = "evidently:metric_v2:DriftedColumnsCount"


class ReportMismatch(ReleveError):
    """Evidently counts other columns as drifted than the rules do; neither is to be trusted then."""

    code = "report_mismatch"


@dataclass(frozen=True)
class DriftReport:
    """Each column's result, and Evidently's report on them: a page for people (HTML) and its own JSON."""

    columns: tuple[ColumnDrift, ...]
    html: str
    json: str


def drift_report(reference: "pd.DataFrame", current: "pd.DataFrame", schema: Schema, params: Monitor) -> DriftReport:
    """Compare two frames (`drift.as_compared`, `drift.comparable`); both need enough rows (`drift.check_data`).

    Raises ReportMismatch when Evidently and the rules disagree.
    """
    reference, current = _sample(reference, schema), _sample(current, schema)
    columns = tuple(_column(name, reference[name], current[name], schema, params) for name in schema.names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Evidently's own: pydantic's and numpy's deprecations, nothing about the data
        snapshot = _run(reference, current, schema, params, columns)
        found = str(snapshot.json())
        _check_count(json.loads(found), columns)
        return DriftReport(columns, str(snapshot.get_html_str(as_iframe=False)), found)


def _column(name: str, before: "pd.Series[Any]", now: "pd.Series[Any]", schema: Schema, params: Monitor) -> ColumnDrift:
    method = method_of(schema, name)
    change = method.change(before.dropna(), now.dropna())
    threshold = _threshold(schema, params)
    drifted = has_drifted(change, threshold=threshold, min_effect=params.min_effect)
    return ColumnDrift(name, method.name, change, threshold, drifted)


def _run(
    reference: "pd.DataFrame",
    current: "pd.DataFrame",
    schema: Schema,
    params: Monitor,
    columns: tuple[ColumnDrift, ...],
) -> Any:
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import DriftedColumnsCount, ValueDrift

    _register_tests(params)
    threshold = _threshold(schema, params)
    share = min(params.min_columns, len(columns)) / len(columns)
    count = DriftedColumnsCount(
        drift_share=share, num_method=NUMBER_TEST, cat_method=CATEGORY_TEST, threshold=threshold
    )
    drawn = by_effect(columns)[: params.drawn_columns]
    numbers = [*schema.numbers, *schema.texts]  # a text is its length here
    methods = {name: NUMBER_TEST for name in numbers} | {name: CATEGORY_TEST for name in schema.categories}
    details = [ValueDrift(column=column.name, method=methods[column.name], threshold=threshold) for column in drawn]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=schema.categories)
    datasets = [Dataset.from_pandas(frame, data_definition=definition) for frame in (current, reference)]
    return Report([count, *details], include_tests=True).run(*datasets)


def _register_tests(params: Monitor) -> None:
    from evidently.legacy.calculations.stattests import StatTest, register_stattest
    from evidently.legacy.core import ColumnType

    kinds = (
        (NUMBER_TEST, "KS and D", ColumnType.Numerical, number_change),
        (CATEGORY_TEST, "chi-square and TV", ColumnType.Categorical, category_change),
    )
    for name, title, kind, change_of in kinds:

        def test(before: Any, now: Any, _: str, threshold: float, change_of: Any = change_of) -> tuple[float, bool]:
            change = change_of(before, now)
            return change.p_value, has_drifted(change, threshold=threshold, min_effect=params.min_effect)

        register_stattest(StatTest(name, title, [kind], default_threshold=params.alpha), test)


def _check_count(found: dict[str, Any], columns: tuple[ColumnDrift, ...]) -> None:
    counted = next(m["value"]["count"] for m in found["metrics"] if m["config"]["type"] == COUNT_METRIC)
    drifted = sum(column.drifted for column in columns)
    if int(counted) != drifted:
        raise ReportMismatch(
            f"Evidently counts {int(counted)} drifted columns, the rules {drifted}; nothing was decided. "
            "Compare the installed evidently with the one in requirements.lock"
        )


def _threshold(schema: Schema, params: Monitor) -> float:
    return params.alpha / len(schema.names)


def _sample(frame: "pd.DataFrame", schema: Schema) -> "pd.DataFrame":
    features = frame[schema.names]
    return features.sample(SAMPLE_ROWS, random_state=SAMPLE_SEED) if len(features) > SAMPLE_ROWS else features
