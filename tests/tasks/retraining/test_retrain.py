import pytest
import yaml

from releve.adapters.git_dvc.data_versions import PipelineFailed, data_version
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.models.model_store import ModelStore
from releve.core.errors import BadInput, NotFound
from releve.core.yaml_text import load_mapping
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.registry.chain import CHALLENGED
from releve.domain.registry.release import SEED_VERSION
from releve.domain.trigger.policies import Cause, CauseKind
from releve.reporting.messages.monitoring import describe_decision
from tasks.history import last_challenger
from tasks.ingestion.harvest import harvest
from tasks.ingestion.ingest import ingest
from tasks.monitoring.challenge_history import count_rows
from tasks.monitoring.monitor import monitor
from tasks.release.release import release
from tasks.retraining.retrain import retrain
from tests.repositories import commit, snapshot
from tests.tables import SHOP, shop_rows
from tests.tasks.shop import BETTER_RECIPE, NEWER

pytestmark = pytest.mark.slow


def challenges(shop):
    return shop.registry.events(SHOP, kinds=[CHALLENGED])


def test_a_first_challenger_has_beaten_the_baselines_and_is_accepted(challenged):
    found = last_challenger(challenged.registry, SHOP)

    assert found.promote
    assert found.champion == ""
    assert (found.rows, found.evaluation.holdout_rows) == (200, 100)
    assert found.evaluation.against.keys() == {"majority label", "previous label", "label of the row before"}
    assert found.sanity.tried == 2  # of what a listed category and missing weights allow
    assert found.sanity.broken == ()
    assert found.score == found.evaluation.score.value > 0.6
    assert found.data_version == data_version(challenged.branch.read("batches.dvc")) != SEED_VERSION


def test_a_challenger_is_stored_with_its_digest_and_answers_alone(challenged):
    found = last_challenger(challenged.registry, SHOP)

    model = ModelStore(challenged.settings.home).load(found.model, digest=found.model_digest)

    assert found.model.startswith("shop:")
    assert model.description.runtime == "onnx"
    assert len(model.description.golden.rows) == 5


def test_its_revision_is_the_branchs_and_holds_the_evaluation_and_the_reasons(challenged):
    found = last_challenger(challenged.registry, SHOP)

    assert found.revision == challenged.branch.tip()
    written = challenged.branch_text(f"results/{SHOP}/evaluation.json")
    assert Evaluation.model_validate_json(written) == found.evaluation
    message = git(challenged.root, "log", "-1", "--format=%B", found.revision)
    assert message.startswith(f"shop: challenger {found.model}, promote")
    assert found.reasons[0] in message


def test_running_it_again_changes_nothing(challenged):
    before = (last_challenger(challenged.registry, SHOP), challenged.branch.tip(), len(challenges(challenged)))
    seen, lines = snapshot(challenged.root), []

    again = retrain(challenged.settings, SHOP, reason="again", progress=lines.append)

    assert last_challenger(challenged.registry, SHOP).cpu_seconds == before[0].cpu_seconds > 0  # the first one's own
    assert again.cpu_seconds != before[0].cpu_seconds
    ran = [line for line in lines if line.startswith("Running stage")]
    assert ran == [f"Running stage 'scenarios/{SHOP}/dvc.yaml:code':"]  # the others come from DVC's run cache
    again = again.model_copy(update={"cpu_seconds": before[0].cpu_seconds})
    assert (again, challenged.branch.tip(), len(challenges(challenged))) == before
    assert snapshot(challenged.root) == seen


def test_what_opened_a_search_and_broken_columns_reach_the_pipeline_and_stay_with_these_rows(challenged):
    def made_again(**asked):
        challenger = retrain(challenged.settings, SHOP, reason="a test", **asked)
        inputs = load_mapping(challenged.branch.read("inputs.yaml"), source="inputs.yaml")
        return challenger, inputs["search_cause"], inputs["without"]

    first = last_challenger(challenged.registry, SHOP)
    cause = f"drift on {first.data_version}"

    searched, again = made_again(search="drift", without=("weight",)), made_again()

    assert first.search == ""
    assert searched[1:] == again[1:] == (cause, ["weight"])
    assert searched[0].search == again[0].search == cause
    assert again[0].model == searched[0].model
    assert [event.payload["search"] for event in challenges(challenged)] == ["", cause]


