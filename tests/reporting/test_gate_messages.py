"""What the gate decided, in words, and what a person does next."""

import pytest

from releve.domain.registry.events import Challenger
from releve.reporting.gate_messages import conclusion, rolled_back, served
from tests.events import make_challenger


def challenge(*, promote: bool = False, champion: str = "", reasons: tuple[str, ...] = ("too few rows",)) -> Challenger:
    return make_challenger("churn:2", promote=promote, champion=champion, reasons=reasons)


@pytest.mark.parametrize(
    ("promote", "champion", "words"),
    [
        (True, "", "churn:2 accepted: too few rows"),
        (True, "churn:1", "churn:2 accepted: too few rows"),
        (False, "churn:1", "churn:2 refused, churn:1 stays: too few rows"),
        (False, "", "churn:2 refused, so nothing serves yet: too few rows"),
    ],
)
def test_the_last_line_names_model_decision_and_first_reason(promote: bool, champion: str, words: str) -> None:
    line = conclusion("churn", challenge(promote=promote, champion=champion), released=False)

    assert line.startswith(f"{words}. ")


def test_the_last_line_of_a_refusal_says_where_to_write_what_and_how_to_run_again() -> None:
    line = conclusion("churn", challenge(), released=False)

    assert line.startswith("churn:2 refused, so nothing serves yet: too few rows. ")
    assert "scenarios/churn/params.yaml (what the gate asks for: its section gate), commit, and run again" in line
    assert line.endswith("make retrain SCENARIO=churn")


def test_the_last_line_of_an_accepted_one_says_whether_it_serves() -> None:
    accepted = challenge(promote=True)

    assert conclusion("churn", accepted, released=True).startswith("churn:2 serves churn")
    assert conclusion("churn", accepted, released=False).endswith("It waits: make release SCENARIO=churn")


def test_the_last_line_of_a_rollback_says_what_serves_and_how_to_undo_it() -> None:
    line = rolled_back("churn", "churn:1", "churn:2")

    assert line == (
        "churn:1 serves churn again, in the place of churn:2; "
        "make rollback SCENARIO=churn once more brings churn:2 back"
    )


def test_what_a_person_should_know_stands_in_the_last_line() -> None:
    note = "searches wait for Milvus"

    assert f"; {note}; make rollback" in rolled_back("churn", "churn:1", "churn:2", note=note)
    assert served("churn", "churn:1", note=note).startswith(f"churn:1 serves churn; {note}; `releve history")
