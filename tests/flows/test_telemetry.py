"""A run as a trace: Prefect's spans of the flow and its tasks, and below them the stages that DVC ran."""

import subprocess
import sys

import pytest

from tests.projects import Project
from tests.receivers import Collector, receiving

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def test_a_retraining_is_one_trace_from_the_flow_to_the_stages_of_dvc(ingested: Project) -> None:
    from prefect.settings import PREFECT_API_URL

    with receiving(Collector()) as collector:
        done = subprocess.run(
            [sys.executable, "-m", "releve", "retrain", "digits"],
            cwd=ingested.root,
            env=ingested.environ | collector.environ | {"PREFECT_API_URL": PREFECT_API_URL.value()},
            capture_output=True,
            text=True,
            timeout=500,
        )

    assert done.returncode == 0, done.stderr
    (task,) = (each for each in collector.spans if each.attributes.get("releve.step") == "retrain")
    parents = {each.id: each for each in collector.spans}
    assert parents[task.parent_id].attributes["prefect.run.type"] == "flow"
    assert task.attributes["releve.scenario"] == "digits"
    assert str(task.attributes["releve.model"]).startswith("digits:")
    for name in ("stage train", "stage package"):
        stage = collector.named(name)
        assert (stage.parent_id, stage.attributes) == (task.id, {"releve.scenario": "digits"})
    assert {(each.program, each.trace_id) for each in collector.spans} == {("releve-flows", task.trace_id)}
    assert not any(name.startswith("prefect.state.message") for each in collector.spans for name in each.attributes)
