"""What the registry's events say of a scenario, read for its page. Events of every format that was ever written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from releve.core.formatting import format_score
from releve.domain.drift.verdict import OF_ANSWERS
from releve.domain.evaluation.intervals import Interval
from releve.domain.quality.windows import QualityWindow
from releve.domain.registry.chain import ARCHIVED, CHALLENGED, MONITORED, MOVES, Event
from releve.domain.registry.release import ExpectedPerformance, Release
from releve.reporting.blocks import ChartMark, MarkKind

MARKS = {"released": MarkKind.RELEASE, "rolled_back": MarkKind.ROLLBACK, "withdrawn": MarkKind.ROLLBACK}


@dataclass(frozen=True)
class ColumnLook:
    """One column at one look: how far it had moved (0-1), and whether that was an alarm."""

    name: str
    effect: float
    alarm: bool
    of_answers: bool = False  # the row of the champion's answers, and no column of the table


@dataclass(frozen=True)
class Look:
    """One MONITORED event. What its format did not say yet is None, 0 or empty."""

    at: str
    model: str
    state: str  # of drift
    drift_reasons: tuple[str, ...]
    columns: tuple[ColumnLook, ...]
    quality: Mapping[str, Any]
    estimate: Mapping[str, Any]
    age: Mapping[str, Any]
    window: Mapping[str, Any]
    new_rows: int
    retrain: bool
    reasons: tuple[str, ...]
    report: str

    @property
    def until(self) -> str:
        """Up to when the answers go that it looked at."""
        return str(self.window.get("last_at") or self.at)


def since_start(events: Sequence[Event]) -> tuple[Event, ...]:
    """The events after the scenario was last started over."""
    starts = [place for place, event in enumerate(events) if event.kind == ARCHIVED]
    return tuple(events[starts[-1] + 1 :] if starts else events)


def looks_of(events: Iterable[Event]) -> tuple[Look, ...]:
    """Oldest first."""
    return tuple(_look(event) for event in events if event.kind == MONITORED)


def _look(event: Event) -> Look:
    said = event.payload
    drift, decision = said.get("drift") or {}, said.get("decision") or {}
    return Look(
        at=said.get("at") or event.at,
        model=said.get("model", ""),
        state=drift.get("state", ""),
        drift_reasons=tuple(drift.get("reasons", ())),
        columns=tuple(map(_column, drift.get("columns", ()))),
        quality=said.get("quality") or {},
        estimate=said.get("estimate") or {},
        age=said.get("age") or {},
        window=said.get("window") or {},
        new_rows=int(said.get("new_rows", 0)),
        retrain=bool(decision.get("retrain")),
        reasons=tuple(decision.get("reasons", ())),
        report=said.get("report") or "",
    )


def _column(said: Mapping[str, Any]) -> ColumnLook:
    return ColumnLook(
        str(said["name"]),
        float((said.get("change") or {}).get("effect", 0.0)),
        bool(said.get("drifted")),
        str(said.get("method", "")).endswith(OF_ANSWERS),
    )


def interval_of(said: Mapping[str, Any] | None) -> Interval | None:
    """An interval as an event keeps it; None where it keeps none."""
    return Interval(float(said["value"]), float(said["low"]), float(said["high"])) if said else None


def told_score(found: Interval) -> str:
    """0.912 [0.887, 0.931]."""
    return f"{format_score(found.value)} [{format_score(found.low)}, {format_score(found.high)}]"


def expectations_of(events: Iterable[Event]) -> dict[str, ExpectedPerformance]:
    """By model."""
    releases = [event.payload["release"] for event in events if event.kind in MOVES and event.payload.get("release")]
    found = [Release.model_validate(said) for said in releases]
    return {release.model: release.expected for release in found}


def marks_of(events: Iterable[Event], windows: Sequence[QualityWindow]) -> tuple[ChartMark, ...]:
    """Releases, rollbacks and refusals, each where it happened among the windows."""
    return tuple(
        ChartMark(place(event.at, windows), kind, f"{to_the_minute(event.at)} {_what(event)}")
        for event in events
        if (kind := _mark_kind(event))
    )


def _mark_kind(event: Event) -> MarkKind | None:
    if event.kind == CHALLENGED:
        return None if event.payload.get("promote") else MarkKind.REFUSAL
    return MARKS.get(event.kind)


def _what(event: Event) -> str:
    if event.kind == CHALLENGED:
        return f"refused {event.payload['model']}: {'; '.join(event.payload.get('reasons', ()))}"
    model = (event.payload.get("release") or {}).get("model", "")
    return " ".join(filter(None, [event.kind.replace("_", " "), model])) + f": {event.reason}"


def place(at: str, windows: Sequence[QualityWindow]) -> float:
    """Where a moment lies among windows numbered from 0: within the one that it falls in, or between two."""
    when = datetime.fromisoformat(at)
    passed = sum(datetime.fromisoformat(window.last_at) < when for window in windows)
    if passed == len(windows):
        return passed - 0.5
    first, last = (datetime.fromisoformat(each) for each in (windows[passed].first_at, windows[passed].last_at))
    share = (when - first) / (last - first) if last > first else 0.0
    return passed - 0.5 + max(0.0, share)


def to_the_minute(at: str) -> str:
    """2026-05-31 12:00, UTC as all times here."""
    return at[:16].replace("T", " ")
