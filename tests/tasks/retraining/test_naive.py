"""A table that has nothing to learn is served all the same: by the naive answer, until a model is better."""

import numpy as np
import pytest

from releve.adapters.models.model_store import ModelStore
from releve.domain.evaluation.evaluation import Opponent
from releve.domain.schema.arrays import arrays_of_frame
from tasks.ingestion.ingest import ingest
from tasks.release.release import release
from tasks.retraining.retrain import retrain
from tests.tables import SHOP
from tests.tasks.shop import Shop, market_rows

pytestmark = pytest.mark.slow


def test_where_no_model_beats_the_naive_answer_it_serves_until_one_does(fresh: Shop) -> None:
    rows = market_rows(300, seed=2)
    noise = rows.assign(bought=np.random.default_rng(5).permutation(rows["bought"].to_numpy()))
    fresh.override(train={"recipe": "extra_trees"})
    fresh.receive(noise, "noise.parquet")
    ingest(fresh.settings, SHOP)

    first = retrain(fresh.settings, SHOP, reason="a first model")
    release(fresh.settings, SHOP)

    model = ModelStore(fresh.settings.home).load(first.model, digest=first.model_digest)
    answers = model.answer(arrays_of_frame(model.schema, rows)).probabilities
    assert first.promote
    assert first.evaluation.naive
    assert any("it is the naive answer itself (majority label): no model is better yet" in note for note in first.notes)
    assert (answers == answers[0]).all()
    assert abs(first.evaluation.against[Opponent.MAJORITY_LABEL].gain.value) < 0.02  # its own score, as it will serve

    for day in range(2):
        fresh.receive(market_rows(400, seed=20 + day), f"signal-{day}.parquet")
        ingest(fresh.settings, SHOP)
        newest = retrain(fresh.settings, SHOP, reason="newer rows")
        release(fresh.settings, SHOP)

    assert newest.promote
    assert not newest.evaluation.naive
