"""One line per scenario: how its challenger compares with its champion and with the naive baselines."""

import json
from pathlib import Path
from typing import Any

from releve.adapters.files import write_bytes, write_json
from releve.rules.challenge import CHAMPION
from releve.rules.evaluation import headline, score_of
from releve.rules.scores import told

RESULTS, BOARD = Path("results"), Path("leaderboard")
HEAD = "| scenario | labelled rows | holdout rows | metric | score | interval | best baseline that it had to beat |"


def leaderboard(project: Path) -> None:
    """Write leaderboard/metrics.json and leaderboard/README.md from results/*/evaluation.json."""
    found = {
        path.parent.name: json.loads(path.read_text()) for path in sorted((project / RESULTS).glob("*/evaluation.json"))
    }

    lines = ["# Leaderboard", "", HEAD, "|---" * HEAD.count(" | ") + "|---|", *map(_line, found.items())]

    scores = {name: headline(values).score.value for name, values in found.items()}
    write_json(project / BOARD / "metrics.json", scores)
    write_bytes(project / BOARD / "README.md", ("\n".join(lines) + "\n").encode())


def _line(item: tuple[str, dict[str, Any]]) -> str:
    name, values = item
    known = headline(values)
    interval = f"{told(known.score.low)} to {told(known.score.high)}"
    rows = f"{values['rows']} | {known.rows}"
    return f"| {name} | {rows} | {known.metric} | {told(known.score.value)} | {interval} | {_best_baseline(values)} |"


def _best_baseline(values: dict[str, Any]) -> str:
    naive = {
        name: score_of(other)
        for name, other in values["against"].items()
        if name != CHAMPION and other.get("must_beat", True)
    }
    best = max(naive, key=lambda name: values.get("sign", 1) * naive[name])
    return f"{best} {told(naive[best])}"


if __name__ == "__main__":
    leaderboard(Path.cwd())
