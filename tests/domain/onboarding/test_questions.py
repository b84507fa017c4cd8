"""What is doubted of a new table becomes a question in plain words, and an answer changes what is inferred."""

from dataclasses import replace

import numpy as np
import pandas as pd

from releve.domain.onboarding.issues import KINDS, Issue
from releve.domain.onboarding.questions import (
    GO_ON,
    KEEP,
    LEAVE,
    MEND,
    PLAIN,
    TableQuestion,
    answered,
    plain_summary,
    questions,
)
from releve.domain.onboarding.table import NewTable, Roles, describe
from tests.tables import make_params

ROLES = Roles("left")


def asked_of(*issues: Issue) -> list[TableQuestion]:
    return questions(issues, target="left")[0]


def test_a_column_that_gives_the_target_away_is_left_out_unless_it_is_known_in_time():
    (question,) = asked_of(Issue("leak", "a leak", ("refund",), "a leak: gives left away"))

    assert question.says == "refund nearly gives left away."
    assert question.asks == "When you want to know left, do you know refund already?"
    assert [each.key for each in question.choices] == [LEAVE, KEEP]
    assert answered(ROLES, [question], {}).left_out == {"refund"}
    assert answered(ROLES, [question], {question.key: KEEP}).kept == {"refund"}


def test_a_column_that_is_only_suspicious_stays_unless_it_is_known_too_late():
    (question,) = asked_of(Issue("strong", "a doubt", doubts=("calls",)))

    assert [each.key for each in question.choices] == [KEEP, LEAVE]
    assert answered(ROLES, [question], {question.key: LEAVE}).left_out == {"calls"}


def test_numbers_that_can_be_read_in_two_ways_are_read_as_a_person_says():
    (question,) = asked_of(Issue("numerals", "1,234", suggestions=({"ingest.csv_decimal": ","},)))

    assert [each.key for each in question.choices] == [GO_ON, "setting-1", MEND]
    (setting,) = answered(ROLES, [question], {question.key: "setting-1"}).settings
    assert (setting.section, setting.key, setting.value) == ("ingest", "csv_decimal", ",")


def test_a_file_of_which_too_many_rows_are_rejected_has_to_be_corrected():
    (question,) = asked_of(Issue("refused", "half of it"))

    assert question.chosen({}).mends
    assert len(question.choices) == 1


def test_an_answer_that_is_none_of_the_choices_counts_for_the_first():
    (question,) = asked_of(Issue("rejected", "two rows"))

    assert question.chosen({question.key: "nonsense"}).key == GO_ON


def test_what_nobody_has_to_decide_is_only_told():
    asked, told = questions([Issue("hint", "a hint"), Issue("id", "again")], target="left")

    assert (asked, told) == ([], ["a hint", "again"])


def test_every_kind_that_is_asked_about_is_one_of_the_issues():
    assert set(PLAIN) <= set(KINDS)


def described(roles: Roles):
    left = np.arange(200) % 2
    frame = pd.DataFrame({"refund": left * 3.0, "months": np.arange(200) * 7 % 50, "left": np.where(left, "yes", "no")})
    table = NewTable("a.csv", "utf-8", frame.astype(str), True, True, ())
    return describe(table, roles, base=make_params())


def test_the_summary_says_what_the_model_sees_and_what_it_does_not():
    assert plain_summary(described(ROLES)) == [
        "You want to know left in advance: one of no, yes.",
        "The model will learn from months (number).",
        "It will not see refund.",
    ]


def test_an_answer_changes_what_the_scenario_says_of_the_column():
    first = described(ROLES)
    (question,) = (each for each in questions(first.issues, target="left")[0] if "refund" in each.says)

    assert first.table["columns"]["refund"] == {"type": "number", "feature": False}
    kept = described(answered(ROLES, [question], {question.key: KEEP}))
    assert kept.table["columns"]["refund"] == {"type": "number", "min": 0}
    left_out = described(replace(ROLES, left_out=frozenset({"months"}), kept=frozenset({"refund"})))
    assert left_out.table["columns"]["months"] == {"type": "number", "feature": False}
    assert left_out.seen["months"].endswith("left out, as you said")
