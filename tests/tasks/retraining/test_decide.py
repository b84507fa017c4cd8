"""Changed costs between two refreshes: nothing is fitted, the gate judges the decisions, a rollback takes them back."""

from pathlib import Path

import pytest

from releve.adapters.models.model_store import ModelStore
from releve.domain.decision.policy import DecisionPolicy
from releve.domain.registry.chain import CHALLENGED, RELEASED
from releve.domain.registry.events import Challenger, ModelReleased, ReleaseChange
from releve.domain.schema.arrays import arrays_of_rows
from releve.serving.prediction import predict
from tasks.monitoring.monitor import monitor
from tasks.release.acceptance import NotAccepted
from tasks.release.release import release
from tasks.release.rollback import rollback
from tasks.reporting.page import write_page
from tasks.retraining.retrain import retrain
from tests.tables import SHOP
from tests.tasks.shop import Shop, market_rows, written_ledger

pytestmark = pytest.mark.slow

COSTS = {"stock": {"yes": 0, "no": 4}, "skip": {"yes": 4, "no": 0}}
RULE = {"column": "price", "operator": ">", "value": 99, "decision": "skip", "reason": "too dear to stock"}


def policy_of(shop: Shop) -> DecisionPolicy | None:
    """What the champion decides by."""
    return ModelStore(shop.settings.home).describe(shop.registry.current(SHOP).release.model).decision


@pytest.fixture(scope="module")
def made_deciding(made_released: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = made_released.copy(tmp_path_factory.mktemp("deciding"))
    shop.override(decision={"costs": COSTS, "unit": "EUR", "rules": [RULE]})
    retrain(shop.settings, SHOP, reason="costs are known")
    release(shop.settings, SHOP)
    return shop


@pytest.fixture
def deciding(made_deciding: Shop, tmp_path: Path) -> Shop:
    """The champion decides, by costs that came after its fit."""
    return made_deciding.copy(tmp_path)


def challengers(shop: Shop) -> list[Challenger]:
    return [event.read(Challenger) for event in shop.registry.events(SHOP, kinds=[CHALLENGED])]


def test_costs_make_a_release_of_the_very_fit_and_a_rollback_takes_them_back(deciding: Shop) -> None:
    first, made = challengers(deciding)
    store, moves = ModelStore(deciding.settings.home), deciding.registry.events(SHOP, kinds=[RELEASED])

    assert (made.promote, made.decides_alone, made.champion) == (True, True, first.model)
    assert made.decision.served is None
    assert moves[-1].read(ModelReleased).change == ReleaseChange.DECISION
    assert "EUR a row" in made.notes[0] and "best constant decision" in made.notes[0]
    old, new = (store.get(each.model).path / "model.onnx" for each in (first, made))
    assert old.read_bytes() == new.read_bytes()
    money = made.evaluation.money
    assert money.constant.gain.value > 0
    assert sum(money.decided.values()) == money.rows == made.evaluation.holdout_rows
    assert policy_of(deciding).table.rules[0].reason == "too dear to stock"

    rollback(deciding.settings, SHOP, reason="nobody understands it")

    assert policy_of(deciding) is None


def test_a_monitoring_run_and_the_page_say_what_decisions_have_cost_by_labels(deciding: Shop) -> None:
    frame, current = market_rows(100, seed=77), deciding.registry.current(SHOP)
    rows = frame.drop(columns="bought").astype(object).where(frame.notna(), None).to_dict("records")
    model = ModelStore(deciding.settings.home).load(current.release.model)
    found = predict(model, arrays_of_rows(model.schema, rows), rows)
    with written_ledger(deciding) as ledger:
        request = ledger.answer(
            model=model.tag,
            index=None,
            rows=rows,
            labels=found.labels,
            probabilities=found.probabilities,
            decided=found.decided,
        )
    deciding.label(request, frame["bought"].tolist())

    money = monitor(deciding.settings, SHOP).money

    prices = {("stock", "no"): 4, ("skip", "yes"): 4}
    paid = [prices.get(pair, 0) for pair in zip(found.decided.decisions, frame["bought"], strict=True)]
    assert (money.rows, money.unit, money.cost.value) == (100, "EUR", pytest.approx(sum(paid) / 100))
    assert money.expected == pytest.approx(sum(found.decided.expected_costs) / 100)
    assert sum(money.decided.values()) == 100
    assert money.fired == {"too dear to stock": sum(row["price"] > 99 for row in rows)}
    page = write_page(deciding.settings, SHOP).read_text()
    assert "Decisions in money" in page
    assert "too dear to stock" in page


def test_changed_costs_are_held_against_those_that_serve_and_against_one_decision_for_all(deciding: Shop) -> None:
    before = deciding.registry.current(SHOP)
    deciding.override(decision={"costs": {**COSTS, "skip": {"yes": 10, "no": 0}}})  # the line is sure where it is wrong

    refused = retrain(deciding.settings, SHOP, reason="what is missing is dear")

    assert not refused.promote
    assert refused.evaluation.money.constant.gain.high < 0
    assert refused.reasons[-1].startswith(
        "the changed decisions are shown to cost more than the best constant decision"
    )
    with pytest.raises(NotAccepted):
        release(deciding.settings, SHOP)
    assert deciding.registry.current(SHOP) == before

    deciding.override(decision={"costs": {**COSTS, "skip": {"yes": 1, "no": 0}}}, gate={"metric": "cost"})
    made = retrain(deciding.settings, SHOP, reason="skipping is cheap", reweigh=True)

    assert (made.promote, made.decides_alone, made.champion) == (True, True, before.release.model)
    assert made.decision.served.gain.value > 0
    assert made.reasons[0].startswith("costs or rules changed, and no answer; by the same answers and rules")
