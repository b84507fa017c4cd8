"""A release that is shown to be worse than the one before it does not serve at the next monitoring run."""

from typing import Any

import pandas as pd
import pytest

from releve.core.errors import Conflict
from releve.domain.registry.chain import ROLLED_BACK
from releve.domain.registry.events import ModelRolledBack, ShownHarm
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.domain.trigger.policies import CauseKind
from tasks.monitoring.monitor import monitor
from tasks.release.rollback import rollback
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
    return ShownHarm(
        model=run.model, gain=evidence.gain, answers=evidence.rows, promotions=run.rollback.promotions, rows=run.rows
    )


def roll_back(shop: Shop, run: MonitoringRun) -> Any:
    return rollback(shop.settings, SHOP, reason="harm", actor="monitor", harm=harm_of(run))


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


def test_what_came_back_stays_and_a_refresh_waits_for_a_window_of_labels(replaced: Shop) -> None:
    answer(replaced, market_rows(300, seed=12), right=0.3)
    shown = monitor(replaced.settings, SHOP)
    roll_back(replaced, shown)

    again = monitor(replaced.settings, SHOP)
    answer(replaced, market_rows(249, seed=13), right=0.3)
    waiting = monitor(replaced.settings, SHOP)
    answer(replaced, market_rows(1, seed=14), right=1.0)
    due = monitor(replaced.settings, SHOP)

    assert shown.decision.refresh
    assert not any(run.rollback.roll_back for run in (again, waiting, due))
    assert [run.new_rows for run in (again, waiting, due)] == [0, 249, 250]
    assert again.decision.kinds == (CauseKind.FEW_ROWS,)
    assert due.decision.refresh


def test_a_rollback_by_hand_holds_no_refresh_back(replaced: Shop) -> None:
    answer(replaced, market_rows(300, seed=12), right=1.0)
    rollback(replaced.settings, SHOP, reason="a person knows better")

    assert monitor(replaced.settings, SHOP).decision.refresh


def test_what_was_shown_of_another_release_rolls_nothing_back(replaced: Shop) -> None:
    answer(replaced, market_rows(300, seed=12), right=0.3)
    run = monitor(replaced.settings, SHOP)
    rollback(replaced.settings, SHOP, reason="a person was faster")
    serving = replaced.registry.current(SHOP)

    with pytest.raises(Conflict, match=f"{run.model} was to be rolled back, and {serving.release.model} serves"):
        roll_back(replaced, run)

    assert replaced.registry.current(SHOP) == serving
