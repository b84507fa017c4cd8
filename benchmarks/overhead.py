"""What do Prefect and DVC cost? One retraining through its flow, against the same work in one script.

    python -m benchmarks.overhead [--rounds 3]

Both make the same challenger from the same rows of digits: the flow `retrain` (git worktree, `dvc repro`, gate, push,
registry, artifacts), and one process that calls the steps of the pipeline one after the other. CPU seconds, those of
every process that either started included; a Prefect server runs already, as it does in production.
"""

import argparse
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.own_tables import run
from releve.adapters.local_stack import stack as local_stack
from tests.projects import Project, ingested_project
from tests.serving.process import free_port

FLOW = "from flows.retrain import retrain\nretrain('digits', release_accepted=False)"
SCRIPT = """import sys
from tasks import evaluate, package, split, stage, train, tune
sys.argv = ['script', 'digits']
for step in (split.split, tune.tune, train.train, evaluate.evaluate, package.package):
    stage.run(step)"""


def main() -> int:
    """Print the median of each, and their difference."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as work_dir:
        prepared = ingested_project(Path(work_dir))
        settings = replace(prepared.settings, prefect_port=free_port())
        started = local_stack.up(settings, only=(local_stack.PREFECT,), environ=prepared.environ)
        try:
            seconds = [_round(prepared, Path(work_dir), number, settings) for number in range(arguments.rounds)]
        finally:
            local_stack.down(settings, only=started)
    by_flow, by_script = (statistics.median(column) for column in zip(*seconds, strict=True))
    print(f"flow {by_flow:.1f} s, script {by_script:.1f} s, difference {by_flow - by_script:.1f} s CPU per retraining")
    return 0


def _round(prepared: Project, work_dir: Path, number: int, settings: local_stack.Settings) -> tuple[float, float]:
    """CPU seconds of the flow and of the script, each on a copy of its own."""
    flow, script = (prepared.copy(work_dir / f"{kind}-{number}") for kind in ("flow", "script"))
    by_flow = run(flow, ["-c", FLOW], local_stack.prefect_env(settings)).seconds
    run(script, ["-m", "tasks.pipeline.seed", "digits"])  # the rows that the flow has in its batches
    return by_flow, run(script, ["-c", SCRIPT]).seconds


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
