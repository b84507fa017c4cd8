"""How a worker is kept alive, and ended.

BentoML's supervisor (circus) looks for dead workers every 10 seconds, and a start takes 1.6 s of CPU, nearly all of it
imports. So the process that it starts as a worker has the libraries loaded and forks the one that serves: what crashes
is replaced by another fork. Workers lead sessions of their own, and would answer on for ever without a supervisor.
"""

import functools
import gc
import importlib
import logging
import math
import os
import signal
import sys
import threading
import time

CHECK_SECONDS = 0.5  # between two looks of circus for dead workers
POLL_SECONDS = 0.5
FORK_SECONDS = 1.0  # from one fork to the next, at least: one that crashes again and again must not take a whole core
FAILED_START_SECONDS = 5.0  # until a worker that cannot start is tried again, which is for ever
SUCCESSOR_SECONDS = 15.0  # that a fork answers on whose parent alone was killed: until circus has started another
CLOSING_SECONDS = 25.0  # for the requests that are being answered; then the process ends as it is: circus waits for
# 30 s, and then kills the process that forks alone
LATE_IMPORTS = ("_bentoml_impl.server.app", "opentelemetry.instrumentation.asgi")  # of every start; not ONNX Runtime,
# which starts a thread: a fork without it cannot end
SIGNALS = {signal.SIGCHLD, signal.SIGTERM}
log = logging.getLogger("releve.serving")


def stay_supervised() -> None:
    """Have this process replaced when it dies, and ended when its supervisor is gone; once everything is imported.

    In a worker of BentoML's it returns in a fork, if it can. Elsewhere it only has the supervisor look for dead workers
    often.
    """
    from bentoml._internal.context import server_context
    from bentoml._internal.utils import circus

    often = functools.partial(circus.create_standalone_arbiter, check_delay=CHECK_SECONDS)
    circus.create_standalone_arbiter = often
    if server_context.worker_index is None:
        return
    for name in LATE_IMPORTS:
        importlib.import_module(name)
    answers_on = 0.0
    if _can_fork():
        _serve_in_fork()
        answers_on = SUCCESSOR_SECONDS
    threading.Thread(target=_watch, args=(os.getppid(), answers_on), name="releve supervisor", daemon=True).start()


def _can_fork() -> bool:
    """Whether a fork would have all that this process has: threads are not copied."""
    if sys.platform != "linux":  # elsewhere the system's own libraries do not live through a fork
        return False
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        log.warning(
            "this worker serves without a fork, which would lack the threads that run already (%s): after a crash, it "
            "takes seconds longer until it answers again",
            ", ".join(others),
        )
    return not others


def _serve_in_fork() -> None:
    """Return in a fork; this process stays behind, with one thread, and makes another whenever one has crashed."""
    gc.collect()
    gc.freeze()  # so that no fork copies what this process has
    supervisor = os.getppid()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    while True:
        started = time.monotonic()
        child = os.fork()
        if not child:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            return
        code = _wait_for(child, supervisor)
        pause = FAILED_START_SECONDS
        if code < 0:
            log.error("a worker (pid %s) was ended by signal %s; another takes its place", child, -code)
            pause = started + FORK_SECONDS - time.monotonic()
        if signal.sigtimedwait({signal.SIGTERM}, max(pause, 0)) or code >= 0:
            os._exit(max(code, 0))


def _wait_for(child: int, supervisor: int) -> int:
    """The code that the child ended with, negative for a signal. Ends both where this is told to end, or is alone."""
    kill_at = math.inf
    while True:
        caught = signal.sigtimedwait(SIGNALS, POLL_SECONDS)
        told = caught is not None and caught.si_signo == signal.SIGTERM
        if kill_at == math.inf and (told or os.getppid() != supervisor):
            kill_at = time.monotonic() + CLOSING_SECONDS
            os.kill(child, signal.SIGTERM)
        if time.monotonic() > kill_at:  # it is stopped, or hangs in C: no signal but this one reaches it
            os.kill(child, signal.SIGKILL)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended and kill_at == math.inf:
            return os.waitstatus_to_exitcode(status)
        if ended:
            os._exit(0)


def _watch(parent: int, answers_on: float) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    log.error("what would replace this worker (pid %s) is gone; it ends in %g s", parent, answers_on)
    time.sleep(answers_on)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(CLOSING_SECONDS)
    os._exit(1)
