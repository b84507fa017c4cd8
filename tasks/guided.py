"""Bring a table step by step, as a person who is no expert does it: upload, choose, answer, begin.

What was uploaded and what was answered lies in a folder of its own below the home until the scenario is begun, so that
the person, or the program, may leave and come back.
"""

import re
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from releve.adapters.files import (
    read_document,
    read_params,
    scenario_names,
    write_bytes,
    write_document,
    written_beside,
)
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.models.description import read_description
from releve.adapters.models.model_runtime import schema_of
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.adapters.tables.file_types import FILE_TYPES, read_sample
from releve.core.config_hint import command_hint
from releve.core.errors import BadInput, Conflict, NotFound, ReleveError, explained_storage
from releve.core.formatting import listed, plural
from releve.core.names import check_scenario_name
from releve.core.settings import Settings
from releve.domain.onboarding.params_file import ScenarioDraft
from releve.domain.onboarding.profiles import profile
from releve.domain.onboarding.questions import TableQuestion, answered, questions
from releve.domain.onboarding.table import Roles
from releve.serving.openapi.cells import answering_row
from tasks.ingestion.intake import csv_options
from tasks.onboarding import check_free, scaffold, understand
from tasks.places import ScenarioFiles

PREVIEW_ROWS = 2_000  # from which columns are shown; what they are is inferred from more
EXAMPLES = 3  # different values of a column
ROUNDS = 5  # of questions that answers bring up
UPLOAD = re.compile(r"[0-9a-f]{16}")
WISHES, SCAFFOLDED = "wishes.json", "scaffolded"  # the latter: the name of the scenario that was written from it
LONGEST_NAME = 120  # bytes


