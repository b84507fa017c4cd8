import json

from releve.adapters.files import write_document
from releve.domain.evaluation.evaluation import Opponent
from releve.domain.evaluation.intervals import Interval
from tasks.pipeline.leaderboard import leaderboard
from tests.evaluations import make_comparison, make_evaluation


def board(root, name="shop", **changes):
    against = {
        Opponent.CHAMPION: make_comparison(0.95),
        Opponent.MAJORITY_LABEL: make_comparison(0.5, Interval(0.3, 0.2, 0.4)),
        Opponent.PREVIOUS_LABEL: make_comparison(0.6),
        Opponent.ROW_BEFORE: make_comparison(0.7, must_beat=False),
    }
    found = make_evaluation(**{"rows": 200, "holdout_rows": 100, "against": against} | changes)
    write_document(root / "results" / name / "evaluation.json", found)


def test_there_is_a_line_per_scenario_in_the_order_of_their_names(tmp_path):
    for name, accuracy in (("shop", 0.9), ("digits", 0.8)):
        board(tmp_path, name, score=accuracy)

    leaderboard(tmp_path)

    lines = (tmp_path / "leaderboard" / "README.md").read_text().splitlines()
    table = lines[lines.index("## All scenarios") + 2 :]
    assert table[:4] == [
        "| scenario | labelled rows | judged rows | metric | score | interval | also | best naive baseline |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| digits | 200 | 100 | accuracy | 0.800 | 0.750 to 0.850 |  | previous label 0.600 |",
        "| shop | 200 | 100 | accuracy | 0.900 | 0.850 to 0.950 |  | previous label 0.600 |",
    ]
    assert json.loads((tmp_path / "leaderboard" / "metrics.json").read_text()) == {"digits": 0.8, "shop": 0.9}


def test_without_results_the_board_is_empty(tmp_path):
    leaderboard(tmp_path)

    assert json.loads((tmp_path / "leaderboard" / "metrics.json").read_text()) == {}
    for name in ("README.md", "index.html"):
        assert "No scenario has a result yet." in (tmp_path / "leaderboard" / name).read_text()


def test_of_a_loss_the_lowest_baseline_is_the_best(tmp_path):
    board(tmp_path, metric="log_loss", sign=-1)

    leaderboard(tmp_path)

    assert "| majority label 0.500 |" in (tmp_path / "leaderboard" / "README.md").read_text()


def test_the_page_tells_each_comparison_with_its_gain_and_is_the_same_for_the_same_results(tmp_path):
    board(tmp_path)

    pages = []
    for _ in range(2):
        leaderboard(tmp_path)
        pages.append((tmp_path / "leaderboard" / "index.html").read_bytes())

    assert pages[0] == pages[1]
    assert b"+0.300 [+0.200, +0.400]" in pages[0]
    assert b"this model" in pages[0]
    assert b"<a " not in pages[0]
