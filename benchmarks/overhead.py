"""What do Prefect and DVC cost? Retrainings through their flow, against the same work in one script.

    python -m benchmarks.overhead [--rounds 3] [--fleet 4]

Both make the same challenger from the same rows of digits: the flow `retrain` (git worktree, `dvc repro`, gate, push,
registry, artifacts), and one process that runs the commands of the scenario's dvc.yaml one after the other. CPU
seconds, those of every process that either started included; a Prefect server runs already, as it does in production.

The fleet is one process that retrains several scenarios one after the other; each scenario has the rows of digits. What
a further scenario costs is the slope: (all of them - the first alone) / (their number - 1).
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.own_tables import run
from releve.adapters.files import read_yaml
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.local_stack import parts as stack_parts
from releve.adapters.local_stack import stack as local_stack
from tests.projects import SCENARIO, Project, fresh_project
from tests.serving.process import free_port

FLOW = """from flows.ingest import ingest
from flows.retrain import retrain
for name in {names}:
    {flow}"""
INGEST, RETRAIN = "ingest(name)", "retrain(name, release_accepted={release})"
SCRIPT = """import runpy, shlex, sys
for command in {commands}:
    _, _, module, *arguments = shlex.split(command)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name='__main__', alter_sys=True)"""
# Every Python process of a run imports this module at its start, and writes what it cost at its end.
TRACE = """import atexit, os, sys
def write():
    times = os.times()
    with open({log!r}, "a") as log:
        log.write(f"{{times.user + times.system}}\\t{{' '.join(sys.argv)}}\\n")
atexit.register(write)
"""
WINDOWS = 3


@dataclass(frozen=True)
class Cost:
    """CPU seconds of a run, and of each of its processes by what it did."""

    seconds: float
    by_process: dict[str, float]


def main() -> int:
    """Print the medians, their difference, where the flow's seconds go, and what a further scenario costs."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        work_dir = Path(folder)
        fleet = _fleet(work_dir, [SCENARIO, *(f"{SCENARIO}{number}" for number in range(2, arguments.fleet + 1))])
        settings = replace(fleet.settings, prefect_port=free_port())
        started = local_stack.up(settings, only=(stack_parts.PREFECT,), environ=fleet.environ)
        try:
            bench = Bench(fleet, work_dir, settings)
            bench.flow(fleet, bench.names, INGEST)
            rounds = [bench.round(number, release=arguments.release) for number in range(arguments.rounds)]
        finally:
            local_stack.down(settings, only=started)
    for line in report(rounds, fleet=arguments.fleet):
        print(line)
    return 0


@dataclass(frozen=True)
class Bench:
    """A project whose scenarios have rows, and the Prefect server that its flows talk to."""

    project: Project
    work_dir: Path
    settings: local_stack.Settings

    @property
    def names(self) -> list[str]:
        return sorted(path.parent.name for path in self.project.root.glob("scenarios/*/params.yaml"))

    def round(self, number: int, *, release: bool) -> tuple[Cost, Cost, Cost, Cost]:
        """One scenario by its flow and by the script, then all of them, each on a copy of its own."""
        flow, script, flows, scripts = (self.project.copy(self.work_dir / f"{kind}-{number}") for kind in "abcd")
        retrain = RETRAIN.format(release=release)
        return (
            self.flow(flow, self.names[:1], retrain),
            self.script(script, self.names[:1]),
            self.flow(flows, self.names, retrain),
            self.script(scripts, self.names),
        )

    def flow(self, project: Project, names: Sequence[str], flow: str) -> Cost:
        """Run a flow for each of `names` in one process."""
        return self._cost(project, FLOW.format(names=list(names), flow=flow))

    def script(self, project: Project, names: Sequence[str]) -> Cost:
        """Run the stages of each of `names` in one process, on the rows that the flow has in its batches."""
        commands: list[str] = []
        for name in names:
            run(project, ["-m", "tasks.pipeline.seed", name])
            stages = read_yaml(project.root / "scenarios" / name / "dvc.yaml")["stages"]
            wanted = [stage["cmd"] for key, stage in stages.items() if key not in ("code", "seed")]
            commands += [command.replace("${scenario}", name) for command in wanted]
        return self._cost(project, SCRIPT.format(commands=commands))

    def _cost(self, project: Project, code: str) -> Cost:
        traced = Path(tempfile.mkdtemp(dir=self.work_dir))
        log = traced / "processes"
        log.touch()
        (traced / "sitecustomize.py").write_text(TRACE.format(log=str(log)))
        environ = stack_parts.prefect_env(self.settings) | {"PYTHONPATH": f"{project.root}:{traced}"}
        seconds = run(project, ["-c", code], environ).seconds
        by_process: dict[str, float] = defaultdict(float)
        for line in log.read_text().splitlines():
            spent, _, command = line.partition("\t")
            by_process[_described(command)] += float(spent)
        by_process["git, and what a signal ended"] = seconds - sum(by_process.values())
        return Cost(seconds, dict(by_process))


def report(rounds: Sequence[tuple[Cost, Cost, Cost, Cost]], *, fleet: int) -> list[str]:
    """Write the lines of the result."""
    one, script, flows, scripts = (
        statistics.median(cost.seconds for cost in column) for column in zip(*rounds, strict=True)
    )
    lines = [f"flow {one:.1f} s, script {script:.1f} s, difference {one - script:.1f} s CPU per retraining", ""]
    for title, column in (("flow", 0), ("script", 1)):
        costs = [each[column].by_process for each in rounds]
        seconds = {name: statistics.median(cost.get(name, 0.0) for cost in costs) for name in costs[0]}
        lines += [f"| {title} | CPU s |", "|---|---|"]
        lines += [f"| {name} | {spent:.2f} |" for name, spent in sorted(seconds.items(), key=lambda each: -each[1])]
        lines.append("")
    if fleet > 1:
        further, work = (flows - one) / (fleet - 1), (scripts - script) / (fleet - 1)
        lines.append(
            f"fleet of {fleet} in one process: a further scenario {further:.1f} s, of which its work in a script "
            f"{work:.1f} s, overhead {further - work:.1f} s CPU"
        )
    return lines


def _described(command: str) -> str:
    """What a process did, in a few words, from its command."""
    program, *arguments = command.split() or [""]
    words = [word for word in arguments if not word.startswith("-")]
    if program == "-c":
        return "the process itself"
    if program == "dvc":
        return f"dvc {words[0]}"
    return "fork server: imports" if program.endswith("forks/server.py") else program


def _fleet(work_dir: Path, names: Sequence[str]) -> Project:
    """A project with a scenario of digits per name, its first windows waiting to be ingested."""
    project = fresh_project(work_dir).copy(work_dir / "fleet")
    first = project.root / "scenarios" / SCENARIO
    project.receive(*range(1, WINDOWS + 1))
    for name in names[1:]:
        shutil.copytree(first, first.with_name(name))
        shutil.copytree(project.state.incoming, project.state.incoming.with_name(name))
        for path in first.with_name(name).glob("*.yaml"):
            path.write_text(path.read_text().replace(SCENARIO, name))
    git(project.root, "add", "--all", "scenarios")
    git(project.root, "commit", "--quiet", "--allow-empty", "-m", "a fleet")
    return project


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fleet", type=int, default=4, help="scenarios that one process retrains")
    parser.add_argument("--release", action="store_true", help="release what the gate accepts: index, Bento, pointer")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
