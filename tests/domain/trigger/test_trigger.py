from dataclasses import replace

import pytest

from releve.domain.drift.data_quality import DataIssue, DataIssueKind
from releve.domain.drift.verdict import DriftState, DriftVerdict
from releve.domain.evaluation.intervals import share
from releve.domain.quality.late import LateQuality
from releve.domain.quality.realised import Quality, QualityState
from releve.domain.trigger.policies import Cause, CauseKind, Challenged, Evidence, History
from releve.domain.trigger.trigger import decide
from tests.page_histories import make_estimate
from tests.tables import make_params

INSUFFICIENT, BROKEN, NO_DRIFT, SUSPECTED, DRIFT = DriftState
QUALITIES = tuple(QualityState)[:4]
POLICIES = ("refresh", "schedule", "static")
NOW, YESTERDAY, LAST_WINTER = (f"2026-{day}T00:00:00+00:00" for day in ("06-02", "06-01", "01-01"))
FIRST = Challenged(LAST_WINTER, True, 100)
BEGUN = History((FIRST,))


def an_evidence(*, drifted=NO_DRIFT, kept="within tolerance", new_rows=300, **changes):
    score = None if kept == "unknown" else share(100, 100, confidence=0.95)
    quality = Quality(kept, "accuracy", 100, 0.9, score)
    return Evidence(NOW, DriftVerdict(drifted, 300, 300), quality, new_rows, **changes)


def broken(*columns, of=4):
    problems = tuple(DataIssue(DataIssueKind.COLUMN_MISSING, (name,)) for name in columns)
    return DriftVerdict(BROKEN, 300, 300, problems=problems, of=of)


def decided(evidence, history=BEGUN, *, search=None, age=0, min_rows=90, **rule):
    """By a rule that asks for no age of a search."""
    params = make_params(
        trigger={"min_new_rows": 250, "every_batches": 4, **rule},
        search=search or {},
        age={"max_model_days": float(age)},
        statistics={"min_rows": min_rows},
    )
    return decide(evidence, history, params)


@pytest.mark.parametrize(("new_rows", "refreshes"), [(0, False), (249, False), (250, True), (251, True)])
def test_a_refresh_comes_with_every_batch_that_brings_enough_labelled_rows(new_rows, refreshes):
    decision = decided(an_evidence(new_rows=new_rows))

    assert decision.refresh is refreshes
    few = Cause(CauseKind.FEW_ROWS, new_rows, 250)
    assert decision.causes == (Cause(CauseKind.NEW_ROWS, new_rows) if refreshes else few,)
    assert not decision.search


@pytest.mark.parametrize(("batches", "refreshes"), [(3, False), (4, True), (5, True)])
def test_a_schedule_counts_batches(batches, refreshes):
    decision = decided(an_evidence(new_batches=batches), policy="schedule")

    kind = CauseKind.SCHEDULE if refreshes else CauseKind.NOT_DUE
    assert (decision.refresh, decision.causes) == (refreshes, (Cause(kind, batches, 4),))


@pytest.mark.parametrize("drifted", [NO_DRIFT, DRIFT, BROKEN])
@pytest.mark.parametrize("kept", QUALITIES)
def test_static_never_refreshes_whatever_the_evidence(drifted, kept):
    decision = decided(an_evidence(drifted=drifted, kept=kept, new_rows=10_000), policy="static", age=1)

    assert (decision.refresh, decision.search, decision.causes) == (False, False, (Cause(CauseKind.STATIC),))


@pytest.mark.parametrize("policy", ["refresh", "schedule"])
@pytest.mark.parametrize(
    ("drifted", "kept", "causes"),
    [
        (NO_DRIFT, "within tolerance", []),
        (NO_DRIFT, "inconclusive", []),
        (SUSPECTED, "unknown", []),
        (INSUFFICIENT, "unknown", []),
        (NO_DRIFT, "degraded", [CauseKind.DEGRADED]),
        (DRIFT, "within tolerance", [CauseKind.DRIFT]),
        (DRIFT, "unknown", [CauseKind.DRIFT]),
        (DRIFT, "degraded", [CauseKind.DEGRADED, CauseKind.DRIFT]),
    ],
)
def test_drift_and_degradation_open_a_search_and_with_it_a_refresh(drifted, kept, causes, policy):
    decision = decided(an_evidence(drifted=drifted, kept=kept), policy=policy)

    assert decision.search is bool(causes)
    assert [cause.kind for cause in decision.search_causes] == causes
    assert decision.search_reason == ", ".join(causes)
    assert decision.refresh is (decision.search or policy == "refresh")
    assert decision.kinds[: len(causes)] == tuple(causes)


