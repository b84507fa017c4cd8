"""What the gate decided, in words, and what a person does next."""

from datetime import timedelta
from typing import Any

import pytest

from releve.domain.brought.description import BroughtDescription
from releve.domain.evaluation.evaluation import ColumnShare, Opponent, Sanity, SoundScore, TooGood
from releve.domain.evaluation.intervals import Interval
from releve.domain.gate.gate import GateInputs, decide
from releve.domain.registry.events import Challenger, ModelRebuilt, RebuildPurpose
from releve.reporting.messages.gate import (
    conclusion,
    describe_rebuild,
    describe_sanity,
    explain,
    rolled_back,
    served,
)
from tests.challenges import (
    CHAMPION,
    INSANE,
    MAJORITY,
    PREVIOUS_LABEL,
    SANE,
    TODAY,
    a_challenge,
    a_gain,
    a_part,
    a_rule,
    a_slice,
    unfair,
)
from tests.events import make_challenger

HERE = "http://127.0.0.1:3000/scenarios/churn"


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
    line = conclusion("churn", challenge(promote=promote, champion=champion), at=None)

    assert line.startswith(f"{words}. ")


@pytest.mark.parametrize(
    ("setting", "follows"), [("keep", "the champion stays"), ("shadow", "live labels may show it")]
)
def test_a_refresh_that_shows_no_gain_is_told_what_follows(setting: str, follows: str) -> None:
    inputs, params = a_challenge({CHAMPION: a_gain(-0.1, 0.2)}), a_rule(inconclusive=setting)

    (reason,), _ = explain(decide(inputs, params, today=TODAY), inputs, params)

    assert reason.startswith(
        "not shown to be better than the champion: gain +0.050 [-0.100, +0.200] over accuracy 0.700"
    )
    assert reason.endswith(f"; {follows} (params.yaml: gate.inconclusive)")


def test_the_last_line_of_a_refusal_says_where_to_write_what_and_how_to_run_again() -> None:
    line = conclusion("churn", challenge(), at=None)

    assert line.startswith("churn:2 refused, so nothing serves yet: too few rows. ")
    assert "scenarios/churn/params.yaml (what the gate asks for: its section gate), commit, and run again" in line
    assert line.endswith("make retrain SCENARIO=churn")


def test_the_last_line_of_a_refused_model_that_was_brought_names_what_judges_it_again() -> None:
    brought = BroughtDescription.model_construct(file="a model.onnx")

    line = conclusion("churn", challenge(champion="churn:1").model_copy(update={"brought": brought}), at=None)

    assert line.startswith("churn:2 refused, churn:1 stays: too few rows. make history")
    assert "bring it once newer labelled rows came, or bring a better one: releve bring churn 'a model.onnx'. A" in line
    assert "make retrain" not in line


def test_the_last_line_of_an_accepted_one_says_whether_it_serves() -> None:
    accepted = challenge(promote=True)

    assert conclusion("churn", accepted, at=HERE).startswith(f"churn:2 serves churn at {HERE}; make history")
    assert conclusion("churn", accepted, at="").startswith(
        "churn:2 is the release of churn; no service that runs here serves it (make up); make history"
    )
    assert conclusion("churn", accepted, at=None).endswith("It waits: make release SCENARIO=churn")


def test_the_last_line_of_a_rollback_says_what_serves_and_how_to_undo_it() -> None:
    line = rolled_back("churn", "churn:1", "churn:2", at=HERE)

    assert line == (
        f"churn:1 serves churn again, in the place of churn:2 at {HERE}; "
        "make rollback SCENARIO=churn once more brings churn:2 back"
    )
    assert rolled_back("churn", "churn:1", "churn:2", at="").startswith(
        "churn:1 is the release of churn again, in the place of churn:2; no service that runs here serves it"
    )


def test_what_a_person_should_know_stands_in_the_last_line() -> None:
    note = "searches wait for Milvus"

    assert f"; {note}; make rollback" in rolled_back("churn", "churn:1", "churn:2", at=HERE, note=note)
    assert f" at {HERE}; {note}; make history" in served("churn", "churn:1", at=HERE, note=note)


