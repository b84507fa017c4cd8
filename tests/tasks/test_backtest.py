import numpy as np
import pandas as pd
import pytest
import yaml

from releve.adapters.files import read_params, read_schema
from releve.adapters.models.memory_files import MemoryFolder
from releve.core.errors import BadInput, NotFound
from releve.domain.backtest.engine import BacktestProgress
from releve.domain.backtest.report import BacktestReport, Recommendation, recommended_settings
from releve.domain.backtest.variants import CRON, PolicyVariant, variants
from tasks.backtest import backtest, play, progress_line, read_rows, run, write_recommended
from tasks.pipeline.train import train
from tests.page_histories import make_backtest
from tests.streams import SCHEMA, abrupt, still, stream, stream_course
from tests.tables import SHOP, shop_schema
from tests.tasks.pipeline.test_train import make_stage, receive, remember
from tests.workers import computing_here

SMALL = {"windows": 3, "first_share": 0.5}
NEVER = PolicyVariant("never", {"trigger.policy": "static"}, 0)
EVERY = PolicyVariant("every window", {"trigger.policy": "refresh", "trigger.min_new_rows": 1}, 1)


@pytest.fixture
def backtested(ingested):
    ingested.override(backtest=SMALL)
    with computing_here("tasks.backtest"):
        yield ingested


def test_a_backtest_of_ingested_batches_leaves_its_figures_a_page_and_a_picture(backtested):
    path = backtested.root / "scenarios" / SHOP / "params.yaml"
    path.write_text("# A comment of ours.\n" + path.read_text())

    done = backtest(backtested.settings, SHOP, write=True)

    report = BacktestReport.model_validate_json((done.folder / "backtest.json").read_text())
    params = read_params(backtested.root, SHOP)
    assert [policy.name for policy in report.policies] == [policy.name for policy in variants(params)]
    assert sum(window.rows for window in report.windows) == 100
    assert (done.folder / "backtest.md").read_text() == done.markdown
    assert (done.folder / "backtest.svg").read_text().startswith("<svg")
    chosen = recommended_settings(report)
    written = yaml.safe_load(path.read_text())
    assert all(written[key.split(".")[0]][key.split(".")[1]] == value for key, value in chosen.items())
    assert path.read_text().startswith("# A comment of ours.\n")
    assert params.trigger.policy == chosen["trigger.policy"]


def test_params_that_would_be_wrong_with_what_is_recommended_stay_as_they_were(fresh):
    path = fresh.root / "scenarios" / SHOP / "params.yaml"
    before = path.read_text() + "\ntrigger: [refresh]  # of ours\n"
    path.write_text(before)
    report = make_backtest(policies=("never", "other"))
    report = report.model_copy(
        update={"recommended": Recommendation(policy="never", rival="", gain=report.policies[0].gain_over_never)}
    )

    with pytest.raises(BadInput, match=r"(?s)was not written.* not valid YAML.*set it by hand: trigger.policy: static"):
        write_recommended(fresh.settings, SHOP, report)

    assert path.read_text() == before


def test_a_backtest_changes_no_params_unless_it_is_asked_to(backtested):
    path = backtested.root / "scenarios" / SHOP / "params.yaml"
    before = path.read_bytes()
    params, schema = read_params(backtested.root, SHOP), read_schema(backtested.root, SHOP)

    rows = read_rows(backtested.settings, SHOP, schema, params)
    play(SHOP, rows, schema, params, chosen=[NEVER, EVERY, CRON])

    assert path.read_bytes() == before
    assert len(rows) == 200


def test_a_batch_that_no_longer_fits_is_named_as_in_the_pipeline(ingested):
    narrower = shop_schema(kind={"categories": ["apple"]})

    with pytest.raises(BadInput, match=r"batch 00000001-.* no longer fits scenarios/<name>/params.yaml"):
        read_rows(ingested.settings, SHOP, narrower, read_params(ingested.root, SHOP))


def test_a_scenario_without_a_batch_has_no_history_to_backtest(fresh):
    with pytest.raises(NotFound, match="nothing was ingested here yet"):
        backtest(fresh.settings, SHOP)


def played_by(**compute):
    """Two policies over one stream, worked on as `compute` says."""
    plan = stream_course(stream(angle=abrupt), compute=compute)
    return run(plan, [NEVER, EVERY, CRON])


def is_the_same(report, other):
    return all(
        (one.answers == two.answers).all() and one.decisions == two.decisions
        for one, two in zip(report, other, strict=True)
    )


@pytest.fixture(scope="module")
def alone():
    """No worker."""
    with computing_here("tasks.backtest"):
        return played_by()


def test_two_workers_find_the_same(alone):
    assert is_the_same(alone, played_by(workers=2))


@pytest.mark.whole
def test_a_cluster_finds_what_this_machine_finds(alone, cluster):
    assert is_the_same(alone, played_by(address=cluster.address))


@pytest.mark.parametrize(
    ("fits", "line"),
    [
        (0, "window 7 of 20, 0 of about 120 fits"),
        (40, "window 7 of 20, 40 of about 120 fits, about 1 minute left"),
        (120, "window 7 of 20, 120 of about 120 fits, about 0 seconds left"),
    ],
)
def test_progress_counts_the_windows_and_the_fits_and_says_how_long_it_takes(fits, line):
    assert progress_line(BacktestProgress(7, 20, fits, 120), seconds=40.0) == line


def with_wrong_labels(rows, start, end):
    wrong = rows["kind"].iloc[start:end].map({"yes": "no", "no": "yes"})
    return rows.assign(kind=pd.concat([rows["kind"].iloc[:start], wrong, rows["kind"].iloc[end:]]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "left_out"),
    [(stream(angle=abrupt, rows=800), 0), (with_wrong_labels(stream(angle=still, rows=800), 500, 600), 100)],
    ids=["a table that moves", "wrong labels"],
)
def test_a_backtest_answers_each_window_as_the_train_stage_would_have(tmp_path, rows, left_out):
    """Eight batches of 100 rows: four make the first model, and the others arrive one by one."""
    train_as = {"recipe": ["linear", "k_neighbors"]}
    stage = make_stage(tmp_path, schema=SCHEMA, train=train_as)
    receive(stage, rows[:400])
    train(stage)
    answered = []
    for number in (5, 6, 7, 8):
        remember(stage)
        receive(stage, rows[100 * (number - 1) : 100 * number], start=number)
        train(stage)
        memory = MemoryFolder(stage.files.memory)
        answered.append(memory.windows(memory.memory)[-1].refreshed)

    plan = stream_course(rows, train=train_as, backtest={"windows": 4, "first_share": 0.5})
    with computing_here("tasks.backtest"):
        (played,) = run(plan, [EVERY])

    assert memory.description.left_out == left_out
    assert played.promoted_at == [1, 2, 3]
    assert played.rolled_back_at == []
    assert played.answers == pytest.approx(np.concatenate(answered), abs=1e-3)  # the stage rounds weights
