"""The prediction ledger's records: one line per request, one id per answered row, labels that come when they come.

A request id says where its line is, "<YYYYMMDD>-<worker>.<offset>.<random>", so that one seek finds it again.
A row id is the request id and the row's position: "20240131-9f2c01ab.1a40.5e77c0.0".
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeVar

from releve.core.errors import BadInput, NotFound

if TYPE_CHECKING:
    import pandas as pd

Scalar = str | int | float | bool
Row = Mapping[str, Any]  # feature -> cell, as a request brought it
T = TypeVar("T")

WORKER = re.compile(r"[0-9a-f]{8}")
ROW_ID = re.compile(r"([0-9]{8})-([0-9a-f]{8})\.([0-9a-f]{1,12})\.([0-9a-f]{6})\.(0|[1-9][0-9]{0,8})")
EXAMPLE_ID = "20240131-9f2c01ab.1a40.5e77c0.0"


class UnknownAnswer(NotFound):
    """Feedback for answers that this ledger never gave; `ids` are the row ids that it does not know."""

    code = "unknown_answer"

    def __init__(self, message: str, ids: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.ids = frozenset(ids)


@dataclass(frozen=True, order=True)
class RowId:
    """The parts of a row id, ordered as the rows stand in the ledger; see the module's docstring."""

    day: str  # YYYYMMDD, UTC
    worker: str
    offset: int  # bytes into the segment
    random: str
    position: int  # of the row in its request

    @property
    def request(self) -> str:
        return request_id(self.day, self.worker, self.offset, self.random)


DECIDED = ("decisions", "expected_costs", "rules")  # lists of a line, of models with costs alone
SELDOM = (*DECIDED, "hashed", "erased")  # keys that a line has where there is something to say


@dataclass(frozen=True)
class AnsweredRow:
    """One row of one request, as it was answered."""

    id: str
    at: str
    model: str
    index: str | None
    arm: str
    features: Row
    predicted: Scalar
    probabilities: Sequence[float] | None
    interval: Sequence[float] | None
    decision: Scalar | None = None
    expected_cost: float | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """One request with its answers: a line of the ledger."""

    id: str
    at: str
    scenario: str
    model: str
    index: str | None
    arm: str
    rows: list[Row]
    labels: list[Scalar]
    probabilities: list[list[float]] | None
    intervals: list[list[float]] | None  # [low, high] of each row, as they were sent; None where there are none
    latency_ms: float | None  # that the model took; None where nobody measured it
    hashed: Sequence[str] = ()  # columns whose cells in `rows` are hashes: see `hidden`
    erased: Sequence[int] = ()  # rows of which nothing is left: their place alone, so that the others keep their ids
    decisions: list[Scalar] | None = None  # as they were sent; None of a model without costs
    expected_costs: list[float] | None = None
    rules: list[str | None] | None = None  # reasons of the rules that decided

    @classmethod
    def parse(cls, value: Any) -> "AnswerLine | None":
        """Read the JSON value of a line; None when it is no whole answer."""
        try:
            always = {name: value[name] for name in cls.__slots__ if name not in SELDOM}
            decided = {name: value.get(name) for name in DECIDED}
            line = cls(**always, hashed=value.get("hashed") or (), erased=value.get("erased") or (), **decided)
        except (TypeError, KeyError):
            return None
        columns: list[Any] = [line.rows, line.labels]
        columns += [each for each in (line.probabilities, line.intervals) if each is not None]
        columns += [each for name in DECIDED if (each := getattr(line, name)) is not None]
        is_whole = isinstance(line.at, str) and all(isinstance(column, list) for column in columns)
        return line if is_whole and len({len(column) for column in columns}) == 1 else None

    @property
    def features(self) -> list[Row]:
        """Its rows as far as they are known in clear."""
        if not self.hashed:
            return self.rows
        return [{name: cell for name, cell in row.items() if name not in self.hashed} for row in self.rows]

    @property
    def left(self) -> list[int]:
        """The places of its rows that were not erased."""
        return [place for place in range(len(self.rows)) if place not in self.erased]

    def row(self, row_id: str) -> AnsweredRow | None:
        """Return the row that `row_id` names; None when it names another request or no row of this one."""
        parsed = parse_row_id(row_id)
        position = parsed.position
        if self.id != parsed.request or position >= len(self.rows) or position in self.erased:
            return None
        return AnsweredRow(
            id=row_id,
            at=self.at,
            model=self.model,
            index=self.index,
            arm=self.arm,
            features=self.features[position],
            predicted=self.labels[position],
            probabilities=None if self.probabilities is None else self.probabilities[position],
            interval=None if self.intervals is None else self.intervals[position],
            decision=None if self.decisions is None else self.decisions[position],
            expected_cost=None if self.expected_costs is None else self.expected_costs[position],
            rule=None if self.rules is None else self.rules[position],
        )


