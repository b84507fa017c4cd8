"""The flow that brings a model, as people see it in Prefect."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.files import read_schema
from releve.domain.registry.chain import CHALLENGED, RELEASED
from releve.domain.schema.validation import check_frame
from tasks.pipeline.seed import windows
from tests import projects
from tests.foreign_models import network
from tests.projects import SCENARIO, Project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.whole,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning"),  # Prefect's clients leave some open
]


def bring(file: Path, mapping: Path, **more: Any) -> Any:
    """The final state of a run of the flow."""
    flow = import_module("flows.bring").bring
    return flow(SCENARIO, file=str(file), mapping=str(mapping), return_state=True, **more)


def test_a_bad_file_fails_the_run_with_its_sentence_and_a_good_one_is_judged_and_released(
    work_dir: Path, tmp_path: Path, work_in: Callable[[Project], None]
) -> None:
    project = projects.ingested_project(work_dir).copy(tmp_path)
    work_in(project)
    schema = read_schema(project.root, SCENARIO)
    later = check_frame(schema, list(windows())[4]).accepted
    good, bad, mapping = tmp_path / "good.onnx", tmp_path / "bad.onnx", tmp_path / "mapping.yaml"
    content = network(later, schema, schema.numbers)
    good.write_bytes(content)
    bad.write_bytes(content[:-40])
    mapping.write_text(f"inputs: {{X: [{', '.join(schema.numbers)}]}}")

    refused, done = bring(bad, mapping), bring(good, mapping, learned=0)

    assert refused.is_failed()
    assert "bad.onnx: it is no ONNX file, or a part of one" in refused.message
    assert done.is_completed()
    assert done.result().brought.file == "good.onnx"
    kinds = [event.kind for event in project.registry.events(SCENARIO, kinds=[CHALLENGED, RELEASED])]
    assert kinds == [CHALLENGED, RELEASED]