class Wishes(BaseModel):
    """What a person said of an uploaded table. `answers`: the choice's key by the question's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    file: str
    scenario: str = ""
    target: str = ""
    time: str = ""
    id: str = ""
    answers: dict[str, str] = {}
    begun: bool = False

    @property
    def roles(self) -> Roles:
        return Roles(self.target, self.time or None, self.id or None)


@dataclass(frozen=True)
class PreviewColumn:
    """A column of an uploaded table, as it is shown to be chosen from."""

    name: str
    type: str
    examples: tuple[str, ...]
    distinct: int


@dataclass(frozen=True)
class Understood:
    """What a table was taken for with the answers so far."""

    draft: ScenarioDraft
    asked: Sequence[TableQuestion]
    told: Sequence[str]
    roles: Roles  # with the answers

    def open_questions(self, answers: Mapping[str, str]) -> list[TableQuestion]:
        """Those that were not answered."""
        return [question for question in self.asked if question.key not in answers]

    def to_mend(self, answers: Mapping[str, str]) -> list[TableQuestion]:
        """Those after which the table has to be corrected first."""
        return [question for question in self.asked if question.chosen(answers).mends]


@dataclass(frozen=True)
class Upload:
    """An uploaded table and its place."""

    folder: Path

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def wishes(self) -> Wishes:
        return read_document(self.folder / WISHES, Wishes, remedy="upload the file again")

    @property
    def data(self) -> Path:
        return self.folder / self.wishes.file

    def has_written(self, scenario: str) -> bool:
        """Whether the folder of that scenario was written from it."""
        mine = self.folder / SCAFFOLDED
        return mine.is_file() and mine.read_text(encoding="utf-8") == scenario

    def wish(self, **changes: Any) -> Wishes:
        """Keep what a person said."""
        wishes = self.wishes.model_copy(update=changes)
        write_document(self.folder / WISHES, wishes)
        return wishes


def receive(settings: Settings, name: str, pieces: Iterable[bytes]) -> Upload:
    """Keep a file that is sent, under the last part of its name. Raises BadInput for one that is no table by its name
    or has no rows that can be read, StorageFull where the disk is full."""
    file = _file_name(name)
    folder = _place(settings) / secrets.token_hex(8)
    folder.mkdir(parents=True)
    try:
        with explained_storage(folder / file), written_beside(folder / file) as stream:
            for piece in pieces:
                stream.write(piece)
        write_document(folder / WISHES, Wishes(file=file, scenario=_free_name(settings, file)))
        preview(settings, Upload(folder))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Upload(folder)


def find(settings: Settings, upload: str) -> Upload:
    """Raises NotFound."""
    folder = _place(settings) / upload
    if not UPLOAD.fullmatch(upload) or not (folder / WISHES).is_file():
        raise NotFound("there is no such uploaded table; upload the file again")
    return Upload(folder)


def uploads(settings: Settings) -> list[Upload]:
    """All that were not begun yet, the newest first."""
    found = [Upload(path.parent) for path in _place(settings).glob(f"*/{WISHES}")]
    return sorted(
        (each for each in found if not each.wishes.begun), key=lambda each: each.folder.stat().st_mtime, reverse=True
    )


def preview(settings: Settings, upload: Upload) -> list[PreviewColumn]:
    """The columns of an uploaded table, in their order. Raises BadInput for a file that cannot be read."""
    options = csv_options(read_params(settings.project).ingest, say=command_hint)
    sample = read_sample(upload.data, PREVIEW_ROWS, options=options)
    if not sample.frame.columns.is_unique:
        names = [*map(str, sample.frame.columns)]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise BadInput(f"the file has {listed(map(repr, twice))} twice; give each column a name of its own")
    columns = []
    for name in sample.frame.columns:
        found = profile(str(name), sample.frame[name], as_text=sample.is_text)
        shown = tuple(str(value)[:40] for value in [*found.counts][:EXAMPLES])
        columns.append(PreviewColumn(str(name), found.type or "empty", shown, found.distinct))
    return columns


def choose(settings: Settings, upload: Upload, scenario: str, **roles: str) -> None:
    """Keep which columns were chosen, and the scenario's name; what was answered before is asked anew.

    Raises BadInput for what is no name, Conflict where it is taken.
    """
    files = ScenarioFiles(settings.project, check_scenario_name(scenario))
    if not upload.has_written(scenario):
        check_free(files)
    upload.wish(answers={}, scenario=scenario, **roles)


def look(settings: Settings, upload: Upload) -> Understood:
    """What the table is taken for, and what is doubted, with the answers so far.

    Raises BadInput where nothing can be learned from it, or a column that was chosen is not there.
    """
    wishes, every = upload.wishes, dict[str, TableQuestion]()
    roles, asked, told = wishes.roles, list[TableQuestion](), list[str]()
    for _ in range(ROUNDS):
        draft, _ = understand(settings, data=upload.data, roles=roles)
        asked, told = questions(draft.issues, target=wishes.target)
        every |= {question.key: question for question in asked}
        if (now := answered(wishes.roles, [*every.values()], wishes.answers)) == roles:
            break
        roles = now
    keys = {question.key for question in asked}  # an answer may have settled its question, and counts on
    settled = [each for key, each in every.items() if key not in keys and key in wishes.answers]
    return Understood(draft, [*asked, *settled], told, roles)


def begin(settings: Settings, upload: Upload) -> str:
    """Write the scenario and commit its folder alone; its name. Doing so again, as after a kill, changes nothing.

    Raises BadInput while a question has no answer or the table has to be corrected, Conflict where the name is taken.
    """
    wishes, seen = upload.wishes, look(settings, upload)
    if mend := seen.to_mend(wishes.answers):
        raise BadInput(f"correct the file, and upload it again: {mend[0].details}")
    if unanswered := seen.open_questions(wishes.answers):
        number = len(unanswered)
        raise BadInput(f"{number} {plural(number, 'question is', 'questions are')} open: {unanswered[0].says}")
    name = check_scenario_name(wishes.scenario)
    folder = ScenarioFiles(settings.project, name).folder
    mine = upload.folder / SCAFFOLDED  # a run that was killed after it wrote the folder goes on from there
    if not (folder.exists() and upload.has_written(name)):
        if folder.exists():
            raise Conflict(f"there is a scenario {name} already; choose another name")
        write_bytes(mine, name.encode())
        try:
            scaffold(settings, name, data=upload.data, roles=seen.roles)
        except ReleveError:
            mine.unlink(missing_ok=True)
            raise
    place = f"scenarios/{name}"
    git(settings.project, "add", "--", place)
    if git(settings.project, "diff", "--cached", "--name-only", "--", place):
        git(settings.project, "commit", "--quiet", "-m", f"Add the scenario {name}", "--", place)
    return name


def close(upload: Upload) -> None:
    """Its scenario is begun, and a run of it was started: a copy of the file waits there, or was ingested."""
    upload.wish(begun=True)
    upload.data.unlink(missing_ok=True)


@dataclass(frozen=True)
class ServedModel:
    """What serves a scenario, and a row that it can be asked."""

    model: str
    row: Mapping[str, Any]


def check_known(settings: Settings, scenario: str) -> None:
    """Raise NotFound for a scenario that nobody began."""
    if scenario not in (names := scenario_names(settings.project)):
        raise NotFound(f"there is no scenario {scenario}; there are: {listed(names, most=20) or 'none yet'}")


def served(settings: Settings, scenario: str) -> ServedModel | None:
    """What serves now, None for nothing."""
    with closing(Registry(settings.registry_url)) as registry:
        current = registry.current(scenario)
    if current is None:
        return None
    model = current.release.model
    folder = ModelStore(settings.home).folder(model)
    golden = read_description(folder, tag=model).golden.rows
    return ServedModel(model, answering_row(schema_of(folder, tag=model), golden))


def _place(settings: Settings) -> Path:
    return settings.home / "guide"


def _file_name(name: str) -> str:
    """The last part of a name as browsers send it, without what no file name needs."""
    file = re.sub(r"[^\w.() -]", "_", re.split(r"[/\\]", name)[-1]).lstrip(". ")
    while len(file.encode()) > LONGEST_NAME:
        file = file[1:].lstrip(". ")
    if not file.lower().endswith(tuple(FILE_TYPES)):
        raise BadInput(f"{file or 'this'} is no table by its name; expected one that ends in {', '.join(FILE_TYPES)}")
    return file


def _free_name(settings: Settings, file: str) -> str:
    """A name for the scenario, from the file's."""
    plain = re.sub(r"[^a-z0-9]+", "_", file.partition(".")[0].lower()).strip("_")[:30].strip("_")
    base = plain if plain[:1].isalpha() else f"table_{plain}".rstrip("_")
    taken = {*scenario_names(settings.project)}
    return next(name for name in (base, *(f"{base}_{number}" for number in range(2, 10_000))) if name not in taken)
