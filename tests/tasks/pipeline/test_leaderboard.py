import json

from releve.adapters.files import write_json
from tasks.pipeline.leaderboard import leaderboard


def an_evaluation(accuracy):
    against = {
        "champion": {"score": 0.95, "must_beat": True},
        "majority label": {"score": 0.5, "must_beat": True},
        "previous label": {"score": 0.6, "must_beat": True},
        "label of the row before": {"score": 0.7, "must_beat": False},
    }
    mine = {"score": accuracy, "low": accuracy - 0.05, "high": accuracy + 0.05}
    known = {"metric": "accuracy", "sign": 1, "rows": 200, "holdout_rows": 100}
    return {**known, "challenger": mine, "against": against}


def test_there_is_a_line_per_scenario_in_the_order_of_their_names(tmp_path):
    for name, accuracy in (("shop", 0.9), ("digits", 0.8)):
        write_json(tmp_path / "results" / name / "evaluation.json", an_evaluation(accuracy))

    leaderboard(tmp_path)

    assert (tmp_path / "leaderboard" / "README.md").read_text().splitlines()[2:] == [
        "| scenario | labelled rows | holdout rows | metric | score | interval | best baseline that it had to beat |",
        "|---|---|---|---|---|---|---|",
        "| digits | 200 | 100 | accuracy | 0.800 | 0.750 to 0.850 | previous label 0.600 |",
        "| shop | 200 | 100 | accuracy | 0.900 | 0.850 to 0.950 | previous label 0.600 |",
    ]
    assert json.loads((tmp_path / "leaderboard" / "metrics.json").read_text()) == {"digits": 0.8, "shop": 0.9}


def test_without_results_the_board_is_empty(tmp_path):
    leaderboard(tmp_path)

    assert json.loads((tmp_path / "leaderboard" / "metrics.json").read_text()) == {}
    assert len((tmp_path / "leaderboard" / "README.md").read_text().splitlines()) == 4


def test_of_a_loss_the_lowest_baseline_is_the_best(tmp_path):
    evaluation = an_evaluation(0.8) | {"metric": "log_loss", "sign": -1}
    write_json(tmp_path / "results" / "shop" / "evaluation.json", evaluation)

    leaderboard(tmp_path)

    assert "| majority label 0.500 |" in (tmp_path / "leaderboard" / "README.md").read_text()


def test_the_page_tells_each_comparison_with_its_gain_and_is_the_same_for_the_same_results(tmp_path):
    evaluation = an_evaluation(0.8)
    evaluation["against"]["majority label"]["gain"] = {"value": 0.3, "low": 0.2, "high": 0.4}
    write_json(tmp_path / "results" / "shop" / "evaluation.json", evaluation)

    pages = []
    for _ in range(2):
        leaderboard(tmp_path)
        pages.append((tmp_path / "leaderboard" / "index.html").read_bytes())

    assert pages[0] == pages[1]
    assert b"+0.300 [+0.200, +0.400]" in pages[0]
    assert b"for comparison only" in pages[0]
    assert b"<a " not in pages[0]


def test_a_page_without_results_says_so(tmp_path):
    leaderboard(tmp_path)

    assert "No scenario has a result yet." in (tmp_path / "leaderboard" / "index.html").read_text()
