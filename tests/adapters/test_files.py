import json
import resource
from contextlib import contextmanager

import pandas as pd
import pytest
import yaml

from releve.adapters.files import (
    INPUTS,
    ParquetAppender,
    PipelineInputs,
    file_digest,
    read_inputs,
    read_params,
    read_schema,
    scenario_names,
    write_bytes,
    write_inputs,
    write_json,
)
from releve.core.errors import BadInput, DiskFull, NotFound
from releve.core.params import Params
from tests.factories import make_project


@contextmanager
def files_of_at_most(size):
    """The kernel refuses to let a file of this process grow beyond `size` bytes, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("there", [True, False])
def test_a_write_that_is_interrupted_leaves_no_half_file(there, tmp_path):
    path = tmp_path / "metrics.json"
    if there:
        write_bytes(path, b"old")

    with (
        files_of_at_most(4096),
        pytest.raises(DiskFull, match=r"no space is left for metrics\.json in .*File too large.*free some space"),
    ):
        write_bytes(path, b"new and longer" * 1000)

    assert [each.read_bytes() for each in tmp_path.iterdir()] == ([b"old"] if there else [])


def test_a_write_makes_its_folder_and_leaves_nothing_beside(tmp_path):
    write_bytes(tmp_path / "a" / "b" / "file", b"content")

    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"content"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_that_others_could_not_read_is_not_written(value, tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "metrics.json", {"accuracy": value})

    assert list(tmp_path.iterdir()) == []


def test_json_is_readable_and_ends_with_a_newline(tmp_path):
    write_json(tmp_path / "metrics.json", {"raison": "dérive"})

    assert (tmp_path / "metrics.json").read_text() == '{\n  "raison": "dérive"\n}\n'


def test_frames_are_appended_to_one_parquet_file_that_is_there_when_it_is_whole(tmp_path):
    rows = ParquetAppender(tmp_path / "work" / "rows")
    rows.append(pd.DataFrame({"a": [1.0], "b": ["x"]}))
    rows.append(pd.DataFrame({"a": [2.0], "b": ["y"]}))

    rows.close()
    rows.move(tmp_path / "kept" / "rows.parquet")

    assert pd.read_parquet(tmp_path / "kept" / "rows.parquet").to_numpy().tolist() == [[1.0, "x"], [2.0, "y"]]
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("appended", [0, 1])
def test_rows_that_are_discarded_leave_nothing(appended, tmp_path):
    rows = ParquetAppender(tmp_path / "rows")
    for _ in range(appended):
        rows.append(pd.DataFrame({"a": [1.0]}))

    rows.discard()

    assert list(tmp_path.iterdir()) == []


def test_nothing_appended_makes_no_file(tmp_path):
    rows = ParquetAppender(tmp_path / "rows")

    rows.close()
    rows.move(tmp_path / "rows.parquet")

    assert list(tmp_path.iterdir()) == []


def test_the_digest_is_that_of_the_bytes(tmp_path):
    write_bytes(tmp_path / "empty", b"")

    assert file_digest(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    "inputs",
    [
        PipelineInputs("seed", ""),
        PipelineInputs("batches", "shop:1a2b", "memory", "drift, degraded on 0f3c", ("price", 'a "b"')),
        PipelineInputs('"a: b" #', "é", "#"),
        PipelineInputs("batches", "shop:1a2b", reweighs="shop:1a2b", rejected="shop:3c4d"),
        PipelineInputs("batches", "shop:1a2b", taken_back="shop:3c4d", taken_back_at=400),
    ],
)
def test_inputs_are_read_back_as_they_were_written(inputs, tmp_path):
    write_inputs(tmp_path / "inputs.yaml", inputs)

    assert read_inputs(tmp_path / "inputs.yaml") == inputs
    assert (tmp_path / "inputs.yaml").read_text().startswith("# What the pipeline starts from.")


def test_no_input_is_called_as_a_section_of_params_which_dvc_would_refuse():
    assert {*INPUTS} & {*Params.model_fields} == set()


GOOD_INPUTS = {"rows": "seed", "champion": "", "memory": "memory"}


def inputs_of(tmp_path, values):
    write_bytes(tmp_path / "scenarios" / "shop" / "inputs.yaml", json.dumps(values).encode())
    return read_inputs(tmp_path / "scenarios" / "shop" / "inputs.yaml")


@pytest.mark.parametrize("key", GOOD_INPUTS)
def test_inputs_without_one_of_their_keys_are_refused(key, tmp_path):
    values = {other: GOOD_INPUTS[other] for other in GOOD_INPUTS if other != key}

    with pytest.raises(BadInput, match=f"^scenarios/shop/inputs.yaml has no '{key}'; expected a "):
        inputs_of(tmp_path, values)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rows", None),
        ("rows", ""),
        ("rows", 3),
        ("champion", 3),
        ("champion", ["shop:1a2b"]),
        ("memory", None),
        ("memory", ""),
        ("search_cause", None),
        ("search_cause", ["drift"]),
        ("without", "price"),
        ("without", [1]),
    ],
)
def test_inputs_of_another_type_are_refused(key, value, tmp_path):
    with pytest.raises(BadInput, match=rf"^scenarios/shop/inputs.yaml: '{key}' is .*; expected a "):
        inputs_of(tmp_path, {**GOOD_INPUTS, key: value})


def test_a_champion_of_nothing_is_none(tmp_path):
    assert inputs_of(tmp_path, {**GOOD_INPUTS, "champion": None}) == PipelineInputs("seed", "", "memory")


def test_a_scenario_overrides_params_and_describes_its_table(tmp_path):
    project = make_project(tmp_path, max_rows=5)

    assert read_params(project, "flowers").service.max_rows == 5
    assert (
        read_params(project).service.max_rows
        == yaml.safe_load((project / "params.yaml").read_text())["service"]["max_rows"]
    )
    assert read_schema(project, "flowers").target.name == "kind"
    assert scenario_names(project) == ["flowers"]


def test_a_wrong_override_names_both_files(tmp_path):
    project = make_project(tmp_path, max_row=5)

    with pytest.raises(
        BadInput, match=r"params.yaml with scenarios/flowers/params.yaml: 'service.max_row' .*'service.max_rows'"
    ):
        read_params(project, "flowers")


def test_an_unknown_scenario_is_told_with_the_known_ones(tmp_path):
    project = make_project(tmp_path)

    with pytest.raises(NotFound, match=r"there is no scenario 'flower' .*there are: flowers"):
        read_schema(project, "flower")


def test_a_project_without_a_scenario_says_none_yet(tmp_path):
    with pytest.raises(NotFound, match="there are: none yet"):
        read_schema(tmp_path, "flowers")


@pytest.mark.parametrize("name", ["../flowers", "/etc", "Flowers", ""])
def test_a_scenario_name_never_becomes_another_path(name, tmp_path):
    with pytest.raises(BadInput, match="scenario name"):
        read_schema(make_project(tmp_path), name)


def test_a_folder_that_is_no_project_is_told(tmp_path):
    with pytest.raises(NotFound, match=r"params.yaml is missing in .*Commands run from the project's folder"):
        read_params(tmp_path)


def test_inputs_that_a_checkout_lacks_are_looked_for_in_git(tmp_path):
    with pytest.raises(NotFound, match=r"only what is committed there: is scenarios/shop/inputs.yaml in git\?"):
        read_inputs(tmp_path / "scenarios" / "shop" / "inputs.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is not valid YAML"),
        ("a: 2024-13-01", "is not valid YAML: month must be"),
        ("- a\n", "holds a list"),
        ("", "holds nothing"),
    ],
)
def test_yaml_that_is_no_section_of_keys_is_refused(text, said, tmp_path):
    (tmp_path / "params.yaml").write_text(text)

    with pytest.raises(BadInput, match=f"params.yaml {said}"):
        read_params(tmp_path)
