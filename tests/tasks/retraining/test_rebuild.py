import json

import pytest

from releve.adapters.models.model_store import ModelStore
from releve.core.errors import NotFound
from tasks.history import last_challenger
from tasks.retraining.rebuild import rebuild
from tests.repositories import snapshot
from tests.tables import SHOP

pytestmark = pytest.mark.slow


def test_what_was_built_comes_out_again_byte_for_byte_and_nothing_moves(challenged):
    made, before = last_challenger(challenged.registry, SHOP), snapshot(challenged.root)
    events = challenged.registry.events(SHOP)

    again = rebuild(challenged.settings, SHOP)

    assert (again.revision, again.changed, again.restored) == (made.revision, (), False)
    assert (again.record.model, again.record.differing, again.record.failure) == (made.model, (), "")
    assert json.loads(again.metrics)["rows"] == made.rows
    assert snapshot(challenged.root) == before
    assert challenged.branch.tip() == made.revision
    assert challenged.registry.events(SHOP) == events


def test_a_file_that_is_not_as_it_was_judged_is_no_measure(challenged):
    made = last_challenger(challenged.registry, SHOP)
    path = ModelStore(challenged.settings.home).get(made.model).path / "model.onnx"
    path.write_bytes(path.read_bytes() + b"x")

    with pytest.raises(NotFound, match="are not in the model store as they were judged"):
        rebuild(challenged.settings, made.model)


def test_before_any_challenger_there_is_nothing_to_rebuild(ingested):
    with pytest.raises(NotFound, match="run make retrain SCENARIO=shop first"):
        rebuild(ingested.settings, SHOP)


def test_a_model_that_nobody_judged_cannot_be_rebuilt(ingested):
    with pytest.raises(NotFound, match="there is no model shop:none"):
        rebuild(ingested.settings, f"{SHOP}:none")
