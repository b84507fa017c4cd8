"""The settings of params.yaml: their names, types and limits. Defaults live in the file alone."""

import re
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
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from releve.core.cron import check_cron, check_time_zone
from releve.core.errors import BadInput
from releve.core.formatting import shortened
from releve.core.settings import PEOPLE, ApprovalRule

Share = Annotated[float, Field(ge=0, le=1)]
OpenShare = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
CountOrNone = Annotated[int, Field(ge=0)]  # 0: none, or no limit
Limit = Annotated[float, Field(ge=0)]  # of days, hours, seconds or a cost; 0: none
Positive = Annotated[float, Field(gt=0)]
YamlList = Field(strict=False)  # YAML has lists, a frozen model has tuples


class ParamsSection(BaseModel):
    """One block of params.yaml: every key is known, typed and present."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class CardTexts(ParamsSection):
    purpose: str
    limits: str
    owner: str


class GateOverride(ParamsSection):
    """A floor that a named person lets a challenger break, until the end of a day."""

    floor: Literal["baseline", "slice", "fairness", "latency", "sanity"]
    by: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    until: date


class Gate(ParamsSection):
    metric: Literal["auto", "cost", "accuracy", "log_loss", "auc", "f1", "brier", "mae", "rmse", "pinball"]
    margin: Share
    slices: Annotated[tuple[str, ...], YamlList]
    protected: Annotated[tuple[str, ...], YamlList]
    label_delay_rows: CountOrNone
    inconclusive: Literal["promote", "keep", "shadow"]
    quantile: OpenShare
    max_slice_loss: Share
    max_unfairness: Share
    max_latency_ms: Positive
    overrides: Annotated[tuple[GateOverride, ...], YamlList]


Naive = Literal["constant", "seasonal"]
Searched = Literal[
    "linear", "hist_gradient_boosting", "random_forest", "extra_trees", "svm", "k_neighbors", "neural_network"
]
Recipe = Naive | Searched
SEARCHED_RECIPES: tuple[Recipe, ...] = get_args(Searched)
ALL_RECIPES: tuple[Recipe, ...] = (*get_args(Naive), *SEARCHED_RECIPES)
OptionValue = bool | int | float | str | None


def _check_options(options: dict[str, Any]) -> dict[str, OptionValue]:
    for name, value in options.items():
        if not isinstance(value, bool | int | float | str | None) or (type(value) is float and not isfinite(value)):
            raise PydanticCustomError(
                "option", "its {name} should be a number, a text, true, false or null", {"name": shortened(name)}
            )
    if options.get("scale", "none") not in ("none", "standard"):
        raise PydanticCustomError("scale", "Input should have the scale standard or none")
    return options


class Train(ParamsSection):
    recipe: Annotated[tuple[Recipe, ...], YamlList]
    ensemble: bool
    last_batches: CountOrNone
    options: Annotated[dict[str, Any], AfterValidator(_check_options)]

    @property
    def named(self) -> Recipe | None:
        """The one recipe that is asked for; None where a search chooses among several."""
        return self.recipe[0] if len(self.recipe) == 1 else None

    @field_validator("recipe", mode="before")
    @classmethod
    def _read_recipes(cls, value: Any) -> Any:
        """Take one name, a list of names, or auto for all that a search may choose among."""
        names = SEARCHED_RECIPES if value == "auto" else [value] if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not names or not all(name in ALL_RECIPES for name in names):
            known = ", ".join(ALL_RECIPES)
            raise PydanticCustomError("recipe", "Input should be auto, {known}, or a list of these", {"known": known})
        if len({*names}) < len(names):
            raise PydanticCustomError("recipe", "has a recipe twice; name each once")
        return tuple(names)

    @model_validator(mode="after")
    def _check_options_of_one(self) -> "Train":
        if self.options and not self.named:
            raise ValueError("'train.options' are of one recipe, and train.recipe names several; leave out one of them")
        return self


class Trigger(ParamsSection):
    policy: Literal["refresh", "schedule", "static"]
    min_new_rows: Count
    every_batches: Count
    retraining_cost: Limit
    quality_tolerance: Share
    cooldown_hours: Limit


SearchCause = Literal["drift", "quality", "age"]


class Search(ParamsSection):
    on: Annotated[tuple[SearchCause, ...], YamlList]
    trials: CountOrNone
    seconds: Positive
    min_days: Limit


AlertSubject = Literal[
    "files", "data", "drift", "quality", "cost", "estimate", "age", "retraining", "approval", "monitoring"
]


def _check_environment_name(name: str) -> str:
    if name and not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
        raise PydanticCustomError(
            "environment_name", "should be the name of an environment variable that holds the address"
        )
    return name


EnvironmentName = Annotated[str, AfterValidator(_check_environment_name)]


class Alerts(ParamsSection):
    webhook_env: EnvironmentName
    muted: Annotated[tuple[AlertSubject, ...], YamlList]
    repeat_hours: Limit
    silence_hours: Limit


class Schedule(ParamsSection):
    cron: Annotated[str, AfterValidator(check_cron)]
    timezone: Annotated[str, AfterValidator(check_time_zone)]


class Data(ParamsSection):
    remote: str
    endpoint: str


def _check_date_format(text: str) -> str:
    moment = datetime(2024, 1, 31, 13, tzinfo=UTC)
    try:
        read = datetime.strptime(moment.strftime(text), text)
    except ValueError as error:
        raise ValueError(f"input is no format of dates: {error}") from None
    if read.year != moment.year:
        raise ValueError("input has no year, such as in %d.%m.%Y")
    return text


DateFormat = Annotated[str, AfterValidator(_check_date_format)]


class Ingest(ParamsSection):
    max_rejected_share: Share
    header_line: CountOrNone
    sheet: str
    images: str
    csv_encoding: str
    csv_delimiter: Annotated[str, Field(max_length=1)]
    csv_thousands: Annotated[str, Field(max_length=1)]
    csv_decimal: Literal[".", ","]
    missing: tuple[str, ...]
    dates: dict[str, Annotated[tuple[DateFormat, ...], Field(strict=False, min_length=1)]]
    units: dict[str, str]

    @field_validator("missing", mode="before")
    @classmethod
    def _as_written(cls, values: Any) -> Any:
        """Take -999 and null as the texts in the file, which YAML reads as a number and as none."""
        if not isinstance(values, list | tuple):
            return values
        return tuple("null" if each is None else each if isinstance(each, str) else str(each) for each in values)

    @field_validator("dates", mode="before")
    @classmethod
    def _as_lists(cls, values: Any) -> Any:
        """Take one format of a column, or a list of them."""
        if not isinstance(values, Mapping):
            return values
        return {name: (each,) if isinstance(each, str) else each for name, each in values.items()}


class Source(ParamsSection):
    url_env: EnvironmentName
    query: str
    watermark: str
    since: Any  # YAML reads 1970-01-01 as a date

    @field_validator("since")
    @classmethod
    def _check_since(cls, value: Any) -> Any:
        if type(value) in (str, int, date, datetime) or (type(value) is float and isfinite(value)):
            return value
        raise PydanticCustomError("since", "Input should be a number, a text or a date, such as 0 or 1970-01-01")


BatchCheck = Literal[
    "row_count", "missing", "new_categories", "out_of_range", "duplicate_rows", "duplicate_ids", "time_back"
]


class BatchLimits(ParamsSection):
    min_rows: Count
    max_rows: CountOrNone
    max_missing_rise: Share
    max_unusual_share: Share
    refuse: Annotated[tuple[BatchCheck, ...], YamlList]
    ignore: Annotated[tuple[BatchCheck, ...], YamlList]

    @field_validator("ignore")
    @classmethod
    def _check_not_refused(cls, ignore: tuple[str, ...], info: Any) -> tuple[str, ...]:
        if both := sorted({*ignore} & {*info.data.get("refuse", ())}):
            raise PydanticCustomError("both", "batch.refuse lists {names}, too", {"names": ", ".join(both)})
        return ignore


class Statistics(ParamsSection):
    confidence: OpenShare
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]  # as NumPy takes them
    min_rows: Count


LOCAL = "local"  # compute.address of a Dask cluster that is started on this machine


def _check_scheduler(address: str) -> str:
    if address not in ("", LOCAL) and not re.fullmatch("tcp://[^ ]+", address):
        raise PydanticCustomError("scheduler", "should be empty, local, or the address of a scheduler: tcp://host:port")
    return address


class Compute(ParamsSection):
    address: Annotated[str, AfterValidator(_check_scheduler)]
    workers: CountOrNone


class Neighbours(ParamsSection):
    model: str


IndexType = Literal["FLAT", "HNSW", "IVF_FLAT"]
LEAST_RECALL: dict[IndexType, float] = {"FLAT": 0.99, "HNSW": 0.95, "IVF_FLAT": 0.95}  # with filters and without


class Index(ParamsSection):
    type: IndexType
    metric: Literal["L2", "IP", "COSINE"]
    min_recall: Share
    filters: Annotated[tuple[str, ...], YamlList]
    follow: bool

    @property
    def recall_floor(self) -> float:
        """What a release asks for, 0-1: the setting, or what the type promises."""
        return self.min_recall or LEAST_RECALL[self.type]

    @field_validator("filters")
    @classmethod
    def _check_filters(cls, filters: tuple[str, ...]) -> tuple[str, ...]:
        if taken := {"label", "batch"} & {*filters}:  # what every index can be filtered by
            raise PydanticCustomError("taken", "a filter called '{name}' has another meaning", {"name": min(taken)})
        if len({*filters}) < len(filters):
            raise PydanticCustomError("twice", "has a column twice; name each once")
        return filters

    @model_validator(mode="after")
    def _check_floor(self) -> "Index":
        least = LEAST_RECALL[self.type]
        if 0 < self.min_recall < least:
            raise ValueError(
                f"'index.min_recall' is {self.min_recall:g}, and an index of type {self.type} has to find {least:g} of "
                "the neighbours at least; raise it, or set 0 for just that"
            )
        return self


class Monitor(ParamsSection):
    window_rows: Count
    alpha: OpenShare
    min_effect: Share


class AgeLimits(ParamsSection):
    max_model_days: Limit
    max_idle_days: Limit
    max_label_days: Limit


class BacktestWindows(ParamsSection):
    windows: CountOrNone
    first_share: OpenShare
    label_delay_windows: CountOrNone


PERSON_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")
TOKEN_HASH = re.compile("[0-9a-f]{64}")  # sha256


class ReleaseRules(ParamsSection):
    approval: ApprovalRule
    expires_hours: Limit
    approvers: dict[str, str]

    @property
    def people(self) -> int:
        """How many have to approve a release."""
        return PEOPLE[self.approval]

    def at_least(self, approval: ApprovalRule) -> "ReleaseRules":
        """Return these rules, or stricter ones where an environment asks for more people. Raises BadInput where the
        list of people is too short for it."""
        if PEOPLE[approval] <= self.people:
            return self
        if len(self.approvers) < PEOPLE[approval]:
            raise BadInput(
                f"RELEVE_APPROVAL is {approval}, and 'release.approvers' of params.yaml names {len(self.approvers)}; "
                "`releve approver NAME` makes the line of one more"
            )
        return self.model_copy(update={"approval": approval})

    @field_validator("approvers")
    @classmethod
    def _check_approvers(cls, approvers: dict[str, str]) -> dict[str, str]:
        for name, hashed in approvers.items():
            if not PERSON_NAME.fullmatch(name):
                known = {"name": shortened(repr(name))}
                raise PydanticCustomError("name", "has the name {name}: use letters, digits and . _ @ -", known)
            if not TOKEN_HASH.fullmatch(hashed):
                raise PydanticCustomError(
                    "hash",
                    "has no sha256 for {name}: 64 digits and letters from a to f, never the token",
                    {"name": name},
                )
        if len({*approvers.values()}) < len(approvers):
            raise PydanticCustomError("distinct", "gives two people the same token; make one for each")
        return approvers

    @model_validator(mode="after")
    def _check_enough(self) -> "ReleaseRules":
        if len(self.approvers) < self.people:
            raise ValueError(
                f"'release.approval' is {self.approval}, and 'release.approvers' names {len(self.approvers)}; "
                "`releve approver NAME` makes the line of one more"
            )
        return self


class ArmLimits(ParamsSection):
    label_delay_hours: Limit
    max_rows: Count
    max_error_rate: Share
    max_p99_ms: Limit
    deadline_ms: Positive


class Storage(ParamsSection):
    keep_releases: Count


class LedgerRules(ParamsSection):
    keep_days: CountOrNone
    hash: Annotated[tuple[str, ...], YamlList]
    drop: Annotated[tuple[str, ...], YamlList]
    keep_clear: Annotated[tuple[str, ...], YamlList]
    push: bool

    @field_validator("drop")
    @classmethod
    def _check_not_hashed(cls, drop: tuple[str, ...], info: Any) -> tuple[str, ...]:
        if both := sorted({*drop} & {*info.data.get("hash", ())}):
            raise PydanticCustomError("both", "ledger.hash lists {names}, too", {"names": ", ".join(both)})
        return drop

    @field_validator("keep_clear")
    @classmethod
    def _check_not_hidden(cls, keep_clear: tuple[str, ...], info: Any) -> tuple[str, ...]:
        hidden = {*info.data.get("hash", ()), *info.data.get("drop", ())}
        if both := sorted({*keep_clear} & hidden):
            raise PydanticCustomError(
                "both", "ledger.hash or ledger.drop lists {names}, too", {"names": ", ".join(both)}
            )
        return keep_clear


class ServiceLimits(ParamsSection):
    max_rows: Count


def _as_mapping(costs: Any) -> Any:
    """Take keys as YAML reads them: 0, 1 and true are names of classes, too."""
    if not isinstance(costs, Mapping):
        return costs
    return {_as_name(key): _as_mapping(value) for key, value in costs.items()}


def _as_name(key: Any) -> Any:
    return str(key).lower() if isinstance(key, bool) else str(key) if isinstance(key, int) else key


Price = Annotated[float, Field(ge=-1e12, le=1e12)]
RuleOperator = Literal["==", "!=", ">", ">=", "<", "<=", "in", "not in", "missing"]
RuleValue = bool | int | float | str | date | None


class DecisionRule(ParamsSection):
    """A business rule. `instead_of`: decisions of the model that it replaces; none: it comes before the model."""

    column: Annotated[str, Field(min_length=1)]
    operator: RuleOperator
    value: RuleValue | list[RuleValue] = None
    decision: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1, max_length=200)]
    instead_of: Annotated[tuple[str, ...], YamlList] = ()


class Decision(ParamsSection):
    costs: Annotated[dict[str, Price | dict[str, Price]], BeforeValidator(_as_mapping)]
    unit: Annotated[str, Field(max_length=20)]
    retraining: Limit
    cpu_hour: Limit
    rules: Annotated[tuple[DecisionRule, ...], YamlList]

    @model_validator(mode="after")
    def _check_priced(self) -> "Decision":
        if self.rules and not self.costs:
            raise ValueError("'decision.rules' decide, and 'decision.costs' says of no decision what it costs; add it")
        return self


class Params(ParamsSection):
    """All sections of params.yaml, after a scenario's overrides."""

    card: CardTexts
    gate: Gate
    train: Train
    trigger: Trigger
    search: Search
    alerts: Alerts
    data: Data
    schedule: Schedule
    ingest: Ingest
    source: Source
    batch: BatchLimits
    statistics: Statistics
    compute: Compute
    neighbours: Neighbours
    index: Index
    monitor: Monitor
    age: AgeLimits
    backtest: BacktestWindows
    release: ReleaseRules
    decision: Decision
    arms: ArmLimits
    storage: Storage
    ledger: LedgerRules
    service: ServiceLimits

    @model_validator(mode="after")
    def _check_money(self) -> "Params":
        if self.gate.metric == "cost" and not self.decision.costs:
            raise ValueError("'gate.metric' is cost, and 'decision.costs' says of no decision what it costs; add them")
        return self


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Replace keys of `base`'s sections by those in `override`; neither argument is changed."""
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
    """Return every key as "section.key", in the order of params.yaml."""
    sections: dict[str, Any] = {name: field.annotation for name, field in Params.model_fields.items()}
    return [f"{name}.{key}" for name, section in sections.items() for key in section.model_fields]


