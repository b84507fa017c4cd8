"""Look at every scenario: which runs are due? What did not change since the last look is not read again."""

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from releve.adapters.files import read_document, scenario_names, write_document
from releve.adapters.git_dvc.committed import NotCommitted, head_of, read_committed_settings
from releve.adapters.registry.database import RegistryUnavailable
from releve.adapters.registry.registry import Registry
from releve.core.documents import DocumentPart
from releve.core.errors import BadInput, ReleveError
from releve.core.params import Params, Schedule
from releve.core.settings import Settings
from releve.domain.registry.events import MonitoringSilent
from releve.domain.scheduling.activity import KINDS, read_activity
from releve.domain.scheduling.deployments import schedules_of
from releve.domain.scheduling.due import (
    SECTIONS,
    DueFacts,
    DueRun,
    ScenarioEvents,
    ScenarioPlan,
    due_run,
    silence_is_news,
    silent_hours,
)
from tasks.places import ScenarioState


class KnownActivity(DocumentPart):
    """What the events up to the one of this number say."""

    number: int
    events: ScenarioEvents


class FleetMemory(DocumentPart):
    """What the last look knew. Without it, or where it is damaged, everything is read anew."""

    commit: str = ""
    names: tuple[str, ...] = ()  # of the folders there were
    schedules: Mapping[str, Schedule | None] = {}
    plans: Mapping[str, ScenarioPlan] = {}
    unreadable: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    activity: Mapping[str, KnownActivity] = {}


@dataclass(frozen=True)
class FleetLook:
    """What one look saw."""

    now: datetime
    facts: Mapping[str, DueFacts]
    due: Mapping[str, DueRun]
    schedules: Mapping[str, Schedule | None]  # of every scenario with a folder
    unreadable: tuple[str, ...]  # scenarios whose committed params are wrong, or whose events were changed
    unreadable_is_news: bool  # since the look before


def memory_path(home: Path) -> Path:
    """Written by every look: its age says how long ago the last one was."""
    return home / "run" / "fleet.json"


def wrong_at_last_look(home: Path) -> tuple[str, ...]:
    """Scenarios whose committed params were wrong; () where nobody looked yet."""
    with suppress(BadInput, OSError):
        return read_document(memory_path(home), FleetMemory).unreadable
    return ()


def look_at_all(settings: Settings, *, now: datetime) -> FleetLook:
    """Gather what is cheap to know of every scenario, and decide which runs are due.

    Raises RegistryUnavailable, BadInput where nothing is committed.
    """
    path = memory_path(settings.home)
    before = FleetMemory()
    with suppress(BadInput, OSError):
        before = read_document(path, FleetMemory)
    commit, names = head_of(settings), tuple(scenario_names(settings.project))
    plans, schedules, unreadable = before.plans, before.schedules, before.unreadable
    if not commit or (commit, names) != (before.commit, before.names):
        found = read_committed_settings(settings, names, keys=SECTIONS)
        params = {name: each for name, each in found if not isinstance(each, NotCommitted)}
        plans = {name: ScenarioPlan.of(each) for name, each in params.items() if isinstance(each, Params)}
        schedules = schedules_of(names, params)
        unreadable = tuple(name for name, each in params.items() if not isinstance(each, Params))
    activity, damaged = _activity(settings, before)

    facts, due = {}, {}
    for name, plan in plans.items():
        if name in damaged:
            continue
        events = activity[name].events if name in activity else ScenarioEvents()
        facts[name] = DueFacts(plan, events, waiting=_identify(ScenarioState(settings.home, name).incoming))
        if run := due_run(facts[name], now):
            due[name] = run

    memory = FleetMemory(
        commit=commit,
        names=names,
        schedules=schedules,
        plans=plans,
        unreadable=unreadable,
        damaged=damaged,
        activity=activity,
    )
    if memory == before and path.exists():
        path.touch()
    else:
        write_document(path, memory)
    wrong = tuple(sorted({*unreadable, *damaged}))
    is_news = (unreadable, damaged) != (before.unreadable, before.damaged)
    return FleetLook(now, facts, due, schedules, wrong, unreadable_is_news=is_news)


def note_silence(settings: Settings, scenario: str, facts: DueFacts, *, now: datetime) -> bool:
    """Write down that no monitoring run ended for too long, unless that is known; whether it was news."""
    hours = silent_hours(facts.plan, facts.events, now)
    if not hours or not silence_is_news(facts.events, now) or facts.events.watched_since is None:
        return False
    payload = MonitoringSilent(since=facts.events.watched_since.isoformat(), hours=hours)
    reason = "a run was started for it, and has brought none yet"
    Registry(settings.registry_url).append(scenario, payload, reason=reason, actor="fleet")
    return True


def _activity(settings: Settings, before: FleetMemory) -> tuple[dict[str, KnownActivity], tuple[str, ...]]:
    """Read the events of the scenarios that have new ones; name those with a folder whose events were changed."""
    registry, found, damaged = Registry(settings.registry_url), dict[str, KnownActivity](), list[str]()
    for name, number in registry.tails().items():
        known = before.activity.get(name)
        if known and known.number == number:
            found[name] = known
            continue
        try:
            found[name] = KnownActivity(number=number, events=read_activity(registry.newest(name, kinds=KINDS)))
        except ReleveError as error:
            if isinstance(error, RegistryUnavailable):
                registry.tails()  # is it away for every scenario, or was one event of this one changed?
            damaged.append(name)
    return found, tuple(sorted({*damaged} & {*scenario_names(settings.project)}))


def _identify(incoming: Path) -> str:
    """Digest names, sizes and times of the files that wait; "" for none."""
    try:
        with os.scandir(incoming) as entries:
            found = [
                (each.name, each.stat(follow_symlinks=False)) for each in entries if not each.name.startswith(".")
            ]  # a link to nothing waits, too: ingestion says what is wrong with it
    except OSError:  # no file ever came, or one left meanwhile: the next look sees what is there then
        return ""
    if not found:
        return ""
    lines = sorted(f"{name} {status.st_size} {status.st_mtime_ns}" for name, status in found)
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()[:16]
