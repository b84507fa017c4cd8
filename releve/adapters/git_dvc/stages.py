"""The stages of a scenario's dvc.yaml, and their order, as DVC itself reads them."""

from dataclasses import dataclass
from pathlib import Path

from releve.core.errors import BadInput


@dataclass(frozen=True)
class PlannedStage:
    """A stage, and those that have to run before it. What runs at every `dvc repro` is left out of both."""

    name: str
    after: tuple[str, ...]


def stages_up_to(checkout: Path, scenario: str, target: str) -> tuple[PlannedStage, ...]:
    """List the stages that make `target`, itself the last one, in the order in which they can run.

    Raises BadInput where dvc.yaml has no such stage.
    """
    from dvc.repo import Repo
    from dvc.repo.reproduce import plan_repro

    repository = Repo(str(checkout))
    try:
        graph = repository.index.graph  # from a stage to those that it needs
        file = f"scenarios/{scenario}/dvc.yaml"
        last = next((each for each in graph if each.path_in_repo == file and each.name == target), None)
        if last is None:
            raise BadInput(f"{file} has no stage {target}; expected it, as the scenario's template has it")
        once = {
            each: each.name for each in plan_repro(graph, [last]) if hasattr(each, "name") and not each.always_changed
        }
        return tuple(
            PlannedStage(name, tuple(sorted(once[other] for other in graph[stage] if other in once)))
            for stage, name in once.items()
        )
    finally:
        repository.close()
