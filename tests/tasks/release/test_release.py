import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from datetime import date

import pytest

from releve.adapters.models.description import GoldenRows
from releve.adapters.models.model_runtime import GoldenMismatch, check_golden
from releve.adapters.models.model_store import ModelStore
from releve.adapters.vectors.milvus_connection import IndexUnavailable
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.errors import BadInput, NotFound
from releve.core.params import GateOverride
from releve.domain.neighbours import embedding
from releve.domain.neighbours.index_design import DistanceMetric, IndexDesign
from releve.domain.registry.chain import RELEASED
from tasks.history import last_challenger
from tasks.release.acceptance import NotAccepted, check_accepted
from tasks.release.release import release
from tests.events import make_challenger
from tests.serving.process import free_port
from tests.tables import SHOP
from tests.tasks.shop import moved

pytestmark = pytest.mark.slow

TODAY = date(2026, 1, 31)


def collections(shop):
    index = VectorIndex(shop.settings.milvus_uri)
    try:
        return set(index.collections(SHOP))
    finally:
        index.close()


def test_a_release_names_one_model_one_index_and_the_rows_they_come_from(released):
    serving = released.registry.current(SHOP).release
    challenger = last_challenger(released.registry, SHOP)

    assert (serving.model, serving.model_digest) == (challenger.model, challenger.model_digest)
    assert (serving.data_version, serving.revision) == (challenger.data_version, challenger.revision)
    assert (serving.rows, serving.index_rows, serving.expected.score.value) == (200, 200, challenger.score)
    assert collections(released) == {serving.index}
    assert (serving.index_check.rows, serving.index_check.recall, serving.index_check.filtered_recall) == (
        200,
        1.0,
        1.0,
    )


def test_a_release_without_a_persons_reason_is_the_gates(released):
    event = released.registry.events(SHOP, kinds=[RELEASED])[0]

    assert event.reason == ""


def test_a_release_leaves_a_bento_that_packs_its_model(released):
    version = released.registry.current(SHOP).release.model.partition(":")[2]

    bento = released.settings.home / "bentoml" / "bentos" / "releve" / version

    assert f"tag: shop:{version}" in (bento / "bento.yaml").read_text()
    assert (bento / "src" / "service.py").is_file()


def test_releasing_it_again_changes_nothing(released):
    before = released.registry.events(SHOP)

    again = release(released.settings, SHOP)

    assert (again.index, again.bento, again.answers_at) == (None, "", "")
    assert released.registry.events(SHOP) == before


def test_the_indexes_of_this_and_the_previous_release_are_kept(replaced):
    current, previous = replaced.registry.current(SHOP).release, replaced.registry.previous(SHOP)

    assert current.index != previous.index
    assert collections(replaced) == {current.index, previous.index}


def test_without_a_challenger_there_is_nothing_to_release(ingested):
    with pytest.raises(NotFound, match="shop has no challenger; run make retrain SCENARIO=shop first"):
        release(ingested.settings, SHOP)


def test_a_challenger_that_was_judged_against_another_champion_is_not_released(replaced):
    first = replaced.registry.previous(SHOP)

    with pytest.raises(NotAccepted, match=f"{first.model} was judged against no champion, but .* serves now"):
        release(replaced.settings, SHOP, model=first.model)


def test_a_challenger_that_the_gate_refused_is_not_released(challenged):
    accepted = last_challenger(challenged.registry, SHOP)
    refused = accepted.model_copy(update={"promote": False, "reasons": ("worse",)})

    with pytest.raises(NotAccepted, match=f"the gate refused {refused.model}: worse"):
        check_accepted(refused, "", today=TODAY)
    check_accepted(accepted, "", today=TODAY)


def test_what_live_labels_have_shown_is_released_where_the_gate_missed_nothing_but_that():
    refused = make_challenger(promote=False, reasons=("no gain was shown",), champion="shop:v0")
    inconclusive = refused.model_copy(update={"inconclusive": True})

    check_accepted(inconclusive, "shop:v0", today=TODAY, shown_live=True)
    for challenger, shown_live in ((inconclusive, False), (refused, True)):
        with pytest.raises(NotAccepted, match="no gain was shown"):
            check_accepted(challenger, "shop:v0", today=TODAY, shown_live=shown_live)


@pytest.mark.parametrize(("until", "released"), [("2026-01-30", False), ("2026-01-31", True), ("2026-02-01", True)])
def test_a_challenger_that_an_override_let_pass_is_released_while_it_stands(until, released, challenged):
    accepted = last_challenger(challenged.registry, SHOP)
    override = GateOverride(floor="fairness", by="Ada", reason="a trial", until=date.fromisoformat(until))
    overridden = accepted.model_copy(update={"overrides": (override,)})

    with nullcontext() if released else pytest.raises(NotAccepted, match="fairness floor by Ada that expired on"):
        check_accepted(overridden, "", today=TODAY)


def test_a_vector_store_that_is_away_moves_nothing_and_the_same_command_resumes(challenged):
    away = moved(challenged.settings, milvus_uri=f"http://127.0.0.1:{free_port()}")

    with pytest.raises(IndexUnavailable):
        release(away, SHOP)

    assert challenged.registry.current(SHOP) is None
    assert release(challenged.settings, SHOP).index.rows == 200


def test_an_index_is_built_as_it_is_set_and_refused_where_it_would_not_hold(challenged):
    challenged.override(index={"type": "HNSW"})
    with pytest.raises(BadInput, match=r"index.type is HNSW, and Milvus at .* is Milvus Lite"):
        release(challenged.settings, SHOP)
    challenged.override(index={"type": "FLAT", "metric": "IP", "filters": ["kind"]})

    serving = release(challenged.settings, SHOP).release

    assert serving.index_design == IndexDesign(metric=DistanceMetric.IP, filters=("kind",))
    assert serving.index_check.filtered_recall == 1.0


def test_vectors_that_no_index_holds_are_refused_before_anything_is_built(challenged, monkeypatch):
    monkeypatch.setattr(embedding, "MAX_DIMENSION", 3)

    with pytest.raises(BadInput, match=r"the vector of a row has .* numbers, and an index holds at most 3"):
        release(challenged.settings, SHOP)

    assert challenged.registry.current(SHOP) is None
    assert not (challenged.settings.home / "milvus.db").exists()


def test_a_model_that_was_altered_since_it_was_judged_is_not_released(challenged):
    tag = last_challenger(challenged.registry, SHOP).model
    path = ModelStore(challenged.settings.home).get(tag).path / "model.onnx"
    path.write_bytes(path.read_bytes() + b"x")

    with pytest.raises(Exception, match="nothing was loaded"):
        release(challenged.settings, SHOP)

    assert challenged.registry.current(SHOP) is None


def test_a_model_that_answers_its_golden_rows_otherwise_is_not_released(challenged):
    model = ModelStore(challenged.settings.home).load(last_challenger(challenged.registry, SHOP).model)
    check_golden(model)
    first, *others = model.description.golden.labels
    golden = GoldenRows(rows=model.description.golden.rows, labels=("no" if first == "yes" else "yes", *others))
    altered = replace(model, description=model.description.model_copy(update={"golden": golden}))

    with pytest.raises(GoldenMismatch, match="it is not released"):
        check_golden(altered)


def test_importing_the_release_step_starts_nothing():
    heavy = {"prefect", "evidently", "sklearn", "pandas"}
    code = f"import sys, tasks.release.release; print(sorted({heavy} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
