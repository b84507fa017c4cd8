"""The flow that answers a whole table."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.score import score
from tests.tables import SHOP
from tests.tasks.scoring.conftest import Scored, order_rows, scored  # noqa: F401 - a fixture

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def test_the_flow_answers_and_shows_how_far_it_is(
    scored: Callable[..., Scored],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from prefect.artifacts import Artifact

    shop = scored(SHOP, tmp_path)
    for name in [name for name in os.environ if name.startswith("RELEVE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RELEVE_PROJECT", str(shop.root))
    monkeypatch.setenv("RELEVE_HOME", str(shop.settings.home))
    path = shop.put("orders.csv", order_rows(30).assign(price=[-1, *[20] * 29]))

    state = score(SHOP, source=str(path), output=str(shop.out), return_state=True)

    done = state.result()
    assert state.message == "30 rows in = 29 answered + 1 rejected, by shop:one"

    assert (done.manifest.answered, done.manifest.rejected) == (29, 1)
    bar, shown = Artifact.get("score-shop-progress"), Artifact.get("score-shop")
    assert bar is not None
    assert float(bar.data) == 100
    assert shown is not None
    assert "30 rows in = 29 answered + 1 rejected, by shop:one" in str(shown.data)
    assert "column price is -1" in str(shown.data)