@dataclass(frozen=True, slots=True)
class ShadowLine:
    """What a challenger answered aside to one request of the champion's; the rows stand in that one's line."""

    id: str
    of: str  # the champion's request id
    at: str
    scenario: str
    model: str
    index: str | None
    labels: list[Scalar]  # none where it failed
    probabilities: list[list[float]] | None
    intervals: list[list[float]] | None
    latency_ms: float
    error: str  # why it has no answer, "" where it has one
    decisions: list[Scalar] | None = None  # None of a model without costs
    expected_costs: list[float] | None = None
    rules: list[str | None] | None = None

    @classmethod
    def parse(cls, value: Any) -> "ShadowLine | None":
        """Read the JSON value of a line; None when it is no whole answer."""
        try:
            always = {name: value[name] for name in cls.__slots__ if name not in DECIDED}
            line = cls(**always, **{name: value.get(name) for name in DECIDED})
        except (TypeError, KeyError, AttributeError):
            return None
        columns: list[Any] = [line.labels]
        columns += [each for each in (line.probabilities, line.intervals) if each is not None]
        columns += [each for name in DECIDED if (each := getattr(line, name)) is not None]
        is_whole = isinstance(line.at, str) and all(isinstance(column, list) for column in columns)
        return line if is_whole and len({len(column) for column in columns}) == 1 else None


@dataclass(frozen=True, slots=True)
class SearchLine:
    """One search with what it found: a line of the ledger."""

    id: str
    at: str
    scenario: str
    model: str
    index: str
    arm: str
    question: Mapping[str, Any]  # as `releve.serving.requests.SearchQuestion` has it
    neighbours: list[Mapping[str, Any]]  # nearest first
    erased: bool = False  # whether it asked for a row that was erased, or found one

    @property
    def is_left(self) -> bool:
        """Whether enough was not erased to ask it again: what it was near, and a row that it found."""
        is_asked = any(self.question.get(name) is not None for name in ("row", "vector", "text"))
        return not self.erased or (is_asked and bool(self.neighbours))

    @classmethod
    def parse(cls, value: Any) -> "SearchLine | None":
        """Read the JSON value of a line; None when it is no whole search."""
        try:
            always = {name: value[name] for name in cls.__slots__ if name != "erased"}
            line = cls(**always, erased=bool(value.get("erased")))
        except (TypeError, KeyError):
            return None
        return line if isinstance(line.question, Mapping) and isinstance(line.neighbours, list) else None


@dataclass(frozen=True, slots=True)
class LabelLine:
    """What turned out true of one row: a line of the ledger."""

    id: str
    label: Scalar
    at: str
    queued: bool = False  # asked for, because champion and challenger disagreed: no sample of what is answered

    @classmethod
    def parse(cls, value: Any) -> "LabelLine | None":
        """Read the JSON value of a line; None when it is no whole label."""
        try:
            line = cls(value["id"], value["label"], value["at"], value.get("queued", False))
        except (TypeError, KeyError):
            return None
        return line if isinstance(line.at, str) else None


