import json
import resource
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from releve.adapters.files import (
    READERS,
    Inputs,
    file_digest,
    read_inputs,
    read_params,
    read_schema,
    read_table,
    scenario_names,
    write_bytes,
    write_inputs,
    write_json,
    write_parquet,
)
from releve.errors import BadInput, NotFound
from tests.factories import make_project
from tests.tables import shop_rows, shop_schema

HEADER = "kind,price,weight,bought"


def table_of(tmp_path, content, name="today.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, shop_schema())


def cells(frame):
    return frame.astype(object).where(frame.notna(), None).to_numpy().tolist()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"{HEADER}\nbread,1,2,yes\n", ["bread", 1.0, 2.0, "yes"]),
        (f"{HEADER}\nbread,1,2,yes", ["bread", 1.0, 2.0, "yes"]),  # no newline at the end
        (f"{HEADER}\r\nbread,1,2,yes\r\n", ["bread", 1.0, 2.0, "yes"]),
        (f"\ufeff{HEADER}\nbread,1,2,yes\n", ["bread", 1.0, 2.0, "yes"]),  # as spreadsheets write it
        (f'{HEADER}\n"a, ""b""\nc",1,2,yes\n', ['a, "b"\nc', 1.0, 2.0, "yes"]),
        (f"{HEADER}\nfromage frais é,1,,no\n", ["fromage frais é", 1.0, None, "no"]),
        (f"{HEADER}\nNA,abc,null,None\n", ["NA", "abc", "null", "None"]),  # text stays what it says
        (f"{HEADER}\nbread,1\n", ["bread", 1.0, None, ""]),  # a short line lacks its last cells
        (f"{HEADER}\nbread,001,2e3,yes\n", ["bread", 1.0, 2000.0, "yes"]),
    ],
)
def test_a_csv_file_is_read_cell_by_cell(content, expected, tmp_path):
    assert cells(table_of(tmp_path, content)) == [expected]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "today.csv is empty; expected a header line and rows"),
        (f"{HEADER}\n", "today.csv has no rows"),
        ("\n\n", "today.csv cannot be read as CSV: No columns to parse"),
        (f"{HEADER}\nbread,1,2,yes\nbread,1,2,yes,surplus\n", "today.csv cannot be read as CSV: .*line 3, saw 5"),
        (f"{HEADER}\nbread,1,2,yes,surplus\nbread,1,2,yes,surplus\n", "more cells than its header names"),
        (f"{HEADER}\n".encode() + b"\xff\xfe,1,2,yes\n", "today.csv cannot be read as CSV: 'utf-8' codec"),
        (f'{HEADER}\n"bread,1,2,yes\n', "today.csv cannot be read as CSV: .*EOF inside string"),
    ],
)
def test_a_csv_file_that_cannot_be_read_says_why(content, said, tmp_path):
    with pytest.raises(BadInput, match=said):
        table_of(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"price": 1, "kind": "a"}\n', [[1, "a"]]),
        ('\ufeff{"price": 1, "kind": "a"}\n\n  \n{"price": 2, "kind": "b"}', [[1, "a"], [2, "b"]]),
        ('{"price": 1, "kind": "a"}\r\n{"price": 2}\r\n', [[1, "a"], [2, None]]),
        ('{"price": true, "kind": null}\n', [[True, None]]),
        ('{"price": "1", "kind": "line\u2028and\\nline"}\n', [["1", "line\u2028and\nline"]]),
    ],
)
def test_a_jsonl_file_keeps_the_types_of_its_cells(content, expected, tmp_path):
    assert cells(table_of(tmp_path, content, "today.jsonl")) == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "today.jsonl has no rows"),
        ("\n\n", "today.jsonl has no rows"),
        ('{"price": 1\n', "today.jsonl cannot be read as JSONL"),
        ('{"price": 1}\n[1, 2]\n', r"holds the line \[1, 2\]; expected an object"),
        ("3\n", "holds the line 3; expected an object"),
        (b'{"kind": "\xff"}\n', "today.jsonl cannot be read as JSONL: 'utf-8' codec"),
    ],
)
def test_a_jsonl_file_that_cannot_be_read_says_why(content, said, tmp_path):
    with pytest.raises(BadInput, match=said):
        table_of(tmp_path, content, "today.jsonl")


