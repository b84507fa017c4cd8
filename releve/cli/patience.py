"""How long a command waits for a Prefect server that is away: its client tries each call for minutes, one by one."""

import importlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from releve.adapters.http.clients import client_of
from releve.core.errors import Unavailable
from releve.core.formatting import printable
from releve.core.settings import Settings

AWAY_SECONDS = 90.0  # for a server that starts anew, also on a busy machine
LOOK_SECONDS = 5.0  # between two looks, and for an answer


@contextmanager
def limited_patience(settings: Settings, scenario: str, *, address: str, host: str) -> Iterator[None]:
    """End this process where a flow waits in it, for longer than AWAY_SECONDS, for a server that does not answer.

    `address`: as PREFECT_API_URL has it; `host`: what people are told of it. A step that is at work goes on to its end.
    Nothing is lost: whatever a step finished is there, and Prefect's engine would only wait again to record the end.
    """
    over = Event()

    def watch() -> None:
        steps_at_work = importlib.import_module("flows.shared.context").steps_at_work
        since = time.monotonic()
        while not over.wait(LOOK_SECONDS):
            if steps_at_work or _answers(address):
                since = time.monotonic()
            elif time.monotonic() - since >= AWAY_SECONDS:
                print(f"error: {_describe_away(settings, scenario, host)}", file=sys.stderr, flush=True)
                with suppress(OSError):
                    sys.stdout.flush()
                os._exit(Unavailable.exit_code)

    Thread(target=watch, name="patience", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _answers(address: str) -> bool:
    import httpx

    try:
        with client_of(address, seconds=LOOK_SECONDS) as client:
            return client.get("/health").status_code < 500  # above are proxies that find no server behind them
    except (httpx.HTTPError, OSError):
        return False


def _describe_away(settings: Settings, scenario: str, host: str) -> str:
    """Say what is away, what was kept, and what to do."""
    from releve.adapters.registry.registry import Registry
    from releve.domain.approval.approval import ApprovalState
    from releve.reporting.messages.approval import describe_approval
    from tasks.history import read_approval

    asked = ""
    with suppress(Exception):  # whatever the registry answers, the command ends
        approval = read_approval(Registry(settings.registry_url), scenario)
        if approval and approval.state is ApprovalState.WAITING:
            asked = f" {describe_approval(approval)}: `releve approve {scenario}` needs no Prefect."
    return printable(
        f"the Prefect server at {host} has not answered for {AWAY_SECONDS:.0f} s, and this run waits for it. What its "
        f"steps finished is kept, and nothing is half done.{asked} Start the server (`make up`, where it is this "
        "machine's), and run the same again"
    )