@dataclass(frozen=True, eq=False)
class AnsweredRows:
    """Answered rows in time order; all columns are of one length."""

    ids: Sequence[str]
    at: Sequence[str]
    models: Sequence[str]
    arms: Sequence[str]
    predicted: Sequence[Scalar]  # classes, or numbers of a regression
    probabilities: Sequence[Sequence[float] | None]  # per class of the target, in its order; None of a regression
    intervals: Sequence[Sequence[float] | None]  # low and high of a regression, as they were sent
    features: "pd.DataFrame"  # rows x features, index 0..n-1; apart, for a feature may be called "id" or "label"
    torn_lines: int = 0  # lines that could not be read, such as the last one before a power loss
    decisions: Sequence[Scalar | None] = ()  # of each row, or () where nobody asked for them; None: nothing was decided
    expected_costs: Sequence[float | None] = ()
    rules: Sequence[str | None] = ()

    @classmethod
    def of(cls, rows: Sequence[AnsweredRow]) -> "AnsweredRows":
        """Make columns of single rows, which are in time order."""
        import pandas as pd

        return cls(
            ids=[row.id for row in rows],
            at=[row.at for row in rows],
            models=[row.model for row in rows],
            arms=[row.arm for row in rows],
            predicted=[row.predicted for row in rows],
            probabilities=[row.probabilities for row in rows],
            intervals=[row.interval for row in rows],
            decisions=[row.decision for row in rows],
            expected_costs=[row.expected_cost for row in rows],
            rules=[row.rule for row in rows],
            features=pd.DataFrame([row.features for row in rows], index=range(len(rows))),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, positions: Sequence[int]) -> "AnsweredRows":
        """The rows at `positions`, in that order."""

        def chosen(column: Sequence[T]) -> list[T]:
            return [column[position] for position in positions] if len(column) else []

        return AnsweredRows(
            ids=chosen(self.ids),
            at=chosen(self.at),
            models=chosen(self.models),
            arms=chosen(self.arms),
            predicted=chosen(self.predicted),
            probabilities=chosen(self.probabilities),
            intervals=chosen(self.intervals),
            features=self.features.iloc[list(positions)].reset_index(drop=True),
            torn_lines=self.torn_lines,
            decisions=chosen(self.decisions),
            expected_costs=chosen(self.expected_costs),
            rules=chosen(self.rules),
        )


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Answered rows whose label has come, with that label; both of one length, in the answers' time order."""

    answers: AnsweredRows
    labels: Sequence[Scalar]
    labelled_at: Sequence[str]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, positions: Sequence[int]) -> "LabelledRows":
        """The rows at `positions`, in that order."""
        labels = [self.labels[row] for row in positions]
        times = [self.labelled_at[row] for row in positions]
        return replace(self, answers=self.answers.take(positions), labels=labels, labelled_at=times)


def timestamp(moment: datetime) -> str:
    """UTC with microseconds, of one width, so that text order is time order. Raises ValueError without a time zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment in the ledger needs a time zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_since(since: str) -> str:
    """A date or ISO time (UTC when it names no zone) as a ledger timestamp. Raises BadInput."""
    return parse_moment(since, "since")


def parse_moment(text: str, name: str) -> str:
    """The same; `name`: what the caller calls it."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise BadInput(
            f"{name} is {text!r}; expected a date or time such as 2024-01-31 or 2024-01-31T12:00:00Z"
        ) from None
    return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def day_of(at: str) -> str:
    """The YYYYMMDD that the segment of a timestamp is named after."""
    return at[:10].replace("-", "")


def request_id(day: str, worker: str, offset: int, random: str) -> str:
    """The id of one request, as sent back to the caller."""
    return f"{day}-{worker}.{offset:x}.{random}"


def row_ids(request: str, rows: int) -> list[str]:
    """The ids of a request's rows; feedback names these."""
    return [f"{request}.{position}" for position in range(rows)]


def parse_row_id(row_id: str) -> RowId:
    """Take a row id apart. Raises BadInput before anything of it can become a path."""
    match = ROW_ID.fullmatch(row_id) if isinstance(row_id, str) else None
    if not match:
        raise BadInput(f"{str(row_id)[:80]!r} is not the id of an answered row; expected one like {EXAMPLE_ID}")
    day, worker, offset, random, position = match.groups()
    return RowId(day=day, worker=worker, offset=int(offset, 16), random=random, position=int(position))


def parse_request_id(request: str) -> RowId:
    """Take a request id apart, as the id of its first row. Raises BadInput."""
    try:
        return parse_row_id(f"{request}.0")
    except BadInput:
        example = EXAMPLE_ID.rpartition(".")[0]
        raise BadInput(f"{request[:80]!r} is not the id of a request; expected one like {example}") from None


def by_request(row_ids: Iterable[str]) -> dict[str, list[str]]:
    """Request id -> the row ids that name its rows. What is no row id at all names none and is left out."""
    grouped: dict[str, list[str]] = {}
    for row_id in row_ids:
        if isinstance(row_id, str) and ROW_ID.fullmatch(row_id):
            grouped.setdefault(row_id.rpartition(".")[0], []).append(row_id)
    return grouped


