"""A Kubeflow pipeline (KFP v2) of the stages of a scenario, written without kfp: its own format is YAML.

The first document is the pipeline, the second names the secret whose keys each step finds in its environment.
"""

from collections.abc import Sequence
from typing import Any

import yaml

from releve.adapters.git_dvc.stages import PlannedStage

SCHEMA, SDK = "2.1.0", "kfp-2.17.3"  # of pipelines, and who checks that ours are: tests/compatibility/test_kubeflow.py
SECRET = "releve"  # of Kubernetes, as in deploy/kubernetes; without it the remote is asked without credentials
SECRET_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
REVISION = "main"  # of people's files, unless a run names another
INPUTS = ("repository", "revision")  # of the pipeline and of every step
# $1 and $2 are the inputs, the rest is the command. Like every run, it takes people's files from the revision, and rows
# from the scenario's branch.
SCRIPT = """cd "$(mktemp -d)"
git clone --quiet -- "$1" .
git fetch --quiet origin "+refs/heads/releve/*:refs/heads/releve/*"
git checkout --quiet "$2" --
shift 2
exec "$@"
"""


def write_pipeline(scenario: str, stages: Sequence[PlannedStage], *, image: str) -> str:
    """Write a pipeline with a step per stage. Each clones `repository` at `revision`, and runs its stage there.

    The files of a step travel to the next one by DVC's remote, which the scenario's settings name.
    """
    pipeline = {
        "components": {f"comp-{stage.name}": _component(stage) for stage in stages},
        "deploymentSpec": {
            "executors": {f"exec-{stage.name}": {"container": _container(scenario, stage, image)} for stage in stages}
        },
        "pipelineInfo": {"name": f"releve-{scenario.replace('_', '-')}"},
        "root": {
            "dag": {"tasks": {stage.name: _task(stage) for stage in stages}},
            "inputDefinitions": {
                "parameters": {
                    "repository": {"parameterType": "STRING"},
                    "revision": {"defaultValue": REVISION, "isOptional": True, "parameterType": "STRING"},
                }
            },
        },
        "schemaVersion": SCHEMA,
        "sdkVersion": SDK,
    }
    secrets = {f"exec-{stage.name}": {"secretAsEnv": [_secret()]} for stage in stages}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": secrets}}}}
    return str(yaml.safe_dump_all([pipeline, platform], sort_keys=True, width=120))


def _component(stage: PlannedStage) -> dict[str, Any]:
    parameters = {name: {"parameterType": "STRING"} for name in INPUTS}
    return {"executorLabel": f"exec-{stage.name}", "inputDefinitions": {"parameters": parameters}}


def _container(scenario: str, stage: PlannedStage, image: str) -> dict[str, Any]:
    given = [f"{{{{$.inputs.parameters['{name}']}}}}" for name in INPUTS]
    command = ["python", "-m", "releve", "run-stage", "--", scenario, stage.name]
    return {"image": image, "command": ["sh", "-euc", SCRIPT, "sh"], "args": [*given, *command]}


def _task(stage: PlannedStage) -> dict[str, Any]:
    """Kubeflow's own cache stays off: it knows the name of a branch, and not what stands on it today."""
    parameters = {name: {"componentInputParameter": name} for name in INPUTS}
    return {
        "cachingOptions": {},
        "componentRef": {"name": f"comp-{stage.name}"},
        "inputs": {"parameters": parameters},
        "taskInfo": {"name": stage.name},
    } | ({"dependentTasks": list(stage.after)} if stage.after else {})


def _secret() -> dict[str, Any]:
    keys = [{"envVar": key, "secretKey": key} for key in SECRET_KEYS]
    name = {"runtimeValue": {"constant": SECRET}}
    return {"keyToEnv": keys, "optional": True, "secretName": SECRET, "secretNameParameter": name}
