"""Models in memory: loaded when they are asked for first, let go by a budget, the least recently used first."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from releve.adapters.models.model_runtime import Model
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Current
from releve.core.errors import ReleveError, Unavailable
from releve.core.params import ServiceLimits
from releve.domain.arms.arms import Arm
from releve.domain.prediction_log.hidden import HiddenCells
from releve.domain.registry.release import Release
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.examples import example_cells
from releve.domain.schema.schema import Schema
from releve.serving.edge.metrics import Metrics
from releve.serving.scenarios.scenario import Scenario
from releve.serving.served import Served

RETRY_SECONDS = 5.0  # after a release that could not be loaded: each try reads and hashes the whole model
THREADS = 2  # one loads, the other says at once that there is nothing to load
SMALLEST = 2**20  # bytes that a model counts for at least: memory that was freed before makes the next one look small
log = logging.getLogger("releve.serving")


class ReleaseUnusable(Unavailable):
    """The release that the registry names cannot be loaded, and no older one is in memory."""

    code = "release_unusable"


@dataclass(frozen=True)
class _Failure:
    """A release that could not be loaded."""

    number: int
    retry_at: float  # as time.monotonic says it
    why: str


class Loader:
    """Loads for all scenarios of a process, one model at a time, each once however many ask for it."""

    def __init__(
        self,
        models: ModelStore,
        *,
        limits_of: Callable[[str], ServiceLimits],
        hidden_of: Callable[[str, Schema], HiddenCells],
        nothing_serves: Callable[[str], ReleveError],
        budget: int,
        metrics: Metrics,
    ) -> None:
        """`budget`: bytes of all models in memory. `nothing_serves`: the error for a scenario without a release."""
        self._models = models
        self._limits_of = limits_of
        self._hidden_of = hidden_of
        self._nothing_serves = nothing_serves
        self._budget = budget
        self._metrics = metrics
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="releve loader")
        self._guard = threading.Lock()
        self._pending: dict[tuple[str, str], Future[None]] = {}
        self._measuring = threading.Lock()
        self._sizes: dict[str, tuple[Scenario, int]] = {}
        self._failures: dict[str, _Failure] = {}

    def load_challenger(self, scenario: Scenario) -> "Future[None]":
        """Begin to load the challenger beside a champion that is in memory. The future raises nothing."""
        return self._begin(self._load_challenger, scenario)

    def load(self, scenario: Scenario) -> "Future[None]":
        """Begin to load what is current; the same future for all who ask meanwhile. It raises ReleveError."""
        return self._begin(self._load, scenario)

    def is_due(self, scenario: Scenario) -> bool:
        """Whether the registry names another release than the one in memory, and it is time to try it."""
        current, served = scenario.current, scenario.served
        if current is None or (served is not None and served.number == current.number):
            return False
        failure = self._failures.get(scenario.name)
        return failure is None or failure.number != current.number or time.monotonic() >= failure.retry_at

    def trim(self) -> None:
        """Keep the budget now that requests may no longer wait for what exceeded it. Waits for no load."""
        if self._measuring.acquire(blocking=False):
            try:
                self._let_go()
            finally:
                self._measuring.release()

    def close(self) -> None:
        """Load nothing more."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _begin(self, load: Callable[[Scenario], None], scenario: Scenario) -> "Future[None]":
        key = (load.__name__, scenario.name)
        with self._guard:
            pending = self._pending.get(key)
            if pending is None or pending.done():
                pending = self._pending[key] = self._executor.submit(load, scenario)
            return pending

    def _load(self, scenario: Scenario) -> None:
        while (current := scenario.current) is not None:
            served = scenario.served
            if served is not None and served.number == current.number:
                return
            if not self.is_due(scenario) or not self._try(scenario, current):
                if scenario.served is not None:  # the older one goes on serving
                    return
                raise ReleaseUnusable(
                    f"{current.release.model} is released for {scenario.name} and cannot be loaded: "
                    f"{self._failures[scenario.name].why}"
                )
            if scenario.let_go:  # at once, by the budget: no request waits for it
                return
        if scenario.served is None:
            raise self._nothing_serves(scenario.name)

    def _load_challenger(self, scenario: Scenario) -> None:
        trial, champion = scenario.trial, scenario.served
        if trial is None or champion is None or not trial.is_due():
            return
        running, release = trial.running, trial.running.started.challenger
        try:
            model, size = self._read(release)
            served = Served(model, champion.limits, running.since, release, running.number, Arm.CHALLENGER)
            scenario.prepare(served)
        except Exception as error:  # the champion answers in its place, and its failures count
            if not trial.unusable:
                log.warning("the challenger %s cannot be loaded: %s", release.model, error)
            trial.unusable, trial.retry_at = True, time.monotonic() + RETRY_SECONDS
            self._metrics.not_loaded(scenario.name)
            return
        trial.loaded(served, size)
        log.info("%s answers beside %s", release.model, running.started.champion)
        with self._measuring:
            self._let_go()

    def _read(self, release: Release) -> tuple[Model, int]:
        """Load and warm up a model, with the bytes that it takes in memory."""
        with self._measuring:
            before = _resident()
            model = self._models.load(release.model, digest=release.model_digest)
            warm_up(model)
            return model, max(_resident() - before, _bytes_in(self._models.folder(release.model)), SMALLEST)

    def _try(self, scenario: Scenario, current: Current) -> bool:
        """Load and warm up beside what serves, then swap: one store of one reference. Whether it could be loaded."""
        release, known = current.release, self._sizes.get(scenario.name)
        try:
            if known and (same := _same_model(scenario.served, release)):  # its index moved alone
                model, size = same, known[1]
            else:
                model, size = self._read(release)
            served = Served(model, self._limits_of(scenario.name), current.since, release, current.number)
            scenario.ledger.hidden = self._hidden_of(scenario.name, served.schema)
            scenario.prepare(served)
        except Exception as error:  # a broken release must not end what serves: the next one may be whole
            failed = self._failures.get(scenario.name)
            self._failures[scenario.name] = _Failure(
                current.number, time.monotonic() + RETRY_SECONDS, str(error) or type(error).__name__
            )
            self._metrics.not_loaded(scenario.name)
            if failed is None or failed.number != current.number:  # each is told once
                log.warning("release %s (%s) cannot be served: %s", current.number, release.model, error)
            return False
        with scenario.swapping:
            if scenario.current is current:
                scenario.served, scenario.let_go = served, False
                self._metrics.swapped(scenario.name, current.number)
                log.info("serving %s with %s (release %s)", release.model, release.index_name, current.number)
        self._failures.pop(scenario.name, None)
        with self._measuring:
            self._sizes[scenario.name] = (scenario, size)
            self._let_go()
        return True

    def _let_go(self) -> None:
        """Take models out of memory until the budget is kept.

        Never the one that was used last, one that a request waits for, nor one whose successor is broken. Of those that
        nobody has asked for the newest goes first: none is loaded in another's place.
        """
        for name, (scenario, _) in list(self._sizes.items()):
            if scenario.served is None:
                del self._sizes[name]
        newest_first = [scenario for scenario, _ in reversed(self._sizes.values())]
        by_use = sorted(newest_first, key=lambda each: each.used)
        for scenario in by_use[:-1]:
            if sum(size + each.challenger_size for each, size in self._sizes.values()) <= self._budget:
                return
            with scenario.swapping:
                served, current = scenario.served, scenario.current
                if scenario.waiting or served is None or current is None or served.number != current.number:
                    continue
                scenario.served, scenario.let_go = None, True
                if scenario.trial is not None:
                    scenario.trial.let_go()
            del self._sizes[scenario.name]
            log.info("let %s go: the models in memory are over their budget", served.model.tag)


def _same_model(served: Served | None, release: Release) -> Model | None:
    """The model in memory, where the release has the same one."""
    before = served.release if served else None
    is_same = before and (before.model, before.model_digest) == (release.model, release.model_digest)
    return served.model if served and is_same else None


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def warm_up(model: Model) -> None:
    """Answer one harmless row, so that no request pays for the first run."""
    row = {column.name: example_cells(column)[0] for column in model.schema.features}
    model.answer(arrays_of_rows(model.schema, [row]))
