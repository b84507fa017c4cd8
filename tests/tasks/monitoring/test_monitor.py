import json
import shutil

import pytest
import yaml

from releve.adapters.models.model_runtime import folder_digest
from releve.adapters.models.model_store import ModelStore
from releve.core.errors import BadInput, NotFound
from releve.domain.drift.verdict import DriftState
from releve.domain.quality.estimate import NoEstimate
from releve.domain.quality.realised import QualityState
from releve.domain.registry.chain import MONITORED
from releve.domain.registry.events import ModelReleased
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.domain.trigger.policies import Cause, CauseKind
from releve.reporting.messages.monitoring import describe_decision
from tasks.ingestion.batches import read_batches
from tasks.ingestion.harvest import waiting_rows
from tasks.monitoring.evidence import gather
from tasks.monitoring.monitor import DOCUMENT, drift_page, monitor
from tasks.monitoring.quality_windows import quality_windows
from tasks.places import HOLDOUT
from tasks.release.rollback import rollback
from tests.repositories import commit
from tests.tables import SHOP
from tests.tasks.shop import market_rows

INSUFFICIENT, BROKEN, NO_DRIFT, SUSPECTED, DRIFT = DriftState

pytestmark = pytest.mark.slow


def answered(shop, rows, *, right=1.0, labelled=None):
    """The champion answers; a share of its answers is right, as the labels of the first `labelled` rows show."""
    labels = rows["bought"].tolist()
    wrong = {"yes": "no", "no": "yes"}
    predicted = [label if place < right * len(labels) else wrong[label] for place, label in enumerate(labels)]
    shop.answer(rows, predicted=predicted, labels=labels[: len(labels) if labelled is None else labelled])


def dearer(rows):
    """The same market after an inflation, and without bread."""
    return rows.assign(price=50 + rows["price"] / 2, kind=rows["kind"].replace("bread", "cheese"))


def test_before_the_first_release_there_is_nothing_to_monitor(challenged):
    with pytest.raises(NotFound, match="shop has no release yet; run make retrain SCENARIO=shop"):
        monitor(challenged.settings, SHOP)


def test_a_target_of_another_kind_than_at_promotion_is_refused(released):
    path = released.files.folder / "params.yaml"
    values = yaml.safe_load(path.read_text())
    values["columns"].pop("price")
    values.pop("gate")
    path.write_text(yaml.safe_dump({**values, "target": {"name": "price", "task": "regression"}}))
    commit(released.root, "another target")

    with pytest.raises(BadInput, match=r"promoted by accuracy, which is no metric of a regression target"):
        monitor(released.settings, SHOP)


def test_without_answers_it_waits_and_says_why(released):
    run = monitor(released.settings, SHOP)

    assert (run.drift.state, run.quality.state, run.new_rows) == (INSUFFICIENT, QualityState.UNKNOWN, 0)
    assert not run.decision.refresh
    assert run.decision.causes == (Cause(CauseKind.FEW_ROWS, 0, 90),)
    assert drift_page(released.settings, run) is None


@pytest.mark.parametrize(("rows", "state"), [(199, INSUFFICIENT), (200, NO_DRIFT), (201, NO_DRIFT)])
def test_a_verdict_needs_two_hundred_answers(rows, state, released):
    answered(released, market_rows(rows, seed=12), labelled=0)

    assert monitor(released.settings, SHOP).drift.state == state


def test_answers_like_the_reference_have_not_drifted_even_where_cells_are_missing(released):
    answered(released, market_rows(300, seed=12), right=0.95)

    run = monitor(released.settings, SHOP)

    assert run.drift.state == NO_DRIFT
    assert run.quality.state == QualityState.WITHIN_TOLERANCE
    assert run.decision.kinds == (CauseKind.NEW_ROWS,)
    assert not run.decision.search
    assert (run.drift.rows, run.drift.reference_rows, run.new_rows) == (300, 200, 300)


def test_drift_opens_a_search_once_there_are_rows_to_judge_on(released):
    answered(released, dearer(market_rows(300, seed=12)), labelled=89)

    waits = monitor(released.settings, SHOP)
    answered(released, dearer(market_rows(1, seed=13)))
    run = monitor(released.settings, SHOP)

    assert waits.drift.state == run.drift.state == DRIFT
    assert [column.name for column in run.drift.drifted][:2] == ["price", "kind"]
    assert (waits.decision.refresh, waits.decision.search_waits.kind) == (False, CauseKind.FEW_ROWS_TO_SEARCH)
    assert (run.decision.refresh, run.decision.search, run.decision.kinds[0]) == (True, True, CauseKind.DRIFT)


