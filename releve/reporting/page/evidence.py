"""What a scenario's page is made from: events of the registry, windows of quality, and the release that serves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from releve.core.formatting import to_the_minute
from releve.core.names import ModelTag
from releve.domain.backtest.report import BacktestReport
from releve.domain.ensemble.description import EnsembleDescription
from releve.domain.health.history import ServingHistory
from releve.domain.quality.windows import QualityWindow
from releve.domain.registry.chain import CHALLENGED, MOVES, RELEASED, Event
from releve.domain.registry.events import Challenger, release_of
from releve.reporting.blocks import ChartMark, MarkKind
from releve.reporting.messages.gate import event_reason


@dataclass(frozen=True)
class PageEvidence(ServingHistory):
    """A serving history, and what a page shows beside it."""

    ensemble: EnsembleDescription | None = None  # of what serves
    backtest: BacktestReport | None = None
    incoming: str = ""  # folder that files are ingested from
    waiting: int = 0  # files in it


def marks_of(events: Iterable[Event], windows: Sequence[QualityWindow]) -> tuple[ChartMark, ...]:
    """Mark releases, rollbacks and refusals, each where it happened among the windows."""
    marks = []
    for event in events:
        if event.kind in MOVES:
            kind, release = MarkKind.RELEASE if event.kind == RELEASED else MarkKind.ROLLBACK, release_of(event)
            model = f" {release.model}" if release else ""
            note = f"{event.kind.replace('_', ' ')}{model}: {event_reason(event)}"
        elif event.kind == CHALLENGED and not (challenger := event.read(Challenger)).promote:
            kind, note = MarkKind.REFUSAL, f"refused {challenger.model}: {'; '.join(challenger.sentences)}"
        else:
            continue
        marks.append(ChartMark(place(event.at, windows), kind, f"{to_the_minute(event.at)} {note}"))
    return tuple(marks)


def place(at: str, windows: Sequence[QualityWindow]) -> float:
    """Find where a moment lies among windows numbered from 0: within the one that it falls in, or between two."""
    when = datetime.fromisoformat(at)
    passed = sum(datetime.fromisoformat(window.last_at) < when for window in windows)
    if passed == len(windows):
        return passed - 0.5
    first, last = (datetime.fromisoformat(each) for each in (windows[passed].first_at, windows[passed].last_at))
    share = (when - first) / (last - first) if last > first else 0.0
    return passed - 0.5 + max(0.0, share)


def version_of(model: str) -> str:
    """Return the version of a model's tag "<scenario>:<version>"."""
    return ModelTag.parse(model).version or model
