"""A model that somebody else fitted: judged as a refresh is, released, rolled back, built again, and a member."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from releve.adapters.files import read_inputs
from releve.adapters.git_dvc.data_versions import PipelineFailed
from releve.adapters.models.model_store import ModelStore
from releve.core.errors import BadInput
from releve.domain.brought.description import BroughtDescription
from releve.domain.registry.chain import CHALLENGED, RELEASED
from releve.domain.registry.events import Challenger, ModelReleased, ReleaseChange
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.validation import check_frame
from releve.reporting.experiments import describe_experiment
from releve.reporting.markdown import render_markdown
from releve.reporting.messages.brought import CHAMPION_MAY_KNOW
from tasks.experiment.challenge import challenge
from tasks.experiment.experiment import experiment
from tasks.experiment.experiments import experiments
from tasks.ingestion.ingest import ingest
from tasks.monitoring.challenge_history import challenges_of, count_unweighed_rows
from tasks.monitoring.monitor import monitor
from tasks.release.release import release
from tasks.release.rollback import rollback
from tasks.reporting.model_card import card_of
from tasks.retraining.bring import try_file
from tasks.retraining.rebuild import rebuild
from tasks.retraining.retrain import retrain
from tests.foreign_models import network
from tests.tables import SHOP, shop_schema
from tests.tasks.experiment.test_experiment import made_of
from tests.tasks.shop import BETTER, Shop, market_rows

pytestmark = pytest.mark.slow

MAPPING = "inputs: {X: [price, weight]}\n"


@cache
def good() -> bytes:
    """A network that knows the market."""
    return network(market_rows(2000, seed=77), shop_schema(), ("price", "weight"))


@cache
def useless() -> bytes:
    """A network that learned labels of chance."""
    rows = market_rows(300, seed=78)
    labels = np.random.default_rng(7).permutation(rows["bought"])
    return network(rows.assign(bought=labels), shop_schema(), ("price", "weight"), zipmap=False)


def bring(shop: Shop, content: bytes, *, learned: int | None = None) -> Challenger:
    folder = shop.root.parent
    file, mapping = folder / "network.onnx", folder / "mapping.yaml"
    file.write_bytes(content)
    mapping.write_text(MAPPING)
    tried, _ = try_file(shop.settings, SHOP, file, folder=folder / "tried", mapping=mapping, learned=learned)
    return retrain(shop.settings, SHOP, reason="a network", brought=tried)


def receive(shop: Shop, *, seed: int) -> None:
    shop.receive(market_rows(120, seed=seed), f"day-{seed}.parquet")
    ingest(shop.settings, SHOP)


def members_of(shop: Shop, model: str) -> dict[str, float]:
    ensemble = ModelStore(shop.settings.home).describe(model).ensemble
    assert ensemble is not None
    return {each.name: each.weight for each in ensemble.members}


@pytest.fixture(scope="module")
def made_brought(made_released: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = made_released.copy(tmp_path_factory.mktemp("brought"))
    bring(shop, good(), learned=0)
    release(shop.settings, SHOP)
    return shop


@pytest.fixture
def brought(made_brought: Shop, tmp_path: Path) -> Shop:
    """A network that somebody brought serves."""
    return made_brought.copy(tmp_path)


def newest(shop: Shop) -> Challenger:
    return shop.registry.events(SHOP, kinds=[CHALLENGED])[-1].read(Challenger)


def test_a_better_model_is_judged_on_the_rows_of_the_refresh_released_and_served_by_onnx(brought: Shop) -> None:
    first, made = (event.read(Challenger) for event in brought.registry.events(SHOP, kinds=[CHALLENGED]))

    assert (made.promote, made.champion, made.rows) == (True, first.model, first.rows)
    assert made.evaluation.holdout_rows == first.evaluation.holdout_rows
    assert made.evaluation.against["champion"].score == first.evaluation.score.value
    assert made.evaluation.against["champion"].gain.low > 0
    current = brought.registry.current(SHOP)
    assert current is not None
    assert current.release.model == made.model
    moves = brought.registry.events(SHOP, kinds=[RELEASED])
    assert [event.read(ModelReleased).change for event in moves] == [ReleaseChange.FIRST, ReleaseChange.BROUGHT]
    model = ModelStore(brought.settings.home).load(made.model, digest=made.model_digest)
    assert model.description.runtime == "onnx"
    frame = check_frame(model.schema, market_rows(200, seed=900)).accepted
    right = np.array(model.answer(arrays_of_frame(model.schema, frame)).labels) == frame["bought"].to_numpy()
    assert right.mean() > 0.85


def test_beside_an_experiment_that_was_released_it_is_held_against_that_one_and_not_what_served_before(tried: Shop):
    challenge(tried.settings, made_of(tried, BETTER).name)
    release(tried.settings, SHOP)
    listed = experiments(tried.settings, SHOP).champion
    assert listed is not None
    serving = listed.challenger.evaluation

    judged = bring(tried, good(), learned=0).evaluation

    assert judged.champion is not None
    assert (judged.champion.score, judged.holdout_rows) == (serving.score.value, serving.holdout_rows)


@pytest.mark.whole
def test_its_card_and_the_gates_notes_say_where_it_comes_from_and_that_nobody_refreshes_it(brought: Shop) -> None:
    made = newest(brought)

    assert isinstance(made.brought, BroughtDescription)
    assert (made.brought.file, made.brought.learned, made.brought.known) == ("network.onnx", 0, 200)
    card = render_markdown(card_of(brought.settings, made.model))
    opset, never, inputs = "ai.onnx 17", "it is not refreshed, ever", "X takes price, weight"
    for said in (made.brought.file_digest, "skl2onnx 1.", opset, never, inputs):
        assert said in card
    assert "refitted on all labelled rows" not in card
    assert any("it is not refreshed, ever" in note for note in made.notes)


@pytest.mark.whole
def test_it_is_built_again_byte_for_byte_and_rolled_back(brought: Shop) -> None:
    made = newest(brought)

    record = rebuild(brought.settings, made.model).record
    rollback(brought.settings, SHOP, reason="a test")

    assert (record.differing, record.failure) == ((), "")
    current = brought.registry.current(SHOP)
    assert current is not None
    assert current.release.model == made.champion


def test_the_next_refresh_has_it_as_a_member_and_is_held_against_it_on_all_windows(brought: Shop) -> None:
    served = newest(brought)
    receive(brought, seed=500)

    due = monitor(brought.settings, SHOP).decision
    made = retrain(brought.settings, SHOP, reason="newer rows")

    assert due.refresh
    assert (made.brought, made.champion, made.rows) == (None, served.model, 320)
    assert served.brought is not None
    assert members_of(brought, made.model)[served.brought.name] > 0.5
    assert made.evaluation.holdout_rows == 220  # both windows, as it was the same model before each
    assert made.evaluation.against["champion"].score > 0.85
    assert CHAMPION_MAY_KNOW not in made.notes
    again = rebuild(brought.settings, made.model).record
    assert (again.differing, again.failure) == ((), "")


@pytest.mark.whole
def test_a_refresh_beside_one_whose_learned_rows_nobody_named_is_told_that_its_score_is_flattered(released: Shop):
    bring(released, good())
    release(released.settings, SHOP)
    receive(released, seed=500)

    made = retrain(released.settings, SHOP, reason="newer rows")
    tried = experiment(released.settings, SHOP, changes={})

    assert CHAMPION_MAY_KNOW in made.notes
    assert CHAMPION_MAY_KNOW in [*describe_experiment(tried.name, tried.evaluation, tried.record)]


@pytest.mark.whole
def test_between_two_refreshes_nothing_of_it_is_weighed_anew(brought: Shop) -> None:
    model, store = newest(brought).model, ModelStore(brought.settings.home)

    assert count_unweighed_rows(store, model, challenges_of(brought.registry, SHOP), rows=260) == 0
    with pytest.raises(BadInput, match="do not serve shop"):
        retrain(brought.settings, SHOP, reason="by hand", reweigh=True)


@pytest.mark.whole
def test_without_newer_rows_a_refresh_with_it_is_held_against_it_on_the_windows_there_are(brought: Shop) -> None:
    served = newest(brought)

    made = retrain(brought.settings, SHOP, reason="by hand")

    assert (made.champion, made.rows) == (served.model, 200)
    assert made.evaluation.against["champion"].score == served.evaluation.score.value


@pytest.mark.whole
def test_a_worse_model_is_refused_and_the_loop_goes_on_as_if_it_were_not_there(released: Shop) -> None:
    first = newest(released)

    made = bring(released, useless())
    receive(released, seed=500)
    refreshed = retrain(released.settings, SHOP, reason="newer rows")

    assert (made.promote, made.champion) == (False, first.model)
    assert any("a brought model has to be" in each or "shown to be worse" in each for each in made.reasons)
    assert any("nobody has said which rows it learned" in each for each in made.notes)
    assert made.brought is not None
    assert members_of(released, refreshed.model)[made.brought.name] == 0  # rows that came later tell
    assert refreshed.promote
    assert read_inputs(written(released)).alone == ""


def written(shop: Shop) -> Path:
    """inputs.yaml as the branch has it."""
    path = shop.root.parent / "inputs.yaml"
    path.write_text(shop.branch.read("inputs.yaml"))
    return path


@pytest.mark.whole
def test_the_same_file_again_changes_nothing(brought: Shop) -> None:
    before, tip = newest(brought), brought.branch.tip()

    again = bring(brought, good(), learned=0)

    assert (again.model, brought.branch.tip()) == (before.model, tip)
    assert len(brought.registry.events(SHOP, kinds=[CHALLENGED])) == 2


@pytest.mark.whole
def test_before_a_first_model_it_is_judged_beside_the_naive_answers(ingested: Shop) -> None:
    made = bring(ingested, good(), learned=0)

    assert (made.promote, made.champion, made.rows) == (True, "", 200)
    assert {"majority label", "previous label"} <= made.evaluation.against.keys()
    release(ingested.settings, SHOP)
    receive(ingested, seed=500)
    refreshed = retrain(ingested.settings, SHOP, reason="newer rows")
    assert refreshed.champion == made.model
    assert refreshed.evaluation.against["champion"].score > 0.85


@pytest.mark.whole
def test_rows_that_it_has_learned_are_not_judged_on(released: Shop) -> None:
    receive(released, seed=500)
    retrain(released.settings, SHOP, reason="newer rows")

    made = bring(released, good(), learned=150)

    assert made.evaluation.holdout_rows == 120  # the window from row 200 on
    with pytest.raises(PipelineFailed, match="no window of newer ones is left to judge it on"):
        bring(released, good(), learned=250)


def test_a_bad_file_reaches_neither_the_branch_nor_the_store(released: Shop) -> None:
    tip, tags = released.branch.tip(), ModelStore(released.settings.home).tags(SHOP)

    with pytest.raises(BadInput, match=r"network.onnx: it is no ONNX file, or a part of one"):
        bring(released, good()[:-30])
    with pytest.raises(BadInput, match="--learned is 200; expected a number from 0, and below the 200 labelled rows"):
        bring(released, good(), learned=200)

    assert (released.branch.tip(), ModelStore(released.settings.home).tags(SHOP)) == (tip, tags)