def test_newer_rows_are_judged_without_the_search_of_older_ones(challenged):
    retrain(challenged.settings, SHOP, reason="a test", search="drift")
    challenged.receive(shop_rows(30, seed=9), "few.parquet")
    ingest(challenged.settings, SHOP)

    assert retrain(challenged.settings, SHOP, reason="a test").search == ""


def test_a_challenger_is_judged_against_the_champion_on_rows_that_it_never_saw(replaced):
    found = last_challenger(replaced.registry, SHOP)
    first = replaced.registry.previous(SHOP)

    assert found.promote
    assert found.champion == first.model
    assert (found.rows, found.evaluation.holdout_rows) == (320, 220)  # the window of the first model, and the new one
    assert found.evaluation.champion.gain.low > 0
    inputs = replaced.branch.read("inputs.yaml")
    assert f'champion: "{first.model}"' in inputs
    assert 'memory: "memory"' in inputs
    assert replaced.branch.read("memory.dvc")


def test_without_newer_rows_than_the_champions_the_same_model_comes_out_and_nothing_is_judged(released):
    before, first = released.branch.tip(), last_challenger(released.registry, SHOP)

    again = retrain(released.settings, SHOP, reason="too early")

    assert again.same_judgement(first)
    assert released.branch.tip() == before
    assert len(challenges(released)) == 1


def test_without_newer_rows_than_the_champions_there_is_nothing_to_judge_another_model_on(released):
    released.override(train=BETTER_RECIPE)
    before = released.branch.tip()

    for search in ("", "by hand"):
        with pytest.raises(BadInput, match="the champion learned from all 200 labelled rows, so that none is left"):
            retrain(released.settings, SHOP, reason="too early", search=search)

    assert released.branch.tip() == before
    assert len(challenges(released)) == 1


def test_a_column_of_another_type_than_the_champion_learned_is_told_before_anything_is_built(released):
    params = released.files.folder / "params.yaml"
    values = yaml.safe_load(params.read_text())
    values["columns"]["kind"] = {"type": "text", "nullable": True}
    params.write_text(yaml.safe_dump(values))
    commit(released.root)
    lines = []

    with pytest.raises(BadInput, match="learned kind as a category and the scenario calls it a text"):
        retrain(released.settings, SHOP, reason="a test", progress=lines.append)

    assert lines == []


def test_a_refresh_with_few_rows_is_judged_on_the_windows_before_as_well(released):
    released.receive(shop_rows(30, seed=9), "few.parquet")
    ingest(released.settings, SHOP)

    found = retrain(released.settings, SHOP, reason="a few rows")

    assert found.promote
    assert (found.evaluation.holdout_rows, found.evaluation.windows) == (130, 2)
    assert found.evaluation.champion.gain.value == 0  # what the first refresh would have served is what did serve


def test_a_challenger_that_is_refused_is_kept_with_its_reasons_and_the_next_refresh_goes_on_from_it(released):
    released.override(gate={"max_latency_ms": 1e-6})
    first = last_challenger(released.registry, SHOP)
    for number in (9, 10):
        released.receive(shop_rows(30, seed=number), f"few-{number}.parquet")
        ingest(released.settings, SHOP)
        found = retrain(released.settings, SHOP, reason="a few rows")

    assert not found.promote
    assert last_challenger(released.registry, SHOP) == found
    assert challenges(released)[-1].reason == "a few rows"
    assert (found.champion, found.rows) == (first.model, 260)
    assert found.evaluation.windows == 3


