"""Turns of the loop for many scenarios in one run of one process: a mapped task for each of them.

A run of `lifecycle` for each would cost a second of Prefect's and a process of imports; a task costs milliseconds. What
the turn of a scenario needs of DVC are forks of one server (releve/adapters/forks), which all of them share. Where
compute.address names a Dask cluster, a task waits for a worker there, which takes the turn as a plain function.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.shared.context import RETRY_SECONDS, helped, may_succeed, read_settings
from flows.shared.publish import update_start_page
from flows.shared.states import alert_of_fleet, completed, unless_attention
from releve.adapters.compute import capacity
from releve.adapters.git_dvc.committed import head_of, read_committed_base
from releve.core.errors import ReleveError, explained_storage
from releve.core.progress import show_progress
from releve.reporting.messages.fleet import describe_turn, describe_turns
from tasks.turn import ScenarioTurn, TakeDeliveries, turn_workers, waiting_deliveries


@dataclass(frozen=True)
class Turns:
    """What became of the scenarios of one run."""

    turns: dict[str, ScenarioTurn]
    failed: dict[str, str]  # a sentence each
    done_before: tuple[str, ...]  # nothing waited for them


@task(
    name="turn",
    task_run_name="{scenario}",
    cache_policy=NO_CACHE,
    retries=len(RETRY_SECONDS),
    retry_delay_seconds=RETRY_SECONDS,
    retry_condition_fn=may_succeed,
)
def turn(take: TakeDeliveries, scenario: str, deliveries: Path) -> ScenarioTurn:
    """All waiting deliveries of one scenario."""
    with explained_storage():
        return take(scenario, deliveries)


@flow(name="turns", log_prints=True)
def turns(
    scenarios: Annotated[list[str], helped("Folders of scenarios/.")],
    deliveries: Annotated[str, helped("A folder with a folder of files for each.")],
) -> Any:
    """Take the turns of all scenarios for which files wait in deliveries/<scenario>. Ends with the Turns.

    A scenario that fails stops no other: the run Needs attention then, and says why for each.
    """
    settings = read_settings()
    settings = replace(settings, revision=head_of(settings))
    compute = read_committed_base(settings).compute
    folders = {name: Path(deliveries) / name for name in scenarios}
    waiting = [name for name in scenarios if waiting_deliveries(folders[name])]
    done, failed = dict[str, ScenarioTurn](), dict[str, str]()
    with turn_workers(settings, compute, Path(deliveries)) as take, show_progress() as tell:
        futures = turn.map(unmapped(take), waiting, [folders[name] for name in waiting])
        names = {future.task_run_id: name for future, name in zip(futures, waiting, strict=True)}
        tell(f"0 of {len(waiting)} scenarios")
        for future in as_completed(futures):
            name, result = names[future.task_run_id], future.result(raise_on_failure=False)
            if isinstance(result, ScenarioTurn):
                done[name] = result
                line = describe_turn(name, result)
            else:
                failed[name] = str(result) if isinstance(result, ReleveError) else f"{type(result).__name__}: {result}"
                line = f"{name} failed: {failed[name]}"
            print(line)
            tell(f"{len(done) + len(failed)} of {len(waiting)} scenarios, {len(failed)} failed; the last: {name}")
    update_start_page(settings)
    before = tuple(name for name in scenarios if name not in names.values())
    told = describe_turns(done, len(failed), done_before=len(before))
    sentences = [f"{name}: {why}" for name, why in sorted(failed.items())]
    if sentences:
        alert_of_fleet(sentences)
    return unless_attention(sentences, completed(told, Turns(done, failed, before)))


def run_turns(scenarios: Sequence[str], deliveries: Path, *, at_once: int = 0) -> Any:
    """Run the flow here and now, `at_once` scenarios at a time, 0 for as many as `compute` has room for, and return its
    final state. Raises Unavailable."""
    compute = read_committed_base(read_settings()).compute
    runner = ThreadPoolTaskRunner(max_workers=at_once or capacity(address=compute.address, workers=compute.workers))
    return turns.with_options(task_runner=runner)(list(scenarios), os.fspath(deliveries), return_state=True)