def test_a_parquet_file_is_read_as_it_was_written(tmp_path):
    rows = shop_rows(20)
    write_parquet(tmp_path / "today.parquet", rows)

    found = read_table(tmp_path / "today.parquet", shop_schema())

    pd.testing.assert_frame_equal(found, rows, check_dtype=False)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all"])
def test_a_parquet_file_that_cannot_be_read_says_so(content, tmp_path):
    with pytest.raises(BadInput, match=r"today.parquet cannot be read as PARQUET"):
        table_of(tmp_path, content, "today.parquet")


def test_a_parquet_file_without_rows_is_refused(tmp_path):
    write_parquet(tmp_path / "today.parquet", shop_rows(3).head(0))

    with pytest.raises(BadInput, match=r"today.parquet has no rows"):
        read_table(tmp_path / "today.parquet", shop_schema())


@pytest.mark.parametrize("name", ["today.xlsx", "today", "today.csv.gz", ".csv"])
def test_another_ending_is_refused_with_those_that_can_be_read(name, tmp_path):
    with pytest.raises(BadInput, match=r"expected one ending in \.csv, \.parquet, \.jsonl"):
        table_of(tmp_path, "x", name)


def test_the_case_of_an_ending_does_not_matter(tmp_path):
    assert len(table_of(tmp_path, f"{HEADER}\nbread,1,2,yes\n", "TODAY.CSV")) == 1


def test_every_reader_gives_the_same_rows(tmp_path):
    rows = shop_rows(30)
    write_parquet(tmp_path / "today.parquet", rows)
    (tmp_path / "today.csv").write_text(rows.to_csv(index=False))
    (tmp_path / "today.jsonl").write_text(rows.to_json(orient="records", lines=True))

    accepted = [
        shop_schema().check_frame(read_table(tmp_path / f"today{ending}", shop_schema())).accepted for ending in READERS
    ]

    assert len(accepted) == 3
    for other in accepted[1:]:
        pd.testing.assert_frame_equal(accepted[0], other)


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

    with files_of_at_most(4096), pytest.raises(OSError, match="File too large"):
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


def test_the_digest_is_that_of_the_bytes(tmp_path):
    write_bytes(tmp_path / "empty", b"")

    assert file_digest(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    "inputs", [Inputs("seed", "", 0), Inputs("batches", "shop:1a2b", 261), Inputs('"a: b" #', "é", 1)]
)
def test_inputs_are_read_back_as_they_were_written(inputs, tmp_path):
    write_inputs(tmp_path / "inputs.yaml", inputs)

    assert read_inputs(tmp_path / "inputs.yaml") == inputs
    assert (tmp_path / "inputs.yaml").read_text().startswith("# What the pipeline starts from.")


GOOD_INPUTS = {"rows": "seed", "champion": "", "seen_rows": 0}


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
        ("seen_rows", None),
        ("seen_rows", "many"),
        ("seen_rows", -1),
        ("seen_rows", 1.5),
        ("seen_rows", True),
    ],
)
def test_inputs_of_another_type_are_refused(key, value, tmp_path):
    with pytest.raises(BadInput, match=rf"^scenarios/shop/inputs.yaml: '{key}' is .*; expected a "):
        inputs_of(tmp_path, {**GOOD_INPUTS, key: value})


def test_a_champion_of_nothing_is_none(tmp_path):
    assert inputs_of(tmp_path, {**GOOD_INPUTS, "champion": None}) == Inputs("seed", "", 0)


def test_a_scenario_overrides_params_and_describes_its_table(tmp_path):
    project = make_project(tmp_path, max_rows=5)

    assert read_params(project, "flowers").service.max_rows == 5
    assert read_params(project).service.max_rows == 1000
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
    ("text", "said"), [("a: [", "is not valid YAML"), ("- a\n", "holds list"), ("", "holds NoneType")]
)
def test_yaml_that_is_no_section_of_keys_is_refused(text, said, tmp_path):
    (tmp_path / "params.yaml").write_text(text)

    with pytest.raises(BadInput, match=f"params.yaml {said}"):
        read_params(tmp_path)


def test_reading_leaves_numbers_of_a_parquet_file_as_machine_numbers(tmp_path):
    write_parquet(tmp_path / "today.parquet", pd.DataFrame({"price": np.array([1, 2], dtype="int8")}))

    assert read_table(tmp_path / "today.parquet", shop_schema())["price"].dtype == "int8"
