"""Features that nobody sends: the calendar of a row's time, and lags, the values of columns some steps before it.

They are declared in a scenario (`features`), and are columns of the schema like any other from then on: nullable, seen
by the model, kept with every answer. `releve.domain.features` computes them, alike in training and at predict. Why so:
docs/decisions/0072-features.md
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any
from zoneinfo import available_timezones

from releve.core.errors import BadInput
from releve.domain.schema.columns import CATEGORY, DATE, NUMBER, Column
from releve.domain.schema.target import REGRESSION, Target

HOUR, DAY, MONTH = "hour", "day", "month"
STEPS = (HOUR, DAY, MONTH)  # of a date; the step of a time that is a number is 1
CYCLES = {  # what comes again, of which a model sees the phase: those that are longer than a step
    HOUR: ("day", "half_day", "week", "year"),
    DAY: ("week", "month", "year"),
    MONTH: ("year",),
}
KEYS = ("lags", "by", "calendar", "step", "timezone", "delay")
MOST_LAGS = 100  # of all columns together
FARTHEST = 100_000  # steps
EXAMPLE = "features: {lags: {rented: [24, 168]}, calendar: hour}"


@dataclass(frozen=True)
class Lag:
    """The value of a column `steps` before a row."""

    column: str
    steps: float

    @property
    def name(self) -> str:
        """What the feature is called."""
        return f"{self.column}.lag_{self.steps:g}"


@dataclass(frozen=True)
class Features:
    """What `features` declares."""

    lags: tuple[Lag, ...] = ()
    calendar: str | None = None  # one of STEPS
    step: str | None = None  # of STEPS, in which lags and delays count; None for a time that is a number
    timezone: str | None = None  # of the calendar, and of steps that are days or months; None: UTC
    delays: tuple[tuple[str, float], ...] = ()  # steps after which a column's value is known, where that takes some
    by: str | None = None  # the category whose values have lags of their own, such as shop; None: one series for all

    @property
    def lagged(self) -> tuple[str, ...]:
        """The columns of which lags are wanted, each once."""
        return tuple(dict.fromkeys(lag.column for lag in self.lags))

    @property
    def farthest(self) -> float:
        """Steps from a row to the oldest value that it may need; 0 without lags."""
        return max((lag.steps + 1 for lag in self.lags), default=0.0)

    def reach(self, column: str) -> float:
        """Steps from a row to the oldest value of a column that it may need."""
        return max(lag.steps + 1 for lag in self.lags if lag.column == column)

    def phases(self, time: str) -> tuple[str, ...]:
        """Names of the calendar's features, in the order of CYCLES: the sine and the cosine of each phase."""
        cycles = CYCLES[self.calendar] if self.calendar else ()
        return tuple(f"{time}.{cycle}_{wave}" for cycle in cycles for wave in ("sin", "cos"))


def read_features(spec: Any, *, source: str) -> Features | None:
    """Read `features` of params.yaml, by themselves; None for none. Raise BadInput naming `source` and the key."""
    if spec is None:
        return None
    if not isinstance(spec, Mapping) or not spec.keys() & {"lags", "calendar"}:
        raise BadInput(f"{source}: 'features' is {spec!r}; expected lags, a calendar or both, as in {EXAMPLE}")
    if unknown := sorted(set(map(str, spec)) - {*KEYS}):
        raise BadInput(f"{source}: 'features' has the unknown {unknown}; known are {sorted(KEYS)}")
    for key in ("calendar", "step"):
        if spec.get(key) not in (None, *STEPS):
            raise BadInput(f"{source}: features.{key} is {spec[key]!r}; expected {', '.join(STEPS)}")
    lags = tuple(
        Lag(str(column), steps)
        for column, given in _mapping(spec, "lags", source).items()
        for steps in _steps_of(column, given, source)
    )
    if len(lags) > MOST_LAGS:
        raise BadInput(f"{source}: features.lags names {len(lags)} lags; expected {MOST_LAGS} at most")
    delays = tuple(
        (str(column), _number(f"features.delay.{column}", given, source))
        for column, given in _mapping(spec, "delay", source).items()
    )
    by, calendar = spec.get("by"), spec.get("calendar")
    if by is not None and (not isinstance(by, str) or not lags):
        raise BadInput(f"{source}: features.by is {by!r}; expected one column, whose values have lags of their own")
    return Features(lags, calendar, spec.get("step") or calendar, _timezone(spec.get("timezone"), source), delays, by)


def write_features(features: Features) -> dict[str, Any]:
    """Write what `read_features` reads."""
    lags: dict[str, list[float]] = {}
    for lag in features.lags:
        lags.setdefault(lag.column, []).append(lag.steps)
    spec: dict[str, Any] = {
        "lags": lags,
        "by": features.by,
        "calendar": features.calendar,
        "timezone": features.timezone,
    }
    spec |= {"step": None if features.step == features.calendar else features.step, "delay": dict(features.delays)}
    return {key: value for key, value in spec.items() if value}


