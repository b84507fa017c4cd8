import json
import os
import subprocess
import sys

import pytest
import yaml

from releve.adapters.git_dvc.data_versions import PipelineFailed
from releve.adapters.git_dvc.experiments import find_experiments
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.scenario_lock import scenario_lock
from releve.core.errors import BadInput, NotFound
from tasks.experiment.experiment import experiment
from tasks.experiment.experiments import experiments
from tests.repositories import snapshot
from tests.tables import SHOP
from tests.tasks.shop import BETTER, NAIVE

pytestmark = pytest.mark.slow


def made_of(shop, changes):
    return next(each for each in find_experiments(shop.root, SHOP) if each.record.settings == changes)


def refs(shop):
    return git(shop.root, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags", "refs/stash")


def dvc(shop, *arguments, into=None):
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=shop.root, stdout=subprocess.PIPE, stderr=into, text=True, check=True)
    return done.stdout


def test_a_better_recipe_is_shown_to_be_better_on_the_very_rows_that_the_champion_was_judged_on(tried):
    champion = experiments(tried.settings, SHOP).champion.challenger

    found = made_of(tried, BETTER)

    assert found.evaluation.champion.score == champion.score
    assert found.evaluation.holdout_rows == champion.evaluation.holdout_rows
    assert found.evaluation.champion.gain.low > 0
    assert found.record.champion == champion.model
    assert (found.record.by, found.record.rows) == ("Ana", 200)
    assert found.record.cpu_seconds > 0


def test_the_champions_own_settings_gain_nothing_exactly(tried):
    gain = made_of(tried, {}).evaluation.champion.gain

    assert (gain.low, gain.value, gain.high) == (0, 0, 0)


def test_nothing_of_the_users_and_nothing_that_serves_changes(released):
    files = released.files.folder / "params.yaml"
    files.write_text(files.read_text() + "# not committed\n")
    before, pointers = snapshot(released.root), refs(released)
    events, told = released.registry.events(SHOP), []

    made = experiment(released.settings, SHOP, changes=NAIVE, progress=told.append)

    assert snapshot(released.root) == before
    assert refs(released) == pointers
    assert released.registry.events(SHOP) == events
    assert f"not committed, and so no part of this run: scenarios/{SHOP}/params.yaml" in told
    assert "# not committed" not in git(released.root, "show", f"{made.revision}:scenarios/{SHOP}/params.yaml")
    assert git(released.root, "worktree", "list").count("\n") == 0
    assert [*(released.settings.home / "experiments/clones").iterdir()] == []


def test_its_commit_holds_what_was_set_what_was_made_and_none_of_what_only_a_run_needs(tried):
    found = made_of(tried, BETTER)

    changed = git(tried.root, "diff", "--name-only", "main", found.revision).splitlines()
    values = yaml.safe_load(git(tried.root, "show", f"{found.revision}:scenarios/{SHOP}/params.yaml"))

    assert values["train"]["recipe"] == "extra_trees"
    assert f"results/{SHOP}/evaluation.json" in changed and f"scenarios/{SHOP}/dvc.lock" in changed
    assert ".dvcignore" not in changed
    assert not [name for name in changed if name.startswith(("releve/", "tasks/"))]


def test_dvc_lists_it_with_its_parameters_and_metrics(tried):
    found = made_of(tried, BETTER)

    shown = json.loads(dvc(tried, "exp", "show", "--json", "--all-commits"))

    listed = [one for each in shown for one in each["experiments"] or () if one["name"] == found.name]
    data = listed[0]["revs"][0]["data"]
    assert data["params"][f"scenarios/{SHOP}/params.yaml"]["data"]["train"]["recipe"] == "extra_trees"
    assert data["metrics"][f"results/{SHOP}/metrics.json"]["data"]["accuracy"] == found.evaluation.score.value


def test_dvc_draws_it_beside_the_champion(tried, tmp_path):
    found = made_of(tried, BETTER)

    asked = ("plots", "diff", tried.branch.name, found.name, "--out", str(tmp_path / "page"))
    told = dvc(tried, *asked, "--targets", f"results/{SHOP}/plots", into=subprocess.STDOUT)

    assert "WARNING" not in told
    page = (tmp_path / "page/index.html").read_text()
    assert all(title in page for title in ("quality over time", "reliability", "confusion"))
    assert "#results_shop_plots_residuals_csv', spec" in page  # classes have none: an empty place
    assert page.count("var spec = {};") == 1
    assert found.name in page and tried.branch.name in page


def test_the_same_again_is_found_and_not_made(tried):
    told, before = [], made_of(tried, BETTER)

    again = experiment(tried.settings, SHOP, changes=dict(reversed(BETTER.items())), by="Bo", progress=told.append)

    assert again == before
    assert told == [f"{before.name} was made at {before.record.at}, from the same"]


def test_they_are_listed_the_newest_first_with_what_the_champion_has_instead(tried):
    listed = experiments(tried.settings, SHOP)

    by_settings = [each.experiment.record.settings for each in listed.experiments]
    assert sorted(map(str, by_settings)) == sorted(map(str, (NAIVE, {}, BETTER)))
    times = [each.experiment.record.at for each in listed.experiments]
    assert times == sorted(times, reverse=True)
    differs = {str(each.experiment.record.settings): each.differs for each in listed.experiments}
    assert differs[str({})] == {}
    assert differs[str(NAIVE)] == {"train.recipe": (["constant"], ["linear"])}
    assert differs[str(BETTER)]["train.options"] == ({"n_estimators": 20}, {})
    assert all(each.outdated == "" and each.verdict is None for each in listed.experiments)