def explained(inputs: GateInputs, *, days: int = 0, **rule: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Reasons and notes of the gate's decision, so many days after TODAY."""
    params = a_rule(**rule)
    return explain(decide(inputs, params, today=TODAY + timedelta(days=days)), inputs, params)


def test_of_one_that_takes_over_each_gain_is_a_reason() -> None:
    reasons, notes = explained(a_challenge())

    assert reasons[0] == (
        "better than the champion: gain +0.200 [+0.100, +0.300] over accuracy 0.700 at 95% confidence, on the 300 rows "
        "of the newest window, 60 rows won and 10 lost, 230 alike"
    )
    assert [reason.split(":")[0] for reason in reasons] == [
        f"better than the {name}" for name in (CHAMPION, MAJORITY, PREVIOUS_LABEL)
    ]
    assert notes == ()


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(1e-9, 0.1, "better than"), (0.0, 0.1, "not shown to be worse than"), (-0.1, 0.0, "not shown to be worse than")],
)
def test_better_is_written_only_where_the_whole_interval_is_above_zero(low: float, high: float, verdict: str) -> None:
    reasons, _ = explained(a_challenge({CHAMPION: a_gain(low, high)}))

    assert reasons[0].startswith(f"{verdict} the champion: gain ")


def test_where_no_window_is_evidence_it_is_said_that_nothing_can_be_told_apart() -> None:
    same = a_gain(0.0, 0.0).model_copy(update={"rows_won": 0, "rows_lost": 0})

    reasons, _ = explained(a_challenge({CHAMPION: same}, windows=6))

    assert reasons[0] == (
        "it cannot be told apart from the champion, as every refresh of these windows served, or all but one: "
        "accuracy 0.700 on the 300 rows of the newest 6 windows"
    )


@pytest.mark.parametrize(
    ("low", "high", "won", "lost", "words"),
    [
        (0.1, 0.3, 206, 2794, "206 rows won and 2,794 lost, these by less each"),
        (-0.3, -0.1, 2794, 206, "2,794 rows won and 206 lost, these by more each"),
        (0.1, 0.3, 2794, 206, "2,794 rows won and 206 lost"),
    ],
)
def test_a_gain_against_the_count_of_rows_says_how_it_can_be(
    low: float, high: float, won: int, lost: int, words: str
) -> None:
    gain = a_gain(low, high).model_copy(update={"rows_won": won, "rows_lost": lost})

    reasons, _ = explained(a_challenge({CHAMPION: gain}, rows=3000))

    assert reasons[0].endswith(words)


def test_harm_is_written_with_what_is_tolerated() -> None:
    (reason,), _ = explained(a_challenge({CHAMPION: a_gain(-0.2, -0.1)}, windows=6), margin=0.02)

    assert reason.startswith("shown to be worse than the champion: gain -0.150 [-0.200, -0.100] over accuracy 0.700")
    assert "on the 300 rows of the newest 6 windows" in reason
    assert reason.endswith("; a loss of up to 0.020 is tolerated (params.yaml: gate.margin)")


@pytest.mark.parametrize(
    ("evidence", "rule", "start"),
    [
        (
            {"rows": 5, "has_champion": False},
            {},
            "there are answers to 5 labelled rows that it had not learned from; a first model is judged on 90 (params",
        ),
        ({"against": {CHAMPION: None}}, {}, "there is no comparison with the champion; evaluate again"),
        ({"against": {CHAMPION: a_gain(-0.3, -0.1)}}, {}, "shown to be worse than the champion: gain -0.200 ["),
        (
            {"against": {MAJORITY: a_gain(-0.3, -0.1)}},
            {},
            "shown to be worse than the majority label, which the champion reaches: gain -0.200 [",
        ),
        ({"slices": (a_slice(-0.2),)}, {}, "where kind = bread (50 rows) it is worse than the champion, whose score"),
        ({"slices": (a_part(50, None, None, None),)}, {}, "where kind = bread (50 rows) accuracy is not defined"),
        ({"unknown_groups": ("sex",)}, {}, "fairness by sex is not known"),
        ({"latency_ms": None}, {}, "the latency of one answer was not measured; retrain again"),
        (
            {"latency_ms": 90.0},
            {},
            "one answer takes 90 ms of CPU time, and at most 50 ms are allowed; allow more (params",
        ),
        (
            {"moved": 0.04},
            {},
            "the members' weights would move by 0.04 (total variation), and a release is made from 0.05",
        ),
        ({"sanity": None}, {}, "nobody tried how it answers slightly altered rows; retrain again"),
        (
            {"sanity": INSANE},
            {},
            "slightly altered rows are answered unlike the real ones: one word more in note changes how rows rank by "
            "90% of what another row's cell would (at most 50% is allowed), and answers by 0.1 times the mean "
            "difference between two rows (at most 4); for example, 'all well' is no with a probability of 0.9, "
            "'all well so' 0.2",
        ),
    ],
)
def test_a_refusal_says_what_is_missing_or_by_how_much_which_limit_is_broken(
    evidence: dict[str, Any], rule: dict[str, Any], start: str
) -> None:
    (reason,), _ = explained(a_challenge(**evidence), **rule)

    assert reason.startswith(start)


