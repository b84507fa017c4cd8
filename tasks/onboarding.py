"""Bring a table: look at a file, and write the scenario that describes it, for a person to correct."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from releve.adapters.files import PipelineInputs, file_digest, read_params, write_bytes, write_inputs
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.tables.file_types import TableSample, read_sample
from releve.adapters.yaml_files import pipeline_text
from releve.core.config_hint import command_hint
from releve.core.errors import BadInput, Conflict, NotFound, explained_storage
from releve.core.names import check_scenario_name
from releve.core.params import Ingest, merge, parse
from releve.core.settings import Settings
from releve.domain.ingestion.cell_formats import CellFormats, read_cells
from releve.domain.onboarding.findings import Finding, in_order
from releve.domain.onboarding.rejections import Rejections, no_rows, rejection_findings, rejections_of
from releve.domain.onboarding.settings import as_sections
from releve.domain.onboarding.table import Described, Roles, Sample, describe
from releve.domain.onboarding.writing import params_text
from releve.domain.schema.schema import TABLE_KEYS, Schema
from releve.domain.schema.validation import check_columns, check_frame
from tasks.ingestion.batches import as_text
from tasks.ingestion.intake import csv_options
from tasks.places import ScenarioFiles, ScenarioState

ROUNDS = 5  # of inferring from what is accepted; two are the rule, one where nothing is rejected
SAMPLE_ROWS = 50_000  # rows that are looked at, from the first on
TEMPLATE = "digits"  # whose pipeline is copied, while it is there
GIT_IGNORED = "/batches\n/build\n"  # DVC holds them
DVC_IGNORED = "dvc.yaml\n"  # on main: the rows lie on the scenario's branch alone


@dataclass(frozen=True)
class Scaffolded:
    """What was written, and where the data waits to be ingested."""

    folder: Path
    incoming: Path
    described: Described
    rejections: Rejections  # what ingestion will reject of the sample


def scaffold(settings: Settings, scenario: str, *, data: Path, roles: Roles) -> Scaffolded:
    """Write scenarios/<scenario>/ from what `data` shows, and copy `data` into the scenario's incoming folder.

    All of it appears or nothing does. Raises Conflict when the scenario exists or left a branch or another file behind,
    NotFound when there is no such file, BadInput when it cannot be read or cannot be learned from.
    """
    files, state = (
        ScenarioFiles(settings.project, check_scenario_name(scenario)),
        ScenarioState(settings.home, scenario),
    )
    incoming = state.incoming / data.name.lstrip(".")  # ingestion takes no file whose name begins with a dot
    _check_new(files, data=data, incoming=incoming)
    base = read_params(settings.project).model_dump()
    params = parse(merge(base, as_sections(roles.settings)), source="params.yaml with what you set")
    found = read_sample(data, SAMPLE_ROWS, options=csv_options(params.ingest, say=command_hint))
    described, rejections = _settled(found, _sample(found, data, params.ingest), roles, base=base, params=params.ingest)
    beside = files.folder.parent / ".new" / scenario  # deeper than any scenario, so that nobody takes it for one
    try:
        _write(beside, described, scenario, template=_template(settings.project), base=base)
        _copy(data, incoming)
        beside.rename(files.folder)
    finally:
        shutil.rmtree(beside.parent, ignore_errors=True)
    return Scaffolded(files.folder, incoming, described, rejections)


def refresh(settings: Settings) -> list[str]:
    """Give every scenario's dvc.yaml the stages of the template; names of the scenarios whose file changed."""
    template = _template(settings.project)
    changed = []
    for path in sorted((settings.project / "scenarios").glob("*/dvc.yaml")):
        text = pipeline_text(template, scenario=path.parent.name)
        if path.parent.name != TEMPLATE and text != path.read_text(encoding="utf-8"):
            write_bytes(path, text.encode())
            changed.append(path.parent.name)
    return changed


def _check_new(files: ScenarioFiles, *, data: Path, incoming: Path) -> None:
    name = files.scenario
    if files.folder.exists():
        raise Conflict(f"scenarios/{name} exists already; choose another name, or remove the folder to begin anew")
    if ScenarioBranch(files.project, name).tip():
        raise Conflict(
            f"the branch releve/{name} holds the rows of an earlier scenario of this name; choose another name, or "
            f"set it aside: git branch --move releve/{name} {name}-before"
        )
    if not data.is_file():
        raise NotFound(f"there is no file {data}; give the path of a table (.csv, .parquet, .jsonl and others)")
    if incoming.exists() and file_digest(incoming) != file_digest(data):
        raise Conflict(f"another file waits already as {incoming}; move it away, or give {data.name} another name")


def _sample(found: TableSample, data: Path, params: Ingest) -> Sample:
    unread = tuple(f"line {line.row}: {line.reason}" for line in found.lines)
    return Sample(as_text(data.name), found.read_as, found.frame, found.is_text, found.complete, unread, found.notes)


