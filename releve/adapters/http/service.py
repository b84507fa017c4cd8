"""The running HTTP service of this machine, as the flows see it."""

import time
from dataclasses import dataclass

from releve.adapters.http.clients import local_client
from releve.core.errors import Unavailable
from releve.core.progress import Reminder

ASK_SECONDS = 5.0
POLL_SECONDS = 0.1
SWAP_SECONDS = 30.0  # that a release waits for the running service to take it over
AGREEMENTS = 3  # answers in a row that name the release, so that more than one worker is heard


class SwapTimeout(Unavailable):
    """The service runs, but did not take the release over in time."""

    code = "swap_timeout"


@dataclass(frozen=True)
class ServiceStatus:
    """What one worker of a service says that it serves."""

    scenario: str
    model: str | None  # None: nothing is released yet
    pinned: bool  # to one model version: it never reads the registry

    def follows(self, scenario: str) -> bool:
        """Whether a release of `scenario` reaches it."""
        return self.scenario == scenario and not self.pinned


def service_status(port: int) -> ServiceStatus | None:
    """Ask what serves now; None when no service of ours answers."""
    import httpx

    try:
        with local_client(port, seconds=ASK_SECONDS) as client:
            status = client.post("/status", json={}).raise_for_status().json()
        model, release = status["model_version"], status["release"]
        return ServiceStatus(status["scenario"], model, pinned=model is not None and release is None)
    except (httpx.HTTPError, OSError, ValueError, KeyError, TypeError):  # away, cut off, or somebody else's program
        return None


def wait_until_serving(port: int, model: str, *, scenario: str, seconds: float = SWAP_SECONDS) -> bool:
    """Wait until the service answers with `model`. Raises SwapTimeout.

    False when no service here follows the releases of `scenario`: none runs, or it serves another scenario or is
    pinned to one model version.
    """
    deadline, reminder, heard = time.monotonic() + seconds, Reminder(), 0
    if not listens(port):
        return False
    while heard < AGREEMENTS:
        status = service_status(port)
        if status is not None and not status.follows(scenario):
            return False
        heard = heard + 1 if status is not None and status.model == model else 0
        if time.monotonic() > deadline:
            raise SwapTimeout(
                f"the service on port {port} does not answer with {model} after {seconds:g} s; the release stands in "
                "the registry. Read the service's log for why it cannot load it, or roll back"
            )
        if reminder.is_due():
            so_far = f"{reminder.elapsed:.0f} s so far"
            print(f"waiting for the service on port {port} to answer with {model}, {so_far}", flush=True)
        time.sleep(POLL_SECONDS)
    return True


def listens(port: int) -> bool:
    """Whether the service of this machine is up."""
    import httpx

    try:
        with local_client(port, seconds=ASK_SECONDS) as client:
            return bool(client.get("/livez").is_success)
    except (httpx.HTTPError, OSError):
        return False
