"""Labels that come once a newer release serves are judged with the release that gave the answers."""

import pytest

from releve.domain.quality.realised import QualityState
from releve.domain.trigger.policies import CauseKind
from releve.reporting.messages.monitoring import describe_decision
from releve.reporting.page.evidence import version_of
from tasks.monitoring.alert import alert
from tasks.monitoring.monitor import monitor
from tasks.release.rollback import rollback
from tasks.reporting.page import write_page
from tests.tables import SHOP
from tests.tasks.shop import Shop, market_rows

pytestmark = pytest.mark.slow
OTHER = {"yes": "no", "no": "yes"}


def answer(shop: Shop, rows: int, *, seed: int = 12) -> tuple[str, list[str]]:
    """The champion answers rows, all of them right; returns the request and what is true."""
    table = market_rows(rows, seed=seed)
    labels = table["bought"].tolist()
    return shop.answer(table, predicted=labels), labels


def test_turned_round_labels_of_answers_of_the_release_before_are_an_alarm(released):
    request, labels = answer(released, 200)
    monitor(released.settings, SHOP)
    before = released.replace_champion()
    alert(released.settings, SHOP)
    released.label(request, [OTHER[label] for label in labels])

    run = monitor(released.settings, SHOP)
    told = alert(released.settings, SHOP)

    assert (run.quality.state, run.quality.labelled) == (QualityState.UNKNOWN, 0)
    assert (run.late.quality.state, run.late.quality.labelled) == (QualityState.DEGRADED, 200)
    assert run.late.models == (before.model,)
    assert run.late.quality.expected == before.expected.score.value
    assert run.late.quality.labels_in_doubt
    assert (run.decision.search, run.decision.kinds[0]) == (True, CauseKind.LATE_DEGRADED)
    message = next(each for each in told.made if each.subject == "quality")
    assert (message.state, message.about) == ("degraded", before.model)
    assert f"answers of {before.model}, given before the release that serves now" in message.text
    assert "wrong labels, or an abrupt change, so check some of them" in message.reasons[0]
    assert any(sentence.startswith("late labels: answers of") for sentence in describe_decision(run))


def test_late_labels_that_a_run_before_the_release_judged_are_not_judged_again(released):
    request, labels = answer(released, 200)
    released.label(request, labels[:100])
    monitor(released.settings, SHOP)
    before = version_of(released.replace_champion().model)
    page = write_page(released.settings, SHOP).read_text()
    none = monitor(released.settings, SHOP).late
    released.label(request, labels)  # each of the first hundred is told once more, too

    late = monitor(released.settings, SHOP).late

    assert f"nothing is known yet. Of {before}, which served before: accuracy 1.000 on 100 labelled answers" in page
    assert none is None
    assert (late.quality.state, late.quality.labelled) == (QualityState.WITHIN_TOLERANCE, 200)


def test_late_labels_of_a_model_that_was_taken_back_say_nothing_of_the_one_that_came_back(replaced):
    request, labels = answer(replaced, 200)
    monitor(replaced.settings, SHOP)
    rollback(replaced.settings, SHOP, reason="complaints")
    alert(replaced.settings, SHOP)
    replaced.label(request, [OTHER[label] for label in labels])

    run = monitor(replaced.settings, SHOP)
    told = alert(replaced.settings, SHOP)

    assert run.late is None
    assert not run.decision.search_causes
    assert not [message for message in told.made if message.subject == "quality"]
