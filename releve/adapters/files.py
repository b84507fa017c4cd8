"""Files and folders on this machine: params, JSON, Parquet, incoming tables."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from releve.errors import BadInput, DiskFull, NotFound
from releve.rules.names import check_scenario_name
from releve.rules.params import Params, merge, parse
from releve.rules.schema import TABLE_KEYS, Schema

if TYPE_CHECKING:
    import pandas as pd

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # disk, quota, largest file: what a person does is the same


def read_params(project: Path, scenario: str | None = None) -> Params:
    """params.yaml with the scenario's overrides. Raises BadInput naming the file and the key."""
    base = _read_yaml(project / "params.yaml")
    if scenario is None:
        return parse(base, source="params.yaml")
    overrides = {key: value for key, value in read_scenario(project, scenario).items() if key not in TABLE_KEYS}
    return parse(merge(base, overrides), source=f"params.yaml with scenarios/{scenario}/params.yaml")


def read_schema(project: Path, scenario: str) -> Schema:
    """The scenario's feature schema. Raises BadInput naming the key that is wrong."""
    return Schema.from_dict(read_scenario(project, scenario), source=f"scenarios/{scenario}/params.yaml")


def read_scenario(project: Path, scenario: str) -> dict[str, Any]:
    """scenarios/<scenario>/params.yaml. Raises NotFound naming the scenarios that exist."""
    path = project / "scenarios" / check_scenario_name(scenario) / "params.yaml"
    if not path.is_file():
        known = ", ".join(scenario_names(project)) or "none yet"
        raise NotFound(f"there is no scenario '{scenario}' (no scenarios/{scenario}/params.yaml); there are: {known}")
    return _read_yaml(path)


def scenario_names(project: Path) -> list[str]:
    """Scenarios that have a folder, in order."""
    return sorted(path.parent.name for path in (project / "scenarios").glob("*/params.yaml"))


@dataclass(frozen=True)
class Inputs:
    """What the pipeline starts from. Flows write it on the scenario's branch; the user's tree keeps the seed."""

    rows: str  # folder below the scenario's: "seed" or "batches"
    champion: str  # model store tag, or "" when there is none
    seen_rows: int  # rows the champion learned from; a challenger is not judged on them


INPUTS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "rows": (lambda value: isinstance(value, str) and value != "", 'a folder: "seed" or "batches"'),
    "champion": (lambda value: value is None or isinstance(value, str), 'a model version, or "" when there is none'),
    "seen_rows": (lambda value: type(value) is int and value >= 0, "a whole number of rows, 0 or more"),
}  # of inputs.yaml: what each key may be, and that in words


def read_inputs(path: Path) -> Inputs:
    """Read inputs.yaml. Raises BadInput naming the key that is missing or wrong."""
    values = _read_yaml(path)
    for key, (fits, expected) in INPUTS.items():
        if key not in values:
            raise BadInput(f"{_named(path)} has no '{key}'; expected {expected}")
        if not fits(values[key]):
            raise BadInput(f"{_named(path)}: '{key}' is {values[key]!r}; expected {expected}")
    return Inputs(values["rows"], values["champion"] or "", values["seen_rows"])


def write_inputs(path: Path, inputs: Inputs) -> None:
    """Write inputs.yaml, comment included."""
    lines = ["# What the pipeline starts from. Flows write this file on the scenario's branch.", *_yaml_lines(inputs)]
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def _yaml_lines(inputs: Inputs) -> list[str]:
    return [f"{key}: {json.dumps(value)}" for key, value in vars(inputs).items()]


def read_table(path: Path, schema: Schema) -> "pd.DataFrame":
    """One incoming file as a frame, cells as found. Raises BadInput for a file that cannot be read or is empty."""
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise BadInput(f"{path.name} is not a file that can be ingested; expected one ending in {', '.join(READERS)}")
    try:
        frame = read(path, schema)
    except BadInput:
        raise
    except Exception as error:  # each reader raises its own kinds; all mean the same to the one who brought the file
        raise BadInput(f"{path.name} cannot be read as {path.suffix[1:].upper()}: {str(error).strip()}") from error
    if frame.empty:
        raise BadInput(f"{path.name} has no rows; put a file with at least one row in its place")
    return frame


def _read_csv(path: Path, schema: Schema) -> "pd.DataFrame":
    import pandas as pd

    if not path.read_bytes()[:1]:
        raise BadInput(f"{path.name} is empty; expected a header line and rows")
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", on_bad_lines="error")
    if not isinstance(frame.index, pd.RangeIndex):  # pandas takes the surplus for row names, and shifts every column
        raise BadInput(f"{path.name}: its lines have more cells than its header names; correct the header or the lines")
    return schema.from_text(frame)


def _read_parquet(path: Path, schema: Schema) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(path)


def _read_jsonl(path: Path, schema: Schema) -> "pd.DataFrame":
    import pandas as pd

    # Not splitlines: it also splits at characters that JSON allows inside a text, such as U+2028.
    lines = [line for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    rows = [json.loads(line) for line in lines]
    if wrong := [row for row in rows if not isinstance(row, dict)]:
        raise BadInput(f"{path.name} holds the line {wrong[0]!r}; expected an object of column names and values a line")
    return pd.DataFrame(rows, dtype=object)


READERS: dict[str, Callable[[Path, Schema], "pd.DataFrame"]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
}


def write_bytes(path: Path, content: bytes) -> None:
    """Write beside, flush to disk, then rename: a reader sees the old file or the new one, whole. Raises DiskFull."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise DiskFull(
                f"there is no room for {path.name} in {path.parent} ({error.strerror}); make room on that disk, then "
                "run the same again"
            ) from error
        raise


def write_json(path: Path, value: Any) -> None:
    """Indented JSON with a final newline; NaN is refused."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode())


def write_parquet(path: Path, frame: "pd.DataFrame") -> None:
    """One Parquet file, whole or not at all."""
    write_bytes(path, frame.to_parquet(index=False))


def file_digest(path: Path) -> str:
    """sha256 of the file's bytes."""
    return sha256(path.read_bytes()).hexdigest()


def _named(path: Path) -> str:
    """A file as a person names it: below its project's scenarios/, wherever the checkout lies."""
    return f"scenarios/{path.parent.name}/{path.name}" if path.parent.parent.name == "scenarios" else path.name


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise NotFound(
            f"{path.name} is missing in {path.parent}. Commands run from the project's folder; "
            f"flows see only what is committed there: is {_named(path)} in git?"
        )
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise BadInput(f"{path.name} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise BadInput(f"{path.name} holds {type(values).__name__}, expected keys and values")
    return values