def check_features(
    features: Features, columns: Iterable[Column], target: Target, time: str | None, *, source: str
) -> None:
    """Raise BadInput where the features do not fit the table."""
    by_name = {column.name: column for column in columns}
    if time not in by_name:
        raise BadInput(
            f"{source}: 'features' needs the time of a row, and the scenario has none: say which column it is, as in "
            "`time: started`"
        )
    kind = by_name[time].type
    of_dates = [key for key in ("calendar", "step", "timezone") if getattr(features, key)]
    if kind == NUMBER and of_dates:
        raise BadInput(
            f"{source}: features.{of_dates[0]} is for dates, and the time '{time}' is a number, whose step is 1; "
            "remove it, or bring the time as a date"
        )
    if kind == DATE and features.lags and features.step is None:
        raise BadInput(
            f"{source}: features.lags count steps, and nothing says how long one is: add `step: {HOUR}`, "
            f"{DAY} or {MONTH} to 'features'"
        )
    if features.by is not None:
        _check_source(by_name, target, features.by, source=source, key="by")
        if features.by not in by_name or by_name[features.by].type != CATEGORY:
            raise BadInput(
                f"{source}: features.by names '{features.by}', which is no category; expected the category of which a "
                "row tells what it is of, such as a shop: declare the column with `type: category`"
            )
    for lag in features.lags:
        _check_source(by_name, target, lag.column, source=source)
        if features.step in (DAY, MONTH) and not float(lag.steps).is_integer():
            raise BadInput(
                f"{source}: features.lags.{lag.column} has {lag.steps:g}; expected whole numbers of {features.step}s"
            )
    delays = dict(features.delays)
    if unknown := sorted(delays.keys() - {*features.lagged}):
        raise BadInput(
            f"{source}: features.delay names '{unknown[0]}', which has no lags; remove it, or name one that has"
        )
    for lag in features.lags:
        if lag.steps < delays.get(lag.column, 0.0):
            raise BadInput(
                f"{source}: features.lags.{lag.column} has {lag.steps:g}, and its values are known "
                f"{delays[lag.column]:g} steps later (features.delay): no answer could know it. Expected lags of "
                f"{delays[lag.column]:g} or more"
            )


def derived_columns(features: Features, columns: Iterable[Column], target: Target, time: str) -> list[Column]:
    """Return the columns that the features become."""
    by_name = {column.name: column for column in columns}
    is_personal = by_name[time].personal
    derived = [
        Column(name, NUMBER, min=-1, max=1, nullable=True, personal=is_personal) for name in features.phases(time)
    ]
    for lag in features.lags:
        source = by_name.get(lag.column) or _as_column(target)
        derived.append(replace(source, name=lag.name, nullable=True, feature=True))
    return derived


def _as_column(target: Target) -> Column:
    """Return the target as a column: a number, or of classes a category."""
    if target.task == REGRESSION:
        return Column(target.name, NUMBER, min=target.min, max=target.max)
    names = tuple(map(str, target.classes))
    return Column(target.name, CATEGORY, categories=names, ignore_case=target.ignore_case)


def _check_source(by_name: Mapping[str, Column], target: Target, name: str, *, source: str, key: str = "lags") -> None:
    known = [*by_name, target.name]
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(known)}"
        raise BadInput(f"{source}: features.{key} names '{name}', which is no column of the table; {hint}")
    if key == "lags" and name in by_name and by_name[name].type not in (NUMBER, CATEGORY):
        raise BadInput(
            f"{source}: features.lags names the {by_name[name].type} '{name}'; expected a number, a category or the "
            "target"
        )


def _steps_of(column: Any, given: Any, source: str) -> list[float]:
    many = given if isinstance(given, list | tuple) else [given]
    if not many:
        raise BadInput(f"{source}: features.lags.{column} is empty; expected steps, as in [1, 24]")
    steps = [_number(f"features.lags.{column}", each, source) for each in many]
    if len(set(steps)) < len(steps):
        raise BadInput(f"{source}: features.lags.{column} is {list(many)}; expected each lag once")
    return steps


def _number(key: str, given: Any, source: str) -> float:
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or not 0 < given <= FARTHEST:
        because = "; a row's own value, or a later one, is not known when it is answered" if is_number else ""
        raise BadInput(f"{source}: {key} has {given!r}; expected steps above 0, up to {FARTHEST:,}{because}")
    return int(given) if float(given).is_integer() else float(given)


def _mapping(spec: Mapping[str, Any], key: str, source: str) -> Mapping[Any, Any]:
    given = spec.get(key)
    if given is None:
        return {}
    if not isinstance(given, Mapping) or (key == "lags" and not given):
        raise BadInput(f"{source}: features.{key} is {given!r}; expected columns with their steps, as in {EXAMPLE}")
    return given


def _timezone(name: Any, source: str) -> str | None:
    if name is None:
        return None
    if name in available_timezones():
        return str(name)
    raise BadInput(f"{source}: features.timezone is {name!r}; expected a name of the IANA database, as Europe/Paris")
