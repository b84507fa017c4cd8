"""What changed is sent through a real registry and a real receiver."""

import os
import signal
import subprocess
import sys
from contextlib import closing

import pytest
import yaml

from releve.adapters.registry.registry import Registry
from releve.core.settings import Settings
from releve.domain.registry.chain import ALERTED
from releve.domain.registry.events import ScenarioArchived
from releve.domain.trigger.monitoring_run import MonitoringRun
from tasks.monitoring.alert import AlertDelivery, alert
from tests.factories import SCENARIO, make_project
from tests.page_histories import drift, monitored_event
from tests.receivers import Receiver, receiving
from tests.repositories import commit
from tests.tables import ROOT

VARIABLE = "FLOWERS_WEBHOOK"
COLUMNS = "1 of 2 columns drifted: column 0 (KS 0.30, p 0.5)"
WEAK = "one weak alarm; a second one in a row, or a strong one, makes it drift"


@pytest.fixture
def settings(tmp_path):
    project = make_project(tmp_path)
    set_params(project, webhook_env=VARIABLE, repeat_hours=0.0, silence_hours=0.0)
    return Settings.from_environ({}, cwd=project)


def set_params(project, **changes):
    path = project / "scenarios" / SCENARIO / "params.yaml"
    values = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**values, "alerts": {**values.get("alerts", {}), **changes}}))
    commit(project, "change the alerts")


def monitored(settings, state):
    with closing(Registry(settings.registry_url)) as registry:
        payload = {**monitored_event(drift=drift(state)).payload, "scenario": SCENARIO}
        registry.append(SCENARIO, MonitoringRun(**payload), reason="", actor="a test")


def alert_states(settings):
    with closing(Registry(settings.registry_url)) as registry:
        return registry.events(SCENARIO, kinds=[ALERTED])


def send(settings, receiver: Receiver | None, **more) -> AlertDelivery:
    return alert(settings, SCENARIO, environ={VARIABLE: receiver.url} if receiver else {}, **more)


def texts(receiver):
    return [message["text"] for _, message in receiver.heard]


def test_a_change_is_posted_once_and_its_end_too(settings):
    with receiving(Receiver()) as receiver:
        for state in ("no drift", "drift", "drift", "no drift", "no drift"):
            monitored(settings, state)
            send(settings, receiver)

    assert texts(receiver) == [
        f"{SCENARIO}: the table drifted; {COLUMNS}",
        next(text for text in texts(receiver) if text.startswith(f"{SCENARIO}: the table has not drifted any more")),
    ]
    sent = receiver.heard[0][1]
    assert (sent["format"], sent["scenario"], sent["subject"], sent["state"]) == (1, SCENARIO, "drift", "drift")
    assert (sent["kind"], sent["id"], sent["reasons"]) == ("raised", f"{SCENARIO}/3/drift", [COLUMNS, WEAK])
    assert [event.reason for event in alert_states(settings)][:2] == ["nothing to report", texts(receiver)[0]]
    assert len(alert_states(settings)) == 3  # a run that changes nothing leaves no event


def test_what_nobody_took_waits_in_order_and_is_delivered_at_the_next_attempt(settings):
    monitored(settings, "drift")
    away = send(settings, None)
    monitored(settings, "no drift")
    still_away = send(settings, None)

    with receiving(Receiver()) as receiver:
        delivered = send(settings, receiver)
        again = send(settings, receiver)

    assert (len(away.waiting), len(still_away.waiting)) == (1, 2)
    assert f"alerts.webhook_env is '{VARIABLE}', and no environment variable of that name" in away.away
    assert [message["kind"] for _, message in receiver.heard] == ["raised", "ended"]
    assert delivered.waiting == again.made == again.waiting == ()
    assert "1 wait: alerts.webhook_env" in alert_states(settings)[0].reason


def test_an_attempt_that_changes_nothing_leaves_no_event(settings):
    monitored(settings, "drift")
    send(settings, None)

    send(settings, None)

    assert len(alert_states(settings)) == 1


def test_a_message_that_is_refused_is_reported_once_and_given_up_and_the_others_are_sent(settings):
    monitored(settings, "drift")
    send(settings, None)
    monitored(settings, "no drift")

    with receiving(Receiver(400)) as receiver:
        first = send(settings, receiver)
        second = send(settings, receiver)

    refused = f"{SCENARIO}: the table drifted; {COLUMNS}: the webhook answered with 400"
    assert [message["kind"] for _, message in receiver.heard] == ["raised", "ended"]
    assert (first.given_up, first.waiting) == ((refused,), ())
    assert second == AlertDelivery()
    assert alert_states(settings)[-1].reason.endswith(f"; given up: {refused}")


def test_what_a_receiver_that_is_broken_did_not_take_is_kept(settings):
    monitored(settings, "drift")

    with receiving(Receiver(*[503] * 3)) as receiver:
        first = send(settings, receiver)
        second = send(settings, receiver)

    assert (first.away, len(first.waiting), first.given_up) == ("the webhook answered with 503", 1, ())
    assert second.waiting == ()
    assert len(receiver.heard) == 4


def test_without_a_webhook_prefect_alone_gets_it(settings):
    set_params(settings.project, webhook_env="")
    monitored(settings, "drift")
    emitted: list[str] = []

    done = send(settings, None, emit=lambda message: emitted.append(message.state))

    assert emitted == ["drift"]
    assert (done.waiting, done.away) == ((), "")


def test_the_address_is_written_down_nowhere(settings):
    monitored(settings, "drift")
    with receiving(Receiver(404)) as receiver:
        done = send(settings, receiver)

    kept = b"".join(path.read_bytes() for path in settings.home.rglob("*") if path.is_file())
    assert receiver.url not in str(done)
    assert receiver.url.encode() not in kept


def test_what_was_not_delivered_when_a_scenario_was_started_over_still_is_and_so_is_the_end_of_its_alarms(settings):
    monitored(settings, "drift")
    send(settings, None)
    with closing(Registry(settings.registry_url)) as registry:
        registry.append(SCENARIO, ScenarioArchived(archive="shop-1"), reason="a demo", actor="a test")

    with receiving(Receiver()) as receiver:
        send(settings, receiver)
        again = send(settings, receiver)

    sent = [(message["subject"], message["state"], message["kind"]) for _, message in receiver.heard]
    assert sent == [("drift", "drift", "raised"), ("drift", "archived", "ended")]
    assert again == AlertDelivery()


KILLED = """
import os, signal
from pathlib import Path
from releve.core.settings import Settings
from tasks.monitoring.alert import alert
import tasks.monitoring.alert
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
tasks.monitoring.alert.{where} = die
alert(Settings.from_environ({{}}, cwd=Path("{project}")), "{scenario}")
"""


@pytest.mark.parametrize(("where", "delivered"), [("post", 1), ("_record", 2)])
def test_a_process_that_is_killed_loses_no_message_and_sends_at_most_one_again(
    where: str, delivered: int, settings: Settings
):
    monitored(settings, "no drift")
    send(settings, None)
    monitored(settings, "drift")

    with receiving(Receiver()) as receiver:
        script = KILLED.format(where=where, project=settings.project, scenario=SCENARIO)
        killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env={**os.environ, VARIABLE: receiver.url})
        monitored(settings, "no drift")
        send(settings, receiver)

    assert killed.returncode == -signal.SIGKILL
    sent = [message for _, message in receiver.heard]
    assert [message["kind"] for message in sent] == ["raised"] * delivered + ["ended"]
    assert len({message["id"] for message in sent}) == 2
