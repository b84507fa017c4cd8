"""Which scenarios this process serves: what the registry says is current, asked once for all of them."""

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice

from releve.adapters import files
from releve.adapters.known_values import known_values_path
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.hash_key import hidden_cells
from releve.adapters.prediction_ledger.segments import check_writable
from releve.adapters.prediction_ledger.writer import LedgerSync, LedgerWriter
from releve.adapters.registry.notes import write_note
from releve.adapters.registry.registry import Registry, RegistryUnavailable
from releve.adapters.registry.rollback import find_way_back
from releve.adapters.vectors.milvus_connection import IndexUnavailable
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.errors import BadInput, Conflict, ReleveError, Unavailable
from releve.core.names import SCENARIO_NAME, ModelTag
from releve.core.settings import Settings
from releve.domain.approval.people import NotAnApprover, holder_of
from releve.domain.registry.chain import ARCHIVED, CHALLENGED, WITHDRAWN, Event
from releve.domain.registry.events import ModelRolledBack, NoteWay
from releve.domain.registry.release import Release
from releve.reporting.messages import gate as gate_messages
from releve.serving.arms.ending import end_by_guard
from releve.serving.arms.trial import LiveTrial
from releve.serving.edge.metrics import Metrics
from releve.serving.faults import UnknownScenario
from releve.serving.scenarios.loading import Loader
from releve.serving.scenarios.scenario import NoRelease, Scenario
from releve.serving.served import Served

NAMED = 10  # scenarios that an error lists
FIRST_POLL_SECONDS = 2.0
PAGE = "page"  # the actor of what a person does there
OPERATOR = "operator"  # the actor of a note that is written there
MEASURE_SECONDS = 5.0  # between two looks at what no request measures
log = logging.getLogger("releve.serving")


class NotReady(Unavailable):
    """This worker cannot answer now."""

    code = "not_ready"


class TooSlow(Unavailable):
    """A rollback was given up before it moved anything."""

    code = "too_slow"


