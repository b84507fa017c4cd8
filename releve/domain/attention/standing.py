"""How a scenario stands beside the others: champion, quality, drift, the last decision, costs and speed."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from releve.domain.arms.arms import running_arms
from releve.domain.attention.needs import Need, ScenarioFacts, newest_first, what_needs_a_person
from releve.domain.drift.verdict import DriftVerdict
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.metrics import METRICS
from releve.domain.registry.chain import ARM_CHANGES, CHALLENGED, INGESTED, MOVES, RELEASED, Event, EventLine
from releve.domain.registry.events import Challenger

RECENT = timedelta(days=30)  # that costs and speed are of
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class StandingQuality:
    """A score of the model that serves; `naive`: the best naive answer to the same rows, where it is known."""

    metric: str
    score: Interval
    rows: int
    naive: float | None
    is_realised: bool  # by labels of its answers; else as it was judged before its release

    @property
    def skill(self) -> float | None:
        """How much of the naive answer's error is gone: 1 is perfect, 0 is no better. It compares unlike metrics."""
        if self.naive is None:
            return None
        perfect = 1.0 if METRICS[self.metric].sign > 0 else 0.0
        gap = perfect - self.naive
        skill = (self.score.value - self.naive) / gap if gap else math.nan
        return skill if math.isfinite(skill) else None


@dataclass(frozen=True)
class Standing:
    """A scenario's line among all."""

    scenario: str
    needs: tuple[Need, ...]  # the newest first
    model: str = ""  # that serves; "" for none
    since: str = ""  # ISO 8601, UTC: since when
    is_naive: bool = False  # no model beats the naive answer, which serves
    quality: StandingQuality | None = None
    drift: DriftVerdict | None = None
    monitored_at: str = ""  # ISO 8601, UTC
    decision: Event | None = None  # the newest judgement or move
    challenger: str = ""  # that takes part in live traffic
    cpu_seconds: float = 0.0  # of training and rebuilding, in RECENT
    hours_to_release: float | None = None  # from a file's arrival, in RECENT


def stand(known: ScenarioFacts, lines: Sequence[EventLine]) -> Standing:
    """Put a scenario's line together. `lines`: of the last RECENT, oldest first."""
    if known.problem:
        return Standing(known.scenario, what_needs_a_person(known))
    arms = running_arms(event for event in reversed(known.events) if event.kind in (*ARM_CHANGES, *MOVES))
    judged = _judged(known)
    return Standing(
        scenario=known.scenario,
        needs=what_needs_a_person(known),
        model=known.release.model if known.release else "",
        since=known.since,
        is_naive=judged is not None and judged.evaluation.naive,
        quality=_quality(known, judged),
        drift=known.runs[0].run.drift if known.runs else None,
        monitored_at=known.runs[0].event.at if known.runs else "",
        decision=known.newest(CHALLENGED, *MOVES),
        challenger=arms.started.challenger.model if arms else "",
        cpu_seconds=sum(line.cpu_seconds for line in lines),
        hours_to_release=hours_to_release(lines),
    )


def in_order(standings: Iterable[Standing]) -> list[Standing]:
    """Put those that need a person first, the newest of their needs first; the others by name."""

    def place(one: Standing) -> tuple[bool, tuple[float, int], str]:
        return not one.needs, min(map(newest_first, one.needs), default=(0.0, 0)), one.scenario

    return sorted(standings, key=place)


def hours_to_release(lines: Iterable[EventLine]) -> float | None:
    """Return the median time from a file's arrival to the first release that was judged with it; None without one."""
    waiting: list[EventLine] = []  # ingested, in no release yet
    known_to: dict[str, list[EventLine]] = {}  # of each model what had been ingested when it was judged
    hours = []
    for line in lines:
        if line.kind == INGESTED:
            waiting.append(line)
        elif line.kind == CHALLENGED:
            known_to[line.model] = list(waiting)
        elif line.kind == RELEASED:
            learned = [file for file in known_to.get(line.model, []) if file in waiting]
            moment = datetime.fromisoformat(line.at)
            hours += [(moment - datetime.fromisoformat(file.arrived or file.at)) / HOUR for file in learned]
            waiting = [file for file in waiting if file not in learned]
    return median(hours) if hours else None


def _judged(known: ScenarioFacts) -> Challenger | None:
    """Return the gate's judgement of the model that serves, where its event is among those that were read."""
    if not known.release:
        return None
    served = (event for event in reversed(known.events) if event.payload.get("model") == known.release.model)
    event = next((event for event in served if event.kind == CHALLENGED), None)
    return event.read(Challenger) if event else None


def _quality(known: ScenarioFacts, judged: Challenger | None) -> StandingQuality | None:
    """Return what labels said last of the model that serves, or else what is expected of it."""
    if not known.release:
        return None
    for seen in known.runs:
        quality = seen.run.quality
        if seen.run.model == known.release.model and quality.score:
            return StandingQuality(quality.metric, quality.score, quality.labelled, quality.naive, is_realised=True)
    expected, evaluation = known.release.expected, judged.evaluation if judged else None
    if evaluation is None or evaluation.sound or evaluation.metric != expected.metric:
        return StandingQuality(expected.metric, expected.score, expected.rows, None, is_realised=False)
    baselines = [one.score for _, one in evaluation.baselines_to_beat]
    naive = max(baselines, key=lambda score: evaluation.sign * score, default=None)
    return StandingQuality(expected.metric, expected.score, expected.rows, naive, is_realised=False)
