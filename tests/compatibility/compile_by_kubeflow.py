"""Run by an environment that has kfp: reads our pipeline and writes it again, and writes it from kfp's own words."""

import json
import sys
from pathlib import Path

import yaml
from kfp import compiler, components, dsl, kubernetes

ours, folder = Path(sys.argv[1]), Path(sys.argv[2])
stages, keys = json.loads(sys.argv[3])
compiler.Compiler().compile(components.load_component_from_file(str(ours)), str(folder / "again.yaml"))

executors = next(yaml.safe_load_all(ours.read_text()))["deploymentSpec"]["executors"]


def component(name: str):
    """A step as kfp's users write it."""
    container = executors[f"exec-{name}"]["container"]

    def step(repository: str, revision: str):
        args = [repository, revision, *container["args"][2:]]
        return dsl.ContainerSpec(image=container["image"], command=container["command"], args=args)

    step.__name__ = name
    return dsl.container_component(step)


@dsl.pipeline(name="releve-my-digits")
def pipeline(repository: str, revision: str = "main"):
    made = {}  # without a docstring, which kfp takes for the pipeline's description
    for name, after in stages.items():
        made[name] = component(name)(repository=repository, revision=revision).set_caching_options(False)
        made[name].after(*(made[each] for each in after))
        kubernetes.use_secret_as_env(made[name], "releve", {key: key for key in keys}, optional=True)


compiler.Compiler().compile(pipeline, str(folder / "theirs.yaml"))
