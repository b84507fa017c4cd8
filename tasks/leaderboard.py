"""One line per scenario: how its challenger compares with its champion and with the naive baselines."""

import json
from pathlib import Path
from typing import Any

from releve.adapters.files import write_bytes, write_json

RESULTS, BOARD = Path("results"), Path("leaderboard")
HEAD = "| scenario | labelled rows | holdout rows | accuracy | 95% interval | majority label | previous label |"


def leaderboard(project: Path) -> None:
    """Write leaderboard/metrics.json and leaderboard/README.md from results/*/evaluation.json."""
    found = {
        path.parent.name: json.loads(path.read_text()) for path in sorted((project / RESULTS).glob("*/evaluation.json"))
    }

    lines = ["# Leaderboard", "", HEAD, "|---" * HEAD.count(" | ") + "|---|", *map(_line, found.items())]

    write_json(
        project / BOARD / "metrics.json", {name: values["challenger"]["accuracy"] for name, values in found.items()}
    )
    write_bytes(project / BOARD / "README.md", ("\n".join(lines) + "\n").encode())


def _line(item: tuple[str, dict[str, Any]]) -> str:
    name, values = item
    mine, against = values["challenger"], values["against"]
    interval = f"{mine['accuracy_low']:.3f} to {mine['accuracy_high']:.3f}"
    baselines = " | ".join(f"{against[other]['accuracy']:.3f}" for other in ("majority label", "previous label"))
    return (
        f"| {name} | {values['rows']} | {values['holdout_rows']} | {mine['accuracy']:.3f} | {interval} | {baselines} |"
    )


if __name__ == "__main__":
    leaderboard(Path.cwd())
