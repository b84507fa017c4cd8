import json

import pytest

from releve.core.errors import NotFound
from tasks.release.rebuild import rebuild
from tasks.release.retrain import last_challenger
from tests.repositories import snapshot
from tests.tables import SHOP

pytestmark = pytest.mark.slow


def test_what_was_built_comes_out_again_with_the_same_figures_and_nothing_moves(challenged):
    made, before = last_challenger(challenged.registry, SHOP), snapshot(challenged.root)

    again = rebuild(challenged.settings, SHOP)

    assert (again.revision, again.changed) == (made.revision, ())
    assert json.loads(again.metrics)["accuracy"] == pytest.approx(made.score)
    assert snapshot(challenged.root) == before
    assert challenged.branch.tip() == made.revision


def test_before_any_challenger_there_is_nothing_to_rebuild(ingested):
    with pytest.raises(NotFound, match="run make retrain SCENARIO=shop first"):
        rebuild(ingested.settings, SHOP)
