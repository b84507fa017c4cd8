"""The running HTTP service of this machine, as the flows see it."""

import time
from dataclasses import dataclass

from releve.adapters.http.clients import local_client
from releve.core.errors import BadInput, Unavailable
from releve.core.progress import Reminder
from releve.core.settings import LOOPBACK

ASK_SECONDS = 5.0
POLL_SECONDS = 0.1
SWAP_SECONDS = 30.0  # that a release waits for the running service to take it over
NOTICE_SECONDS = 2.0  # within which a service has noticed a scenario's first release
UNKNOWN_SCENARIO = "unknown_scenario"  # the code of the service's error for one that it does not serve
AGREEMENTS = 3  # answers in a row that name the release, so that more than one worker is heard


class SwapTimeout(Unavailable):
    """The service runs, but did not take the release over in time."""

    code = "swap_timeout"


class TokenRefused(BadInput):
    """The service asks for a token, and this process has none, or another one."""

    code = "token_refused"


@dataclass(frozen=True)
class ServiceStatus:
    """What one worker of a service answers a scenario with."""

    model: str | None  # None: nothing that it could load yet
    follows: bool  # whether a release of the scenario reaches it: it serves it, and is not pinned to one version


def service_status(port: int, scenario: str, *, token: str = "") -> ServiceStatus | None:
    """Ask what answers for `scenario`, which is loaded for that; None when no service of ours answers.

    `token`: of a service that asks for one (`Settings.service_token`). Raises TokenRefused where it is not that one.
    """
    import httpx

    try:
        with local_client(port, seconds=ASK_SECONDS) as client:
            sent = {"authorization": f"Bearer {token}"} if token else {}
            answer = client.get(f"/scenarios/{scenario}/ready", headers=sent)
        values = answer.json()
        if answer.status_code == httpx.codes.OK:
            return ServiceStatus(str(values["model_version"]), follows=bool(values["follows"]))
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise TokenRefused(
                f"the service on port {port} asks for a token, and {'refuses ours' if token else 'none is set here'}: "
                "set RELEVE_TOKEN_READ as the service has it, or make down up. What was released stands in the "
                "registry, and the service follows it"
            )
        code = values["error"]["code"]
        return ServiceStatus(None, follows=code != UNKNOWN_SCENARIO)
    except (httpx.HTTPError, OSError, ValueError, KeyError, TypeError):  # away, cut off, or somebody else's program
        return None


def wait_until_serving(port: int, model: str, *, scenario: str, token: str = "", seconds: float = SWAP_SECONDS) -> str:
    """Wait until the service answers with `model`, and return its address there.

    "" when no service here follows the releases of `scenario`: none runs, or it serves other scenarios or is pinned
    to one model version. Raises SwapTimeout, TokenRefused.
    """
    started, reminder, heard = time.monotonic(), Reminder(), 0
    if not listens(port):
        return ""
    while heard < AGREEMENTS:
        status, waited = service_status(port, scenario, token=token), time.monotonic() - started
        if status is not None and not status.follows and waited > NOTICE_SECONDS:
            return ""
        heard = heard + 1 if status is not None and status.follows and status.model == model else 0
        if waited > seconds:
            raise SwapTimeout(
                f"the service on port {port} does not answer with {model} after {seconds:g} s; the release stands in "
                "the registry. Read the service's log for why it cannot load it, or roll back"
            )
        if reminder.is_due():
            so_far = f"{reminder.elapsed:.0f} s so far"
            print(f"waiting for the service on port {port} to answer with {model}, {so_far}", flush=True)
        time.sleep(POLL_SECONDS)
    return f"http://{LOOPBACK}:{port}/scenarios/{scenario}"


def listens(port: int) -> bool:
    """Whether the service of this machine is up."""
    import httpx

    try:
        with local_client(port, seconds=ASK_SECONDS) as client:
            return bool(client.get("/livez").is_success)
    except (httpx.HTTPError, OSError):
        return False