def _settled(
    found: TableSample, sample: Sample, roles: Roles, *, base: dict[str, Any], params: Ingest
) -> tuple[Described, Rejections]:
    """Infer from the rows that ingestion will accept by what was inferred from them, and tell what it will reject.

    A row that is rejected adds no class, category or bound. Without it another row may fit no more, or fit again, so
    this is repeated until it settles; what is told is always what the schema that is written rejects.
    """
    special = no_rows(found.frame) if found.frame.columns.is_unique else {}
    without: frozenset[int] = frozenset(special)
    rejections = Rejections(0)
    for _ in range(ROUNDS):
        try:
            described = describe(sample, roles, base=base, without=without)
        except BadInput as error:
            told = [finding.text for finding in _told(found, rejections, special, roles, params) if rejections.total]
            raise BadInput(". Besides, ".join([str(error), *told])) from None
        written = parse(merge(base, as_sections(described.overrides)), source="the new params.yaml").ingest
        rejections = _rejections(found, described, special, written)
        rejected = rejections.rows | special.keys()
        if rejected == without or len(rejected) == len(found.frame):
            break
        without = rejected
    findings = in_order([*_told(found, rejections, special, roles, params), *described.findings])
    return replace(described, findings=findings), rejections


def _rejections(found: TableSample, described: Described, special: dict[int, str], params: Ingest) -> Rejections:
    """By ingestion's own functions."""
    schema = Schema.from_dict(described.table, source="the new params.yaml")
    check_columns(schema, list(found.frame.columns), source="the file")
    read = read_cells(found.frame, schema, CellFormats.of(params), is_text=found.is_text)
    checked = check_frame(schema, read.frame)
    unread = len(found.lines)
    return rejections_of(
        checked, looked_at=len(found.frame) + unread, is_whole=found.complete, unread=unread, special=special
    )


def _told(
    found: TableSample, rejections: Rejections, special: dict[int, str], roles: Roles, params: Ingest
) -> list[Finding]:
    return rejection_findings(
        rejections, special=special, lines=found.rows, target=roles.target, allowed=params.max_rejected_share
    )


def _template(project: Path) -> str:
    """The pipeline of the bundled scenario, or of any other when that one was removed."""
    known = sorted((project / "scenarios").glob("*/dvc.yaml"), key=lambda path: (path.parent.name != TEMPLATE, path))
    if not known:
        raise NotFound(f"there is no pipeline to copy; restore one: git checkout HEAD -- scenarios/{TEMPLATE}/dvc.yaml")
    return known[0].read_text(encoding="utf-8")


def _write(folder: Path, described: Described, scenario: str, *, template: str, base: dict[str, Any]) -> None:
    """The scenario's files in `folder`; the params are read back as every step will read them."""
    shutil.rmtree(folder, ignore_errors=True)
    text = params_text(described, scenario=scenario)
    _check(yaml.safe_load(text), described, base)
    for name, content in {
        "params.yaml": text,
        "dvc.yaml": pipeline_text(template, scenario=scenario),
        ".gitignore": GIT_IGNORED,
        ".dvcignore": DVC_IGNORED,
    }.items():
        write_bytes(folder / name, content.encode())
    write_inputs(folder / "inputs.yaml", PipelineInputs("batches", "", 0))


def _check(values: dict[str, Any], described: Described, base: dict[str, Any]) -> None:
    table = {key: value for key, value in values.items() if key in TABLE_KEYS}
    overrides = {key: value for key, value in values.items() if key not in TABLE_KEYS}
    if table != described.table:
        raise BadInput("a name or a value of this table cannot be written as YAML; rename the columns in the file")
    Schema.from_dict(table, source="the new params.yaml")
    parse(merge(base, overrides), source="the new params.yaml")


def _copy(data: Path, incoming: Path) -> None:
    """A copy, since what is ingested is moved, and the person's own file stays; hidden from a run until it is whole."""
    if incoming.exists():
        return
    incoming.parent.mkdir(parents=True, exist_ok=True)
    beside = incoming.with_name(f".{os.getpid()}.tmp")  # a longer name than the file's own may be too long
    try:
        with explained_storage(incoming):
            shutil.copyfile(data, beside)
            beside.replace(incoming)
    finally:
        beside.unlink(missing_ok=True)


def report(made: Scaffolded, *, project: Path) -> str:
    """What was seen, what is doubtful, and the next two commands."""
    name = made.folder.name
    doubts = [f"{number:>2}. {finding.text}" for number, finding in enumerate(made.described.findings, start=1)]
    parts = [
        "\n".join(made.described.summary),
        "\n".join(["To look at, the weightiest first:", *doubts]) if doubts else "Nothing looks odd.",
        f"Written: {_short(made.folder, project)}/, of which params.yaml is yours to correct (docs/bring_a_table.md). "
        f"A copy of the file waits in {_short(made.incoming.parent, project)}/.",
        f"Next:\n  git add scenarios/{name} && git commit -m 'Add the scenario {name}'\n"
        f"  make down up retrain SCENARIO={name} RELEVE_SCENARIO={name}",
    ]
    return "\n\n".join(parts)


def _short(path: Path, project: Path) -> Path:
    return path.relative_to(project) if path.is_relative_to(project) else path
