from datetime import timedelta

import pytest

from releve.core.errors import BadInput
from releve.domain.approval.answers import ApprovalChoice
from releve.domain.approval.approval import newest_approval
from releve.domain.approval.people import (
    CODE_BYTES,
    CODE_LIFETIME,
    TOKEN_BYTES,
    NotAnApprover,
    Person,
    code_hash,
    code_of,
    holder_of,
    owner_of,
    token_hash,
    token_of,
)
from tests.approvals import ANNA, BEN, NOW, Story, make_request

TOKEN, OTHER = token_of(bytes(range(TOKEN_BYTES))), token_of(bytes(TOKEN_BYTES))
APPROVERS = {"anna": token_hash(TOKEN), "ben": token_hash(OTHER)}


def test_a_token_says_whose_it_is():
    assert [holder_of(token, APPROVERS).name for token in (TOKEN, OTHER)] == ["anna", "ben"]


@pytest.mark.parametrize("token", [TOKEN[:-1], TOKEN + "A", APPROVERS["anna"], "short", "anna", "ﬀ" * 40])
def test_nothing_but_the_token_itself_is_one(token):
    with pytest.raises(NotAnApprover, match=r"release\.approvers lists anna, ben"):
        holder_of(token, APPROVERS)


def test_a_short_token_is_none_even_where_its_hash_is_listed():
    with pytest.raises(NotAnApprover):
        holder_of("hunter2", {"anna": token_hash("hunter2")})


def test_a_token_that_is_not_set_is_told_by_its_variable():
    with pytest.raises(BadInput, match="RELEVE_APPROVER_TOKEN is not set"):
        holder_of("", APPROVERS)


def test_a_code_has_eighty_bits_in_groups_that_people_can_type():
    assert code_of(bytes(CODE_BYTES)) == "AAAA-AAAA-AAAA-AAAA"


def test_a_code_says_who_typed_it_however_it_was_typed():
    story = Story(make_request())
    code = story.issue(ANNA)

    for typed in (code, code.lower(), code.replace("-", ""), f"  {code.replace('-', ' ')} "):
        assert owner_of(typed, story.approval, APPROVERS, now=NOW).name == "anna"


def test_only_the_hash_of_a_code_is_kept():
    story = Story(make_request())
    code = story.issue(ANNA)

    text = str(story.events)

    assert code not in text
    assert code.replace("-", "") not in text
    assert code_hash(code, "shop", 1) in text


@pytest.mark.parametrize("typed", ["", "AAAA-AAAA-AAAA-AAAA", "anna", TOKEN])
def test_a_code_that_nobody_was_given_is_nobodys(typed):
    story = Story(make_request())
    story.issue(ANNA)

    with pytest.raises(NotAnApprover, match="not given to anybody for this request"):
        owner_of(typed, story.approval, APPROVERS, now=NOW)


def test_a_code_is_good_for_one_request_alone():
    story = Story(make_request())
    code = story.issue(ANNA)
    story.add(make_request("shop:v3"))

    with pytest.raises(NotAnApprover, match="not given to anybody for this request"):
        owner_of(code, story.approval, APPROVERS, now=NOW)


@pytest.mark.parametrize(("seconds", "is_good"), [(-1, True), (0, False), (1, False)])
def test_a_code_is_good_for_ten_minutes(seconds, is_good):
    story = Story(make_request())
    code, when = story.issue(ANNA), NOW + CODE_LIFETIME + timedelta(seconds=seconds)

    if is_good:
        assert owner_of(code, story.approval, APPROVERS, now=when).name == "anna"
    else:
        with pytest.raises(NotAnApprover, match="code of anna expired"):
            owner_of(code, story.approval, APPROVERS, now=when)


def test_a_code_is_spent_with_the_answer_even_with_one_that_does_not_count():
    story = Story(make_request(people=2))
    first, second = story.issue(ANNA), story.issue(ANNA, chance=bytes(CODE_BYTES))
    for code in (first, second):
        story.say(ApprovalChoice.APPROVE, owner_of(code, story.approval, APPROVERS, now=NOW))

    assert story.approval.approved_by == ("anna",)
    for code in (first, second):
        with pytest.raises(NotAnApprover, match="was used already"):
            owner_of(code, story.approval, APPROVERS, now=NOW)


def test_who_left_the_list_answers_no_more():
    story = Story(make_request())
    code = story.issue(BEN)

    with pytest.raises(NotAnApprover, match="ben may not approve any more"):
        owner_of(code, story.approval, {"anna": APPROVERS["anna"]}, now=NOW)


def test_codes_of_an_earlier_request_are_gone_with_it():
    story = Story(make_request())
    story.issue(Person("anna"))
    story.add(make_request("shop:v3"))

    assert newest_approval(story.events).codes == ()
