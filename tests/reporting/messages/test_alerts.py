"""The texts that people get, whatever a caller sent."""

from dataclasses import replace

import pytest

from releve.domain.alerting.alert_state import AlertState, advance
from releve.domain.alerting.signals import ESTIMATE, LEVELS, QUALITY, RETRAINING
from releve.domain.drift.data_quality import DataIssue, DataIssueKind
from releve.domain.evaluation.intervals import Interval
from releve.domain.quality.late import LateQuality
from releve.domain.quality.payoff import Payoff
from releve.domain.quality.realised import QualityState
from releve.domain.registry.chain import ARCHIVED, FILES_REFUSED, RELEASED, ROLLED_BACK, SILENT
from releve.domain.registry.events import FileRefusal, FilesRefused, ModelRolledBack, MonitoringSilent, ShownHarm
from releve.domain.trigger.rollback import RollbackDecision
from releve.reporting.messages.alerts import SENTENCES, write_message
from releve.reporting.messages.monitoring import describe_harm
from tests.page_histories import (
    MODEL,
    RELEASE,
    challenge_event,
    drift,
    make_estimate,
    make_event,
    make_quality,
    monitored_event,
)
from tests.tables import make_params

VERSION = MODEL.removeprefix("shop:")
DRIFTED = "the table drifted"
COLUMNS = "1 of 2 columns drifted: column 0 (KS 0.30, p 0.5)"


def messages(*events, **changes):
    """Of all of them, one at a time as production reads them."""
    params, made, state = make_params(alerts=changes).alerts, [], AlertState()
    numbered = [replace(event, number=number) for number, event in enumerate(events, start=1)]
    for count, event in enumerate(numbered, start=1):
        state, alerts = advance(state, numbered[:count], params)
        state = state.model_copy(update={"waiting": ()})
        made += [write_message(alert, event, params) for alert in alerts]
    return made


def test_every_state_of_every_subject_has_its_sentence():
    assert set(SENTENCES) == set(LEVELS)


def test_an_alarm_its_repeat_and_its_end_are_three_texts():
    runs = [monitored_event(drift=drift("drift"), day=day) for day in (0, 1)]

    made = messages(*runs, monitored_event(day=1.1), repeat_hours=24.0, silence_hours=0.0)

    assert [message.text for message in made] == [
        f"shop: {DRIFTED}; {COLUMNS}",
        f"shop: still: {DRIFTED}, since 2026-01-05 09:00 UTC; {COLUMNS}",
        "shop: the table has not drifted any more; the alarm stood since 2026-01-05 09:00 UTC",
    ]


def test_a_release_that_goes_by_itself_is_an_alarm_with_its_figures_and_news_of_what_serves():
    harm = Payoff(Interval(-0.04, -0.06, -0.02), 300)
    run = monitored_event(payoff=harm, rollback=RollbackDecision(True, harm, 1))
    shown = ShownHarm(model=MODEL, gain=harm.gain, answers=300, promotions=1)
    payload = ModelRolledBack(release=RELEASE, harm=shown).model_dump(mode="json")

    made = messages(run, make_event(ROLLED_BACK, payload, day=0.1, reason=describe_harm(shown)))

    assert [message.text for message in made] == [
        f"shop: model {VERSION} is shown to be worse than the release before it; the last promotion gained -0.040 "
        "[-0.060, -0.020] on 300 labelled answers: harm is shown, and the release before comes back",
        f"shop: rolled back, model {VERSION} serves again; {describe_harm(shown)}",
    ]


def test_an_archived_scenario_ends_its_alarms():
    archived = make_event(ARCHIVED, {"archive": "shop-1"}, day=0.1, reason="a demo")

    _, ended = messages(monitored_event(drift=drift("drift")), archived)

    end = "started over, which ends the alarm of drift; the alarm stood since 2026-01-05 09:00 UTC"
    assert (ended.text, ended.reasons) == (f"shop: {end}", ("a demo",))


