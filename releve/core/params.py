"""The knobs of params.yaml: their names, types and limits. Defaults live in the file alone."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from difflib import get_close_matches
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from releve.core.errors import BadInput

Share = Annotated[float, Field(ge=0, le=1)]
OpenShare = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Names = Annotated[tuple[str, ...], Field(strict=False)]  # YAML has lists


class ParamsSection(BaseModel):
    """One block of params.yaml: every key is known, typed and present."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _as_written(values: Any) -> Any:
    """YAML reads -999 as a number and null as none; a marker is the text that stands in the file."""
    if not isinstance(values, list | tuple):
        return values
    return tuple("null" if each is None else each if isinstance(each, str) else str(each) for each in values)


def _formats(values: Any) -> Any:
    """One format or a list of them."""
    if not isinstance(values, Mapping):
        return values
    return {name: (said,) if isinstance(said, str) else said for name, said in values.items()}


def _date_format(text: str) -> str:
    moment = datetime(2024, 1, 31, 13, tzinfo=UTC)
    try:
        read = datetime.strptime(moment.strftime(text), text)
    except ValueError as error:
        raise ValueError(f"input is no format of dates: {error}") from None
    if read.year != moment.year:
        raise ValueError("input has no year, such as in %d.%m.%Y")
    return text


Markers = Annotated[tuple[str, ...], BeforeValidator(_as_written)]
DateFormat = Annotated[str, AfterValidator(_date_format)]
DateFormats = Annotated[tuple[DateFormat, ...], Field(strict=False, min_length=1)]


class Statistics(ParamsSection):
    confidence: OpenShare
    seed: int
    min_rows: Count


class Ingest(ParamsSection):
    max_rejected_share: Share
    header_line: Annotated[int, Field(ge=0)]
    sheet: str
    csv_encoding: str
    csv_delimiter: Annotated[str, Field(max_length=1)]
    csv_thousands: Annotated[str, Field(max_length=1)]
    csv_decimal: Literal[".", ","]
    missing: Markers
    dates: Annotated[dict[str, DateFormats], BeforeValidator(_formats)]
    units: dict[str, str]


def _check_since(value: Any) -> Any:
    if type(value) in (str, int, date, datetime) or (type(value) is float and isfinite(value)):
        return value
    raise PydanticCustomError("since", "Input should be a number, a text or a date, such as 0 or 1970-01-01")


FirstSince = Annotated[Any, AfterValidator(_check_since)]  # YAML reads 1970-01-01 as a date


class Source(ParamsSection):
    url_env: str
    query: str
    watermark: str
    since: FirstSince


OnFinding = Literal["ignore", "warn", "refuse"]


class BatchLimits(ParamsSection):
    min_rows: Count
    max_rows: Annotated[int, Field(ge=0)]
    max_missing_rise: Share
    max_new_categories: Share
    max_out_of_range: Share
    max_duplicate_rows: Share
    on_row_count: OnFinding
    on_missing: OnFinding
    on_new_categories: OnFinding
    on_out_of_range: OnFinding
    on_duplicate_rows: OnFinding
    on_duplicate_ids: OnFinding
    on_time_back: OnFinding


class Data(ParamsSection):
    remote: str
    endpoint: str


class CardTexts(ParamsSection):
    purpose: str
    limits: str
    owner: str
    contact: str


class Split(ParamsSection):
    holdout_rows: Count
    holdout_share: OpenShare
    folds: Count
    min_fold_rows: Count


Recipe = Literal["linear", "svm", "extra_trees", "random_forest", "hist_gradient_boosting", "k_neighbors"]


class Train(ParamsSection):
    recipe: Literal[Recipe, "auto"]
    scale: Literal["standard", "none"]
    options: dict[str, bool | int | float | str | None]
    last_batches: Annotated[int, Field(ge=0)] | Literal["auto"]
    auto_batches: Annotated[list[Count], Field(min_length=1)]


class Tune(ParamsSection):
    trials: Annotated[int, Field(ge=0)]
    seconds: Seconds
    together: Count
    recipes: Annotated[list[Recipe], Field(min_length=1)]
    rows: Count
    validation_share: OpenShare
    folds: Count


class Compute(ParamsSection):
    address: Annotated[str, Field(pattern="^(tcp://[^ ]+|)$")]
    workers: Annotated[int, Field(ge=0)]


class Search(ParamsSection):
    model: str
    min_recall: Share


class Package(ParamsSection):
    parity_tolerance: Annotated[float, Field(gt=0)]
    golden_rows: Count
    reference_rows: Count


class GateOverride(ParamsSection):
    """A floor that a named person lets a challenger break, until the end of a day."""

    floor: Literal["baseline", "slice", "fairness", "latency", "sanity"]
    by: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    until: date


