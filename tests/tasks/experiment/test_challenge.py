import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from releve.adapters.files import read_inputs, write_inputs
from releve.adapters.git_dvc.data_versions import PipelineFailed
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.models.model_store import ModelStore
from releve.core.errors import NotFound
from releve.domain.registry.chain import CHALLENGED
from releve.domain.registry.events import Challenger
from tasks.experiment.challenge import ExperimentNotOwn, ExperimentOutdated, challenge
from tasks.experiment.experiment import experiment
from tasks.experiment.experiments import experiments
from tasks.ingestion.ingest import ingest
from tasks.release.release import release
from tasks.retraining.rebuild import rebuild
from tests.tables import SHOP
from tests.tasks.experiment.test_experiment import made_of
from tests.tasks.shop import BETTER, NAIVE, NEWER

pytestmark = pytest.mark.slow


def test_a_better_one_is_accepted_released_and_rebuilt_and_nothing_is_trained_for_it(tried):
    found, told = made_of(tried, BETTER), []

    challenger = challenge(tried.settings, found.name, progress=told.append)
    release(tried.settings, SHOP)
    again = rebuild(tried.settings, challenger.model)

    assert told == [
        f"bringing the files of {found.name} back; nothing is trained",
        "storing the model, and timing its answers",
    ]
    assert challenger.promote and challenger.evaluation == found.evaluation
    assert challenger.model_digest == found.record.model_digest
    assert tried.registry.current(SHOP).release.model == challenger.model
    event = tried.registry.events(SHOP, kinds=[CHALLENGED])[-1]
    assert event.reason == f"the experiment {found.name}, made by Ana"
    assert event.read(Challenger) == challenger
    assert tried.branch.tip() == challenger.revision
    assert "experiment.json" not in git(tried.root, "ls-tree", "-r", "--name-only", challenger.revision)
    assert again.record.same
    assert {one.verdict for one in experiments(tried.settings, SHOP).experiments} == {None, True}


def test_a_worse_one_is_refused_and_the_branch_of_refreshes_stays_as_it_was(tried):
    before = tried.branch.tip()

    challenger = challenge(tried.settings, made_of(tried, NAIVE).name, reason="to see it refused")

    assert not challenger.promote
    assert tried.branch.tip() == before
    assert git(tried.root, "for-each-ref", "--format=%(objectname)", "refs/releve/refused") == challenger.revision
    assert tried.registry.events(SHOP, kinds=[CHALLENGED])[-1].reason == "to see it refused"


def test_the_same_challenge_twice_is_one_event(tried):
    found = made_of(tried, BETTER)

    first, second = (challenge(tried.settings, found.name) for _ in range(2))

    assert second.same_judgement(first)
    assert len(tried.registry.events(SHOP, kinds=[CHALLENGED])) == 2  # with the champion's own


def test_newer_rows_outdate_it(tried):
    tried.receive(NEWER, "newer.parquet")
    ingest(tried.settings, SHOP)

    with pytest.raises(ExperimentOutdated, match=r"cannot go to the gate: newer rows have come since, .* run the exp"):
        challenge(tried.settings, made_of(tried, BETTER).name)


def test_another_champion_outdates_it(tried):
    tried.replace_champion()

    with pytest.raises(ExperimentOutdated, match=r"compared with shop:\w+, and shop:newer serves now"):
        challenge(tried.settings, made_of(tried, BETTER).name)


def test_another_gate_outdates_it(tried):
    tried.override(gate={"margin": 0.5})

    with pytest.raises(ExperimentOutdated, match=r"it was judged by another gate\.margin than is committed"):
        challenge(tried.settings, made_of(tried, BETTER).name)


def test_a_column_that_is_described_otherwise_since_outdates_it(tried):
    tried.override(columns={"price": {"type": "number", "min": 0, "max": 200}})

    with pytest.raises(
        ExperimentOutdated, match=r"a table that is described otherwise than is committed: columns\.price"
    ):
        challenge(tried.settings, made_of(tried, BETTER).name)

    assert len(tried.registry.events(SHOP, kinds=[CHALLENGED])) == 1


