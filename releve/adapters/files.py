"""Files and folders on this machine: params, JSON, Parquet."""

import hashlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import BaseModel

from releve.core.documents import REPRODUCE, D, parse_document
from releve.core.errors import BadInput, DiskFull, NotFound, StorageRefused, explained_storage
from releve.core.names import SCENARIO_NAME, check_scenario_name
from releve.core.params import Params, merge, parse
from releve.core.yaml_text import load_mapping
from releve.domain.decision.policy import DecisionTable
from releve.domain.prediction_log.hidden import hidden_columns
from releve.domain.schema.columns import CATEGORY
from releve.domain.schema.schema import TABLE_KEYS, Schema

if TYPE_CHECKING:
    import pandas as pd

Yaml = dict[str, Any]  # keys and values of a file, before they are checked


def read_params(project: Path, scenario: str | None = None) -> Params:
    """Read params.yaml with the scenario's overrides. Raise BadInput naming the file and the key."""
    if scenario is None:
        return parse(read_yaml(project / "params.yaml"), source="params.yaml")
    return _overridden(read_yaml(project / "params.yaml"), read_scenario(project, scenario), scenario)


def check_scenario_text(project: Path, scenario: str, text: str) -> None:
    """Raise what `read_params` would raise, were `text` in scenarios/<scenario>/params.yaml."""
    _overridden(read_yaml(project / "params.yaml"), load_mapping(text, source=_own(scenario)), scenario)


def parse_base(text: str) -> Params:
    """Read params.yaml from its text. Raise BadInput naming the key that is wrong."""
    return parse(load_mapping(text, source="params.yaml"), source="params.yaml")


def parse_scenario(scenario: str, *, base: str, own: str) -> tuple[Params, Schema]:
    """Read both from the texts of params.yaml and the scenario's own. Raise BadInput naming the file and the key."""
    values = load_mapping(own, source=_own(scenario))
    params = _overridden(load_mapping(base, source="params.yaml"), values, scenario)
    schema = Schema.from_dict(values, source=_own(scenario))
    for setting in ("dates", "units"):
        schema.check_settings(f"ingest.{setting}", getattr(params.ingest, setting), source=_own(scenario))
    schema.check_settings("index.filters", params.index.filters, source=_own(scenario), of_type=CATEGORY)
    for setting in ("hash", "drop", "keep_clear"):
        schema.check_settings(f"ledger.{setting}", getattr(params.ledger, setting), source=_own(scenario))
    hidden_columns(params.ledger, schema, source=_own(scenario))
    DecisionTable.of(params.decision, schema, source=_own(scenario))
    return params, schema


def _overridden(base: Yaml, own: Yaml, scenario: str) -> Params:
    overrides = {key: value for key, value in own.items() if key not in TABLE_KEYS}
    return parse(merge(base, overrides), source=f"params.yaml with {_own(scenario)}")


def read_schema(project: Path, scenario: str) -> Schema:
    """Read the scenario's feature schema. Raise BadInput naming the key that is wrong."""
    return Schema.from_dict(read_scenario(project, scenario), source=_own(scenario))


def _own(scenario: str) -> str:
    return f"scenarios/{scenario}/params.yaml"


def read_scenario(project: Path, scenario: str) -> Yaml:
    """Read scenarios/<scenario>/params.yaml. Raise NotFound naming the scenarios that exist."""
    path = project / "scenarios" / check_scenario_name(scenario) / "params.yaml"
    if not path.is_file():
        known = ", ".join(scenario_names(project)) or "none yet"
        raise NotFound(f"there is no scenario '{scenario}' (no scenarios/{scenario}/params.yaml); there are: {known}")
    return read_yaml(path)


def scenario_names(project: Path) -> list[str]:
    """List the scenarios that have a folder, in order. One whose name is not allowed, such as `churn copy`, is none."""
    names = (path.parent.name for path in (project / "scenarios").glob("*/params.yaml"))
    return sorted(name for name in names if SCENARIO_NAME.fullmatch(name))


MEMORY = "memory"  # folder below the scenario's, once a refresh was made
NO_MEMORY = ".gitignore"  # before; DVC wants a dependency that is there, and this file always is


@dataclass(frozen=True)
class PipelineInputs:
    """Rows and champion that the pipeline starts from. Flows write it on their branch; the user's tree has the seed."""

    rows: str  # folder below the scenario's: "seed" or "batches"
    champion: str  # model store tag, or "" when there is none
    memory: str = NO_MEMORY  # folder of the refresh before, below the scenario's
    search_cause: str = ""  # what opened a search for new members, and on which version of the data; "" for none
    without: tuple[str, ...] = ()  # columns whose newest cells are broken, so that no member may learn from them
    reweighs: str = ""  # model whose members stay as they are and get new weights; "" where members are fitted
    rejected: str = ""  # model that a person rolled back, so that what serves came back; "" for none
    taken_back: str = ""  # the same, where labels showed its harm
    taken_back_at: int = 0  # labelled rows that there were then: it served them until the champion came back
    brought: tuple[str, ...] = ()  # models that others fitted and that are members, in the folder `brought`
    alone: str = ""  # one of them, to be judged by itself; "" where a refresh is
    tried: bool = False  # an experiment: held against what serves on rows that this has learned, too