class Gate(ParamsSection):
    metric: Literal["auto", "accuracy", "log_loss", "auc", "f1", "brier", "mae", "rmse", "pinball"]
    quantile: OpenShare
    margin: Share
    label_delay_rows: Annotated[int, Field(ge=0)]
    slices: Names
    max_slice_loss: Share
    protected: Names
    max_unfairness: Share
    rule: Literal["better", "not_worse"]
    max_latency_ms: Annotated[float, Field(gt=0)]
    overrides: Annotated[tuple[GateOverride, ...], Field(strict=False)]


class Monitor(ParamsSection):
    window_rows: Count
    min_rows: Annotated[int, Field(ge=200)]  # under 200 rows a verdict is noise: docs/decisions/0018-drift.md
    alpha: OpenShare
    min_effect: Share
    strong_effect: Share
    max_missing_rise: Share
    max_new_categories: Share
    max_far_outside: Share
    drawn_columns: Count
    html_days: Annotated[int, Field(ge=0)]
    workspace: bool


Days = Annotated[float, Field(ge=0)]  # 0: no limit


class AgeLimits(ParamsSection):
    max_model_days: Days
    max_idle_days: Days
    max_label_days: Days
    max_unlabelled_share: Share


class Trigger(ParamsSection):
    policy: Literal["static", "every", "schedule", "drift", "quality", "two_key", "auto"]
    min_new_rows: Count
    max_new_rows: Annotated[int, Field(ge=0)]
    max_days: Annotated[int, Field(ge=0)]
    every_batches: Count
    fastest_batches: Count
    slowest_batches: Count
    budget_batches: Annotated[float, Field(ge=1)]
    budget_at_first: Annotated[float, Field(ge=0)]
    broken_looks: Annotated[int, Field(ge=0)]
    cooldown_hours: Annotated[float, Field(ge=0)]
    max_per_month: Annotated[int, Field(ge=0)]
    quality_tolerance: Share


Subject = Literal["data", "drift", "quality", "estimate", "age", "retraining", "monitoring"]
EnvironmentName = Annotated[str, Field(pattern="^([A-Za-z_][A-Za-z0-9_]*|)$")]


class Alerts(ParamsSection):
    webhook_env: EnvironmentName
    repeat_hours: Annotated[float, Field(ge=0)]
    silence_hours: Annotated[float, Field(ge=0)]
    muted: Annotated[tuple[Subject, ...], Field(strict=False)]


class Backtest(ParamsSection):
    windows: Annotated[int, Field(ge=0)]
    first_share: OpenShare
    label_delay_windows: Annotated[int, Field(ge=0)]


class Service(ParamsSection):
    max_rows: Count
    max_neighbours: Annotated[int, Field(ge=1, le=1000)]
    poll_seconds: Seconds


class Runs(ParamsSection):
    wait_seconds: Annotated[float, Field(ge=0)]
    swap_seconds: Seconds


class Params(ParamsSection):
    """All sections of params.yaml, after a scenario's overrides."""

    statistics: Statistics
    ingest: Ingest
    source: Source
    batch: BatchLimits
    data: Data
    card: CardTexts
    split: Split
    train: Train
    tune: Tune
    compute: Compute
    search: Search
    package: Package
    gate: Gate
    monitor: Monitor
    age: AgeLimits
    trigger: Trigger
    alerts: Alerts
    backtest: Backtest
    service: Service
    runs: Runs


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with each section's keys replaced by those in `override`; neither argument is changed."""
    merged = dict(base)
    for section, values in override.items():
        both_are_sections = isinstance(values, Mapping) and isinstance(merged.get(section), Mapping)
        merged[section] = {**merged[section], **values} if both_are_sections else values
    return merged


def parse(values: Mapping[str, Any], *, source: str) -> Params:
    """Check `values`. Raises BadInput naming each key of `source` that is unknown, missing or wrong."""
    try:
        return Params.model_validate(dict(values))
    except ValidationError as error:
        problems = [_describe(problem) for problem in error.errors(include_url=False)]
        raise BadInput(f"{source}: " + "; ".join(problems)) from None


def known_keys() -> list[str]:
    """Every key as "section.key", in the order of params.yaml."""
    return [f"{name}.{key}" for name, field in Params.model_fields.items() for key in _keys(field.annotation)]


def _keys(section: Any) -> list[str]:
    return list(section.model_fields)


def _describe(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"'{key}' is not a known key{_suggestion(key)}"
    if problem["type"] == "missing":
        return f"'{key}' is missing"
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"'{key}' is {problem['input']!r}, but {message.replace('input ', 'it ')}"


def _suggestion(key: str) -> str:
    close = get_close_matches(key, known_keys() + list(Params.model_fields), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