def test_one_that_was_changed_since_it_was_made_is_refused_before_any_file_of_it_is_touched(tried, tmp_path):
    found = made_of(tried, NAIVE)
    flatter(tried, found, tmp_path / "edited")
    tags = ModelStore(tried.settings.home).tags(SHOP)

    with pytest.raises(ExperimentNotOwn, match=r"make it here: releve experiment shop --set train\.recipe=constant$"):
        challenge(tried.settings, found.name)

    assert made_of(tried, NAIVE).evaluation.score.value == 1
    assert ModelStore(tried.settings.home).tags(SHOP) == tags
    assert len(tried.registry.events(SHOP, kinds=[CHALLENGED])) == 1
    listed = {each.experiment.name: each.outdated for each in experiments(tried.settings, SHOP).experiments}
    assert listed.pop(found.name).startswith("it was not made in this clone, or was changed since")
    assert {*listed.values()} == {""}


def test_one_that_was_pulled_from_elsewhere_is_made_here_before_the_gate_takes_it(tried, tmp_path):
    found, others = made_of(tried, BETTER), tried.copy(tmp_path / "elsewhere")
    flatter(others, found, tmp_path / "edited")
    shutil.rmtree(tried.root / ".git/releve")
    git(tried.root, "update-ref", "-d", ref_of(tried, found))
    pull = ("exp", "pull", "--no-cache", str(others.root), found.name)
    subprocess.run([sys.executable, "-m", "dvc", *pull], cwd=tried.root, check=True, capture_output=True)
    told = []

    with pytest.raises(ExperimentNotOwn, match="was not made in this clone, or was changed since"):
        challenge(tried.settings, found.name)
    again = experiment(tried.settings, SHOP, changes=BETTER, by="Bo", progress=told.append)

    assert f"{found.name} came from elsewhere: it is made anew, and takes its place" in told
    assert (again.name, again.evaluation, again.record.by) == (found.name, found.evaluation, "Bo")
    assert challenge(tried.settings, found.name).evaluation == found.evaluation


def ref_of(shop, found):
    return git(shop.root, "for-each-ref", "--format=%(refname)", f"refs/exps/*/*/{found.name}")


def flatter(shop, found, folder):
    """Somebody writes a perfect score into an experiment, whose other files stay."""
    git(shop.root, "worktree", "add", "--detach", str(folder), found.revision)
    path = folder / "results" / SHOP / "evaluation.json"
    document = json.loads(path.read_text())
    document["challenger"]["score"] = {"value": 1.0, "low": 1.0, "high": 1.0}
    path.write_text(json.dumps(document))
    git(folder, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "--all", "--amend", "--no-edit")
    git(shop.root, "update-ref", ref_of(shop, found), git(folder, "rev-parse", "HEAD"))
    git(shop.root, "worktree", "remove", "--force", str(folder))


@pytest.mark.parametrize("name", ["shop-12345678", "../../heads/main", "*", "", "shop 1", "x" * 500])
def test_a_name_that_is_none_is_told(name, tried):
    with pytest.raises(NotFound, match=r"there is no experiment '.*; `releve experiments SCENARIO` lists those"):
        challenge(tried.settings, name)


def test_one_whose_files_left_the_cache_is_told_how_to_make_it_again(tried):
    shutil.rmtree(tried.root / ".dvc/cache")
    found = made_of(tried, BETTER)

    with pytest.raises(PipelineFailed, match=rf"run the experiment again \(`dvc exp remove {found.name}` first\)"):
        challenge(tried.settings, found.name)

    assert len(tried.registry.events(SHOP, kinds=[CHALLENGED])) == 1


def test_a_model_that_was_brought_since_outdates_it_and_stays_a_member(tried, tmp_path):
    with tried.branch.worktree(tmp_path / "trees") as tree:
        before, inputs = tree.tip, tree.folder / "inputs.yaml"
        write_inputs(inputs, replace(read_inputs(inputs), brought=("brought_1",)))
        tried.branch.move(tree.commit("a model was brought"), expected=before)

    with pytest.raises(ExperimentOutdated, match="a model was brought since, which it does not have as a member"):
        challenge(tried.settings, made_of(tried, BETTER).name)

    assert "brought_1" in tried.branch.read("inputs.yaml")
