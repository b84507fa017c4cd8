"""A release that is shown to be worse than the one before it does not serve at the next monitoring run."""

from typing import Any

import pandas as pd
import pytest
import yaml

from releve.core.errors import Conflict
from releve.domain.registry.chain import ROLLED_BACK
from releve.domain.registry.events import ModelRolledBack, ShownHarm
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.domain.trigger.policies import CauseKind
from tasks.ingestion.harvest import harvest
from tasks.ingestion.ingest import ingest
from tasks.monitoring.monitor import monitor
from tasks.release.release import release
from tasks.release.rollback import rollback
from tasks.retraining.retrain import retrain
from tests.tables import SHOP
from tests.tasks.shop import Shop, market_rows

pytestmark = pytest.mark.slow


def answer(shop: Shop, rows: pd.DataFrame, *, right: float) -> None:
    """The release that serves answers, and labels show that such a share of its answers was right."""
    labels = rows["bought"].tolist()
    wrong = {"yes": "no", "no": "yes"}
    predicted = [label if place % 10 < 10 * right else wrong[label] for place, label in enumerate(labels)]
    shop.answer(rows, predicted=predicted, labels=labels)


def harm_of(run: MonitoringRun) -> ShownHarm:
    evidence = run.rollback.evidence
    assert evidence is not None
    return ShownHarm(model=run.model, gain=evidence.gain, answers=evidence.rows, promotions=run.rollback.promotions)


def roll_back(shop: Shop, run: MonitoringRun) -> Any:
    return rollback(shop.settings, SHOP, seen=run.model, reason="harm", actor="monitor", harm=harm_of(run))


def test_a_release_that_labels_show_to_be_worse_than_the_one_before_it_is_left(replaced: Shop) -> None:
    worse, before = replaced.registry.current(SHOP).release, replaced.registry.previous(SHOP)
    answer(replaced, market_rows(300, seed=12), right=0.3)

    run = monitor(replaced.settings, SHOP)
    roll_back(replaced, run)

    assert run.rollback.roll_back
    assert run.rollback.evidence.gain.high < 0
    assert replaced.registry.current(SHOP).release == before
    event = replaced.registry.events(SHOP, kinds=[ROLLED_BACK])[-1]
    assert event.actor == "monitor"
    assert event.read(ModelRolledBack).harm == harm_of(run)
    assert harm_of(run).model == worse.model


def test_a_release_that_is_not_shown_to_be_worse_serves_on(replaced: Shop) -> None:
    answer(replaced, market_rows(300, seed=12), right=1.0)

    assert not monitor(replaced.settings, SHOP).rollback.roll_back


def test_few_labels_roll_nothing_back(replaced: Shop) -> None:
    answer(replaced, market_rows(89, seed=12), right=0.1)

    assert not monitor(replaced.settings, SHOP).rollback.roll_back


def test_a_refresh_learns_at_once_from_the_labels_that_showed_harm_and_nothing_moves_to_and_fro(
    replaced: Shop,
) -> None:
    worse = replaced.registry.current(SHOP).release.model
    answer(replaced, market_rows(300, seed=12), right=0.3)
    roll_back(replaced, monitor(replaced.settings, SHOP))

    due = monitor(replaced.settings, SHOP)
    harvest(replaced.settings, SHOP)
    ingest(replaced.settings, SHOP)
    challenger = retrain(replaced.settings, SHOP, reason="new rows")
    release(replaced.settings, SHOP, model=challenger.model)
    again = [monitor(replaced.settings, SHOP) for _ in range(2)]

    assert due.decision.refresh
    assert challenger.promote
    inputs = yaml.safe_load(replaced.branch.read("inputs.yaml"))
    assert (inputs["taken_back"], inputs["taken_back_at"]) == (worse, 620)  # which it served, 300 labels included
    assert not any(run.rollback.roll_back for run in (due, *again))
    assert [run.decision.kinds for run in again] == [(CauseKind.FEW_ROWS,)] * 2
    assert [run.new_rows for run in again] == [0, 0]


def test_a_rollback_by_hand_holds_no_refresh_back(replaced: Shop) -> None:
    answer(replaced, market_rows(300, seed=12), right=1.0)
    rollback(replaced.settings, SHOP, reason="a person knows better")

    assert monitor(replaced.settings, SHOP).decision.refresh


def test_a_release_that_a_person_has_rolled_back_meanwhile_is_not_moved_again(replaced: Shop) -> None:
    answer(replaced, market_rows(300, seed=12), right=0.3)
    run = monitor(replaced.settings, SHOP)
    rollback(replaced.settings, SHOP, reason="a person was faster")
    serving = replaced.registry.current(SHOP)

    roll_back(replaced, run)

    assert replaced.registry.current(SHOP) == serving


def test_what_was_shown_of_another_release_rolls_nothing_back(replaced: Shop) -> None:
    answer(replaced, market_rows(300, seed=12), right=0.3)
    run = monitor(replaced.settings, SHOP)
    replaced.replace_champion()
    serving = replaced.registry.current(SHOP)

    with pytest.raises(Conflict, match=f"{run.model} was to be rolled back, and {serving.release.model} serves"):
        roll_back(replaced, run)

    assert replaced.registry.current(SHOP) == serving
