"""What a scenario's page is made from: events of the registry, windows of quality, and the release that serves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from releve.domain.backtest.report import BacktestReport
from releve.domain.quality.windows import QualityWindow
from releve.domain.registry.chain import ARCHIVED, CHALLENGED, MONITORED, MOVES, RELEASED, Event
from releve.domain.registry.events import Challenger, release_of
from releve.domain.registry.release import ExpectedPerformance, Release
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.reporting.blocks import ChartMark, MarkKind


@dataclass(frozen=True)
class PageEvidence:
    """What registry, ledger and backtest know of a scenario.

    `events`: since the scenario was last started over, oldest first. `release`: what serves, since `since` (ISO 8601,
    UTC). A window's score is judged like a monitoring run's, by `tolerance`, where at least `min_rows` of it have
    labels.
    """

    scenario: str
    made_at: str  # ISO 8601, UTC
    events: tuple[Event, ...] = ()
    windows: tuple[QualityWindow, ...] = ()
    release: Release | None = None
    since: str = ""
    backtest: BacktestReport | None = None
    tolerance: float = 0.0
    min_rows: int = 90

    @cached_property
    def runs(self) -> tuple[MonitoringRun, ...]:
        return tuple(event.read(MonitoringRun) for event in self.events if event.kind == MONITORED)

    @cached_property
    def own_runs(self) -> tuple[MonitoringRun, ...]:
        """Runs that looked at the model that serves, since its release."""
        return tuple(run for run in self.runs if self._is_own(run.model, run.at))

    @cached_property
    def own_windows(self) -> tuple[QualityWindow, ...]:
        """Windows that the model that serves answered since its release."""
        return tuple(window for window in self.windows if self._is_own(window.model, window.last_at))

    @cached_property
    def challenges(self) -> tuple[Event, ...]:
        return tuple(event for event in self.events if event.kind == CHALLENGED)

    @cached_property
    def moves(self) -> tuple[Event, ...]:
        return tuple(event for event in self.events if event.kind in MOVES)

    @cached_property
    def expectations(self) -> dict[str, ExpectedPerformance]:
        """The expected performance of each model that was released."""
        return {release.model: release.expected for event in self.moves if (release := release_of(event))}

    def _is_own(self, model: str, at: str) -> bool:
        if self.release is None or model != self.release.model:
            return False
        return not self.since or datetime.fromisoformat(at) >= datetime.fromisoformat(self.since)


def since_start(events: Sequence[Event]) -> tuple[Event, ...]:
    """Keep the events after the scenario was last started over."""
    starts = [place for place, event in enumerate(events) if event.kind == ARCHIVED]
    return tuple(events[starts[-1] + 1 :] if starts else events)


def marks_of(events: Iterable[Event], windows: Sequence[QualityWindow]) -> tuple[ChartMark, ...]:
    """Mark releases, rollbacks and refusals, each where it happened among the windows."""
    marks = []
    for event in events:
        if event.kind in MOVES:
            kind, release = MarkKind.RELEASE if event.kind == RELEASED else MarkKind.ROLLBACK, release_of(event)
            model = f" {release.model}" if release else ""
            note = f"{event.kind.replace('_', ' ')}{model}: {event.reason}"
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
    return model.partition(":")[2] or model


def to_the_minute(at: str) -> str:
    """Format 2026-05-31 12:00, UTC as all times here."""
    return at[:16].replace("T", " ")