IN_OUR_WORDS = {
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "dict_type": "should be keys with values",
    "model_type": "should be a section: keys with values",
    "string_type": "should be a text",
    "int_type": "should be a whole number",
    "float_type": "should be a number",
    "finite_number": "should be a finite number",
    "bool_type": "should be true or false",
    "date_type": "should be a date, such as 2026-05-31",
    "string_too_short": "should not be empty",
    "too_short": "should not be empty",
}  # by pydantic's kind of problem


def _describe(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] in ("extra_forbidden", "invalid_key"):  # a key that is no text is known nowhere
        close = _close_key(key)
        return f"'{shortened(key)}' is not a known key" + (f"; did you mean '{close}'?" if close else "")
    if problem["type"] == "missing":
        return f"'{key}' is missing"
    if problem["type"] == "value_error":  # of several keys, which it names
        error = problem["ctx"]["error"]
        return str(error) if str(error).startswith("'") else f"'{key}' is {problem['input']!r}, but {error}"
    message = problem["msg"][0].lower() + problem["msg"][1:]
    message = IN_OUR_WORDS.get(problem["type"], message.replace("input ", ""))
    if key.endswith("_env") or key.startswith("release.approvers"):  # the value may be the secret itself
        return f"'{key}' {message}"
    value = "empty" if problem["input"] is None else shortened(repr(problem["input"]))
    return (
        f"'{key}' is {value}, but it {message}"
        if message.startswith("should")
        else f"'{key}' is {value}, but {message}"
    )


def _close_key(key: str) -> str:
    """Find a section like this one, a key like this in its section, or the very key in the one other section."""
    section, _, name = key.partition(".")
    if not name:
        return next(iter(get_close_matches(key, Params.model_fields, n=1)), "")
    keys = [each.partition(".") for each in known_keys()]
    if close := get_close_matches(name, [other for here, _, other in keys if here == section], n=1):
        return f"{section}.{close[0]}"
    elsewhere = [f"{here}.{other}" for here, _, other in keys if other == name]
    return elsewhere[0] if len(elsewhere) == 1 else ""
