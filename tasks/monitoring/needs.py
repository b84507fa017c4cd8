"""Gather what is known of a scenario, and say what of it needs a person."""

from contextlib import closing
from datetime import UTC, datetime

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.prediction_ledger.segments import oldest_open_day
from releve.adapters.registry.registry import Registry
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.attention.needs import (
    TELLING,
    Need,
    RefusedFile,
    ScenarioFacts,
    is_told,
    telling_runs,
    what_needs_a_person,
)
from releve.domain.registry.chain import APPROVAL_REQUESTED, ARCHIVED, INGESTED, MONITORED, since_archived
from tasks.history import newest_of, read_approval
from tasks.ingestion.ingest import NOTE
from tasks.places import ScenarioState


def needs_of(settings: Settings, scenario: str, *, now: datetime | None = None) -> tuple[Need, ...]:
    """Return what needs a person in one scenario, the newest first.

    Raises NotFound for a scenario that has no folder, BadInput for wrong params, RegistryUnavailable.
    """
    params = read_committed(settings, scenario).params
    with closing(Registry(settings.registry_url)) as registry:
        return what_needs_a_person(gather_facts(settings, registry, scenario, params, now=now or datetime.now(UTC)))


def gather_facts(
    settings: Settings, registry: Registry, scenario: str, params: Params, *, now: datetime
) -> ScenarioFacts:
    """Read a few events of the registry, the names of the refused files and of the ledger's, and no content."""
    current = registry.current(scenario)
    newest = since_archived(registry.newest_of_each(scenario, kinds=(*TELLING, MONITORED, ARCHIVED)))
    runs = telling_runs(event for event in newest if event.kind == MONITORED)
    if runs and not is_told(runs):
        runs = telling_runs(newest_of(registry, scenario, MONITORED))
    ingested = next((event.number for event in newest if event.kind == INGESTED), 0)
    batches = []
    if current and ingested > current.number:  # the index has to follow all of these
        batches = registry.events(scenario, kinds=[INGESTED], after=current.number)
    was_asked = any(event.kind == APPROVAL_REQUESTED for event in newest)
    by_number = {event.number: event for event in (*newest, *batches)}
    state = ScenarioState(settings.home, scenario)
    return ScenarioFacts(
        scenario=scenario,
        made_at=now.isoformat(),
        events=tuple(by_number[number] for number in sorted(by_number)),
        runs=runs,
        release=current.release if current else None,
        approval=read_approval(registry, scenario) if was_asked else None,
        since=current.since if current else "",
        refused=_refused_files(state),
        oldest_ledger_day=oldest_open_day(state.ledger),
        silence_hours=params.alerts.silence_hours,
        follows_index=params.index.follow,
    )


def _refused_files(state: ScenarioState) -> tuple[RefusedFile, ...]:
    """List them with the time of their notes; what a person put there has no note, and its own time."""
    if not state.refused.is_dir():
        return ()
    times = {path.name: path.lstat().st_mtime for path in state.refused.iterdir() if not path.name.startswith(".")}
    return tuple(
        RefusedFile(name, datetime.fromtimestamp(times.get(f"{name}{NOTE}", at), UTC).isoformat())
        for name, at in sorted(times.items())
        if not name.endswith(NOTE)
    )
