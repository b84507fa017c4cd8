"""One line per scenario: how its challenger compares with its champion and with the naive baselines."""

import sys
from pathlib import Path

from releve.adapters.files import read_document, write_bytes, write_json
from releve.core.errors import run_command
from releve.domain.evaluation.evaluation import Evaluation
from releve.reporting.html import render_html
from releve.reporting.leaderboard import ScenarioResult, build_leaderboard
from releve.reporting.markdown import render_markdown

RESULTS, BOARD = Path("results"), Path("leaderboard")


def leaderboard(project: Path) -> None:
    """Write leaderboard/metrics.json, README.md and index.html from results/*/evaluation.json."""
    results = tuple(
        ScenarioResult(path.parent.name, read_document(path, Evaluation))
        for path in sorted((project / RESULTS).glob("*/evaluation.json"))
    )

    page = build_leaderboard(results)

    write_json(project / BOARD / "metrics.json", {result.scenario: result.evaluation.score.value for result in results})
    write_bytes(project / BOARD / "README.md", render_markdown(page).encode())
    write_bytes(project / BOARD / "index.html", render_html(page).encode())


if __name__ == "__main__":
    sys.exit(run_command(lambda: leaderboard(Path.cwd())))
