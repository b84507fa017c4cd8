"""A worker without its supervisor: BentoML's workers lead sessions of their own and would answer on for ever."""

import logging
import os
import signal
import threading
import time

POLL_SECONDS = 0.5
CLOSING_SECONDS = 15.0  # for the requests that are being answered; then the process ends as it is
log = logging.getLogger("releve.serving")


def end_with_supervisor() -> None:
    """End this process once the one that started it is gone: nobody could stop it, or start another on its port.

    Does nothing outside a worker of BentoML's.
    """
    from bentoml._internal.context import server_context

    if server_context.worker_index is not None:
        threading.Thread(target=_watch, args=(os.getppid(),), name="releve supervisor", daemon=True).start()


def _watch(supervisor: int) -> None:
    while os.getppid() == supervisor:
        time.sleep(POLL_SECONDS)
    log.error("the supervisor (pid %s) is gone; this worker ends", supervisor)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(CLOSING_SECONDS)
    os._exit(1)
