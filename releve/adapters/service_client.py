"""The running HTTP service of this machine, as the flows see it."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

from releve.errors import Unavailable
from releve.settings import LOOPBACK

ASK_SECONDS = 5.0
POLL_SECONDS = 0.1
AGREEMENTS = 3  # answers in a row that name the release, so that more than one worker is heard


class SwapTimeout(Unavailable):
    """The service runs, but did not take the release over in time."""

    code = "swap_timeout"


def serving_model(port: int) -> str | None:
    """The model version that answers now; None when no service listens or it has no release."""
    try:
        request = urllib.request.Request(
            f"http://{LOOPBACK}:{port}/status", data=b"{}", headers={"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=ASK_SECONDS) as response:
            return _model(json.load(response))
    except (urllib.error.URLError, OSError, ValueError):
        return None


def wait_until_serving(port: int, model: str, *, seconds: float) -> bool:
    """Wait until the service answers with `model`; False when no service runs. Raises SwapTimeout."""
    deadline, heard = time.monotonic() + seconds, 0
    if not listens(port):
        return False
    while heard < AGREEMENTS:
        heard = heard + 1 if serving_model(port) == model else 0
        if time.monotonic() > deadline:
            raise SwapTimeout(
                f"the service on port {port} does not answer with {model} after {seconds:g} s; the release stands in "
                "the registry. Read the service's log for why it cannot load it, or roll back"
            )
        time.sleep(POLL_SECONDS)
    return True


def listens(port: int) -> bool:
    """Whether the service of this machine is up."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/livez", timeout=ASK_SECONDS):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _model(status: dict[str, Any]) -> str | None:
    release = status.get("release")
    return str(release["model"]) if release else None
