"""The pipeline of a scenario for Kubeflow, and one stage of it in a pod that has nothing but git and the data remote.

Both read dvc.yaml: there is no second list of stages.
"""

from collections.abc import Callable

from releve.adapters.git_dvc.remakable import outputs
from releve.adapters.git_dvc.stages import stages_up_to
from releve.adapters.kubeflow import write_pipeline
from releve.core.settings import Settings
from tasks.delivery.checkouts import LAST, checked_out


def export_pipeline(settings: Settings, scenario: str, *, image: str) -> str:
    """Write the pipeline of a scenario as Kubeflow reads it; `image`: of the worker."""
    with checked_out(settings, scenario, holder="export-kubeflow") as checkout:
        return write_pipeline(scenario, stages_up_to(checkout.tree.path, scenario, LAST), image=image)


def run_stage(
    settings: Settings, scenario: str, stage: str, *, progress: Callable[[str], None] = lambda line: None
) -> dict[str, str]:
    """Run a stage of the commit that is checked out, and push what it made; its outputs' md5, by path.

    What the stages before it made comes from the data remote, or is made again. Raises BadInput for a stage that
    dvc.yaml does not have, ScenarioBusy, PipelineFailed, RemoteUnavailable.
    """
    with checked_out(settings, scenario, holder="run-stage") as checkout:
        stages_up_to(checkout.tree.path, scenario, stage)
        checkout.data.repro(checkout.stage(stage), pull=True, progress=progress)
        checkout.data.push(checkout.stage(stage), runs=True)
        return outputs((checkout.files.folder / "dvc.lock").read_text())
