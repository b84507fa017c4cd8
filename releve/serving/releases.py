"""Which release this process serves: one immutable value that a request reads once, and the watcher that swaps it."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from releve.adapters.models.model_runtime import Model
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Current, Registry, RegistryUnavailable
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.errors import ReleveError, Unavailable
from releve.domain.registry.chain import ARCHIVED, CHALLENGED, WITHDRAWN, Event
from releve.domain.registry.release import Release
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.columns import CATEGORY, DATE, NUMBER, TEXT, Column
from releve.reporting import gate_messages

RETRY_SECONDS = 5.0  # after a release that could not be loaded: each try reads and hashes the whole model
log = logging.getLogger("releve.serving")


class NoRelease(Unavailable):
    """Nothing is released yet, or it was withdrawn."""

    code = "no_release"


@dataclass(frozen=True)
class Served:
    """A loaded model and what it was released with."""

    model: Model
    since: str  # ISO 8601, UTC
    release: Release | None = None  # None: a packed model, served without a registry
    number: int | None = None  # of the registry's event

    @property
    def index(self) -> str | None:
        """The Milvus collection; None where there is none to search."""
        return self.release.index if self.release else None

    @property
    def is_naive(self) -> bool:
        """Whether it is the naive answer, which serves until a model is better."""
        evaluation = self.model.description.evaluation
        return evaluation is not None and evaluation.naive


@dataclass(frozen=True)
class Pinned:
    """One model version for as long as the process lives: a packed Bento."""

    scenario: str
    served: Served
    registry_reachable: None = None  # it is never asked
    withdrawals: int = 0

    def served_now(self) -> Served:
        """What it is pinned to."""
        return self.served

    def start(self) -> None:
        """Nothing moves."""

    def stop(self) -> None:
        """Nothing moves."""


class Follower:
    """Serves what the registry says is current. Whatever fails on the way, what serves goes on serving."""

    def __init__(
        self, scenario: str, *, registry: Registry, models: ModelStore, index: VectorIndex, poll_seconds: float
    ) -> None:
        self.scenario = scenario
        self.served: Served | None = None
        self.registry_reachable = False
        self.withdrawals = 0  # how often what served was withdrawn
        self._registry = registry
        self._models = models
        self._index = index
        self._poll_seconds = poll_seconds
        self._logged = ""  # the last trouble that was logged: each is logged once, not at every poll
        self._failed: tuple[int, float] = (0, 0.0)  # the release that could not be loaded, and when to try it again
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="releve-watcher", daemon=True)

    def start(self) -> None:
        """Poll now, then every `poll_seconds`, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop polling; what serves stays."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._registry.close()

    def served_now(self) -> Served:
        """What serves. Raises NoRelease, saying why nothing does and what to do."""
        served = self.served
        if served is None:
            raise NoRelease(gate_messages.nothing_serves(self.scenario, self._last_events()))
        return served

    def _last_events(self) -> list[Event]:
        """Those that decide what can serve; none while the registry is away, which nobody should wait for here."""
        if not self.registry_reachable:
            return []
        try:
            return self._registry.events(self.scenario, kinds=(CHALLENGED, ARCHIVED, WITHDRAWN))
        except RegistryUnavailable:
            return []

    def poll(self) -> None:
        """Take over what is current now, if it is another release than the one served."""
        try:
            current = self._registry.current(self.scenario)
        except RegistryUnavailable as error:
            self.registry_reachable = False
            self._log_once(f"{error}; what serves goes on serving")
            return
        self.registry_reachable = True
        if current is None:
            self.withdrawals += self.served is not None
            self.served = None
        elif self.served is not None and current.number == self.served.number:
            self._logged = ""
        elif current.number != self._failed[0] or time.monotonic() >= self._failed[1]:
            self._take_over(current)

    def _take_over(self, current: Current) -> None:
        """Load and warm up beside what serves, then swap: one store of one reference."""
        release = current.release
        try:
            model = self._models.load(release.model, digest=release.model_digest)
            warm_up(model)
        except Exception as error:  # a broken release must not end the watch: the next one may be whole
            self._failed = (current.number, time.monotonic() + RETRY_SECONDS)
            self._log_once(f"release {current.number} ({release.model}) cannot be served: {error}")
            return
        self._open(release.index)
        self.served = Served(model, current.since, release, current.number)
        self._logged = ""
        log.info("serving %s with %s (release %s)", release.model, release.index, current.number)

    def _open(self, collection: str) -> None:
        """Make the index ready. Predictions do not wait for it: a search opens it again when Milvus is back."""
        try:
            self._index.open(collection)
        except ReleveError as error:
            log.warning("searches of %s will fail for now: %s", collection, error)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                self.poll()
            except Exception:  # the watch must outlive what nobody thought of
                log.exception("polling for the current release failed")
            self._stopping.wait(self._poll_seconds)

    def _log_once(self, trouble: str) -> None:
        if trouble != self._logged:
            log.warning("%s", trouble)
            self._logged = trouble


def warm_up(model: Model) -> None:
    """Answer one harmless row, so that no request pays for the first run."""
    row = {column.name: HARMLESS[column.type](column) for column in model.schema.features}
    model.answer(arrays_of_rows(model.schema, [row]))


HARMLESS: dict[str, Callable[[Column], Any]] = {
    NUMBER: lambda column: column.min if column.min is not None else 0.0,
    DATE: lambda column: column.min if column.min is not None else "2000-01-01",
    CATEGORY: lambda column: column.categories[0] if column.categories else "",
    TEXT: lambda column: "",
}
