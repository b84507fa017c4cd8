"""The page's section on champion and challenger."""

from dataclasses import replace

from releve.domain.arms.arms import ArmsEnded, ArmsOutcome
from releve.domain.registry.chain import ARMS_COMPARED, ARMS_ENDED, ARMS_STARTED
from releve.reporting.html import render_html
from releve.reporting.markdown import render_markdown
from releve.reporting.page.page import build
from tests.events import make_arms_started
from tests.live_comparisons import make_compared
from tests.page_histories import make_event, make_evidence

SECTION = "Champion and challenger on live traffic"


def started(day):
    payload = make_arms_started("shop:v1", "shop:v2").model_dump(mode="json")
    return make_event(ARMS_STARTED, payload, day=day, reason="to see it live")


def looked_at(day, **changes):
    return make_event(ARMS_COMPARED, make_compared(**changes).model_dump(mode="json"), day=day)


def ended(day, reason):
    payload = ArmsEnded(outcome=ArmsOutcome.STOPPED, champion="shop:v1", challenger="shop:v2")
    return make_event(ARMS_ENDED, payload.model_dump(mode="json"), day=day, reason=reason)


def page(*events):
    evidence = make_evidence(1)
    return build(replace(evidence, events=(*evidence.events, *events)))


def test_a_scenario_that_never_had_arms_has_no_section_of_them():
    assert SECTION not in render_html(page())


def test_arms_that_were_not_compared_yet_say_so():
    shown = render_markdown(page(started(1.0)))

    assert "shop:v2 is asked aside, as a shadow of shop:v1, since 2026-01-06 09:00." in shown
    assert "They were not compared yet:" in shown


def test_the_interval_is_drawn_as_it_grew_with_what_is_missing():
    shown = render_html(page(started(1.0), looked_at(2.0, gain=0.03, rows=900, seed=10, needless=500)))

    assert "Gain of the challenger in accuracy, as rows came" in shown
    assert "Missing to a decision:" in shown
    assert "about 960 more rows, if the gain stays as it is" in shown
    assert "500 rows count without a label" in shown
    assert "accuracy 0.850" in shown


def test_a_comparison_of_another_pair_is_not_shown_for_the_one_that_runs():
    shown = render_markdown(page(started(1.0), looked_at(2.0, gain=0.03, rows=900), ended(3.0, "enough"), started(4.0)))

    assert "They were not compared yet:" in shown


def test_arms_that_ended_leave_their_last_comparison_and_the_reason():
    shown = render_html(page(started(1.0), looked_at(2.0, gain=-0.1, rows=900), ended(3.0, "it is worse")))

    assert (
        "No challenger takes part in live traffic now. The last ones ended at 2026-01-08 09:00: it is worse." in shown
    )
    assert "Missing to a decision:" not in shown
    assert "shop:v2 takes part in live traffic no more: stopped" in shown
