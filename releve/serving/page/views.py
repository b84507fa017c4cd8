"""What the page shows, from values to HTML."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import orjson

from releve.adapters.prefect.api import FlowRun
from releve.core.formatting import shortened
from releve.domain.neighbours.index_design import DistanceMetric
from releve.reporting.blocks import Block, ImageRow, Journal, PixelImage, TextBlock
from releve.serving.explain.explaining import Explained, written
from releve.serving.page.forms import Field, PixelGrid
from releve.serving.prediction import DIGITS
from releve.serving.routes import Headers, Reply
from releve.serving.scenarios.scenario import ScenarioAnswers

if TYPE_CHECKING:
    from jinja2 import Environment

HTML, CSS, SCRIPT = b"text/html; charset=utf-8", b"text/css; charset=utf-8", b"text/javascript; charset=utf-8"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Headers = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
FOR_EVER: Headers = (
    (b"cache-control", b"public, max-age=31536000, immutable"),
    (b"x-content-type-options", b"nosniff"),
)
CLASSES = 20  # whose probabilities are shown, the likeliest
MOVED = 12  # features whose part in an answer is shown, the strongest
CELL_LETTERS = 40
NOT_SHOWN = "(not shown)"


@dataclass(frozen=True)
class Line:
    """A scenario in the list of all."""

    name: str
    model: str
    since: str


@dataclass(frozen=True)
class Share:
    """A class and its probability, 0-1."""

    label: str
    probability: float


@dataclass(frozen=True)
class IntervalView:
    """Where the true number lies; `place` is the answer's between the ends, 0-1."""

    low: float
    high: float
    place: float


@dataclass(frozen=True)
class AnswerView:
    """What one row was answered."""

    row_id: str
    model: str
    arm: str
    target: str
    label: str
    shares: tuple[Share, ...] = ()
    hidden: int = 0  # classes that are not among the shares
    interval: IntervalView | None = None
    decision: str = ""  # "" of a model without costs
    expected_cost: str = ""
    rule: str = ""

    @classmethod
    def of(cls, answered: ScenarioAnswers) -> "AnswerView":
        """Take the one row of `answered`."""
        served = answered.served
        target, label, interval = served.schema.target, answered.labels[0], None
        shares: list[Share] = []
        if answered.probabilities is not None:
            named = zip(target.classes, answered.probabilities[0], strict=True)
            shares = sorted((Share(str(name), share) for name, share in named), key=lambda each: -each.probability)
        if answered.intervals is not None and (ends := answered.intervals[0]) is not None:
            low, high = ends
            place = min(max((float(label) - low) / (high - low), 0.0), 1.0) if high > low else 0.5
            interval = IntervalView(low, high, place)
        return cls(
            row_id=answered.row_ids[0],
            model=answered.model,
            arm=answered.arm,
            target=target.name,
            label=str(label) if shares else f"{float(label):.{DIGITS}g}",
            shares=tuple(shares[:CLASSES]),
            hidden=max(0, len(shares) - CLASSES),
            interval=interval,
            **_decided(answered),
        )


def _decided(answered: ScenarioAnswers) -> dict[str, str]:
    policy, decided = answered.served.model.description.decision, answered.decided
    if policy is None or decided is None:
        return {}
    cost = f"{decided.expected_costs[0]:.{DIGITS}g} {policy.table.unit}".strip()
    return {"decision": str(decided.decisions[0]), "expected_cost": cost, "rule": decided.rules[0] or ""}


@dataclass(frozen=True)
class MovedBar:
    """What one feature moved; its bar begins at `start`, both in shares of the width."""

    feature: str
    cell: str
    moved: str
    doubt: str  # its standard error; "" where it is exact
    start: float
    width: float