INPUTS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "rows": (lambda value: isinstance(value, str) and value != "", 'a folder: "seed" or "batches"'),
    "champion": (lambda value: value is None or isinstance(value, str), 'a model version, or "" when there is none'),
    "memory": (lambda value: isinstance(value, str) and value != "", 'a folder: "memory", or a file that has none'),
    "search_cause": (lambda value: isinstance(value, str), 'a cause of a search, or "" for none'),
    "without": (
        lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
        "a list of columns",
    ),
    "reweighs": (lambda value: isinstance(value, str), 'a model version, or "" where members are fitted'),
    "rejected": (lambda value: isinstance(value, str), 'a model version that was rolled back, or "" for none'),
    "taken_back": (lambda value: isinstance(value, str), 'a model version that was rolled back, or "" for none'),
    "taken_back_at": (lambda value: type(value) is int and value >= 0, "a number of rows"),
    "brought": (
        lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
        "a list of models that were brought",
    ),
    "alone": (lambda value: isinstance(value, str), 'a model that was brought, or "" for a refresh'),
    "tried": (lambda value: isinstance(value, bool), "true for an experiment, else false"),
}  # of inputs.yaml: the check of each key, and what is expected
# DVC refuses a key that is a section of params.yaml, as search is
OPTIONAL: Yaml = {
    "search_cause": "",
    "without": [],
    "reweighs": "",
    "rejected": "",
    "taken_back": "",
    "taken_back_at": 0,
    "brought": [],
    "alone": "",
    "tried": False,
}


def read_inputs(path: Path) -> PipelineInputs:
    """Read inputs.yaml. Raise BadInput naming the key that is missing or wrong."""
    values = OPTIONAL | read_yaml(path)
    for key, (fits, expected) in INPUTS.items():
        if key not in values:
            raise BadInput(f"{_named(path)} has no '{key}'; expected {expected}")
        if not fits(values[key]):
            raise BadInput(f"{_named(path)}: '{key}' is {values[key]!r}; expected {expected}")
    return PipelineInputs(
        values["rows"],
        values["champion"] or "",
        values["memory"],
        values["search_cause"],
        tuple(values["without"]),
        values["reweighs"],
        values["rejected"],
        values["taken_back"],
        values["taken_back_at"],
        tuple(values["brought"]),
        values["alone"],
        values["tried"],
    )


def write_inputs(path: Path, inputs: PipelineInputs) -> None:
    """Write inputs.yaml, comment included."""
    lines = ["# What the pipeline starts from. Flows write this file on the scenario's branch."]
    lines += [f"{key}: {json.dumps(value)}" for key, value in vars(inputs).items()]
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all. Raises DiskFull, StorageRefused."""
    with explained_storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_beside(path) as file:
            file.write(content)


@contextmanager
def written_beside(path: Path) -> Iterator[BinaryIO]:
    """A file that is written beside, flushed to disk and then renamed: a reader sees the old one or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def read_document(path: Path, model: type[D], *, source: str = "", remedy: str = REPRODUCE) -> D:
    """Read a JSON document. Raise BadInput naming `source`, else the file, what is wrong in it, and `remedy`."""
    return parse_document(path.read_bytes(), model, source=source or _named(path), remedy=remedy)


def write_document(path: Path, document: BaseModel) -> None:
    """Write a document as indented JSON."""
    write_json(path, document.model_dump(mode="json"))


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with a final newline. Raise ValueError for NaN."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode())


def write_parquet(path: Path, frame: "pd.DataFrame") -> None:
    """Write one Parquet file, whole or not at all."""
    write_bytes(path, frame.to_parquet(index=False))


class AppendedFile(ABC):
    """One file, written a frame at a time; it has its name once it is moved to it, whole.

    The first frame's columns and types hold for all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: Any = None  # has `close`; None without an append

    @abstractmethod
    def append(self, frame: "pd.DataFrame") -> None:
        """Add rows."""

    def close(self) -> None:
        """End the file; without a single append there is none."""
        if self._writer is not None:
            with explained_storage(self.path):
                self._writer.close()

    def move(self, path: Path) -> None:
        """Flush the closed file to disk and give it its name; nothing happens where nothing was appended."""
        if self._writer is not None:
            with explained_storage(path):
                with self.path.open("rb") as file:
                    os.fsync(file.fileno())
                path.parent.mkdir(parents=True, exist_ok=True)
                self.path.replace(path)

    def discard(self) -> None:
        """Leave nothing behind, not even where the end of the file does not fit on the disk."""
        try:
            with suppress(DiskFull, StorageRefused):
                self.close()
        finally:
            self.path.unlink(missing_ok=True)


class ParquetAppender(AppendedFile):
    """A Parquet file."""

    def append(self, frame: "pd.DataFrame") -> None:
        """Add rows. Raise what pyarrow raises where they do not have the first frame's types."""
        import pyarrow
        import pyarrow.parquet

        schema = self._writer.schema if self._writer else None
        table = pyarrow.Table.from_pandas(frame, schema=schema, preserve_index=False)
        with explained_storage(self.path):
            if self._writer is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._writer = pyarrow.parquet.ParquetWriter(self.path, table.schema)
            self._writer.write_table(table)


def file_digest(path: Path) -> str:
    """Return the sha256 of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _named(path: Path) -> str:
    """Name a file for people: below its project's scenarios/, wherever the checkout lies."""
    return f"scenarios/{path.parent.name}/{path.name}" if path.parent.parent.name == "scenarios" else path.name


def read_yaml(path: Path) -> Yaml:
    """Read a YAML file of keys and values. Raise NotFound, and BadInput naming the file."""
    if not path.is_file():
        raise NotFound(
            f"{path.name} is missing in {path.parent}. Commands run from the project's folder; "
            f"flows see only what is committed there: is {_named(path)} in git?"
        )
    return load_mapping(path.read_bytes(), source=_named(path))
