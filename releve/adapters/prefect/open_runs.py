"""Runs in Prefect that wait or are at work, and those whose process is gone: Prefect takes them for at work for ever.

That happens where a worker is killed together with a run. A run that is at work holds its scenario by a lease
(`flows/shared/scenario_run.py`), which ends by itself.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from releve.adapters.prefect.api import PrefectApi
from releve.domain.scheduling.deployments import ALONE, limit_name

HTTP_SECONDS = 30.0  # for all that one call asks
PAGE = 200  # things that are asked for at once, the most that Prefect tells
# Types of states; PAUSED runs wait for people, and have no process.
OPEN = ("SCHEDULED", "PENDING", "RUNNING", "CANCELLING")
LEASE_ENDS = timedelta(minutes=5)  # in a state for longer: a lease has ended by then, and a process has begun


@dataclass(frozen=True)
class OpenRun:
    """A run of a scenario that has not ended."""

    id: str
    name: str
    scenario: str
    state: str  # of OPEN
    created: datetime
    state_since: datetime
    is_alone: bool  # it holds its scenario, or waits until it does


def open_runs(api: PrefectApi) -> list[OpenRun]:
    """Runs of scenarios that wait or are at work, whoever started them. Raises PrefectUnavailable."""
    until, found, place = time.monotonic() + HTTP_SECONDS, list[OpenRun](), 0
    while True:
        wanted = {"flow_runs": {"state": {"type": {"any_": OPEN}}}, "offset": place, "limit": PAGE}
        page = api.ask("POST", "/flow_runs/filter", wanted, until=until).json()
        for run in page:
            is_planned = run["state_type"] == "SCHEDULED" and run["auto_scheduled"]  # no run yet
            if "scenario" in run["parameters"] and not is_planned:
                found.append(
                    OpenRun(
                        id=run["id"],
                        name=run["name"],
                        scenario=str(run["parameters"]["scenario"]),
                        state=run["state_type"],
                        created=datetime.fromisoformat(run["created"]),
                        state_since=datetime.fromisoformat(run["state"]["timestamp"]),
                        is_alone=ALONE in run["tags"],
                    )
                )
        if len(page) < PAGE:
            return found
        place += PAGE


def end_lost(api: PrefectApi, runs: Iterable[OpenRun], *, now: datetime) -> list[OpenRun]:
    """Say of runs whose process is gone that they crashed, and return them. Raises PrefectUnavailable."""
    until = time.monotonic() + HTTP_SECONDS
    old = [run for run in runs if now - run.state_since > LEASE_ENDS]
    suspects = [run for run in old if run.state == "RUNNING" and run.is_alone]
    held = _held_limits(api, until) if suspects else set()
    lost = [run for run in old if run.state == "PENDING"]
    lost += [run for run in suspects if limit_name(run.scenario) not in held]
    for run in lost:
        state = {"type": "CRASHED", "name": "Crashed", "message": "its process is gone, with its worker"}
        api.ask("POST", f"/flow_runs/{run.id}/set_state", {"state": state, "force": True}, until=until)
    return lost


def _held_limits(api: PrefectApi, until: float) -> set[str]:
    """Names of the global concurrency limits that somebody holds."""
    found, place = set[str](), 0
    while True:
        asked = {"offset": place, "limit": PAGE}
        page = api.ask("POST", "/v2/concurrency_limits/filter", asked, until=until).json()
        found |= {limit["name"] for limit in page if limit["active_slots"]}
        if len(page) < PAGE:
            return found
        place += PAGE
