"""Write a scenario's page: everything that people ask of it, in one file that needs no network."""

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from releve.adapters.files import write_bytes
from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.registry.registry import Registry
from releve.core.errors import BadInput
from releve.core.settings import Settings
from releve.reporting.html import render_html
from releve.reporting.page.history import PageEvidence, since_start
from releve.reporting.page.page import build
from tasks.monitoring.quality_windows import quality_windows
from tasks.places import ScenarioState

BACKTEST_FORMAT = 1
MEND_BACKTEST = "make it again with `make backtest`, or take it away"


def write_page(settings: Settings, scenario: str, *, path: Path | None = None) -> Path:
    """Write it to <home>/pages/<scenario>.html, or to `path`; return where it lies.

    Raises NotFound for a scenario that has no folder, BadInput for a backtest that cannot be read.
    """
    evidence = gather(settings, scenario, now=datetime.now(UTC))

    place = path or ScenarioState(settings.home, scenario).page
    write_bytes(place, render_html(build(evidence)).encode())
    return place


def gather(settings: Settings, scenario: str, *, now: datetime) -> PageEvidence:
    """Gather what registry, ledger and backtest know of a scenario since it was last started over."""
    with closing(Registry(settings.registry_url)) as registry:
        events, current = registry.events(scenario), registry.current(scenario)
    params = read_committed(settings, scenario).params
    return PageEvidence(
        scenario=scenario,
        made_at=now.isoformat(),
        events=since_start(events),
        windows=quality_windows(settings, scenario),
        release=current.release if current else None,
        since=current.since if current else "",
        backtest=_backtest(ScenarioState(settings.home, scenario).backtest / "backtest.json"),
        tolerance=params.trigger.quality_tolerance,
        min_rows=params.statistics.min_rows,
    )


def _backtest(path: Path) -> dict[str, object] | None:
    if not path.is_file():
        return None
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise BadInput(f"{path} is no JSON object ({error}); {MEND_BACKTEST}") from None
    if found.get("format") != BACKTEST_FORMAT:
        raise BadInput(f"{path} has format {found.get('format')!r}, expected {BACKTEST_FORMAT}; {MEND_BACKTEST}")
    return found