@pytest.mark.parametrize(
    ("kept", "late", "causes"),
    [
        ("unknown", "degraded", (CauseKind.LATE_DEGRADED,)),
        ("inconclusive", "degraded", (CauseKind.LATE_DEGRADED,)),
        ("within tolerance", "degraded", ()),  # newer answers are as good as expected
        ("degraded", "degraded", (CauseKind.DEGRADED,)),
        ("unknown", "inconclusive", ()),
        ("unknown", "within tolerance", ()),
    ],
)
def test_late_labels_that_show_a_degradation_of_a_release_before_open_a_search(kept, late, causes):
    judged = LateQuality(Quality(QualityState(late), "accuracy", 100, 0.9), ("shop:1",), NOW)

    assert tuple(cause.kind for cause in decided(an_evidence(kept=kept, late=judged)).search_causes) == causes


@pytest.mark.parametrize(
    ("on", "causes"),
    [
        ([], ()),
        (["drift"], (CauseKind.DRIFT,)),
        (["quality"], (CauseKind.DEGRADED,)),
        (["age"], (CauseKind.SEARCH_AGE,)),
        (["drift", "quality", "age"], (CauseKind.DEGRADED, CauseKind.DRIFT, CauseKind.SEARCH_AGE)),
    ],
)
def test_only_what_the_owner_names_opens_a_search(on, causes):
    decision = decided(an_evidence(drifted=DRIFT, kept="degraded"), search={"on": on}, age=90)

    assert tuple(cause.kind for cause in decision.search_causes) == causes
    assert decision.search is bool(on)


@pytest.mark.parametrize(
    ("kept", "estimated", "causes"),
    [
        ("unknown", "degraded", (CauseKind.ESTIMATED_DEGRADED,)),
        ("within tolerance", "degraded", ()),  # labels say otherwise
        ("unknown", "within tolerance", ()),
        ("unknown", "audit failed", (CauseKind.CONCEPT_DRIFT,)),
    ],
)
def test_while_labels_are_late_the_estimate_speaks_for_them(kept, estimated, causes):
    decision = decided(an_evidence(kept=kept, estimate=make_estimate(estimated)))

    assert tuple(cause.kind for cause in decision.search_causes) == causes


@pytest.mark.parametrize(("rows", "searches"), [(89, False), (90, True), (249, True)])
def test_a_search_comes_sooner_than_a_refresh_of_its_own_but_never_without_rows_to_judge_on(rows, searches):
    decision = decided(an_evidence(drifted=DRIFT, new_rows=rows))

    assert (decision.refresh, decision.search) == (searches, searches)
    assert decision.search_waits == (None if searches else Cause(CauseKind.FEW_ROWS_TO_SEARCH, rows, 90))
    assert decision.search_causes == (Cause(CauseKind.DRIFT),)
    assert (decision.causes == (Cause(CauseKind.FEW_ROWS, rows, 250),)) is not searches


@pytest.mark.parametrize(("days", "searches"), [(0.0, True), (1.0, True), (1.5, False), (30.0, False)])
def test_after_a_search_no_other_one_is_opened_for_some_days_and_refreshes_go_on(days, searches):
    history = History((FIRST, Challenged(YESTERDAY, False, 200, searched=True, joined=True)))

    decision = decided(an_evidence(drifted=DRIFT), history, search={"min_days": days})

    assert decision.search is searches
    assert decision.refresh
    assert decision.search_waits == (None if searches else Cause(CauseKind.SEARCHED_LATELY, 1.0, days))