def test_labels_that_show_a_degraded_champion_open_a_search(released):
    answered(released, market_rows(260, seed=12), right=0.3)

    run = monitor(released.settings, SHOP)

    assert run.quality.state == QualityState.DEGRADED
    assert run.decision.search
    assert run.decision.kinds[0] == CauseKind.DEGRADED


def test_answers_that_are_other_ones_than_on_the_holdout_are_a_row_of_the_verdict(released):
    released.answer(market_rows(300, seed=12), predicted=["yes"] * 300, labels=[])

    run = monitor(released.settings, SHOP)

    assert [column.name for column in run.drift.drifted] == ["prediction"]
    assert run.drift.drifted[0].of_predictions


def test_a_column_that_broke_is_left_out_and_holds_nothing_back(released):
    answered(released, market_rows(300, seed=12).assign(kind=None), right=0.9)

    run = monitor(released.settings, SHOP)

    assert run.drift.state == BROKEN
    assert (run.decision.refresh, run.decision.without) == (True, ("kind",))


def test_where_most_columns_broke_a_refresh_waits_until_a_window_of_labels_came(released):
    def more(rows, seed):
        answered(released, market_rows(rows, seed=seed).assign(kind=None, weight=None))
        return monitor(released.settings, SHOP)

    first, again, later = more(300, 12), monitor(released.settings, SHOP), more(90, 13)

    assert first.drift.state == again.drift.state == later.drift.state == BROKEN
    assert [run.decision.refresh for run in (first, again, later)] == [False, False, True]
    assert first.decision.causes == again.decision.causes == (Cause(CauseKind.BROKEN_DATA, 0, 90),)
    assert later.decision.without == ()


def test_only_the_newest_answers_are_compared(released):
    answered(released, dearer(market_rows(300, seed=12)), labelled=0)
    answered(released, market_rows(300, seed=13), labelled=0)

    assert monitor(released.settings, SHOP).drift.state == NO_DRIFT


def test_answers_of_an_earlier_champion_do_not_count(replaced):
    run = monitor(replaced.settings, SHOP)

    assert run.model == replaced.registry.current(SHOP).release.model
    assert run.drift.rows == 0


def test_what_was_seen_is_in_the_folder_and_in_the_registry(released):
    answered(released, market_rows(300, seed=12))

    run = monitor(released.settings, SHOP, actor="Ada")

    page = drift_page(released.settings, run)
    kept = json.loads((page.parent / DOCUMENT).read_text())
    event = released.registry.events(SHOP, kinds=[MONITORED])[-1]
    assert kept == event.payload
    assert MonitoringRun.model_validate(kept) == run
    assert (event.actor, run.report) == ("Ada", page.parent.name)
    assert run.window.rows == run.drift.rows == 300
    assert run.window.first_at <= run.window.last_at <= run.at
    assert run.estimate.state == QualityState.UNKNOWN
    assert run.staleness.exceeded == ()
    assert run.decision.kinds == (CauseKind.NEW_ROWS,)
    assert event.reason.startswith("refresh: 300 new labelled rows, and the policy is to learn from each batch; ")
    assert page.read_text().lstrip()[:1] == "<"
    assert (page.parent / "evidently.json").is_file()


def test_new_rows_are_those_that_no_challenger_was_judged_with(replaced):
    answered(replaced, market_rows(10, seed=12), labelled=7)
    assert waiting_rows(replaced.settings, SHOP) == 7
    ingested = sum(batch.rows for batch in read_batches(replaced.branch))

    run = monitor(replaced.settings, SHOP)

    assert (run.rows, run.new_rows) == (ingested + 7, 7)


def asked(shop, rows, *, labelled=0, concept=False):
    """The champion really answers, as sure as it is; labels of the first rows come in, or their opposite."""
    model = ModelStore(shop.settings.home).load(shop.registry.current(SHOP).release.model)
    given = model.answer(arrays_of_frame(model.schema, rows.assign(kind=rows["kind"].fillna(""))))
    other = {"yes": "no", "no": "yes"}
    labels = [other[label] if concept else label for label in rows["bought"]]
    shop.answer(rows, predicted=given.labels, labels=labels[:labelled], probabilities=given.probabilities.tolist())
    return given.labels


def test_before_labels_come_the_quality_that_they_will_show_is_estimated(released):
    rows = market_rows(300, seed=12)
    given = asked(released, rows)

    run = monitor(released.settings, SHOP)

    assert run.quality.state == QualityState.UNKNOWN
    assert run.estimate.audit is None
    assert run.estimate.score.low <= (rows["bought"] == given).mean() <= run.estimate.score.high


