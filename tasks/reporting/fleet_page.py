"""Write the operator's start page: what needs a person in any scenario, and the table of all of them."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from releve.adapters.files import scenario_names, write_bytes
from releve.adapters.git_dvc.committed import read_committed, read_committed_settings
from releve.adapters.registry.registry import Registry, RegistryUnavailable
from releve.core.errors import ReleveError
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.attention.needs import ScenarioFacts
from releve.domain.attention.standing import RECENT, Standing, in_order, stand
from releve.domain.registry.chain import CHALLENGED, INGESTED, NOTED, REBUILT, RELEASED
from releve.reporting.blocks import ReportPage
from releve.reporting.html import render_html
from releve.reporting.start_page import build_start_page
from tasks.fleet import wrong_at_last_look
from tasks.monitoring.needs import gather_facts
from tasks.places import ScenarioState, start_page

SHOWN_NOTES = 20  # of the team, the newest of all scenarios
NEEDED = ("silence_hours", "follow")  # keys of params.yaml that tell what needs a person
COUNTED = (INGESTED, CHALLENGED, RELEASED, REBUILT)


@dataclass(frozen=True)
class FleetPage:
    """The page, where it lies, and what it was made of: those that need a person first."""

    path: Path
    page: ReportPage
    standings: tuple[Standing, ...]
    made_at: str  # ISO 8601, UTC


def write_fleet_page(settings: Settings, *, path: Path | None = None, now: datetime | None = None) -> FleetPage:
    """Write <home>/pages/index.html, or `path`. A scenario that cannot be read is on it, and stops no other.

    Raises RegistryUnavailable, and BadInput for a params.yaml that cannot be read.
    """
    now = now or datetime.now(UTC)
    standings = tuple(in_order(all_standings(settings, now=now)))

    place = path or start_page(settings.home)
    pages = {one.scenario: ScenarioState(settings.home, one.scenario).page for one in standings}
    addresses = {
        scenario: quote(os.path.relpath(page, place.parent)) for scenario, page in pages.items() if page.is_file()
    }
    with closing(Registry(settings.registry_url)) as registry:
        notes = registry.events(kinds=(NOTED,))[-SHOWN_NOTES:]
    page = build_start_page(standings, made_at=now.isoformat(), addresses=addresses, notes=notes)
    write_bytes(place, render_html(page).encode())
    return FleetPage(place, page, standings, now.isoformat())


def all_standings(settings: Settings, *, now: datetime) -> Iterator[Standing]:
    """Read one scenario after another: those with a folder in the project, and nothing of the archived ones."""
    names = scenario_names(settings.project)
    suspects = {*wrong_at_last_look(settings.home)}
    with closing(Registry(settings.registry_url)) as registry:
        for scenario, params in read_committed_settings(settings, names, keys=NEEDED):
            yield _standing(settings, registry, scenario, params, now, is_suspect=scenario in suspects)


def _standing(
    settings: Settings,
    registry: Registry,
    scenario: str,
    params: Params | ReleveError,
    now: datetime,
    *,
    is_suspect: bool,
) -> Standing:
    try:
        if isinstance(params, ReleveError):
            raise params
        if is_suspect:
            read_committed(settings, scenario)  # the whole file, which is 10 ms
        facts = gather_facts(settings, registry, scenario, params, now=now)
        return stand(facts, registry.lines(scenario, kinds=COUNTED, since=now - RECENT))
    except ReleveError as error:
        if isinstance(error, RegistryUnavailable):
            registry.pointers()  # is it away for every scenario, or was one event of this one changed?
        return stand(ScenarioFacts(scenario, now.isoformat(), problem=str(error)), ())