@dataclass(frozen=True)
class ExplanationView:
    """Why the row was answered so."""

    answer: str
    reference: str
    bars: tuple[MovedBar, ...]
    others: int  # features that are not among the bars
    others_moved: str
    exact: bool
    label: str  # whose probability is explained; "" of a number
    by: str  # that a number has to move to count as changed; "" of classes
    changes: tuple[tuple[str, str, str], ...]  # feature, its other cell, the answer then

    @classmethod
    def of(cls, explained: Explained, *, hidden: frozenset[str]) -> "ExplanationView":
        """Draw the strongest features around the middle; cells of `hidden` columns are not shown."""
        told = written(explained, (), index=None, metric=DistanceMetric.L2, hidden=hidden)
        features, row = told["features"], explained.question.row
        widest = max((abs(each["moved"]) for each in features), default=0.0) or 1.0
        bars = []
        for each in features[:MOVED]:
            share, error = each["moved"] / widest / 2, each["standard_error"]
            doubt = f" ± {error:.2g}" if error else ""  # left out in a narrow window
            cell = NOT_SHOWN if each["feature"] in hidden else _cell(row[each["feature"]])
            bars.append(
                MovedBar(each["feature"], cell, f"{each['moved']:+.3g}", doubt, 0.5 + min(share, 0.0), abs(share))
            )
        others = features[MOVED:]
        return cls(
            answer=f"{told['answer']:.3g}",
            reference=f"{told['reference']:.3g}",
            bars=tuple(bars),
            others=len(others),
            others_moved=f"{sum(each['moved'] for each in others):+.3g}",
            exact=told["exact"],
            label="" if told["label"] is None else str(told["label"]),
            by="" if told["changed_by"] is None else f"{told['changed_by']:.3g}",
            changes=tuple((each["feature"], _cell(each["to"]), _answer(each)) for each in told["changes"]),
        )


@dataclass(frozen=True)
class RunsView:
    """What an operator may start, and what was started here."""

    key: str  # of the forms: however often one is sent, it starts one run
    newest: Sequence[FlowRun] = ()
    away: str = ""  # why the newest are not known
    started: FlowRun | None = None  # just now
    problem: str = ""  # why nothing was


@dataclass(frozen=True)
class ScenarioView:
    """Everything that the page of a scenario shows."""

    name: str
    model: str
    naive: bool
    since: str
    target: str
    fields: Sequence[Field]
    grid: PixelGrid | None
    row: dict[str, Any]
    history: Sequence[Block]
    why: Sequence[str]  # the gate's sentences on the model that serves
    previous: str | None  # what a rollback brings back
    reached: bool  # whether the registry could be asked
    operates: bool  # whether who looks may move releases
    is_open: bool  # whether no tokens are set
    runs: RunsView | None  # None where nobody may start one, or no Prefect is known
    problem: str = ""
    problems: Sequence[str] = ()
    pasted: str = ""  # what was sent as JSON and refused
    answer: AnswerView | None = None
    neighbours: Sequence[dict[str, object]] = ()
    pictures: ImageRow | None = None
    no_neighbours: str = ""  # why there are none
    explanation: ExplanationView | None = None
    no_explanation: str = ""  # why there is none

    @property
    def row_json(self) -> str:
        """The row, to be pasted and edited."""
        return orjson.dumps(self.row, option=orjson.OPT_INDENT_2).decode()


@dataclass(frozen=True)
class Asset:
    """A file of the page's own, by the digest that its address carries."""

    body: bytes
    media_type: bytes
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha256(self.body).hexdigest()[:12])


def _cell(value: Any) -> str:
    """A cell in a few letters; a picture is none."""
    text = "" if value is None else str(value).removesuffix(".0")
    return shortened(text, most=CELL_LETTERS) if text else "(missing)"


def _answer(change: dict[str, Any]) -> str:
    if change["label"] is None:
        return f"{change['answer']:.3g}"
    return f"{change['label']} ({change['answer']:.0%})"


def page(template: str, *, status: int = 200, headers: Headers = (), **values: Any) -> Reply:
    """Write a page by its template."""
    written = _environment().get_template(f"{template}.html.jinja").render(assets=assets(), **values)
    return Reply(status, written.encode(), HTML, (*HEADERS, *headers))


@cache
def assets() -> dict[str, Asset]:
    """The style sheet and the script."""
    style = _environment().get_template("serving.css").render().encode()
    script = files(__package__).joinpath("templates/page.js").read_bytes()
    return {"page.css": Asset(style, CSS), "page.js": Asset(script, SCRIPT)}


def pictures(grid: PixelGrid, rows: Sequence[tuple[str, list[float]]]) -> ImageRow:
    """Draw rows, each with its title, as small pictures."""
    return ImageRow("Nearest rows", tuple(PixelImage(title, grid.inks(numbers)) for title, numbers in rows))


def history_of(events: Sequence[Any], *, open_entries: int = 5) -> list[Block]:
    """List decisions and releases; `events` oldest first."""
    from releve.reporting.page.decisions import entries_of

    entries = tuple(entries_of(events))[::-1]
    return [Journal(entries, open_entries)] if entries else [TextBlock(("Nothing was decided yet.",))]


@cache
def _environment() -> "Environment":
    from releve.reporting.html import make_environment

    return make_environment("releve.serving.page", "releve.reporting")
