"""What makes a flow's run one of a scenario: its tags, and that no other one of the scenario is at work.

The lock on this machine (`releve/adapters/scenario_lock.py`) is taken by each step, also without a Prefect server. This
one holds between machines: a global concurrency limit of Prefect, whose lease ends by itself when its holder is killed.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import wraps
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectAlreadyExists

from releve.adapters.scenario_lock import ScenarioBusy
from releve.core.settings import Settings
from releve.domain.scheduling.deployments import reason_tag, scenario_tag

LEASE_SECONDS = 60.0  # after a killed holder's last sign of life; the server looks every 15 s, which makes 75 at most
ASK_SECONDS = 5.0  # that a server has to answer where a run does not wait for others


def scenario_run(*, alone: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Tag the runs of a flow's function; `alone`: let one begin once no other of its scenario is at work anywhere.

    Raises ScenarioBusy where it waited for RELEVE_WAIT_SECONDS in vain.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(scenario: str, *arguments: Any, **named: Any) -> Any:
            tag_run(scenario)
            with hold(scenario) if alone else nullcontext():
                return function(scenario, *arguments, **named)

        return run

    return decorate


def tag_run(scenario: str) -> None:
    """Give the run that is at work the tags by which people find it, whoever started it."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None:
        return
    tags = {*run.tags, scenario_tag(scenario)}
    if not any(tag.startswith(reason_tag("")) for tag in tags):
        by_automation = run.created_by is not None and run.created_by.type == "AUTOMATION"
        tags.add(reason_tag("schedule" if run.auto_scheduled else "event" if by_automation else "by-hand"))
    if tags != {*run.tags}:
        with get_client(sync_client=True) as client:
            client.update_flow_run(run.id, tags=sorted(tags))


@contextmanager
def hold(scenario: str) -> Iterator[None]:
    """Be the only run of the scenario, on whatever machine, as long as this lasts."""
    name = f"scenario-{scenario}"
    with get_client(sync_client=True) as client:
        with suppress(ObjectAlreadyExists):  # another run made it at this moment
            client.upsert_global_concurrency_limit_by_name(name, 1)
        if client.read_global_concurrency_limit_by_name(name).active_slots:
            print(f"another run of {scenario} is at work, or was killed just now: this one waits for it")
    seconds = Settings.from_environ(os.environ, cwd=Path.cwd()).wait_seconds
    with ExitStack() as stack:
        try:
            stack.enter_context(
                concurrency(
                    name,
                    strict=True,
                    timeout_seconds=max(seconds, ASK_SECONDS),
                    lease_duration=LEASE_SECONDS,
                    # A server that is away for long ends the lease, and not the run: the lock on this machine holds.
                    raise_on_lease_renewal_failure=False,
                )
            )
        except TimeoutError:
            raise ScenarioBusy(
                f"another run of {scenario} is at work; waited {seconds} s (RELEVE_WAIT_SECONDS): try again once it "
                f"has ended. The Prefect UI lists it by the tag {scenario_tag(scenario)}"
            ) from None
        yield
