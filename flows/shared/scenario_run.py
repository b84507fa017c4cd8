"""What makes a flow's run one of a scenario: its tags, and that no other one of the scenario is at work.

Two locks are held as long as it works: the kernel's on this machine (`releve/adapters/scenario_lock.py`), which every
step takes, also without a Prefect server, and between machines a lease of a global concurrency limit of Prefect.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import wraps
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import ConcurrencyLeaseHolder
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectAlreadyExists

from flows.shared.context import check_scenario
from releve.adapters.files import write_bytes
from releve.adapters.scenario_lock import ScenarioBusy, scenario_lock
from releve.core.progress import Reminder
from releve.core.settings import Settings
from releve.domain.scheduling.deployments import ALONE, limit_name, reason_tag, scenario_tag

# After the last sign of life of a holder that was killed; the server looks every 15 s, which makes 75 at most. Prefect
# takes no shorter ones.
LEASE_SECONDS = 60.0
RENEWAL_SECONDS = 15.0  # so that a server may be away for 45
POLL_SECONDS = 2.0
LOCKED = httpx.codes.LOCKED


def scenario_run(*, alone: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Tag the runs of a flow's function; `alone`: let one begin once no other of its scenario is at work anywhere.

    Raises ScenarioBusy where it waited for RELEVE_WAIT_SECONDS in vain.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(scenario: str, *arguments: Any, **named: Any) -> Any:
            tag_run(scenario, *([ALONE] if alone else []))
            settings = check_scenario(scenario)
            with hold(settings, scenario, holder=function.__name__) if alone else nullcontext():
                return function(scenario, *arguments, **named)

        return run

    return decorate


def tag_run(scenario: str, *more: str) -> None:
    """Give the run that is at work the tags by which people find it, whoever started it, and more."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None:
        return
    tags = {*run.tags, scenario_tag(scenario), *more}
    if not any(tag.startswith(reason_tag("")) for tag in tags):
        by_automation = run.created_by is not None and run.created_by.type == "AUTOMATION"
        tags.add(reason_tag("schedule" if run.auto_scheduled else "event" if by_automation else "by-hand"))
    if tags != {*run.tags}:
        with get_client(sync_client=True) as client:
            client.update_flow_run(run.id, tags=sorted(tags))


@contextmanager
def hold(settings: Settings, scenario: str, *, holder: str) -> Iterator[None]:
    """Be the only run of the scenario, on whatever machine, as long as this lasts."""
    until = time.monotonic() + settings.wait_seconds
    with scenario_lock(settings.home, scenario, holder=holder, wait_seconds=settings.wait_seconds) as lock:
        noted = lock.path.with_suffix(".lease")
        with get_client(sync_client=True) as client:
            if noted.exists():  # whoever wrote it held the lock that is held here now: it was killed
                with suppress(httpx.HTTPStatusError, ValueError):
                    client.release_concurrency_slots_with_lease(UUID(noted.read_text()))
            with suppress(ObjectAlreadyExists):  # another machine made it at this moment
                client.upsert_global_concurrency_limit_by_name(limit_name(scenario), 1)
        lease = _Lease(scenario, noted)
        lease.wait_for_place(until, settings.wait_seconds)
        lease.start()
        try:
            yield
        finally:
            lease.give_back()


class _Lease(Thread):
    """A place in the limit, renewed until it is given back; a killed process renews no more.

    A server that is away for long ends the lease, and not the run: it takes a place again as soon as it can, and the
    lock on its machine is held all the while. Prefect's own `concurrency` gives up after three attempts.
    """

    def __init__(self, scenario: str, noted: Path) -> None:
        """`noted`: the file that names the lease for who comes after a killed holder."""
        super().__init__(name=f"lease of {scenario}", daemon=True)
        self._scenario = scenario
        self._noted = noted
        self._over = Event()
        context = FlowRunContext.get()
        run = context.flow_run if context else None
        self._holder = ConcurrencyLeaseHolder(type="flow_run", id=run.id) if run else None
        self._id: UUID | None = None

    def wait_for_place(self, until: float, wait_seconds: float) -> None:
        reminder = Reminder(at_once=True)
        while not self._take_place():
            busy = f"another run of {self._scenario} is at work on another machine, or was killed there just now"
            if time.monotonic() >= until:
                raise ScenarioBusy(
                    f"{busy}; waited {wait_seconds:g} s (RELEVE_WAIT_SECONDS): try again when it has ended. Prefect's "
                    f"page lists it by the tag {scenario_tag(self._scenario)}"
                )
            if reminder.is_due():
                print(f"{busy}; waiting up to {wait_seconds:g} s, {reminder.elapsed:.0f} s so far", flush=True)
            time.sleep(POLL_SECONDS)

    def run(self) -> None:
        while not self._over.wait(RENEWAL_SECONDS):
            with suppress(httpx.HTTPError):  # away: the next time
                self._renew()

    def give_back(self) -> None:
        """End the lease; where the server is away, it ends by itself."""
        self._over.set()
        self.join()
        with suppress(httpx.HTTPError), get_client(sync_client=True) as client:
            if self._id:
                client.release_concurrency_slots_with_lease(self._id)
            self._noted.unlink(missing_ok=True)

    def _renew(self) -> None:
        if self._id is None:
            self._take_place()
            return
        with get_client(sync_client=True) as client:
            try:
                client.renew_concurrency_lease(self._id, LEASE_SECONDS)
            except httpx.HTTPStatusError as error:
                if error.response.status_code == httpx.codes.GONE:
                    self._id = None

    def _take_place(self) -> bool:
        names = [limit_name(self._scenario)]
        with get_client(sync_client=True) as client:
            try:
                answer = client.increment_concurrency_slots_with_lease(
                    names, slots=1, mode="concurrency", lease_duration=LEASE_SECONDS, holder=self._holder
                )
            except httpx.HTTPStatusError as error:
                if error.response.status_code != LOCKED:
                    raise
                return False
        self._id = UUID(answer.json()["lease_id"])
        write_bytes(self._noted, str(self._id).encode())
        return True
