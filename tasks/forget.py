"""Start a scenario over: nothing serves, and its rows, answers and branch are set aside, not deleted."""

from datetime import UTC, datetime
from pathlib import Path

from releve.adapters.files import read_scenario
from releve.adapters.registry import Registry
from releve.adapters.scenario_branch import ScenarioBranch
from releve.adapters.scenario_lock import scenario_lock
from releve.rules.chain import FORGOTTEN, WITHDRAWN
from releve.settings import Settings
from tasks.places import ScenarioState
from tasks.stage import Stage, run


def forget(settings: Settings, scenario: str, *, reason: str, actor: str = "forget") -> Path:
    """Withdraw the release, keep the branch under refs/releve/archive, move the state below <home>/archive.

    Returns the folder that the state was moved to. The registry's history stays.
    """
    read_scenario(settings.project, scenario)
    state = ScenarioState(settings.home, scenario)
    name = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    archive = settings.home / "archive" / f"{scenario}-{name}"
    with scenario_lock(settings.home, scenario, holder="forget"):
        registry = Registry(settings.registry_url)
        if current := registry.current(scenario):
            registry.move(scenario, WITHDRAWN, expected=current.number, release=None, reason=reason, actor=actor)
        registry.append(scenario, FORGOTTEN, reason=reason, actor=actor, payload={"archive": archive.name})
        ScenarioBranch(settings.project, scenario).set_aside(name)
        for folder in (
            state.incoming,
            state.ingested,
            state.refused,
            state.quarantine,
            state.mend,
            state.pulled,
            state.ledger,
            state.harvest,
            state.reports,
        ):
            if folder.is_dir():
                archive.mkdir(parents=True, exist_ok=True)
                folder.replace(archive / folder.parent.name)
    return archive


def _forget(stage: Stage) -> None:
    archive = forget(stage.settings, stage.files.scenario, reason="started over by hand")
    print(f"{stage.files.scenario} starts over; what was there is in {archive} and under refs/releve/archive/")


if __name__ == "__main__":
    run(_forget)
