"""Bring a table: profile a file, and write the scenario that describes it, for a person to correct."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from releve.adapters.files import (
    PipelineInputs,
    file_digest,
    read_params,
    read_yaml,
    scenario_names,
    write_bytes,
    write_inputs,
)
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.tables.file_types import TableSample, read_sample
from releve.adapters.tables.image_files import read_images
from releve.adapters.yaml_files import pipeline_text
from releve.core.config_hint import command_hint
from releve.core.errors import BadInput, Conflict, NotFound, explained_storage
from releve.core.formatting import listed
from releve.core.names import check_scenario_name
from releve.core.params import Params, merge, parse
from releve.core.settings import Settings
from releve.core.yaml_text import load_mapping
from releve.domain.features.proposal import propose
from releve.domain.ingestion.cell_formats import CellFormats, read_cells
from releve.domain.onboarding.issues import MARKER, Issue, ranked
from releve.domain.onboarding.params_file import ScenarioDraft, SettingOverride, params_text, with_overrides
from releve.domain.onboarding.rejections import Rejections, no_rows, rejection_issues, rejections_of
from releve.domain.onboarding.table import NewTable, Roles, describe
from releve.domain.schema.columns import IMAGE
from releve.domain.schema.schema import TABLE_KEYS, Schema
from releve.domain.schema.validation import check_columns, check_frame
from tasks.ingestion.batches import as_text
from tasks.ingestion.intake import csv_options
from tasks.places import ScenarioFiles, ScenarioState

if TYPE_CHECKING:
    import pandas as pd

ROUNDS = 5  # of inferring from what is accepted; two are the rule, one where nothing is rejected
SAMPLE_ROWS = 50_000  # rows to infer from, from the first on
TEMPLATE = "digits"  # whose pipeline is copied, while it is there


@dataclass(frozen=True)
class Scaffolded:
    """What was written, and where the data waits to be ingested."""

    folder: Path
    incoming: Path
    draft: ScenarioDraft
    rejections: Rejections  # what ingestion will reject of the sample


@dataclass(frozen=True, eq=False)
class _Settled:
    draft: ScenarioDraft
    rejections: Rejections
    accepted: "pd.DataFrame"  # rows of the sample


def scaffold(settings: Settings, scenario: str, *, data: Path, roles: Roles) -> Scaffolded:
    """Write scenarios/<scenario>/ from what `data` shows, and copy `data` into the scenario's incoming folder.

    All of it appears or nothing does. Raises Conflict when the scenario exists or left a branch or another file behind,
    NotFound when there is no such file, BadInput when it cannot be read or cannot be learned from.
    """
    files = ScenarioFiles(settings.project, check_scenario_name(scenario))
    incoming = ScenarioState(settings.home, scenario).incoming / data.name.lstrip(".")  # no hidden file is ingested
    _check_new(files, data=data, incoming=incoming)
    found = _understand(settings, data=data, roles=roles)
    draft, rejections = _with_features(found.draft, found.accepted, read_params(settings.project)), found.rejections
    text = params_text(draft, scenario=scenario)
    _check_written(text, draft, read_params(settings.project))
    beside = files.folder.parent / ".new" / scenario  # deeper than any scenario, so that nobody takes it for one
    shutil.rmtree(beside, ignore_errors=True)
    try:
        for name, content in {
            "params.yaml": text,
            "dvc.yaml": pipeline_text(_template(settings.project), scenario=scenario),
            ".gitignore": "/batches\n/build\n/memory\n/brought\n",  # DVC holds them
            ".dvcignore": "dvc.yaml\n",  # on main: the rows lie on the scenario's branch alone
        }.items():
            write_bytes(beside / name, content.encode())
        write_inputs(beside / "inputs.yaml", PipelineInputs("batches", ""))
        _copy(data, incoming)
        beside.rename(files.folder)
    finally:
        shutil.rmtree(beside.parent, ignore_errors=True)
    return Scaffolded(files.folder, incoming, draft, rejections)


def understand(settings: Settings, *, data: Path, roles: Roles) -> tuple[ScenarioDraft, Rejections]:
    """What `scaffold` would write, and what ingestion would then reject of the sample. Nothing is written.

    Raises BadInput when `data` cannot be read or cannot be learned from.
    """
    found = _understand(settings, data=data, roles=roles)
    return found.draft, found.rejections


def _understand(settings: Settings, *, data: Path, roles: Roles) -> _Settled:
    base = read_params(settings.project)
    params = with_overrides(base, roles.settings, source="params.yaml with what you set")
    sample = read_sample(data, SAMPLE_ROWS, options=csv_options(params.ingest, say=command_hint))
    return _settled(sample, data, roles, base=base, home=settings.home, allowed=params.ingest.max_rejected_share)


def refresh(settings: Settings) -> list[str]:
    """Give every scenario's dvc.yaml the stages of the template; return the scenarios whose file changed.

    Raises BadInput for a file that is broken, Conflict for one with stages that would be lost; then none is changed.
    """
    template = _template(settings.project)
    stages = load_mapping(template, source="the dvc.yaml to copy").get("stages") or {}
    changed = {}
    for path in sorted((settings.project / "scenarios").glob("*/dvc.yaml")):
        if path.parent.name == TEMPLATE:
            continue
        if own := [name for name in read_yaml(path).get("stages") or {} if name not in stages]:
            raise Conflict(
                f"scenarios/{path.parent.name}/dvc.yaml has stages that the pipeline of today does not have: "
                f"{listed(own)}. Move your own to a dvc.yaml in another folder, remove others, then run this again; "
                "nothing was changed"
            )
        text = pipeline_text(template, scenario=path.parent.name)
        if text.encode() != path.read_bytes():
            changed[path] = text
    for path, text in changed.items():
        write_bytes(path, text.encode())
    return [path.parent.name for path in changed]


def check_free(files: ScenarioFiles) -> None:
    """Raise Conflict where the name of a new scenario is taken, or too near to another one."""
    name = files.scenario
    if files.folder.exists():
        raise Conflict(f"scenarios/{name} exists already; choose another name, or remove the folder to begin anew")
    alike = {each.replace("_", "-").strip("-"): each for each in scenario_names(files.project)}
    if twin := alike.get(name.replace("_", "-").strip("-")):
        raise Conflict(
            f"{name} and the scenario {twin} differ by '-' and '_' alone, which Milvus, Prefect's artifacts and "
            "Kubeflow do not tell apart; choose another name"
        )
    if ScenarioBranch(files.project, name).tip():
        raise Conflict(
            f"the branch releve/{name} holds the rows of an earlier scenario of this name; choose another name, or "
            f"set it aside: git branch --move releve/{name} {name}-before"
        )


def _check_new(files: ScenarioFiles, *, data: Path, incoming: Path) -> None:
    check_free(files)
    if data.is_dir():
        raise BadInput(f"{data} is a folder; give the path of one file in it (.csv, .parquet, .jsonl and others)")
    if not data.is_file():
        raise NotFound(f"there is no file {data}; give the path of a table")
    if incoming.exists() and file_digest(incoming) != file_digest(data):
        raise Conflict(f"another file waits already as {incoming}; move it away, or give {data.name} another name")


def _settled(sample: TableSample, data: Path, roles: Roles, *, base: Params, home: Path, allowed: float) -> _Settled:
    """Infer from the rows that ingestion will accept by what was inferred from them, and add what it will reject.

    A row that is rejected adds no class, category or bound. Without it another row may fit no more, or fit again, so
    this is repeated until it settles; the issues are always what the schema that is written rejects.
    """
    frame, is_text = sample.frame, sample.is_text
    unread = tuple(f"line {line.row}: {line.reason}" for line in sample.lines)
    table = NewTable(as_text(data.name), sample.read_as, frame, is_text, sample.complete, unread, sample.notes)
    special = no_rows(frame) if frame.columns.is_unique else {}
    without: frozenset[int] = frozenset(special)
    rejections, issues, markers = Rejections(0), list[Issue](), list[Issue]()
    for _ in range(ROUNDS):
        try:
            draft = _with_image_folder(describe(table, roles, base=base, without=without), data)
            markers = markers or [issue for issue in draft.issues if issue.kind == MARKER]
        except BadInput as error:
            besides = [issue.text for issue in issues if rejections.total]
            raise BadInput(". Besides, ".join([str(error), *besides])) from None
        # By ingestion's own functions.
        written = with_overrides(base, draft.overrides, source="the new params.yaml").ingest
        schema = Schema.from_dict(draft.table, source="the new params.yaml")
        check_columns(schema, list(frame.columns), source="the file")
        read = read_cells(frame, schema, CellFormats.of(written), is_text=is_text)
        checked = check_frame(schema, read_images(read.frame, schema, home / written.images))
        rejections = rejections_of(
            checked,
            rows=len(frame) + len(unread),
            is_whole=sample.complete,
            unread=len(unread),
            special=special,
        )
        issues = list(
            rejection_issues(rejections, special=special, lines=sample.rows, target=roles.target, allowed=allowed)
        )
        rejected = rejections.rows | special.keys()
        if rejected == without or len(rejected) == len(frame):
            break
        without = rejected
    others = [issue for issue in draft.issues if issue.kind != MARKER]  # the first round saw all of their cells
    return _Settled(replace(draft, issues=ranked([*issues, *markers, *others])), rejections, checked.accepted)


def _with_features(draft: ScenarioDraft, rows: "pd.DataFrame", base: Params) -> ScenarioDraft:
    """Add the features that may be given to a table in time order, with what each is worth."""
    params = with_overrides(base, draft.overrides, source="the new params.yaml")
    proposals = propose(draft.table, rows, params)
    chosen = [each.spec for each in proposals if each.chosen]
    return replace(draft, table={**draft.table, "features": chosen[0]} if chosen else draft.table, proposals=proposals)


def _with_image_folder(draft: ScenarioDraft, data: Path) -> ScenarioDraft:
    """Say where paths of images begin, unless a person has: at the file, which ingestion reads elsewhere."""
    is_said = any((each.section, each.key) == ("ingest", "images") for each in draft.overrides)
    if is_said or all(column["type"] != IMAGE for column in draft.table["columns"].values()):
        return draft
    here = SettingOverride("ingest", "images", str(data.resolve().parent), "where the paths in the file begin")
    return replace(draft, overrides=[*draft.overrides, here])


def _check_written(text: str, draft: ScenarioDraft, base: Params) -> None:
    """Read params.yaml back as every step will read it. Raises BadInput where it is not what was meant."""
    values = load_mapping(text, source="the new params.yaml")
    table = {key: value for key, value in values.items() if key in TABLE_KEYS}
    overrides = {key: value for key, value in values.items() if key not in TABLE_KEYS}
    if table != draft.table:
        raise BadInput("a name or a value of this table cannot be written as YAML; rename the columns in the file")
    Schema.from_dict(table, source="the new params.yaml")
    parse(merge(base.model_dump(), overrides), source="the new params.yaml")


def _template(project: Path) -> str:
    """Read the pipeline of the bundled scenario, or of any other when that one was removed."""
    known = sorted((project / "scenarios").glob("*/dvc.yaml"), key=lambda path: (path.parent.name != TEMPLATE, path))
    if not known:
        raise NotFound(f"there is no pipeline to copy; restore one: git checkout HEAD -- scenarios/{TEMPLATE}/dvc.yaml")
    return known[0].read_text(encoding="utf-8")


def _copy(data: Path, incoming: Path) -> None:
    """Copy, as what is ingested is moved, and the person's own file stays; hidden from a run until it is whole."""
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
    """Say what was seen, the issues, and the next two commands."""

    def short(path: Path) -> Path:
        return path.relative_to(project) if path.is_relative_to(project) else path

    name = made.folder.name
    issues = [f"{number:>2}. {issue.text}" for number, issue in enumerate(made.draft.issues, start=1)]
    proposed = [
        f" - {'added' if each.chosen else 'left to you'}: {each.spec}: {each.worth}" for each in made.draft.proposals
    ]
    parts = [
        "\n".join(made.draft.summary),
        "\n".join(["To check, the most serious first:", *issues]) if issues else "No issues found.",
        *(["\n".join(["Features that nobody has to send (docs/features.md):", *proposed])] if proposed else []),
        f"Written: {short(made.folder)}/, of which params.yaml is yours to correct (docs/bring_a_table.md). "
        f"A copy of the file waits in {short(made.incoming.parent)}/.",
        f"Next:\n  git add scenarios/{name} && git commit -m 'Add the scenario {name}'\n"
        f"  make down up retrain SCENARIO={name}",
    ]
    return "\n\n".join(parts)