@pytest.mark.parametrize(
    ("joined", "wait"),
    [
        ([False], 2.0),
        ([False, False], 4.0),
        ([False] * 3, 8.0),
        ([False] * 9, 8.0),
        ([False, True], 1.0),
        ([False, False, True, False], 2.0),
    ],
)
def test_each_search_in_a_row_that_gains_nothing_doubles_the_wait_and_one_that_joins_resets_it(joined, wait):
    refreshed = Challenged(YESTERDAY, True, 300)  # counts for nothing here
    searches = [Challenged(YESTERDAY, True, 200, searched=True, joined=each) for each in joined]
    history = History((FIRST, *searches, refreshed))

    def search_after(days):
        return decided(an_evidence(drifted=DRIFT), history, search={"min_days": 1 / days})

    assert search_after(wait).search
    waits = search_after(0.99 * wait).search_waits
    assert waits.kind == (CauseKind.SEARCHED_LATELY if joined[-1] else CauseKind.SEARCH_GAINED_NOTHING)
    assert waits.limit == pytest.approx(1 / 0.99)


def test_a_challenge_that_did_not_search_keeps_no_search_waiting():
    history = History((FIRST, Challenged(YESTERDAY, True, 200)))

    assert decided(an_evidence(drifted=DRIFT), history).search


@pytest.mark.parametrize(("age", "searches"), [(0, False), (152, False), (151, True)])
def test_a_search_that_lies_long_back_is_made_again_and_before_the_first_the_model_s_age_counts(age, searches):
    refreshed = History((FIRST, Challenged(YESTERDAY, True, 200)))
    searched = History((FIRST, Challenged(YESTERDAY, True, 200, searched=True)))

    assert decided(an_evidence(), refreshed, age=age).search is searches
    assert not decided(an_evidence(), searched, age=age).search


@pytest.mark.parametrize(("columns", "held"), [(("a",), False), (("a", "b"), False), (("a", "b", "c"), True)])
def test_broken_columns_are_left_out_and_hold_a_refresh_back_only_where_most_are_broken(columns, held):
    decision = decided(replace(an_evidence(), drift=broken(*columns)))

    assert decision.refresh is not held
    assert decision.without == (() if held else columns)
    assert decision.kinds == ((CauseKind.BROKEN_DATA,) if held else (CauseKind.NEW_ROWS,))


@pytest.mark.parametrize(("others", "searches"), [(DRIFT, True), (SUSPECTED, False), (INSUFFICIENT, False)])
def test_columns_that_drift_beside_a_broken_one_open_a_search(others, searches):
    decision = decided(replace(an_evidence(), drift=replace(broken("a"), beside_broken=others)))

    assert (decision.search, decision.without) == (searches, ("a",))


@pytest.mark.parametrize("columns", [("a",), ("a", "b", "c", "d")])
@pytest.mark.parametrize(("since", "normal"), [(89, False), (90, True)])
def test_what_stays_broken_for_a_window_of_labels_is_the_new_normal(columns, since, normal):
    evidence = replace(an_evidence(rows_since_broken=since), drift=broken(*columns))

    decision = decided(evidence)

    assert decision.refresh is (normal or len(columns) == 1)
    assert decision.without == (columns if len(columns) == 1 and not normal else ())


def test_too_few_rows_to_compare_break_nothing():
    few = DriftVerdict(INSUFFICIENT, 20, 300, problems=(DataIssue(DataIssueKind.FEW_ANSWERS),), of=4)

    decision = decided(replace(an_evidence(), drift=few))

    assert (decision.refresh, decision.without) == (True, ())


@pytest.mark.parametrize(("hours", "refreshes"), [(0.0, True), (24.0, True), (24.5, False)])
def test_a_cooldown_holds_refresh_and_search_back(hours, refreshes):
    history = History((FIRST, Challenged(YESTERDAY, True, 200)))

    decision = decided(an_evidence(kept="degraded"), history, cooldown_hours=hours)

    assert (decision.refresh, decision.search) == (refreshes, refreshes)
    assert (decision.causes == (Cause(CauseKind.COOLDOWN, 24.0, hours),)) is not refreshes


