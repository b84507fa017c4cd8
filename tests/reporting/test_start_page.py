"""The start page, by its values."""

from dataclasses import replace

import pytest

from releve.domain.attention.needs import Need, NeedKind
from releve.domain.attention.standing import Standing, StandingQuality
from releve.domain.evaluation.intervals import Interval
from releve.domain.registry.chain import ROLLED_BACK
from releve.reporting.blocks import BoardBlock, ToDoList, Tone, VerdictBlock
from releve.reporting.html import render_html
from releve.reporting.markdown import render_markdown
from releve.reporting.start_page import board_table, build_start_page, needs_table, standing_as_dict
from tests.page_histories import MODEL, at, challenge_event, drift, release_event

GOOD = Standing(
    "shop",
    (),
    MODEL,
    at(0),
    quality=StandingQuality("accuracy", Interval(0.9, 0.85, 0.95), 180, 0.6, is_realised=True),
    drift=drift("drift", columns=4, alarms=1),
    monitored_at=at(1),
    decision=challenge_event(promote=False, day=1, model="shop:222"),
    cpu_seconds=5400.0,
    hours_to_release=3.0,
)
SILENT = Need("bikes", NeedKind.SILENT, at(1), MODEL, limit_hours=25)
BROKEN = Need("bikes", NeedKind.BROKEN_DATA, at(2))
BAD = replace(GOOD, scenario="bikes", needs=(BROKEN, SILENT), challenger="bikes:1a2b")


def blocks(*standings, **options):
    page = build_start_page(standings, made_at=at(4), **options)
    return {type(block): block for section in page.sections for block in section.blocks}


def cells(standing):
    """The line of a scenario: text and note by head."""
    board = blocks(standing)[BoardBlock]
    return {head.name: (cell.text, cell.note) for head, cell in zip(board.heads, board.rows[0].cells, strict=True)}


def test_the_page_opens_with_how_many_need_a_person_and_the_newest():
    verdict = blocks(GOOD, BAD)[VerdictBlock]

    assert (verdict.word, verdict.tone) == ("1 of 2 scenarios needs a person", Tone.BAD)
    assert verdict.reason == (
        "1 x broken data, 1 x not monitored. The newest: bikes, broken data, since 2026-01-07 09:00."
    )


@pytest.mark.parametrize(("needs", "tone"), [((), Tone.GOOD), ((SILENT,), Tone.WATCH), ((BROKEN,), Tone.BAD)])
def test_the_colour_is_that_of_the_gravest(needs, tone):
    assert blocks(replace(GOOD, needs=needs))[VerdictBlock].tone == tone


def test_each_need_has_its_sentence_its_advice_and_its_command():
    found = blocks(GOOD, BAD, addresses={"bikes": "bikes.html"})[ToDoList]

    (item,) = found.items
    assert (item.name, item.address) == ("bikes", "bikes.html")
    assert [(todo.word, todo.command) for todo in item.todos] == [
        ("broken data", "make monitor SCENARIO=bikes"),
        ("not monitored", "make monitor SCENARIO=bikes"),
    ]
    assert item.todos[0].since == "for 2 days, since 2026-01-07 09:00"


def test_where_nobody_is_needed_there_is_no_list():
    assert ToDoList not in blocks(GOOD)


def test_a_project_without_scenarios_says_how_to_bring_one():
    page = build_start_page((), made_at=at(4))

    assert "`make scenario` describes a table as one" in render_html(page)


def test_a_line_has_champion_age_quality_drift_decision_costs_and_speed():
    assert cells(GOOD) == {
        "scenario": ("shop", ""),
        "needs a person": ("", ""),
        "champion": ("1" * 12, "for 4 days"),
        "score": ("accuracy 0.900", "[0.850, 0.950] realised"),
        "over naive": ("+75%", "naive 0.600"),
        "drift": ("drift", "1 of 4, 3 days ago"),
        "last decision": ("refused", "222, 3 days ago"),
        "waits": ("", ""),
        "CPU, 30 days": ("1.5 hours", ""),
        "file to release": ("3.0 hours", ""),
    }


def test_a_line_of_which_little_is_known_is_whole():
    bare = Standing("shop", (Need("shop", NeedKind.NOTHING_SERVES, ""),))

    assert cells(bare)["needs a person"] == ("nothing serves", "")
    assert cells(bare)["champion"] == ("none", "")
    assert cells(bare)["drift"] == ("not monitored", "")
    assert cells(bare)["CPU, 30 days"] == ("none", "")


def test_what_waits_for_a_person_or_for_labels_is_named():
    accepted = Need("shop", NeedKind.UNRELEASED, at(1), "shop:abc")

    assert cells(replace(GOOD, needs=(accepted,)))["waits"] == ("abc", "for its release")
    assert cells(replace(GOOD, challenger="shop:abc"))["waits"] == ("abc", "on trial")
    back = release_event(day=3, kind=ROLLED_BACK)
    assert cells(replace(GOOD, decision=back))["last decision"] == ("rolled back", "1 day ago")
    assert cells(replace(GOOD, is_naive=True))["champion"][1] == "the naive answer, for 4 days"


def test_filters_are_those_that_let_something_through_the_gravest_first():
    board = blocks(GOOD, BAD)[BoardBlock]

    assert board.filters == ("needs a person", "broken data", "not monitored", "on trial")
    assert [board.count(mark) for mark in board.filters] == [1, 1, 1, 1]


def test_scores_of_one_metric_stand_together():
    rows = [
        replace(GOOD, quality=StandingQuality(metric, Interval(score, 0, 0), 9, None, is_realised=True))
        for metric, score in [("rmse", 12.0), ("accuracy", 0.9), ("rmse", 9.0)]
    ]
    keys = [row.cells[3].key for row in blocks(*rows)[BoardBlock].rows]

    assert sorted(keys) == [keys[1], keys[2], keys[0]]


def test_the_same_blocks_are_markdown_for_prefect():
    markdown = render_markdown(build_start_page((GOOD, BAD), made_at=at(4)))

    assert "**1 of 2 scenarios needs a person**" in markdown
    assert "- **not monitored**, for 3 days, since 2026-01-06 09:00: not monitored since" in markdown
    assert "| accuracy 0.900 ([0.850, 0.950] realised) |" in markdown


def test_a_terminal_gets_the_needs_and_the_lines():
    heads, lines = needs_table((GOOD, BAD), made_at=at(4))

    assert heads == ("scenario", "needs", "for", "why", "what to do")
    assert [(line[0], line[1], line[2]) for line in lines] == [
        ("bikes", "broken data", "2 days"),
        ("bikes", "not monitored", "3 days"),
    ]
    assert [line[0] for line in board_table((GOOD, BAD), made_at=at(4))[1]] == ["bikes", "shop"]


def test_a_program_gets_values():
    told = standing_as_dict(BAD)

    assert [(need["kind"], need["since"]) for need in told["needs"]] == [
        ("broken data", at(2)),
        ("not monitored", at(1)),
    ]
    assert (told["score"], told["skill"], told["decision"]) == ([0.9, 0.85, 0.95], pytest.approx(0.75), "challenged")
