"""The settings of params.yaml: their names, types and limits. Defaults live in the file alone."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from difflib import get_close_matches
from math import isfinite
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
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


BatchCheck = Literal[
    "row_count", "missing", "new_categories", "out_of_range", "duplicate_rows", "duplicate_ids", "time_back"
]
BatchChecks = Annotated[tuple[BatchCheck, ...], Field(strict=False)]


class BatchLimits(ParamsSection):
    min_rows: Count
    max_rows: Annotated[int, Field(ge=0)]
    max_missing_rise: Share
    max_unusual_share: Share
    refuse: BatchChecks
    ignore: BatchChecks

    @field_validator("ignore")
    @classmethod
    def _not_both(cls, ignore: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        both = sorted({*ignore} & {*info.data.get("refuse", ())})
        if both:
            raise PydanticCustomError("both", "batch.refuse lists {names}, too", {"names": ", ".join(both)})
        return ignore


class Data(ParamsSection):
    remote: str
    endpoint: str


class CardTexts(ParamsSection):
    purpose: str
    limits: str
    owner: str


class Split(ParamsSection):
    holdout_rows: Count
    holdout_share: OpenShare


Recipe = Literal["linear", "hist_gradient_boosting", "random_forest", "extra_trees", "svm", "k_neighbors"]


ALL_RECIPES: tuple[Recipe, ...] = get_args(Recipe)


def _read_recipes(value: Any) -> Any:
    """One name, a list of names, or auto for all."""
    if value == "auto":
        return ALL_RECIPES
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names or not all(name in ALL_RECIPES for name in names):
        raise PydanticCustomError(
            "recipe", "Input should be auto, {names}, or a list of these", {"names": ", ".join(ALL_RECIPES)}
        )
    return tuple(names)


OptionValue = bool | int | float | str | None


def _check_scale(options: dict[str, OptionValue]) -> dict[str, OptionValue]:
    if options.get("scale", "none") not in ("none", "standard"):
        raise PydanticCustomError("scale", "Input should have the scale standard or none")
    return options


class Train(ParamsSection):
    recipe: Annotated[tuple[Recipe, ...], BeforeValidator(_read_recipes)]
    last_batches: Annotated[int, Field(ge=0)] | Literal["auto"]
    options: Annotated[dict[str, OptionValue], AfterValidator(_check_scale)]

    @property
    def named(self) -> Recipe | None:
        """The one recipe that is asked for; None where a search chooses among several."""
        return self.recipe[0] if len(self.recipe) == 1 else None


class Tune(ParamsSection):
    trials: Annotated[int, Field(ge=0)]
    seconds: Seconds


class Compute(ParamsSection):
    address: Annotated[str, Field(pattern="^(tcp://[^ ]+|)$")]
    workers: Annotated[int, Field(ge=0)]


class Search(ParamsSection):
    model: str
    min_recall: Share


class GateOverride(ParamsSection):
    """A floor that a named person lets a challenger break, until the end of a day."""

    floor: Literal["baseline", "slice", "fairness", "latency", "sanity"]
    by: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    until: date


class Gate(ParamsSection):
    metric: Literal["auto", "accuracy", "log_loss", "auc", "f1", "brier", "mae", "rmse", "pinball"]
    margin: Share
    slices: Names
    protected: Names
    label_delay_rows: Annotated[int, Field(ge=0)]
    rule: Literal["better", "not_worse"]
    quantile: OpenShare
    max_slice_loss: Share
    max_unfairness: Share
    max_latency_ms: Annotated[float, Field(gt=0)]
    overrides: Annotated[tuple[GateOverride, ...], Field(strict=False)]


class Monitor(ParamsSection):
    window_rows: Count
    alpha: OpenShare
    min_effect: Share
    workspace: bool


Days = Annotated[float, Field(ge=0)]  # 0: no limit


class AgeLimits(ParamsSection):
    max_model_days: Days
    max_idle_days: Days
    max_label_days: Days


class Trigger(ParamsSection):
    policy: Literal["static", "every", "schedule", "drift", "quality", "two_key", "auto"]
    min_new_rows: Count
    max_new_rows: Annotated[int, Field(ge=0)]
    max_days: Annotated[int, Field(ge=0)]
    every_batches: Count
    quality_tolerance: Share
    max_invalid_runs: Annotated[int, Field(ge=0)]
    cooldown_hours: Annotated[float, Field(ge=0)]
    max_per_month: Annotated[int, Field(ge=0)]


Subject = Literal["data", "drift", "quality", "estimate", "age", "retraining", "monitoring"]
EnvironmentName = Annotated[str, Field(pattern="^([A-Za-z_][A-Za-z0-9_]*|)$")]


class Alerts(ParamsSection):
    webhook_env: EnvironmentName
    muted: Annotated[tuple[Subject, ...], Field(strict=False)]
    repeat_hours: Annotated[float, Field(ge=0)]
    silence_hours: Annotated[float, Field(ge=0)]


class Backtest(ParamsSection):
    windows: Annotated[int, Field(ge=0)]
    first_share: OpenShare
    label_delay_windows: Annotated[int, Field(ge=0)]


class Service(ParamsSection):
    max_rows: Count


class Runs(ParamsSection):
    wait_seconds: Annotated[float, Field(ge=0)]


class Params(ParamsSection):
    """All sections of params.yaml, after a scenario's overrides."""

    card: CardTexts
    gate: Gate
    train: Train
    trigger: Trigger
    alerts: Alerts
    data: Data
    ingest: Ingest
    source: Source
    batch: BatchLimits
    statistics: Statistics
    split: Split
    tune: Tune
    compute: Compute
    search: Search
    monitor: Monitor
    age: AgeLimits
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