def test_each_judgement_and_move_is_written_with_its_reason():
    release = {"release": RELEASE.model_dump(mode="json")}
    events = [
        monitored_event(search=True),
        challenge_event(promote=False, day=0.1, reasons=("no gain",)),
        make_event(RELEASED, release | {"change": "first"}, day=0.4, reason="gain +0.1"),
        make_event(ROLLED_BACK, release, day=0.6, reason="too slow"),
    ]

    assert [message.text for message in messages(*events)] == [
        "shop: a search for other recipes is due; the table drifted",
        f"shop: the gate refused model {VERSION}; no gain",
        f"shop: model {VERSION} serves now; gain +0.1",
        f"shop: rolled back, model {VERSION} serves again; too slow",
    ]


def test_intervals_keep_their_brackets_and_a_failed_audit_is_written_once():
    degraded = make_quality(QualityState.DEGRADED, change=Interval(-0.3, -0.35, -0.2))
    runs = [monitored_event(quality=degraded, estimate=make_estimate(QualityState.AUDIT_FAILED), search=True)]

    made = {message.subject: message for message in messages(*runs)}

    assert "a change of -0.300 [-0.350, -0.200]: degraded" in made[QUALITY].text
    assert made[QUALITY].text.startswith(f"shop: model {VERSION} is worse than expected; accuracy 0.880")
    assert made[ESTIMATE].text.count("audit failed") == 1
    assert all(reason.count("audit failed") < 2 for reason in made[RETRAINING].reasons)


def test_late_labels_of_many_releases_name_the_newest_and_end_with_what_they_say():
    doubted = make_quality(QualityState.DEGRADED, change=Interval(-0.3, -0.35, -0.2), naive=0.99)
    late = LateQuality(doubted, tuple(f"shop:{number:012d}" for number in range(40)), "2026-01-05T09:00:00+00:00")
    run = monitored_event(quality=make_quality(QualityState.UNKNOWN), late=late, search=True)

    (message,) = [each for each in messages(run) if each.subject == QUALITY]

    (reason,) = message.reasons
    assert reason.startswith(
        "answers of shop:000000000039 and shop:000000000038 and shop:000000000037 and 37 more, given"
    )
    assert reason.endswith("so check some of them")
    assert len(reason) > 300


def test_each_refusal_of_files_is_told_with_its_reasons_though_the_file_has_the_same_name():
    refused = FilesRefused(files=(FileRefusal(name="day.csv", reason="day.csv: no column id, so it is refused"),))
    events = [make_event(FILES_REFUSED, refused.model_dump(mode="json"), day=day) for day in (0, 1)]

    made = messages(*events)

    text = "shop: incoming files were refused and set aside; day.csv: no column id, so it is refused"
    assert [each.text for each in made] == [text, text]
    assert messages(*events, muted=["files"]) == []


def test_silence_is_written_with_its_hours():
    silence = MonitoringSilent(since="2026-01-05T09:00:00+00:00", hours=26.0)
    silent = make_event(SILENT, silence.model_dump(mode="json"), day=26 / 24)
    made = messages(monitored_event(day=0), silent, monitored_event(day=27 / 24), silence_hours=25.0)

    reason = "26.0 hours without a monitoring run, 25 are allowed (params.yaml: alerts.silence_hours)"
    assert made[0].reasons == (reason,)
    assert made[0].text == f"shop: no monitoring run for too long; {reason}"
    assert made[1].text.startswith("shop: monitoring runs come in time again; the alarm stood since ")


@pytest.mark.parametrize("count", [1, 30])
def test_what_a_caller_sent_becomes_neither_a_link_nor_a_mention_nor_a_page_of_text(count):
    rude = "<!channel> @here [free](http://x.example)\n`x` WWW.x.example" + "y" * 4000

    (made,) = messages(
        monitored_event(
            drift=replace(drift("broken data"), problems=(DataIssue(DataIssueKind.COLUMN_MISSING, (rude,)),) * count)
        )
    )

    assert not set(made.text) & set("<>@`\n")
    assert "](" not in made.text
    assert "://" not in made.text
    assert "www." not in made.text.lower()
    assert len(made.reasons) == min(count + 2, 10)  # with what to do, and what the other columns say
    assert max(len(reason) for reason in made.reasons) == 1000
    assert len(made.text) < 1100
