"""How long is nothing answered after a worker was killed? A closed loop of clients asks while workers are killed.

    python -m benchmarks.worker_kills [--kills 10] [--clients 8] [--workers 1]

A kill may cost the requests that were in the worker's hands, one of each client; those that come later wait or are
answered by another worker. Exits with 1 when a later one was lost, or the answers stayed away for too long.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil

from benchmarks.swap_load import Answer, asking, move
from releve.adapters.registry.registry import Registry
from tests.factories import make_project, make_release, make_stored_model
from tests.serving.process import serving, wait_until

MOST_SECONDS = 3.0
WORKER = "_bentoml_impl.worker.service"  # in the command of each
PAUSE_SECONDS = 1.0  # of load between two kills


@dataclass(frozen=True)
class KillResult:
    """What one run found; times from `time.monotonic`."""

    answers: list[Answer]
    kills: list[tuple[float, float]]  # from the signal until the process is gone
    forkers: set[int]  # the processes that the killed ones were forks of

    @property
    def gaps(self) -> list[float]:
        """Seconds from each kill to the first answer to a request that came after it."""
        good = [answer for answer in self.answers if answer.release]
        return [min(answer.end for answer in good if answer.start > gone) - kill for kill, gone in self.kills]

    @property
    def cut(self) -> list[Answer]:
        """Requests that were on their way when a worker was killed."""
        return [each for each in self._failed if self._was_cut(each)]

    @property
    def failures(self) -> list[Answer]:
        return [each for each in self._failed if not self._was_cut(each)]

    @property
    def _failed(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.release is None]

    def _was_cut(self, answer: Answer) -> bool:
        return any(answer.start <= gone and kill <= answer.end for kill, gone in self.kills)


def run(home: Path, *, kills: int, clients: int, workers: int) -> KillResult:
    """Start a service in `home`, load it, kill one worker after the other, and stop it."""
    project = make_project(home)
    registry = Registry(f"sqlite:///{home / 'registry.db'}")
    move(registry, make_release(make_stored_model(home, "one"), index="index_one"))
    registry.close()
    here, killed, forkers = psutil.Process(), [], set()
    with serving(home, project, RELEVE_SERVICE_WORKERS=str(workers)) as address:
        wait_until(lambda: httpx.get(f"{address}/readyz").status_code == 200)
        with asking(int(address.rpartition(":")[2]), clients) as answers:
            for _ in range(kills):
                wait_until(lambda: len(workers_of(here)) == workers)
                time.sleep(PAUSE_SECONDS)
                worker, seen, kill = workers_of(here)[-1], len(answers), time.monotonic()
                forkers.add(worker.ppid())
                worker.kill()
                wait_until(lambda worker=worker: not worker.is_running())  # type: ignore[misc]
                gone = time.monotonic()
                killed.append((kill, gone))
                wait_until(lambda: any(each.release and each.start > gone for each in answers[seen:]))  # noqa: B023
    return KillResult(answers, killed, forkers)


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    """The processes that answer, of the services that `process` has started: of each worker its fork."""
    found = [each for each in process.children(recursive=True) if WORKER in _command(each)]
    return [each for each in found if each.ppid() in {other.pid for other in found}]


def _command(process: psutil.Process) -> list[str]:
    """How it was started; nothing once it has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Ask a service while its workers are killed.")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as home:
        result = run(Path(home), kills=options.kills, clients=options.clients, workers=options.workers)
    print(f"kills               {len(result.kills)}")
    print(f"requests            {len(result.answers)}")
    print(f"cut by a kill       {len(result.cut)}")
    print(f"failures            {len(result.failures)}")
    print(f"nothing answered    {np.median(result.gaps):.2f} s (median), {max(result.gaps):.2f} s (longest)")
    print(f"each, s             {' '.join(f'{gap:.2f}' for gap in result.gaps)}")
    print(f"load of the machine {psutil.getloadavg()[0]:.1f}")
    for answer in result.failures[:5]:
        print(f"  {answer.failure}", file=sys.stderr)
    return 1 if result.failures or max(result.gaps) > MOST_SECONDS else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
