"""One scenario's turns of the loop, without a flow around them: files become rows, and the newest model serves."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from releve.adapters.compute import open_workers
from releve.adapters.registry.registry import Registry
from releve.adapters.scenario_lock import one_at_a_time, scenario_lock
from releve.core.errors import NotFound, ReleveError, explained_storage
from releve.core.params import Compute
from releve.core.settings import Settings
from releve.domain.registry.events import Challenger
from tasks.history import last_challenger
from tasks.ingestion.ingest import check_refusals, ingest
from tasks.monitoring.monitor import monitor
from tasks.places import ScenarioState
from tasks.release.release import release
from tasks.retraining.retrain import retrain

REASON = "a turn of the fleet"
EMBEDDED_INDEX = "locks/embedded-index"  # one process has its file, and who closes it takes it from all its threads


@dataclass(frozen=True)
class ScenarioTurn:
    """What a turn did."""

    monitored: bool = False
    challenger: str = ""  # that was made, or waited for its release; "": no refresh was due
    serves: str = ""  # the model that serves after it; "": none


TakeDeliveries = Callable[[str, Path], ScenarioTurn]  # of a scenario, from a folder; safe to call side by side


class TurnEnded(ReleveError):
    """The processes that took a turn died."""

    code = "turn_ended"


@contextmanager
def turn_workers(settings: Settings, compute: Compute, deliveries: Path) -> Iterator[TakeDeliveries]:
    """Take turns in this process, or on the workers of the cluster that compute.address names, until the block ends.

    A turn works in files: the workers have to see project, home and deliveries at the same places. One whose worker
    dies is taken again by another worker, and raises TurnEnded where four have died. Raises Unavailable.
    """
    if not compute.address:
        yield partial(take_deliveries, settings)
        return
    folders = [settings.project, settings.home, deliveries]
    with open_workers(
        _take_on_worker, settings, address=compute.address, workers=compute.workers, sees=folders
    ) as workers:

        def take(scenario: str, waiting: Path) -> ScenarioTurn:
            outcome = workers.call((scenario, waiting))
            if outcome.problem:
                raise TurnEnded(f"{outcome.problem}; what it had done is kept, and the same command goes on from there")
            turn: ScenarioTurn = outcome.value
            return turn

        yield take


def _take_on_worker(settings: Settings, item: tuple[str, Path]) -> ScenarioTurn:
    with explained_storage():
        return take_deliveries(settings, *item)


def take_deliveries(settings: Settings, scenario: str, deliveries: Path) -> ScenarioTurn:
    """Let the files of a folder arrive in the order of their names, take a turn after each, and return the last one.

    A file leaves the folder once its turn has ended: whoever calls this again goes on there.
    """
    turn = ScenarioTurn()
    incoming = ScenarioState(settings.home, scenario).incoming
    for file in waiting_deliveries(deliveries):
        incoming.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # of a turn that was killed; one that was ingested is known as a duplicate
            os.link(file, incoming / file.name)
        turn = take_turn(settings, scenario)
        file.unlink()
    return turn


def waiting_deliveries(folder: Path) -> list[Path]:
    """Files whose turn has not ended yet, in order."""
    return sorted(folder.glob("*.csv"))


def take_turn(settings: Settings, scenario: str) -> ScenarioTurn:
    """Ingest what waits, monitor what serves, and where a refresh is due make a challenger; release an accepted one.

    A turn that was killed is taken again from its beginning: what was ingested, judged or released stays so. Raises
    BadInput for a refused file once the others are ingested, and what the steps raise.
    """
    with scenario_lock(settings.home, scenario, holder="turn", wait_seconds=settings.wait_seconds):
        check_refusals(ingest(settings, scenario))
        registry = Registry(settings.registry_url)
        serving = registry.current(scenario)
        challenger = None
        if serving:
            seen = monitor(settings, scenario)
            if not seen.decision.refresh:
                challenger = _unreleased(registry, scenario, champion=serving.release.model)
                if challenger is None:
                    return ScenarioTurn(monitored=True, serves=serving.release.model)
        challenger = challenger or retrain(settings, scenario, reason=REASON)
        if challenger.promote:
            index = nullcontext() if "://" in settings.milvus_uri else one_at_a_time(settings.home / EMBEDDED_INDEX)
            with index:
                release(settings, scenario, model=challenger.model)
        current = registry.current(scenario)
        return ScenarioTurn(serving is not None, challenger.model, current.release.model if current else "")


def _unreleased(registry: Registry, scenario: str, *, champion: str) -> Challenger | None:
    """The accepted challenger of a turn that was killed before its release."""
    try:
        newest = last_challenger(registry, scenario)
    except NotFound:
        return None
    taken_back = registry.taken_back(scenario)
    is_free = newest.promote and newest.champion == champion != newest.model
    return newest if is_free and not (taken_back and taken_back.model == newest.model) else None
