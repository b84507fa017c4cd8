"""Write a scenario's page: everything that people ask of it, in one file that needs no network."""

from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from releve.adapters.files import read_document, write_bytes
from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.core.errors import NotFound
from releve.core.settings import Settings
from releve.domain.backtest.report import BacktestReport
from releve.domain.health.history import HealthLimits, as_judged
from releve.domain.registry.chain import since_archived
from releve.reporting.html import render_html
from releve.reporting.page.evidence import PageEvidence
from releve.reporting.page.page import build
from tasks.monitoring.quality_windows import quality_windows
from tasks.places import ScenarioState


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
    incoming = ScenarioState(settings.home, scenario).incoming
    shown = incoming.relative_to(settings.project) if incoming.is_relative_to(settings.project) else incoming
    waiting = [path for path in incoming.iterdir() if not path.name.startswith(".")] if incoming.is_dir() else []
    ensemble = None
    if current:
        with suppress(NotFound):
            ensemble = ModelStore(settings.home).describe(current.release.model).ensemble
    return PageEvidence(
        scenario=scenario,
        made_at=now.isoformat(),
        events=tuple(since_archived(events)),
        windows=as_judged(quality_windows(settings, scenario), since_archived(events)),
        release=current.release if current else None,
        since=current.since if current else "",
        ensemble=ensemble,
        backtest=_backtest(ScenarioState(settings.home, scenario).backtest / "backtest.json", scenario),
        limits=HealthLimits(
            min_rows=params.statistics.min_rows,
            pooled_rows=params.monitor.window_rows,
            tolerance=params.trigger.quality_tolerance,
            max_idle_days=params.age.max_idle_days,
        ),
        incoming=f"{shown}/",
        waiting=len(waiting),
    )


def _backtest(path: Path, scenario: str) -> BacktestReport | None:
    if not path.is_file():
        return None
    remedy = f"make it again (make backtest SCENARIO={scenario}), or remove it"
    return read_document(path, BacktestReport, source=str(path), remedy=remedy)
