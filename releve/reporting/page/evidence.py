"""Everything that a scenario's page is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from releve.domain.quality.windows import QualityWindow
from releve.domain.registry.chain import CHALLENGED, MOVES, Event
from releve.domain.registry.release import ExpectedPerformance, Release
from releve.reporting.page.history import Look, expectations_of, looks_of


@dataclass(frozen=True)
class PageEvidence:
    """`events`: since the scenario was last started over, oldest first. `backtest`: backtest.json, None where there is
    none. `release`: what serves, since `since` (ISO 8601, UTC)."""

    scenario: str
    made_at: str  # ISO 8601, UTC
    events: tuple[Event, ...] = ()
    windows: tuple[QualityWindow, ...] = ()
    release: Release | None = None
    since: str = ""
    backtest: Mapping[str, Any] | None = None

    @cached_property
    def looks(self) -> tuple[Look, ...]:
        return looks_of(self.events)

    @cached_property
    def challenges(self) -> tuple[Event, ...]:
        return tuple(event for event in self.events if event.kind == CHALLENGED)

    @cached_property
    def moves(self) -> tuple[Event, ...]:
        return tuple(event for event in self.events if event.kind in MOVES)

    @cached_property
    def expectations(self) -> dict[str, ExpectedPerformance]:
        return expectations_of(self.events)