def check_worker(worker: str) -> str:
    """Return `worker` unchanged. Raises BadInput when it is not 8 hexadecimal digits."""
    if not WORKER.fullmatch(worker):
        raise BadInput(f"the ledger worker {worker!r} is not 8 hexadecimal digits")
    return worker


def check_answer(
    rows: Sequence[Any],
    labels: Sequence[Any],
    probabilities: Sequence[Any] | None,
    intervals: Sequence[Any] | None = None,
) -> None:
    """Raises BadInput unless there is one answer per row, and at least one row."""
    if not rows:
        raise BadInput("an answer has at least one row; found none")
    beside = {"probabilities": probabilities, "intervals": intervals}
    if len(labels) != len(rows) or any(each is not None and len(each) != len(rows) for each in beside.values()):
        counts = (f"{'no' if each is None else len(each)} {name}" for name, each in beside.items())
        found = ", ".join([f"{len(rows)} rows", f"{len(labels)} labels", *counts])
        raise BadInput(f"an answer has one label per row; found {found}")


def check_label(label: Any) -> Scalar:
    """The label as a plain text or number. Raises BadInput for what no row can be labelled with."""
    label = label.item() if hasattr(label, "item") else label  # numpy's scalars
    if not isinstance(label, (str, int, float)) or label != label or label in (float("inf"), float("-inf")):
        raise BadInput(f"the label {str(label)[:80]!r} is not a text or a finite number")
    return label


def answers_from(lines: Iterable[AnswerLine], *, torn_lines: int = 0, featureless: bool = False) -> AnsweredRows:
    """One entry per row of every line, in time order; lines of one moment keep theirs. `featureless`: the frame of
    features has no columns, for who only counts and scores."""
    import pandas as pd

    ordered = sorted(lines, key=lambda line: line.at)
    by_row = [line for line in ordered for _ in line.rows]
    rows = [row for line in ordered for row in line.features]
    answers = AnsweredRows(
        ids=[row_id for line in ordered for row_id in row_ids(line.id, len(line.rows))],
        at=[line.at for line in by_row],
        models=[line.model for line in by_row],
        arms=[line.arm for line in by_row],
        predicted=[label for line in ordered for label in line.labels],
        probabilities=[each for line in ordered for each in line.probabilities or repeat(None, len(line.rows))],
        intervals=[each for line in ordered for each in line.intervals or repeat(None, len(line.rows))],
        decisions=[each for line in ordered for each in line.decisions or repeat(None, len(line.rows))],
        expected_costs=[each for line in ordered for each in line.expected_costs or repeat(None, len(line.rows))],
        rules=[each for line in ordered for each in line.rules or repeat(None, len(line.rows))],
        features=pd.DataFrame(None if featureless else rows, index=range(len(rows))),
        torn_lines=torn_lines,
    )
    if not any(line.erased for line in ordered):
        return answers
    is_there = [place not in line.erased for line in ordered for place in range(len(line.rows))]
    return answers.take([row for row, there in enumerate(is_there) if there])


def newest_labels(lines: Iterable[LabelLine], *, with_queued: bool = True) -> dict[str, tuple[Scalar, str]]:
    """Row id -> (label, at). Of several labels for one row the newest `at` wins, of one moment the later line.

    Without the queued ones a row is left out that was only ever labelled because it was asked for; one whose label came
    by itself as well, before or after, counts with its newest label.
    """
    newest: dict[str, tuple[Scalar, str]] = {}
    only_queued = set[str]()
    for line in lines:
        known = newest.get(line.id)
        if not line.queued:
            only_queued.discard(line.id)
        elif known is None:
            only_queued.add(line.id)
        if known is None or line.at >= known[1]:
            newest[line.id] = (line.label, line.at)
    return newest if with_queued else {row: label for row, label in newest.items() if row not in only_queued}


def join_labels(answers: AnsweredRows, labels: Mapping[str, tuple[Scalar, str]]) -> LabelledRows:
    """The answers that have a label. Labels of other answers are left out."""
    joined = answers.take([position for position, row_id in enumerate(answers.ids) if row_id in labels])
    known = [labels[row_id] for row_id in joined.ids]
    return LabelledRows(joined, [label for label, _ in known], [at for _, at in known])
