"""The message of an alert, as chats and mails show it: written from the alert and its event, read back by nobody."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict

from releve.core.formatting import utc_minute
from releve.core.params import Alerts
from releve.domain.alerting.alert_state import Alert, AlertKind
from releve.domain.alerting.signals import (
    AGE,
    APPROVAL,
    COST,
    DATA,
    DRIFT,
    ESTIMATE,
    FILES,
    MONITORING,
    QUALITY,
    RETRAINING,
    SUBJECTS,
)
from releve.domain.registry.chain import ARCHIVED, CHALLENGED, FILES_REFUSED, MONITORED, SILENT, Event
from releve.domain.registry.events import Challenger, FilesRefused
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.reporting.messages.gate import event_reason
from releve.reporting.messages.money import describe_realised
from releve.reporting.messages.monitoring import (
    describe_decision,
    describe_drift,
    describe_estimate,
    describe_late,
    describe_payoff,
    describe_quality,
    describe_staleness,
)

SHOWN_REASONS = 10  # of a message; the registry keeps all of them
REASON_LENGTH = 1000  # characters, which no sentence of ours needs: beyond them it is what a caller sent
# Reasons can hold what a caller sent as a category: nobody's data becomes a link, or a mention of everybody.
HARMLESS = {
    **{number: " " for number in (*range(32), 127)},
    **str.maketrans({"<": "‹", ">": "›", "@": "＠", "`": "'"}),  # noqa: RUF001
}
LINK = re.compile(r"\](?=[(\[])")  # what Markdown makes a link of: [text](address), [text][name]
ADDRESS = re.compile(r"://|www\.", re.IGNORECASE)  # what chats make a link of by themselves

SENTENCES = {  # `{about}` is a model version, without the scenario that every text begins with
    (FILES, "refused"): "incoming files were refused and set aside",
    (DATA, "broken"): "the data look broken",
    (DATA, "sound"): "the data look sound again",
    (DRIFT, "drift"): "the table drifted",
    (DRIFT, "none"): "the table has not drifted any more",
    (QUALITY, "degraded"): "model {about} is worse than expected",
    (QUALITY, "harmful"): "model {about} is shown to be worse than the release before it",
    (QUALITY, "within_tolerance"): "model {about} performs as expected again",
    (COST, "dear"): "decisions of model {about} cost more than was promised",
    (COST, "as_promised"): "decisions of model {about} do not cost more than was promised any more",
    (ESTIMATE, "degraded"): "model {about} is estimated to be worse than expected",
    (ESTIMATE, "audit_failed"): "concept drift is suspected: the labels contradict the estimate",
    (ESTIMATE, "within_tolerance"): "model {about} is estimated to perform as expected again",
    (AGE, "due"): "a limit of age is passed",
    (AGE, "fresh"): "no limit of age is passed any more",
    (RETRAINING, "due"): "a search for other recipes is due",
    (RETRAINING, "waits"): "no search is due any more",
    (RETRAINING, "refused"): "the gate refused model {about}",
    (RETRAINING, "promoted"): "model {about} serves now",
    (RETRAINING, "refreshed"): "model {about} serves now, made of newer rows",
    (RETRAINING, "naive"): "no model beats the naive answer, which serves now",
    (RETRAINING, "rolled_back"): "rolled back, model {about} serves again",
    (APPROVAL, "waits"): "model {about} waits for people to approve it",
    (APPROVAL, "refused"): "a person refused model {about}",
    (APPROVAL, "expired"): "nobody approved model {about} in time",
    (APPROVAL, "settled"): "model {about} does not wait for people any more",
    (MONITORING, "silent"): "no monitoring run for too long",
    (MONITORING, "regular"): "monitoring runs come in time again",
    **{(subject, ARCHIVED): f"started over, which ends the alarm of {subject}" for subject in SUBJECTS},
}


class AlertMessage(BaseModel):
    """What the webhook and Prefect's event get; chats show `text`, programs tell two deliveries of one by `id`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    id: str
    scenario: str
    subject: str
    state: str
    kind: AlertKind
    about: str
    at: str
    since: str
    text: str
    reasons: tuple[str, ...]


def write_message(alert: Alert, event: Event, params: Alerts) -> AlertMessage:
    """Write the message of an alert, which follows from `event`."""
    reasons = tuple(_harmless(reason) for reason in _reasons(alert, event, params)[:SHOWN_REASONS])
    sentence = _harmless(
        SENTENCES[alert.subject, alert.state].format(about=alert.about.removeprefix(f"{event.scenario}:"))
    )
    first = "" if alert.kind == AlertKind.ENDED or not reasons else f"; {reasons[0]}"
    frame = {
        AlertKind.RAISED: f"{sentence}{first}",
        AlertKind.REPEATED: f"still: {sentence}, since {utc_minute(alert.since)}{first}",
        AlertKind.ENDED: f"{sentence}; the alarm stood since {utc_minute(alert.since)}",
    }
    return AlertMessage(
        id=alert.id,
        scenario=event.scenario,
        subject=alert.subject,
        state=alert.state,
        kind=alert.kind,
        about=alert.about,
        at=alert.at,
        since=alert.since,
        text=f"{event.scenario}: {frame[alert.kind]}",
        reasons=reasons,
    )


def _reasons(alert: Alert, event: Event, params: Alerts) -> tuple[str, ...]:
    if event.kind == FILES_REFUSED:
        return tuple(each.reason for each in event.read(FilesRefused).files)
    if event.kind == CHALLENGED:
        return event.read(Challenger).sentences
    if event.kind == SILENT:
        limit = f"{params.silence_hours:g} are allowed (params.yaml: alerts.silence_hours)"
        return (f"{alert.hours:.1f} hours without a monitoring run, {limit}",)
    if event.kind != MONITORED:
        return (event_reason(event),)
    run = event.read(MonitoringRun)
    if alert.subject == MONITORING:
        return ()
    if alert.subject in (DATA, DRIFT):
        return describe_drift(run.drift)
    if alert.subject == QUALITY:
        if run.rollback.roll_back:
            return (describe_payoff(run),)
        return (describe_late(run.telling_late) if run.telling_late else describe_quality(run.quality),)
    if alert.subject == COST and run.money:
        return (describe_realised(run.money),)
    if alert.subject == ESTIMATE:
        return describe_estimate(run.estimate)
    return describe_staleness(run.staleness) if alert.subject == AGE else describe_decision(run)


def _harmless(text: str) -> str:
    plain = LINK.sub("] ", text.translate(HARMLESS))
    plain = ADDRESS.sub(lambda found: f"{found[0][:-1]} {found[0][-1]}", plain)
    return plain if len(plain) <= REASON_LENGTH else f"{plain[: REASON_LENGTH - 3]}..."
