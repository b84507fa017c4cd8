import json

from releve.adapters.files import write_json
from tasks.leaderboard import leaderboard


def an_evaluation(accuracy):
    against = {name: {"accuracy": 0.5} for name in ("majority label", "previous label")}
    mine = {"accuracy": accuracy, "accuracy_low": accuracy - 0.05, "accuracy_high": accuracy + 0.05}
    return {"rows": 200, "holdout_rows": 100, "challenger": mine, "against": against}


def test_there_is_a_line_per_scenario_in_the_order_of_their_names(tmp_path):
    for name, accuracy in (("shop", 0.9), ("digits", 0.8)):
        write_json(tmp_path / "results" / name / "evaluation.json", an_evaluation(accuracy))

    leaderboard(tmp_path)

    assert (tmp_path / "leaderboard" / "README.md").read_text().splitlines()[2:] == [
        "| scenario | labelled rows | holdout rows | accuracy | 95% interval | majority label | previous label |",
        "|---|---|---|---|---|---|---|",
        "| digits | 200 | 100 | 0.800 | 0.750 to 0.850 | 0.500 | 0.500 |",
        "| shop | 200 | 100 | 0.900 | 0.850 to 0.950 | 0.500 | 0.500 |",
    ]
    assert json.loads((tmp_path / "leaderboard" / "metrics.json").read_text()) == {"digits": 0.8, "shop": 0.9}


def test_without_results_the_board_is_empty(tmp_path):
    leaderboard(tmp_path)

    assert json.loads((tmp_path / "leaderboard" / "metrics.json").read_text()) == {}
    assert len((tmp_path / "leaderboard" / "README.md").read_text().splitlines()) == 4
