"""What one event of the registry says of each subject that people are alerted of.

An event that says nothing of a subject (too few labels, one weak alarm) leaves the subject where it stood.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from releve.core.params import Alerts
from releve.domain.drift import verdict as drift
from releve.domain.quality import staleness as age
from releve.domain.quality.realised import QualityState
from releve.domain.registry.chain import ARCHIVED, CHALLENGED, MONITORED, RELEASED, ROLLED_BACK, Event

KINDS = (MONITORED, CHALLENGED, RELEASED, ROLLED_BACK, ARCHIVED)  # events that can say something
ALARM, CALM, NEWS = "alarm", "calm", "news"

DATA, DRIFT, QUALITY, ESTIMATE, AGE = "data", "drift", "quality", "estimate", "age"
RETRAINING, MONITORING = "retraining", "monitoring"
SUBJECTS = (DATA, DRIFT, QUALITY, ESTIMATE, AGE, RETRAINING, MONITORING)

# An alarm is repeated while it stands, and its end is told; news are told once. `{about}` is a model version.
SENTENCES: Mapping[tuple[str, str], tuple[str, str]] = {
    (DATA, "broken"): (ALARM, "the data look broken"),
    (DATA, "sound"): (CALM, "the data look sound again"),
    (DRIFT, "drift"): (ALARM, "the table drifted"),
    (DRIFT, "none"): (CALM, "the table has not drifted any more"),
    (QUALITY, QualityState.DEGRADED): (ALARM, "{about} is worse than expected"),
    (QUALITY, QualityState.WITHIN_TOLERANCE): (CALM, "{about} performs as expected again"),
    (ESTIMATE, QualityState.DEGRADED): (ALARM, "{about} is estimated to be worse than expected"),
    (ESTIMATE, QualityState.AUDIT_FAILED): (ALARM, "concept drift is suspected: the labels contradict the estimate"),
    (ESTIMATE, QualityState.WITHIN_TOLERANCE): (CALM, "{about} is estimated to perform as expected again"),
    (AGE, "due"): (ALARM, "a limit of age is passed"),
    (AGE, "fresh"): (CALM, "no limit of age is passed any more"),
    (RETRAINING, "due"): (ALARM, "a retraining is due"),
    (RETRAINING, "waits"): (CALM, "no retraining is due any more"),
    (RETRAINING, "refused"): (NEWS, "the gate refused {about}"),
    (RETRAINING, "promoted"): (NEWS, "{about} serves now"),
    (RETRAINING, "rolled_back"): (NEWS, "rolled back, {about} serves again"),
    (MONITORING, "silent"): (ALARM, "nobody looked for too long"),
    (MONITORING, "regular"): (CALM, "looks come in time again"),
    **{(subject, ARCHIVED): (CALM, f"started over, which ends the alarm of {subject}") for subject in SUBJECTS},
}

DRIFT_STATES = {drift.DRIFT: "drift", drift.NO_DRIFT: "none"}
QUALITY_STATES = {state: str(state) for state in (QualityState.DEGRADED, QualityState.WITHIN_TOLERANCE)}
ESTIMATE_STATES = {**QUALITY_STATES, QualityState.AUDIT_FAILED: str(QualityState.AUDIT_FAILED)}
AGE_STATES = {age.DUE: "due", age.FRESH: "fresh"}
LIMIT = re.compile(r"params\.yaml: age\.(\w+)")
MOVE_STATES = {RELEASED: "promoted", ROLLED_BACK: "rolled_back"}


@dataclass(frozen=True)
class Signal:
    """A subject's state."""

    subject: str
    state: str  # with its subject a key of SENTENCES
    about: str = ""  # a model version, of AGE the limits: the same state about another one is a change too
    reasons: tuple[str, ...] = ()

    @property
    def level(self) -> str:
        """ALARM, CALM or NEWS."""
        return SENTENCES[self.subject, self.state][0]

    @property
    def sentence(self) -> str:
        """Without the reasons."""
        return SENTENCES[self.subject, self.state][1].format(about=self.about)


def signals(event: Event, params: Alerts, *, looked_at: str = "") -> tuple[Signal, ...]:
    """What `event` says of the subjects that are not muted; `looked_at`: of the look before, "" where there is none."""
    said = _looked(event, params, looked_at) if event.kind == MONITORED else _acted(event)
    return tuple(signal for signal in said if signal.subject not in params.muted)


def _looked(event: Event, params: Alerts, looked_at: str) -> Iterator[Signal]:
    said = event.payload  # of format 1, too, which has no estimate and no age
    seen = said["drift"]["state"]
    yield from _silence(event.at, params, looked_at)
    if seen != drift.INSUFFICIENT:
        yield Signal(DATA, "broken" if seen == drift.BROKEN else "sound", "", tuple(said["drift"]["reasons"]))
    yield from _known(DRIFT, DRIFT_STATES, said["drift"], said["model"])
    yield from _known(QUALITY, QUALITY_STATES, said["quality"], said["model"])
    yield from _known(ESTIMATE, ESTIMATE_STATES, said.get("estimate"), said["model"])
    yield from _known(AGE, AGE_STATES, said.get("age"), _limits(said.get("age")))
    decision = said["decision"]
    yield Signal(RETRAINING, "due" if decision["retrain"] else "waits", "", tuple(decision["reasons"]))


def _known(subject: str, states: Mapping[Any, str], found: Mapping[str, Any] | None, about: str) -> Iterator[Signal]:
    if found and found["state"] in states:
        yield Signal(subject, states[found["state"]], about, tuple(found.get("reasons", ())))


def _limits(found: Mapping[str, Any] | None) -> str:
    """Which limits of age are passed: one more is a change, one more day is none. Each reason names its key."""
    return ", ".join(LIMIT.findall(" ".join(found["reasons"]))) if found else ""


def _silence(at: str, params: Alerts, looked_at: str) -> Iterator[Signal]:
    if params.silence_hours and looked_at:
        hours = (datetime.fromisoformat(at) - datetime.fromisoformat(looked_at)) / timedelta(hours=1)
        late = hours > params.silence_hours
        reason = f"{hours:.1f} hours between two looks, {params.silence_hours:g} are allowed"
        yield Signal(
            MONITORING, "silent" if late else "regular", "", (f"{reason} (params.yaml: alerts.silence_hours)",)
        )


def _acted(event: Event) -> Iterator[Signal]:
    said = event.payload
    if event.kind == ARCHIVED:
        yield from (Signal(subject, ARCHIVED, "", (event.reason,)) for subject in SUBJECTS)
    elif event.kind == CHALLENGED and not said["promote"]:
        yield Signal(RETRAINING, "refused", said["model"], tuple(said["reasons"]))
    elif event.kind in MOVE_STATES:
        yield Signal(RETRAINING, MOVE_STATES[event.kind], said["release"]["model"], (event.reason,))