class Scenarios:
    """The scenarios of one worker process. Safe to call from several threads.

    Whatever fails on the way, what serves goes on serving.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        registry: Registry | None,
        index: VectorIndex | None,
        only: Sequence[str] = (),
        poll_seconds: float,
        metrics: Metrics | None = None,
    ) -> None:
        """`registry`: None for pinned models alone. `only`: serve these and load them at once; empty for all."""
        self.registry_reachable: bool | None = None if registry is None else False
        self.index = index
        self._settings = settings
        self._metrics = metrics or Metrics()
        self._registry = registry
        self._only = tuple(only)
        self._poll_seconds = poll_seconds
        self._by_name: dict[str, Scenario] = {}
        self._making = threading.Lock()
        self._sync = LedgerSync()
        self._loader = Loader(
            ModelStore(settings.home),
            limits_of=lambda name: files.read_params(settings.project, name).service,
            hidden_of=lambda name, schema: hidden_cells(
                settings, files.read_params(settings.project, name).ledger, schema
            ),
            nothing_serves=self._nothing_serves,
            budget=settings.service_memory * 2**20,
            metrics=self._metrics,
        )
        self._sole = self._find_sole()
        self._logged: dict[str, str] = {}  # by what is in trouble, as it was logged: once, not at every poll
        self._polled = threading.Event()
        self._stopping = threading.Event()
        self._threads = (
            threading.Thread(target=self._watch, name="releve watcher", daemon=True),
            threading.Thread(target=self._follow_knowledge, name="releve follower", daemon=True),
        )

    def get(self, name: str) -> Scenario:
        """The scenario of that name, be it without a release. Raises UnknownScenario."""
        return self._by_name.get(name) or self._made_for(name)

    def knows(self, name: str) -> bool:
        """Whether a request can have named it, so far: at most the scenarios that are described here."""
        return name in self._by_name

    def only(self) -> Scenario:
        """The scenario of a service that serves exactly one. Raises UnknownScenario, NoRelease."""
        if self._sole is not None:
            return self._sole
        if released := self.released():
            names = ", ".join(each.name for each in released[:NAMED])
            others = f" and {len(released) - NAMED} more" if len(released) > NAMED else ""
            raise UnknownScenario(
                f"this service serves several scenarios ({names}{others}); say which: /scenarios/{{scenario}}/..."
            )
        raise NoRelease("no release of any scenario is served yet: train and release one (make retrain SCENARIO=...)")

    def released(self) -> list[Scenario]:
        """Those that a request can be answered for, by name."""
        return sorted((each for each in list(self._by_name.values()) if each.released), key=lambda each: each.name)

    def check_ledger(self) -> None:
        """Raises ReleveError where no answer could be written now: none is sent that is not in the ledger. Waits."""
        check_writable(self._settings.home / "ledger")

    def check_ready(self) -> None:
        """Raises NotReady, and what `check_ledger` raises, saying why. Waits for the ledger's disk."""
        released = self.released()
        if not released:
            away = self.registry_reachable is False
            raise NotReady("the registry is not reached" if away else "no release is served yet")
        if self._only and not any(each.served for each in released):
            raise NotReady(f"no release of {', '.join(self._only)} is loaded yet")
        self.check_ledger()

    def newest_events(self, name: str, kinds: Sequence[str], *, most: int) -> list[Event]:
        """What the registry recorded of a scenario, newest first; nothing without one. Raises RegistryUnavailable."""
        return [] if self._registry is None else list(islice(self._registry.newest(name, kinds=kinds), most))

    def previous(self, name: str) -> str | None:
        """The model that a rollback brings back; None for nothing. Raises RegistryUnavailable."""
        release = None if self._registry is None else self._registry.previous(name)
        return release.model if release else None

    def roll_back(self, name: str, *, seen: str, reason: str, until: float) -> Release:
        """Move the registry back to the release before, once its model has proved that it still answers.

        `seen`: the model that was current when this was decided. `until`: as time.monotonic says it; nothing moves
        later. Raises ReleveError: Conflict, ModelAltered, TooSlow and others; then nothing has moved.
        """
        current = None if self._registry is None else self._registry.current(name)
        if self._registry is None or current is None:
            raise self._nothing_serves(name)
        if current.release.model != seen:
            raise Conflict(f"{current.release.model} serves {name} by now, and no longer {seen}; look again and decide")
        back = find_way_back(self._registry, ModelStore(self._settings.home), current)
        if time.monotonic() > until:
            raise TooSlow(
                f"{back.release.model} took too long to load; nothing was moved: make rollback SCENARIO={name}"
            )
        moved = ModelRolledBack(release=back.release)
        self._registry.move(name, moved, expected=current.number, reason=reason, actor=PAGE)
        return back.release

    def note(self, about: str, text: str, *, token: str) -> None:
        """Write a note on a scenario or a model of it, by the person whose token it is (release.approvers), else by
        whoever holds the operator's.

        Raises NoRelease without a registry, and what `write_note` and reading params.yaml raise.
        """
        if self._registry is None:
            raise NoRelease(f"{about} is served without a registry here, and notes are kept there")
        approvers = files.read_params(self._settings.project, ModelTag.parse(about).scenario).release.approvers
        try:
            by, way = holder_of(token, approvers).name, NoteWay.PERSON
        except (BadInput, NotAnApprover):
            by, way = OPERATOR, NoteWay.ROLE
        write_note(self._registry, about, text, by=by, way=way)

    def follow(self, name: str, release: Release) -> None:
        """Serve what a rollback brought back. Raises ReleveError where it cannot be loaded.

        Its index is there as a rule; where it is not, searches wait for `make rollback`.
        """
        self.poll()
        loading = self._loader.load(self.get(name))
        if self.index is not None:
            with suppress(IndexUnavailable):
                self.index.alias(name, release.index)
        loading.result()

    def pin(self, name: str, served: Served) -> None:
        """Serve one model version for as long as this lives."""
        self._only = (name,)
        self._sole = self._make(name)
        self._sole.prepare(served)
        self._sole.served = served

    def start(self) -> None:
        """Poll now, then every `poll_seconds`, in a thread of its own; in another one follow what lags rest on.

        Waits for the first poll, so that nobody is told that nothing is released; not long, where the registry hangs.
        """
        for thread in self._threads:
            thread.start()
        self._polled.wait(FIRST_POLL_SECONDS)

    def close(self) -> None:
        """Stop polling and let go of everything; every answer is on disk afterwards."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=5)
        self._loader.close()
        for scenario in self._by_name.values():
            scenario.ledger.close()
        self._sync.close()
        if self._registry is not None:
            self._registry.close()
        if self.index is not None:
            self.index.close()

    def poll(self) -> list["Future[None]"]:
        """Take over what is current now: one query for all scenarios, and one for each that moved.

        Returns what it began to load.
        """
        if self._registry is None:
            return []
        try:
            pointers = self._registry.pointers()
            if not pointers and any(each.current for each in self._by_name.values()) and not self._registry.events():
                raise RegistryUnavailable("the registry has lost its history: another, empty one lies in its place")
            for name, number in pointers.items():
                known = self._by_name.get(name)
                if known is None or known.current is None or known.current.number != number:
                    self._move(name)
            self._follow_arms(self._registry)
        except RegistryUnavailable as error:
            self.registry_reachable = False
            self._log_once("the registry", f"{error}; what serves goes on serving")
            return []
        for scenario in list(self._by_name.values()):
            if scenario.current is not None and scenario.name not in pointers:
                scenario.withdraw()
        self._sole = self._find_sole()
        self.registry_reachable = True
        self._logged.pop("the registry", None)
        return [
            *(self._loader.load(each) for each in list(self._by_name.values()) if self._is_wanted(each)),
            *(self._loader.load_challenger(each) for each in list(self._by_name.values()) if each.wants_challenger),
        ]

    def _is_wanted(self, scenario: Scenario) -> bool:
        """Whether to load it though no request waits for it: once, where a person named it."""
        named = scenario.name in self._only and not scenario.let_go
        return (named or scenario.served is not None) and self._loader.is_due(scenario)

    def _move(self, name: str) -> None:
        """Note what is current, if this process serves the scenario."""
        assert self._registry is not None, "there is one where anything moves"
        if self._only and name not in self._only:
            return
        try:
            current = self._registry.current(name)
        except RegistryUnavailable:
            raise
        except ReleveError as error:  # of this scenario alone, such as a payload that was changed
            self._log_once(f"the release of {name}", f"the release of {name} cannot be read: {error}")
            return
        self._logged.pop(f"the release of {name}", None)
        if current is not None:
            self._make(name).current = current

    def _follow_arms(self, registry: Registry) -> None:
        """Take over which challengers take part, and end those that a guard ends. Raises RegistryUnavailable."""
        pointers = registry.arm_pointers()
        for scenario in list(self._by_name.values()):
            number, trial = pointers.get(scenario.name), scenario.trial
            if number is None:
                scenario.trial = None
            elif trial is None or trial.running.number != number:
                self._take_part(registry, scenario)
            elif guard := trial.fired():
                end_by_guard(registry, scenario.name, trial.running, guard)

    def _take_part(self, registry: Registry, scenario: Scenario) -> None:
        try:
            running = registry.arms(scenario.name)
            params = files.read_params(self._settings.project, scenario.name).arms
        except RegistryUnavailable:
            raise
        except ReleveError as error:  # of this scenario alone
            self._log_once(f"the arms of {scenario.name}", f"the arms of {scenario.name} cannot be read: {error}")
            return
        self._logged.pop(f"the arms of {scenario.name}", None)
        if running is None:  # ended meanwhile
            scenario.trial = None
        else:
            scenario.trial = (
                scenario.trial.goes_on_as(running, params) if scenario.trial else LiveTrial(running, params)
            )

    def _find_sole(self) -> Scenario | None:
        if self._only:
            return self.get(self._only[0]) if len(self._only) == 1 else None
        released = self.released()
        return released[0] if len(released) == 1 else None

    def _made_for(self, name: str) -> Scenario:
        """A scenario that is known, and not released."""
        described = self._settings.project / "scenarios" / name / "params.yaml"
        if SCENARIO_NAME.fullmatch(name) and (name in self._only if self._only else described.is_file()):
            return self._make(name)
        raise UnknownScenario("no scenario of that name is served here; / lists those that are")

    def _make(self, name: str) -> Scenario:
        with self._making:
            if name not in self._by_name:
                folder = self._settings.home / "ledger" / name
                ledger = LedgerWriter(folder, name, clock=lambda: datetime.now(UTC), sync=self._sync)
                self._by_name[name] = Scenario(
                    name,
                    load=self._loader.load,
                    ledger=ledger,
                    index=self.index,
                    metrics=self._metrics,
                    ingested=known_values_path(self._settings.home, name),
                )
            return self._by_name[name]

    def _nothing_serves(self, name: str) -> ReleveError:
        """Say why nothing serves and what to do; without the events where the registry is away."""
        events = []
        if self._registry is not None and self.registry_reachable:
            with suppress(RegistryUnavailable):
                events = self._registry.events(name, kinds=(CHALLENGED, ARCHIVED, WITHDRAWN))
        return NoRelease(gate_messages.nothing_serves(name, events))

    def _watch(self) -> None:
        measured = 0.0
        while not self._stopping.is_set():
            try:
                self.poll()
                self._loader.trim()
                if time.monotonic() - measured > MEASURE_SECONDS:
                    self._measure()
                    measured = time.monotonic()
            except Exception:  # the watch must outlive what nobody thought of
                log.exception("polling for the current releases failed")
            self._polled.set()
            self._stopping.wait(self._poll_seconds)

    def _follow_knowledge(self) -> None:
        while not self._stopping.wait(self._poll_seconds):
            for scenario in list(self._by_name.values()):
                try:
                    scenario.follow()
                except Exception:  # as `_watch`; the others go on
                    log.exception("what lags of %s rest on cannot be followed", scenario.name)

    def _measure(self) -> None:
        try:
            self.check_ledger()
            ledger = True
            self._logged.pop("the ledger", None)
        except ReleveError as error:
            ledger = False
            self._log_once("the ledger", f"no answer can be written, and so none is given: {error}")
        released = self.released()
        models = sum(each.served is not None for each in released)
        registry = self.registry_reachable is not False
        self._metrics.watched(registry=registry, ledger=ledger, scenarios=len(released), models=models)

    def _log_once(self, what: str, trouble: str) -> None:
        if self._logged.get(what) != trouble:
            log.warning("%s", trouble)
            self._logged[what] = trouble