def test_before_a_champion_it_is_judged_beside_the_baselines_alone(ingested):
    made = experiment(ingested.settings, SHOP, changes=NAIVE)

    assert made.evaluation.champion is None
    assert made.record.champion == ""
    assert experiments(ingested.settings, SHOP).champion is None


def test_a_scenario_without_experiments_has_an_empty_list(released):
    listed = experiments(released.settings, SHOP)

    assert listed.experiments == ()
    assert listed.champion.challenger.model == released.registry.current(SHOP).release.model


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"train.recipe": "svmm"}, r"'train.recipe' is 'svmm', but it should be auto, constant"),
        ({"train.recipes": "svm"}, r"'train.recipes' is not a known key; did you mean 'train.recipe'\?"),
        ({"train.options.x": 1}, r"'train.options.x' is not a known key; did you mean 'train.options'\?"),
        ({"trigger.policy": "static"}, r"an experiment cannot set trigger.policy: the pipeline does not read it"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_made(changes, sentence, released):
    with pytest.raises(BadInput, match=sentence):
        experiment(released.settings, SHOP, changes=changes)

    assert not (released.settings.home / "experiments").exists()


def test_an_unknown_scenario_is_told_with_those_there_are(released):
    with pytest.raises(NotFound, match="there is no scenario 'nix'"):
        experiment(released.settings, "nix", changes={})


def test_a_pipeline_that_fails_leaves_a_sentence_and_nothing_else(released):
    with pytest.raises(PipelineFailed, match=r"^gate\.slices names 'colour', which is no column") as failed:
        experiment(released.settings, SHOP, changes={"gate.slices": ["colour"]})

    assert "Traceback" not in str(failed.value)
    assert find_experiments(released.root, SHOP) == []
    assert [*(released.settings.home / "experiments/clones").iterdir()] == []


def test_what_a_killed_run_or_anybody_left_is_swept_and_what_one_at_work_has_is_not(tried):
    place = tried.settings.home / "experiments"
    for name in ("shop-dead", "shop-busy", "New Folder", ".Trash-1000"):
        (place / "clones" / name / "1" / ".git").mkdir(parents=True)
    (place / "clones" / "shop-empty").mkdir()
    (place / "clones" / ".DS_Store").touch()
    (place / "clones" / "Kept elsewhere").symlink_to(tried.root / "scenarios")

    with scenario_lock(place, "shop-busy", holder="experiment"):
        # another process, as the lock knows its own
        script = (
            "import os, pathlib\nfrom releve.core.settings import Settings\n"
            "from tasks.experiment.experiment import throwaway\n"
            f"with throwaway(pathlib.Path({str(place)!r}), 'shop-new') as folder: print(folder.exists())"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "True\n"
    assert [each.name for each in (place / "clones").iterdir()] == ["shop-busy"]
    assert (tried.root / "scenarios" / SHOP).is_dir()


def start(shop, changes):
    """The same experiment in a process of its own."""
    script = (
        "import os, pathlib\nfrom releve.core.settings import Settings\n"
        "from tasks.experiment.experiment import experiment\n"
        "settings = Settings.from_environ(os.environ, cwd=pathlib.Path.cwd())\n"
        f"print(experiment(settings, {SHOP!r}, changes={changes!r}, progress=lambda l: print(l, flush=True)).name)"
    )
    environ = {**os.environ, "RELEVE_PROJECT": str(shop.root), "RELEVE_HOME": str(shop.settings.home)}
    return subprocess.Popen(
        [sys.executable, "-c", script], cwd=shop.root, env=environ, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.whole
@pytest.mark.parametrize("moment", ["code", "train", "package"])
def test_a_run_that_is_killed_in_any_stage_holds_up_nobody(moment, released):
    pointers = refs(released)
    with start(released, NAIVE) as killed:
        for line in killed.stdout:
            if line.startswith("Running stage") and f":{moment}'" in line:
                break
        killed.kill()

    made = experiment(released.settings, SHOP, changes=NAIVE)

    assert find_experiments(released.root, SHOP) == [made]
    assert refs(released) == pointers
    assert [*(released.settings.home / "experiments/clones").iterdir()] == []


@pytest.mark.whole
def test_two_of_the_same_are_one_and_two_others_are_two(released):
    with start(released, NAIVE) as one, start(released, NAIVE) as same, start(released, {}) as other:
        names = [each.communicate()[0].splitlines()[-1] for each in (one, same, other)]

    assert names[0] == names[1] != names[2]
    assert {each.name for each in find_experiments(released.root, SHOP)} == {*names}
    assert [*(released.settings.home / "experiments/clones").iterdir()] == []


@pytest.mark.whole
def test_on_a_worker_of_a_cluster_the_same_is_found_as_here(made_tried, released, cluster):
    released.override(compute={"address": cluster.address})
    events = released.registry.events(SHOP)

    made = experiment(released.settings, SHOP, changes=BETTER, dask=True)

    assert made_of(released, BETTER) == made
    assert made.evaluation == made_of(made_tried, BETTER).evaluation
    assert released.registry.events(SHOP) == events