def test_a_challenge_that_a_wrong_clock_dated_much_later_holds_nothing_back():
    later = History((Challenged("2027-01-01T00:00:00+00:00", True, 100),))

    assert decided(an_evidence(), later).refresh
    assert decided(an_evidence(), later, cooldown_hours=1.0).refresh


def test_where_nobody_knows_the_time_no_rule_of_time_is_asked():
    searched = History((Challenged("", True, 100), Challenged("", True, 200, searched=True)))

    decision = decided(replace(an_evidence(drifted=DRIFT), at=""), searched, age=1, cooldown_hours=9.0)

    assert decision.search_causes == (Cause(CauseKind.DRIFT),)
    assert decision.search


@pytest.mark.parametrize(("corrected", "refreshes"), [(0, False), (249, False), (250, True)])
def test_corrected_rows_alone_make_a_refresh_due_and_no_search_which_has_nothing_new_to_be_judged_on(
    corrected, refreshes
):
    decision = decided(an_evidence(drifted=DRIFT, new_rows=0, corrected_rows=corrected))

    cause = Cause(CauseKind.NEW_ROWS, 250) if refreshes else Cause(CauseKind.FEW_ROWS, corrected, 250)
    assert (decision.refresh, decision.search, decision.causes) == (refreshes, False, (cause,))
    assert decision.search_waits.kind == CauseKind.FEW_ROWS_TO_SEARCH


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("drifted", [INSUFFICIENT, NO_DRIFT, DRIFT])
@pytest.mark.parametrize("kept", QUALITIES)
@pytest.mark.parametrize("new_rows", [0, 100, 400])
def test_every_decision_names_its_causes_waiting_included(drifted, kept, new_rows, policy):
    assert decided(an_evidence(drifted=drifted, kept=kept, new_rows=new_rows), policy=policy).causes


@pytest.mark.parametrize(
    ("policy", "min_new_rows", "unweighed", "reweighs"),
    [
        ("refresh", 200, 59, False),
        ("refresh", 200, 60, True),
        ("refresh", 1000, 249, False),  # a quarter of what a refresh needs
        ("refresh", 1000, 250, True),
        ("refresh", 121, 60, True),
        ("refresh", 120, 60, False),  # as many again are a refresh
        ("refresh", 90, 60, False),
        ("schedule", 1000, 250, False),
        ("static", 1000, 250, False),
    ],
)
def test_labels_that_are_too_few_for_a_refresh_make_a_re_weighting_due(policy, min_new_rows, unweighed, reweighs):
    seen = an_evidence(new_rows=unweighed, unweighed_rows=unweighed)

    decision = decided(seen, policy=policy, min_new_rows=min_new_rows)

    assert (decision.refresh, decision.reweigh) == (False, reweighs)
    if reweighs:
        assert decision.causes == (Cause(CauseKind.NEW_LABELS, unweighed, max(60, min_new_rows // 4)),)


@pytest.mark.parametrize(("corrected", "reweighs"), [(39, True), (40, False)])
def test_corrected_rows_bring_a_refresh_nearer_before_which_nothing_is_weighed_anew(corrected, reweighs):
    seen = an_evidence(new_rows=80, unweighed_rows=80, corrected_rows=corrected)

    assert decided(seen, min_new_rows=200).reweigh == reweighs


def test_cells_that_look_broken_move_no_weight():
    seen = an_evidence(new_rows=80, unweighed_rows=80)

    assert decided(seen).reweigh
    assert not decided(replace(seen, drift=broken("price"))).reweigh


def test_a_cooldown_and_new_rows_count_from_the_last_challenge_that_fitted_members():
    history = History((FIRST, Challenged(YESTERDAY, True, 200), Challenged(NOW, True, 260, reweighed=True)))

    assert history.last == Challenged(YESTERDAY, True, 200)


def test_with_enough_rows_for_a_refresh_nothing_is_weighed_anew_before_it():
    decision = decided(an_evidence(new_rows=250, unweighed_rows=250))

    assert (decision.refresh, decision.reweigh) == (True, False)
