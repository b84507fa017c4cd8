"""The process that asks all shadows: it follows the registry, and the ledger of each scenario that has one."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING

from releve.adapters import files
from releve.adapters.registry.registry import Registry
from releve.core.errors import ReleveError
from releve.core.settings import Settings
from releve.domain.arms.arms import ArmMode, RunningArms
from releve.serving.arms.ending import end_by_guard

if TYPE_CHECKING:
    from releve.serving.shadow.shadow import Shadow

REGISTRY_SECONDS = 1.0  # between two looks at the registry
LEDGER_SECONDS = 0.05  # between two looks at a ledger in which nothing was new
BATCH = 50  # requests of one scenario, until the next one's turn
log = logging.getLogger("releve.serving.shadow")


class ShadowProcess:
    """All shadows of this machine. One thread calls it; nobody else writes what they answer."""

    def __init__(
        self, settings: Settings, registry: Registry, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.shadows: dict[str, Shadow] = {}
        self._settings = settings
        self._registry = registry
        self._clock = clock
        self._known: dict[str, int] = {}  # arms by scenario, of whatever mode, as they were looked at last
        self._logged: dict[str, str] = {}  # trouble by scenario, or of the registry, as it was logged last

    def run(self, stopping: Event) -> None:
        """Follow and answer until `stopping` is set."""
        followed = 0.0
        while not stopping.is_set():
            if time.monotonic() - followed >= REGISTRY_SECONDS:
                self.follow()
                followed = time.monotonic()
            idle = self.answer()
            if idle:
                stopping.wait(LEDGER_SECONDS if self.shadows else REGISTRY_SECONDS)
        self.close()

    def follow(self) -> None:
        """Take over what the registry says, and end what a guard ends; what is away is logged once."""
        try:
            pointers = self._registry.arm_pointers()
            for name in self._known.keys() - pointers.keys():
                self._forget(name)
        except ReleveError as error:
            self._log_once("the registry", error)
            return
        for name, number in pointers.items():
            try:
                self._follow(name, number)
            except ReleveError as error:  # of this scenario alone, such as its settings
                self._log_once(name, error)

    def answer(self) -> bool:
        """Ask each challenger a batch of what waits for it; whether nothing is left to ask."""
        return all([self._answer(name, shadow) for name, shadow in self.shadows.items()])  # each one, whatever came out

    def close(self) -> None:
        """Let go of everything; what was answered is on disk afterwards."""
        for name in list(self._known):
            self._forget(name)
        self._registry.close()

    def _follow(self, name: str, number: int) -> None:
        if self._known.get(name) != number:
            self._take_over(name, self._registry.arms(name))
            self._known[name] = number
        shadow = self.shadows.get(name)
        if shadow is not None and (guard := shadow.fired()):
            end_by_guard(self._registry, name, shadow.running, guard)

    def _answer(self, name: str, shadow: "Shadow") -> bool:
        try:
            shadow.look()
            shadow.answer(BATCH)
        except ReleveError as error:  # a disk, as a rule: it is tried again, after a moment
            self._log_once(name, error)
            return True
        return shadow.is_idle

    def _take_over(self, name: str, running: RunningArms | None) -> None:
        shadow = self.shadows.get(name)
        if running is None or running.started.mode is not ArmMode.SHADOW:
            self._forget(name)
        elif shadow is not None and shadow.running.started == running.started:
            shadow.running = running
        else:
            self._forget(name)
            self.shadows[name] = self._open(name, running)

    def _open(self, name: str, running: RunningArms) -> "Shadow":
        """Raises BadInput where the scenario's settings cannot be read."""
        from releve.serving.shadow.shadow import Shadow  # what answers takes memory: where none runs there is none

        params = files.read_params(self._settings.project, name).arms
        log.info("%s is asked aside for %s", running.started.challenger.model, name)
        return Shadow(self._settings.home, name, running, params, clock=self._clock)

    def _forget(self, name: str) -> None:
        self._known.pop(name, None)
        shadow = self.shadows.pop(name, None)
        if shadow is not None:
            shadow.close()

    def _log_once(self, subject: str, error: ReleveError) -> None:
        if self._logged.get(subject) != str(error):
            log.warning("%s: %s; it is tried again", subject, error)
            self._logged[subject] = str(error)
