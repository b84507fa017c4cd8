"""Projects with many scenarios, each with a history of its own: most go well, some need a person."""

import json
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from releve.adapters.registry.database import EVENTS, POINTERS, open_engine, parse_url
from releve.core.settings import Settings
from releve.domain.alerting.alert_state import AlertState
from releve.domain.evaluation.intervals import Interval
from releve.domain.quality.realised import QualityState
from releve.domain.quality.staleness import UNLABELLED, ExceededLimit
from releve.domain.registry.chain import GENESIS, POINTER_MOVES, WITHDRAWN, EventPayload, canonical_json, event_hash
from releve.domain.registry.events import (
    IndexMoved,
    ModelReleased,
    ModelRolledBack,
    ModelWithdrawn,
    ReleaseChange,
    ShownHarm,
)
from releve.domain.registry.release import Release
from releve.domain.trigger.rollback import RollbackDecision
from tests.events import make_any_release, make_challenger, make_ingested
from tests.factories import make_project
from tests.page_histories import drift, make_quality, make_run, make_staleness
from tests.repositories import commit

DAY_OF_EVENTS = 5  # ingested, monitored, judged, released, index moved

# What makes the newest monitoring runs of a scenario unlike the others.
TROUBLES: dict[str, dict[str, Any]] = {
    "degraded": {"quality": make_quality(QualityState.DEGRADED, change=Interval(-0.2, -0.3, -0.1), naive=0.6)},
    "harmful": {"rollback": RollbackDecision(roll_back=True)},
    "broken": {"drift": drift("broken data", columns=30)},
    "drift": {"drift": drift("drift", columns=30, alarms=6)},
    "unlabelled": {
        "staleness": make_staleness(ExceededLimit(UNLABELLED, 0.97, 0.9)),
        "quality": make_quality(QualityState.UNKNOWN, labelled=3),
    },
}
ENDS = ("withdrawn", "taken back", "unreleased", "silent", "refused", "refused file", "behind", "empty", *TROUBLES)


def make_fleet(folder: Path, *, scenarios: int, events: int, now: datetime, troubled: int = 4) -> Settings:
    """A project whose scenarios have so many events each; one of `troubled` ends in one of ENDS, each in its turn."""
    project = make_project(folder)
    (own,) = (project / "scenarios").glob("*/params.yaml")
    names = [f"{word}_{number:03}" for number in range(scenarios) for word in [WORDS[number % len(WORDS)]]]
    for name in names:
        path = project / "scenarios" / name / "params.yaml"
        path.parent.mkdir()
        path.write_text(own.read_text())
    own.unlink()
    commit(project, "a fleet")
    settings = Settings.from_environ({}, cwd=project)
    engine = open_engine(parse_url(settings.registry_url))
    with engine.execution_options(writes=True).begin() as connection:
        for number, name in enumerate(names):
            end = ENDS[number // troubled % len(ENDS)] if number % troubled == 0 else ""
            history = History(name, random.Random(number))
            history.fill(events, now=now - timedelta(hours=number % 12), end=end)
            if history.rows:
                connection.execute(EVENTS.insert(), history.rows)
            if history.pointer:
                connection.execute(POINTERS.insert().values(scenario=name, number=history.pointer))
            if end == "refused file":
                refused = settings.home / "refused" / name
                refused.mkdir(parents=True)
                (refused / "march.csv").write_text("a\n")
            page = settings.home / "pages" / f"{name}.html"
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(f"<!doctype html><title>{name}</title>")
    engine.dispose()
    return settings


WORDS = ("churn", "demand", "fraud", "pricing", "returns", "credit", "energy", "claims", "traffic", "stock")


class History:
    """The chain of one scenario."""

    def __init__(self, name: str, rng: random.Random) -> None:
        self.name, self.rng = name, rng
        self.rows: list[dict[str, Any]] = []
        self.pointer = 0
        self.release: Release | None = None

    def add(self, payload: EventPayload, at: datetime) -> None:
        text = canonical_json(payload.model_dump(mode="json"))
        row = {
            "scenario": self.name,
            "number": len(self.rows) + 1,
            "at": at.isoformat(timespec="microseconds"),
            "kind": payload.kind,
            "actor": "a test",
            "reason": "",
            "previous_hash": self.rows[-1]["hash"] if self.rows else GENESIS,
        }
        row["hash"] = event_hash({**row, "payload": json.loads(text)})
        self.rows.append({**row, "payload": text})
        if payload.kind in POINTER_MOVES:
            self.pointer = 0 if payload.kind == WITHDRAWN else row["number"]

    def follow(self, at: datetime) -> None:
        """The index gets the rows that came in, beside the same model."""
        if self.release:
            self.add(IndexMoved(release=self.release, since=at.isoformat(), new=3, gone=0), at + timedelta(minutes=3))

    def fill(self, events: int, *, now: datetime, end: str) -> None:
        days = max(1, events // DAY_OF_EVENTS)
        base, model = self.rng.uniform(0.7, 0.95), ""
        if end == "empty":
            return
        for day in range(days):
            at = now - timedelta(days=days - 1 - day + (3 if end == "silent" else 0), hours=1)
            last, score = day == days - 1, min(0.99, max(0.5, self.rng.gauss(base, 0.01)))
            if model:
                quality = make_quality(score=Interval(score, score - 0.04, score + 0.03), naive=0.55)
                seen = {"quality": quality, "drift": drift(columns=30)}
                seen |= TROUBLES.get(end, {}) if day >= days - self.rng.randint(1, 9) or last else {}
                self.add(make_run(model=model, **seen).model_copy(update={"at": at.isoformat()}), at)
            arrived = (at - timedelta(hours=self.rng.uniform(0, 20))).isoformat(timespec="seconds")
            self.add(
                make_ingested(f"day{day}.csv", batch=f"{day:08}", sha256=f"{day:064}", arrived=arrived),
                at + timedelta(minutes=1),
            )
            if model and end in TROUBLES:  # the same model serves on
                self.follow(at)
                continue
            new = f"{self.name}:{self.rng.getrandbits(48):012x}"
            refused = day > 0 and (self.rng.random() < 0.1 or (last and end == "refused"))
            challenger = make_challenger(
                new, promote=not refused, champion=model, cpu_seconds=self.rng.uniform(20, 400)
            )
            wait = timedelta(minutes=self.rng.uniform(10, 300) if not last else 10)
            self.add(challenger, at + wait if not (last and end == "unreleased") else at - timedelta(hours=9))
            if refused or (last and end == "unreleased"):
                self.follow(at + wait)
                continue
            self.release = release = make_any_release(new)
            change = ReleaseChange.REFRESH if model else ReleaseChange.FIRST
            self.add(ModelReleased(release=release, change=change), at + wait + timedelta(minutes=2))
            self.follow(at + wait)
            model = new
        self.add(AlertState(through=len(self.rows)), now)
        if end == "withdrawn":
            self.add(ModelWithdrawn(), now)
        if end == "taken back":
            harm = ShownHarm(model=model, gain=Interval(-0.1, -0.2, -0.05), answers=210, promotions=2)
            self.add(ModelRolledBack(release=make_any_release(f"{self.name}:{'0' * 12}"), harm=harm), now)
        if end == "behind":
            self.add(make_ingested("late.csv", batch="late", sha256="f" * 64), now - timedelta(hours=8))