def test_labels_that_contradict_the_estimate_switch_it_off(released):
    asked(released, market_rows(300, seed=12), labelled=100, concept=True)

    run = monitor(released.settings, SHOP)

    assert run.estimate.state == QualityState.AUDIT_FAILED
    assert run.estimate.concept_drift_suspected
    assert run.estimate.score is None
    assert any("concept drift suspected" in sentence for sentence in describe_decision(run))


def test_a_model_that_was_packaged_without_its_holdout_answers_has_no_estimate(released):
    tag = released.registry.current(SHOP).release.model
    (ModelStore(released.settings.home).get(tag).path / HOLDOUT).unlink()
    asked(released, market_rows(300, seed=12))

    run = monitor(released.settings, SHOP)

    assert (run.estimate.state, run.estimate.missing) == (QualityState.UNKNOWN, NoEstimate.NO_HOLDOUT)


def test_quality_over_time_comes_from_one_reading_of_the_ledger(replaced):
    assert quality_windows(replaced.settings, SHOP) == ()

    asked(replaced, market_rows(350, seed=12), labelled=320)

    first, second = quality_windows(replaced.settings, SHOP)
    assert (first.answered, first.labelled, second.answered, second.labelled) == (300, 300, 50, 20)
    assert first.model == second.model == replaced.registry.current(SHOP).release.model
    assert first.score.value > first.naive


def test_the_champion_before_is_asked_what_the_last_promotion_brought(replaced):
    asked(replaced, market_rows(300, seed=12), labelled=200)

    run = monitor(replaced.settings, SHOP)

    assert run.payoff.rows == 200
    assert run.payoff.gain.low > 0  # a tree knows this market, a line does not
    kept = replaced.registry.events(SHOP, kinds=[MONITORED])[-1].payload["payoff"]
    assert kept["gain"]["value"] == run.payoff.gain.value


@pytest.mark.parametrize("policy", ["refresh", "schedule", "static"])
@pytest.mark.parametrize(("labelled", "known"), [(89, False), (90, True)])
def test_a_payoff_is_measured_under_every_policy_once_there_are_labels(policy, labelled, known, replaced):
    replaced.override(trigger={"policy": policy})
    asked(replaced, market_rows(100, seed=12), labelled=labelled)

    assert (monitor(replaced.settings, SHOP).payoff is not None) is known


def test_after_a_rollback_there_is_no_payoff(replaced):
    rollback(replaced.settings, SHOP, reason="it was the better one")
    asked(replaced, market_rows(100, seed=12), labelled=100)

    assert monitor(replaced.settings, SHOP).payoff is None


def test_a_release_that_came_back_has_learned_nothing_of_what_was_answered_in_its_place(replaced):
    asked(replaced, market_rows(100, seed=12), labelled=100)
    rollback(replaced.settings, SHOP, reason="it was the better one")

    known = gather(replaced.settings, SHOP, replaced.registry)

    assert len(known.recent_labelled) == 100
    assert known.reference_before.equals(known.reference)


def test_a_champion_before_that_cannot_be_asked_is_reported(replaced):
    asked(replaced, market_rows(100, seed=12), labelled=100)
    previous = replaced.registry.previous(SHOP).model
    shutil.rmtree(ModelStore(replaced.settings.home).get(previous).path)

    run = monitor(replaced.settings, SHOP)

    assert run.payoff is None
    assert f"as {previous} cannot be asked" in run.payoff_problem


@pytest.mark.parametrize(("name", "why"), [("model.onnx", "InvalidProtobuf: "), ("model.json", "model.json of model ")])
def test_nor_does_a_champion_before_that_its_runtime_does_not_take_fail_the_run(name, why, replaced):
    previous, current = replaced.registry.previous(SHOP), replaced.registry.current(SHOP)
    folder = ModelStore(replaced.settings.home).get(previous.model).path
    (folder / name).write_text("{}")
    broken = previous.model_copy(update={"model_digest": folder_digest(folder)})
    for release in (broken, current.release):
        expected = replaced.registry.current(SHOP).number
        replaced.registry.move(SHOP, ModelReleased(release=release), expected=expected, reason="", actor="a test")
    asked(replaced, market_rows(100, seed=12), labelled=100)

    run = monitor(replaced.settings, SHOP)

    assert run.payoff is None
    assert f"as {previous.model} cannot be asked: {why}" in run.payoff_problem
