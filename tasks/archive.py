"""Start a scenario over: nothing serves, and its rows, answers and branch are set aside, not deleted.

The scenario's folder may be gone already.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from releve.adapters.files import read_scenario
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.registry.registry import Registry
from releve.adapters.scenario_lock import scenario_lock
from releve.core.errors import ReleveError
from releve.core.names import check_scenario_name
from releve.core.settings import Settings
from releve.domain.registry.chain import ALERTED
from releve.domain.registry.events import ModelWithdrawn, ScenarioArchived
from tasks.monitoring.alert import alert
from tasks.places import ScenarioState


@dataclass(frozen=True)
class ArchivedScenario:
    """What was set aside; "" where there was nothing."""

    archive: Path  # the folder that the state was moved to; made where there was any
    moved: tuple[str, ...]  # names of its folders, and of its page
    branch: str  # the ref that keeps the branch
    withdrawn: str  # the model that served
    alerts: tuple[str, ...] = ()  # the ends of the alarms that lasted, and what could not be sent


def archive_scenario(settings: Settings, scenario: str, *, reason: str, actor: str = "archive") -> ArchivedScenario:
    """Withdraw the release, keep the branch under refs/releve/archive, move the state below <home>/archive.

    The registry's history stays. Raises NotFound for a scenario that has no folder and left nothing behind.
    """
    state = ScenarioState(settings.home, check_scenario_name(scenario))
    registry = Registry(settings.registry_url)
    places = [place for place in state.folders if place.is_dir()]
    if not places and not ScenarioBranch(settings.project, scenario).tip() and scenario not in registry.scenarios():
        read_scenario(settings.project, scenario)  # raises NotFound, naming those that have a folder
    name = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    archive = settings.home / "archive" / f"{scenario}-{name}"
    with scenario_lock(settings.home, scenario, holder="archive"):
        current = registry.current(scenario)
        if current:
            registry.move(scenario, ModelWithdrawn(), expected=current.number, reason=reason, actor=actor)
        registry.append(scenario, ScenarioArchived(archive=archive.name), reason=reason, actor=actor)
        branch = ScenarioBranch(settings.project, scenario).set_aside(name)
        moved = {place: place.parent.name for place in state.folders if place.exists()}
        moved |= {state.page: state.page.name} if state.page.exists() else {}
        for place, kept in moved.items():
            archive.mkdir(parents=True, exist_ok=True)
            place.replace(archive / kept)
    withdrawn, alerts = current.release.model if current else "", []
    if registry.events(scenario, kinds=[ALERTED]):  # the alarms that people know of end
        try:
            done = alert(settings, scenario, actor="archive")
            waiting = [f"{len(done.waiting)} messages wait for the next time: {done.away}"] if done.waiting else []
            alerts = [*(message.text for message in done.made), *done.given_up, *waiting]
        except ReleveError as error:  # a message that cannot be sent stops nothing
            alerts = [f"no message that its alarms are over could be sent: {error}"]
    return ArchivedScenario(archive, tuple(moved.values()), branch, withdrawn, tuple(alerts))


def report(done: ArchivedScenario, settings: Settings, scenario: str) -> str:
    """What was set aside, and what is as it was."""
    folder = settings.project / "scenarios" / scenario
    lines = [
        f"{scenario} starts over" if folder.is_dir() else f"{scenario}, whose folder is gone, is archived",
        f"  serves no longer: {done.withdrawn}" if done.withdrawn else "",
        f"  set aside in {done.archive}: {', '.join(done.moved)}" if done.moved else "  there were no files of it",
        f"  its branch is kept as {done.branch}" if done.branch else "",
        *(f"  alert: {line}" for line in done.alerts),
        f"  kept as they were: its model versions, their cards, its index versions and its history in {settings.home}"
        + (f", and {folder}" if folder.is_dir() else ""),
    ]
    return "\n".join(filter(None, lines))