def test_unfairness_is_written_with_its_interval_and_the_champions() -> None:
    measured = "the equalized odds difference between the groups of sex is 0.400 [{}, 0.600] at 95% confidence"
    (refused, *_), _ = explained(unfair(0.4, 0.3))
    _, (noted,) = explained(unfair(0.4, 0.01))

    assert refused.startswith(f"{measured.format('0.300')} (the champion's is 0.100): even the low end")
    assert noted.startswith(f"{measured.format('0.010')} (the champion's is 0.100): more than the 0.2 that is allowed")


TOO_GOOD = TooGood(rows=915, baseline=MAJORITY, left=0.0, columns=(ColumnShare(column="closed", share=0.98),))


@pytest.mark.parametrize(
    ("evidence", "note"),
    [
        (
            {"champion_may_know": True},
            "the champion was brought, and nobody has said which rows it learned: where some of these were among "
            "them, its score is flattered, and the gain over it too low",
        ),
        (
            {"against": {Opponent.ROW_BEFORE: a_gain(-0.1, -0.05, other=0.95, must_beat=False)}},
            "repeating the label of the row before scores 0.950, above the challenger's 0.900; if labels really "
            "arrive that fast, set gate.label_delay_rows",
        ),
        (
            {"too_good": TOO_GOOD},
            "this may be too good to be true: on 915 rows the model makes 0.00% of the error of the majority label. "
            "Check for a column that is known only after the outcome, and give it feature: false (params.yaml: "
            "columns); alone, these take away most of the error: closed (98%)",
        ),
        ({"export_problem": "the export differs"}, "it is served by scikit-learn: the export differs"),
        (
            {"sound": SoundScore(score=Interval(0.95, 0.9, 0.98), rows=80)},
            "what is expected of it is its score without 220 rows of the holdout, accuracy 0.950: the labels of these "
            "rows are in doubt or were found to be wrong, or members answered them that had learned wrong labels",
        ),
        ({"naive": True}, "it is the naive answer itself (majority label): no model is better yet"),
        (
            {"against": {CHAMPION: a_gain(0.1, other=0.6), PREVIOUS_LABEL: a_gain(-0.1, -0.05, other=0.95)}},
            "below the naive baseline: the previous label (the newest that has arrived) scores 0.950 by accuracy, the "
            "challenger 0.900",
        ),
    ],
)
def test_what_is_worth_knowing_is_a_note(evidence: dict[str, Any], note: str) -> None:
    assert explained(a_challenge(**evidence))[1] == (note,)


@pytest.mark.parametrize("days", [0, 1])
def test_an_override_says_who_why_until_when_and_what_and_that_it_expired(days: int) -> None:
    ada = {"floor": "latency", "by": "Ada", "reason": "a trial", "until": TODAY}

    reasons, _ = explained(a_challenge(latency_ms=90.0), days=days, overrides=[ada])

    slow, who = "one answer takes 90 ms", "the override of the latency floor by Ada"
    assert days or reasons[-1].startswith(f"{who} until 2026-01-31: a trial ({slow}")
    assert not days or (reasons[0].startswith(slow) and reasons[0].endswith(f"; {who} expired on 2026-01-31"))


@pytest.mark.parametrize(
    ("sanity", "words"),
    [
        (Sanity(rows=200, tried=0), "0 slight changes, each of 200 rows: this table allows none"),
        (SANE, "4 slight changes, each of 200 rows: answered much as the real rows; worst: one word more in note"),
        (INSANE, "4 slight changes, each of 200 rows: answered unlike the real rows; worst: one word more in note"),
    ],
)
def test_slight_changes_are_summed_up_with_the_worst(sanity: Sanity, words: str) -> None:
    assert describe_sanity(sanity).startswith(words)


@pytest.mark.parametrize(
    ("purpose", "outcome", "words"),
    [
        (RebuildPurpose.CHECK, {}, "byte for byte; its files are in the model store as before"),
        (RebuildPurpose.RESTORE, {}, "byte for byte, and is back in the model store"),
        (
            RebuildPurpose.RETIRE,
            {},
            "byte for byte; its files (1.7 MB) leave the store: make rebuild MODEL=churn:2 puts them back",
        ),
        (RebuildPurpose.CHECK, {"failure": "no rows"}, "could not be built again, so its files stay: no rows"),
        (RebuildPurpose.RESTORE, {"failure": "no rows"}, "could not be built again, so nothing was put back: no rows"),
        (RebuildPurpose.RESTORE, {"differing": ("model.onnx",)}, "came out otherwise, so nothing was put back; "),
    ],
)
def test_a_rebuild_says_what_becomes_of_the_files(purpose: RebuildPurpose, outcome: dict[str, Any], words: str) -> None:
    record = ModelRebuilt(model="churn:2", purpose=purpose, files={}, bytes=1_700_000, cpu_seconds=1.0, **outcome)

    assert words in describe_rebuild(record)
