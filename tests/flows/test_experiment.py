"""The flow that tries other settings."""

import os

import pytest

from flows.experiment import experiment
from releve.core.errors import BadInput
from tests.tables import SHOP
from tests.tasks.conftest import (  # noqa: F401 - fixtures
    made_challenged,
    made_fresh,
    made_ingested,
    made_released,
    made_tried,
    tried,
)
from tests.tasks.experiment.test_experiment import made_of
from tests.tasks.shop import BETTER, Shop

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture
def shop(tried: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:  # noqa: F811
    for name in [name for name in os.environ if name.startswith("RELEVE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RELEVE_PROJECT", str(tried.root))
    monkeypatch.setenv("RELEVE_HOME", str(tried.settings.home))
    return tried


def test_the_flow_ends_with_the_experiment_and_shows_what_it_gains(shop: Shop) -> None:
    from prefect.artifacts import Artifact

    state = experiment(SHOP, changes=BETTER, return_state=True)

    made = made_of(shop, BETTER)
    assert state.result() == made.name
    assert f"Send it to the gate: releve challenge {made.name}" in state.message
    shown = Artifact.get("experiment-shop")
    assert shown is not None and shown.description == 'train.recipe=extra_trees train.options={"n_estimators": 20}'
    assert "champion" in str(shown.data)


def test_a_wrong_setting_fails_the_run_with_its_sentence(shop: Shop) -> None:
    state = experiment(SHOP, changes={"train.recipe": "svmm"}, return_state=True)

    with pytest.raises(BadInput, match=r"'train.recipe' is 'svmm', but it should be auto"):
        state.result()
