"""Does a release lose a request? A closed loop of clients asks while two releases take turns.

    python -m benchmarks.swap_load [--releases 20] [--clients 8] [--workers 1]

Half of the clients keep their connection, half open one per request. Every answer must come whole, and from a release
that was current at some moment of its request: moved in before the answer came, and not yet seen to be replaced
when the question was sent. Exits with 1 when an answer was lost or wrong.
"""

import argparse
import json
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from releve.adapters.registry.registry import Registry
from releve.core.settings import LOOPBACK
from releve.domain.registry.events import ModelReleased
from releve.domain.registry.release import Release
from tests.factories import SCENARIO, make_project, make_release, make_row, make_stored_model
from tests.serving.process import serving, wait_until

BODY = json.dumps({"rows": [make_row()]})
HEADERS = {"content-type": "application/json"}
PAUSE_SECONDS = 0.25  # of load between two releases


@dataclass(frozen=True)
class Answer:
    """One request: times from `time.monotonic`, and (model, index) or what went wrong."""

    start: float
    end: float
    release: tuple[str, ...] | None
    failure: str = ""


@dataclass(frozen=True)
class Swap:
    """One release: when it was moved in, and when all workers were seen to answer with the next."""

    release: tuple[str, ...]
    moved: float
    replaced: float


@dataclass(frozen=True)
class SwapResult:
    """What one run found."""

    answers: list[Answer]
    turns: list[Swap]

    @property
    def failures(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.release is None]

    @property
    def strangers(self) -> list[Answer]:
        """Whole answers by a release that was not current within their request."""
        return [answer for answer in self.answers if answer.release and not was_current(answer, self.turns)]

    def quantile(self, share: float) -> float:
        """Milliseconds that `share` (0-1) of the requests took at most."""
        took = sorted(answer.end - answer.start for answer in self.answers)
        return 1000 * took[min(len(took) - 1, int(share * len(took)))]


def run(home: Path, *, releases: int, clients: int, workers: int = 1) -> SwapResult:
    """Start a service in `home`, load it, move `releases` releases back and forth, and stop it."""
    project = make_project(home)
    pair = [
        make_release(make_stored_model(home, name, seed=seed), index=f"index_{name}")
        for seed, name in enumerate(("one", "two"))
    ]
    registry = Registry(f"sqlite:///{home / 'registry.db'}")
    with serving(home, project, RELEVE_SERVICE_WORKERS=str(workers)) as address:
        port = int(address.rpartition(":")[2])
        turns = [(_key(pair[0]), move(registry, pair[0]))]
        wait_until(lambda: _swaps(port) == workers, seconds=30)
        seen = []
        with asking(port, clients) as answers:
            for number in range(1, releases + 1):
                time.sleep(PAUSE_SECONDS)
                release = pair[number % 2]
                turns.append((_key(release), move(registry, release)))
                wait_until(lambda: _swaps(port) == workers * len(turns), seconds=30)
                seen.append(time.monotonic())
            time.sleep(PAUSE_SECONDS)
    registry.close()
    return SwapResult(
        answers,
        [Swap(key, moved, replaced) for (key, moved), replaced in zip(turns, [*seen, float("inf")], strict=True)],
    )


def ask(client: httpx.Client) -> Answer:
    """Ask for one prediction."""
    start = time.monotonic()
    try:
        response = client.post("/predict", content=BODY, headers=HEADERS)
        answer = response.json()
    except (httpx.HTTPError, ValueError) as error:
        return Answer(start, time.monotonic(), None, repr(error))
    end = time.monotonic()
    if response.status_code != 200 or len(answer["predictions"]) != 1:
        return Answer(start, end, None, f"{response.status_code} {answer}")
    return Answer(start, end, (answer["model_version"], answer["index_version"]))


@contextmanager
def asking(port: int, clients: int, question: Callable[[httpx.Client], Answer] = ask) -> Iterator[list[Answer]]:
    """Clients that ask until the block ends; yields their answers so far."""
    answers: list[Answer] = []
    stop = threading.Event()
    threads = [
        threading.Thread(
            target=_client, args=(port, question, answers, stop), kwargs={"keep_alive": number % 2 == 0}, daemon=True
        )
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _client(
    port: int,
    question: Callable[[httpx.Client], Answer],
    answers: list[Answer],
    stop: threading.Event,
    *,
    keep_alive: bool,
) -> None:
    """Ask again as soon as the answer is there."""
    limits = httpx.Limits(max_keepalive_connections=1 if keep_alive else 0)
    with httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=30, limits=limits, trust_env=False) as client:
        while not stop.is_set():
            answers.append(question(client))


def move(registry: Registry, release: Release) -> float:
    """Release it; returns a moment before which it was not current."""
    current = registry.current(SCENARIO)
    before = time.monotonic()
    expected = current.number if current else None
    payload = ModelReleased(release=release)
    registry.move(SCENARIO, payload, expected=expected, reason="swap load", actor="benchmark")
    return before


def _swaps(port: int) -> int:
    """How many models all workers together have put into service."""
    counted = httpx.get(f"http://{LOOPBACK}:{port}/metrics", timeout=30, trust_env=False).text
    found = re.search(r"^releve_swaps_total\S* (\d+)", counted, re.MULTILINE)
    return int(found[1]) if found else 0


def _key(release: Release) -> tuple[str, str]:
    return release.model, release.index


def was_current(answer: Answer, turns: list[Swap]) -> bool:
    """Whether its release was in service at some moment of its request."""
    return any(
        turn.release == answer.release and turn.moved <= answer.end and answer.start <= turn.replaced for turn in turns
    )


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Ask a service while releases take turns.")
    parser.add_argument("--releases", type=int, default=20)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as home:
        result = run(Path(home), releases=options.releases, clients=options.clients, workers=options.workers)
    print(f"releases            {len(result.turns) - 1}")
    print(f"requests            {len(result.answers)}")
    print(f"failures            {len(result.failures)}")
    print(f"not current         {len(result.strangers)}")
    for (model, _), count in sorted(Counter(answer.release for answer in result.answers if answer.release).items()):
        print(f"by {model:17}{count}")
    print(f"p50 / p99           {result.quantile(0.5):.1f} / {result.quantile(0.99):.1f} ms")
    for answer in [*result.failures, *result.strangers][:5]:
        print(f"  {answer.failure or answer}", file=sys.stderr)
    return 1 if result.failures or result.strangers else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