def test_corrected_labels_alone_make_a_challenger_that_has_learned_them_and_is_judged_by_them(released):
    right = NEWER["bought"].tolist()
    wrong = ["no" if label == "yes" else "yes" for label in right[:30]] + right[30:]
    request = released.answer(NEWER, predicted=right, labels=wrong)
    harvest(released.settings, SHOP)
    ingest(released.settings, SHOP)
    retrain(released.settings, SHOP, reason="wrong labels")
    release(released.settings, SHOP, model=last_challenger(released.registry, SHOP).model)
    misled = last_challenger(released.registry, SHOP)

    released.label(request, right)
    assert harvest(released.settings, SHOP) == 30
    ingest(released.settings, SHOP)
    due, told = monitor(released.settings, SHOP), challenges(released)
    found = retrain(released.settings, SHOP, reason="corrected labels")

    assert (due.new_rows, due.corrected_rows, len(told)) == (0, 30, 2)
    assert due.decision.causes == (Cause(CauseKind.FEW_ROWS, 30, 90),)
    assert any("30 corrected labels came since the last challenge" in each for each in describe_decision(due))
    assert monitor(released.settings, SHOP).corrected_rows == 0
    assert (misled.rows, found.rows) == (320, 320)
    assert count_rows(released.settings, SHOP, waiting=0) == 320
    assert found.model != misled.model
    assert found.evaluation.holdout_rows == misled.evaluation.holdout_rows
    assert found.score > misled.score
    again = retrain(released.settings, SHOP, reason="the same rows")
    assert again.model_digest == found.model_digest


def test_of_rows_with_one_label_alone_the_naive_answer_is_the_model(fresh):
    fresh.receive(shop_rows(250).assign(bought="no"))
    ingest(fresh.settings, SHOP)

    found = retrain(fresh.settings, SHOP, reason="a test")

    assert found.evaluation.naive


def test_before_the_first_batch_there_are_no_rows(fresh):
    with pytest.raises(PipelineFailed):
        retrain(fresh.settings, SHOP, reason="a test")

    assert fresh.branch.tip() is None


def test_a_schema_that_cannot_be_read_is_told_before_anything_starts(ingested):
    ingested.override(target={"classes": ["yes"]})

    with pytest.raises(BadInput, match="at least two 'classes'"):
        retrain(ingested.settings, SHOP, reason="a test")


def test_rows_that_no_longer_fit_a_narrowed_schema_are_told(ingested):
    ingested.override(columns={"price": {"type": "number", "min": 50, "max": 100}})

    with pytest.raises(PipelineFailed, match=r"no longer fits scenarios/<name>/params.yaml: row \d+: price is"):
        retrain(ingested.settings, SHOP, reason="a test")


def test_the_progress_of_the_stages_is_told(told_while_challenging):
    assert "200 labelled rows, 100 in 1 windows" in told_while_challenging
    assert "served by onnx" in told_while_challenging


def test_without_any_challenger_the_way_to_one_is_told(ingested):
    with pytest.raises(NotFound, match="shop has no challenger; run make retrain SCENARIO=shop first"):
        last_challenger(ingested.registry, SHOP)


def test_a_challenger_is_found_by_its_name(replaced):
    first = replaced.registry.previous(SHOP)

    assert last_challenger(replaced.registry, SHOP, model=first.model).model == first.model
    with pytest.raises(NotFound, match="shop has no challenger shop:none"):
        last_challenger(replaced.registry, SHOP, model="shop:none")


def test_another_gate_judges_the_same_challenger_anew_and_the_new_judgement_counts(challenged):
    first = last_challenger(challenged.registry, SHOP)
    params = challenged.root / "params.yaml"
    params.write_text(params.read_text().replace("min_rows: 90 ", "min_rows: 9000 "))
    commit(challenged.root, "a stricter gate")

    again = retrain(challenged.settings, SHOP, reason="a stricter gate")

    assert again.model == first.model
    assert (first.promote, again.promote) == (True, False)
    assert last_challenger(challenged.registry, SHOP).reasons == again.reasons
    assert len(challenges(challenged)) == 2


def test_a_gate_that_is_not_committed_judges_nobody(challenged):
    params = challenged.root / "params.yaml"
    params.write_text(params.read_text().replace("min_rows: 90 ", "min_rows: 9000 "))
    told = []

    found = retrain(challenged.settings, SHOP, reason="an experiment", progress=told.append)

    assert found.promote
    assert len(challenges(challenged)) == 1
    assert told[0] == "not committed, and so no part of this run: params.yaml"
