"""Incoming files become versioned batches; rows that do not fit go to quarantine, each with its reason.

Rows in = rows accepted + rows rejected, for every file. A file that cannot be used as a whole is moved to another
folder, beside its reason, and so is what is no file at all; the others are ingested all the same.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import Literal

from releve.adapters import telemetry
from releve.adapters.files import file_digest, read_document, write_document
from releve.adapters.git_dvc.committed import Committed, read_committed
from releve.adapters.git_dvc.data_history import DataHistory
from releve.adapters.git_dvc.data_versions import DataVersions
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.lineage import FILES, LineageDataset, RunLineage, tells_lineage
from releve.adapters.registry.database import RegistryUnavailable
from releve.adapters.registry.registry import Registry
from releve.adapters.scenario_lock import scenario_lock
from releve.core.documents import DocumentPart
from releve.core.errors import BadInput, Conflict
from releve.core.formatting import counted, plural
from releve.core.progress import show_reading
from releve.core.settings import Settings
from releve.domain.ingestion.batch_checks import BatchProfile
from releve.domain.registry.chain import INGESTED
from releve.domain.registry.events import BatchIngested, BatchOrigin, FileRefusal, FilesRefused
from releve.domain.registry.release import SEED_VERSION
from tasks.history import events_of
from tasks.ingestion.batches import OpenBatches, as_text, read_batches
from tasks.ingestion.intake import take_in
from tasks.ingestion.known_values import refresh_known_values
from tasks.places import ScenarioState

NOTE = ".reason.json"  # ends the name of the RefusalNote beside a refused file
LONGEST_NAME = 180  # bytes of a name that is kept whole; file systems end at 255, and a note's name is longer


@dataclass(frozen=True)
class IncomingFile:
    """A file that is to be ingested; or, of what cannot be read, why not."""

    path: Path
    digest: str = ""  # sha256
    size: int = 0  # bytes
    arrived: str = ""  # ISO 8601, UTC
    problem: str = ""
    origin: BatchOrigin = BatchOrigin.FILE  # answers are known once it is read


@dataclass(frozen=True)
class Refusal:
    """A file that was not ingested, and what to do."""

    source: str  # the file's name, as it can be shown
    reason: str
    path: Path  # where it waited


class RefusalNote(DocumentPart):
    """The document beside a refused file."""

    format: Literal[1] = 1
    reason: str
    to_do: str
    sha256: str  # of the file; "" for what is no file


@dataclass(frozen=True)
class Ingestion:
    """The results of one run over the incoming folder."""

    batches: tuple[BatchIngested, ...]
    duplicates: tuple[Refusal, ...]
    refusals: tuple[Refusal, ...]
    refused: Path | None = None  # the folder of the files that were refused
    short_lags: str = ""  # why lags would be missing at answers, where there are too many values to know

    def __bool__(self) -> bool:
        """Whether there was any file."""
        return bool(self.batches or self.duplicates or self.refusals)


def _lineage(settings: Settings, scenario: str, done: Ingestion) -> RunLineage:
    """Say which files became which version of the rows."""
    history = DataHistory(settings.project, scenario)
    version = history.newest() if done.batches else None
    if version is None:
        return RunLineage()
    incoming, schema = ScenarioState(settings.home, scenario).incoming, history.schema(version)
    fields = [*((each.name, each.type) for each in schema.columns), (schema.target.name, schema.target.task)]
    rows = LineageDataset(f"{scenario}.rows", version=version.data_version, rows=version.rows, fields=fields)
    files = [
        LineageDataset(str(incoming / each.source), FILES, version=each.sha256, rows=each.rows) for each in done.batches
    ]
    return RunLineage(files, [rows])


@tells_lineage("ingest", _lineage)
def ingest(settings: Settings, scenario: str, *, actor: str = "ingest") -> Ingestion:
    """Ingest every file of the scenario's incoming folder, in the order of their names.

    "Newest" means ingested last from then on; within a file, the scenario's `time` orders the rows where it has one.

    Raise NotFound for an unknown scenario, BadInput, ScenarioBusy, PipelineFailed when the remote is away (nothing has
    moved then: the same command resumes), Conflict where the registry has batches of another clone.
    """
    truth = read_committed(settings, scenario)
    state = ScenarioState(settings.home, scenario)
    state.incoming.mkdir(parents=True, exist_ok=True)
    pulled: set[Path] = set()
    with scenario_lock(settings.home, scenario, holder="ingest", wait_seconds=settings.wait_seconds) as lock:
        if truth.params.source.query or state.pulled.is_dir():
            from tasks.ingestion.pull import pull, pulled_files  # only such scenarios need the database side

            pull(truth.params.source, state, environ=os.environ)
            pulled = pulled_files(state)
        paths = [path for path in sorted(state.incoming.iterdir()) if not path.name.startswith(".")]
        incoming = [
            replace(inspect_file(path), origin=BatchOrigin.QUERY if path in pulled else BatchOrigin.FILE)
            for path in paths
        ]
        readable = [file for file in incoming if not file.problem]
        branch = ScenarioBranch(settings.project, scenario, revision=truth.revision)
        known = read_batches(branch)
        with suppress(RegistryUnavailable):  # it gets the batches later
            _check_is_its_registry(settings, branch, known)
        if any(_same(file, known) is None for file in readable):
            done = _version(settings, branch, readable, truth, lock.fd)
        else:
            done = Ingestion((), tuple(_duplicate(file, known) for file in readable), (), state.refused)
        unread = tuple(Refusal(as_text(file.path.name), file.problem, file.path) for file in incoming if file.problem)
        done = replace(done, refusals=(*unread, *done.refusals))
        _record(settings, scenario, branch, actor)
        _record_refusals(settings, scenario, incoming, done, actor)  # a run killed here tells twice, never not
        _clear(state, incoming, done)
        values = refresh_known_values(settings, scenario, truth)
    done = replace(done, short_lags=values.too_short(truth.schema) if values else "")
    telemetry.annotate(batches=[each.batch for each in done.batches])
    return done


def _version(
    settings: Settings, branch: ScenarioBranch, files: list[IncomingFile], truth: Committed, lock_fd: int
) -> Ingestion:
    """Make a batch of each file that can be used; all of them appear on the branch together, or none does."""
    state = ScenarioState(settings.home, branch.scenario)
    batches: list[BatchIngested] = []
    duplicates: list[Refusal] = []
    refusals: list[Refusal] = []
    with branch.worktree(state.worktrees) as tree:
        data = DataVersions(
            tree.path, project=settings.project, home=settings.home, lock_fd=lock_fd, remote=truth.params.data
        )
        opened = OpenBatches(tree, data)
        seed: list[Path] = []
        if not opened.known:
            current = Registry(settings.registry_url).current(branch.scenario)
            if current is not None and current.release.data_version == SEED_VERSION:
                seed = opened.seed()  # then these are the first batches
        for file in [*map(inspect_file, seed), *files]:
            if _same(file, opened.known):
                duplicates.append(_duplicate(file, opened.known))
                continue
            try:
                batches.append(_add(opened, file, truth, state))
            except BadInput as error:
                refusals.append(Refusal(as_text(file.path.name), as_text(str(error)), file.path))
        opened.publish(branch)
    return Ingestion(tuple(batches), tuple(duplicates), tuple(refusals), state.refused)


def _check_is_its_registry(settings: Settings, branch: ScenarioBranch, known: list[BatchIngested]) -> None:
    """Raise Conflict where the registry has batches that the branch lacks: two histories of data would be told as one.

    The other way round is in order: a killed run, or another home of this clone, has versioned what is not told yet.
    """
    told = [
        event.read(BatchIngested) for event in events_of(Registry(settings.registry_url), branch.scenario, INGESTED)
    ]
    here = {batch.sha256 for batch in known}
    if missing := [batch.batch for batch in told if batch.sha256 not in here]:
        there = f"has branch {branch.name} without" if known else f"has no branch {branch.name} with"
        which = missing[-1] if len(missing) == 1 else f"{missing[-1]} and {len(missing) - 1} more"
        raise Conflict(
            f"the registry has {plural(len(told), 'a batch', f'{len(told)} batches')} of {branch.scenario}, and this "
            f"repository {there} {which}: another clone ingested that. Fetch its branch (git fetch origin "
            f"{branch.name}:{branch.name}), or give this project a registry of its own (RELEVE_REGISTRY_URL)"
        )


def _add(opened: OpenBatches, file: IncomingFile, truth: Committed, state: ScenarioState) -> BatchIngested:
    """Make a batch of a file and keep its rejected rows in quarantine. Raise BadInput when it cannot be used."""
    earlier = BatchProfile.joined(opened.profiles.values())
    with show_reading(as_text(file.path.name), file.size) as progress:
        taken = take_in(
            file.path,
            truth.schema.sent,
            params=truth.params,
            work_dir=opened.work_dir,
            images=state.home / (truth.params.ingest.images or state.images),
            earlier=earlier,
            progress=progress,
        )
    if inspect_file(file.path).digest != file.digest:
        taken.discard()
        raise BadInput(
            f"{as_text(file.path.name)} changed while it was read; write a file under a name that begins with a dot, "
            "and rename it once it is whole"
        )
    may_come_again = truth.schema.id or taken.holds_answers
    superseded, corrected = opened.count_versions(taken.rows, truth.schema) if may_come_again else (0, 0)
    batch = BatchIngested(
        batch=opened.next_name(file.digest),
        rows=taken.accepted,
        rejected=taken.quarantine.rows,
        superseded=superseded,
        corrected=corrected,
        source=as_text(file.path.name),
        arrived=file.arrived,
        origin=BatchOrigin.ANSWERS if taken.holds_answers else file.origin,
        sha256=file.digest,
        read_as=taken.read_as,
        delimiter=taken.delimiter,
        most_rejected=taken.quarantine.most_rejected,
        warnings=taken.warnings,
    )
    taken.quarantine.keep(state.quarantine / f"{batch.batch}.parquet")
    opened.add(batch, taken.rows, taken.profile)
    return batch


def _record(settings: Settings, scenario: str, branch: ScenarioBranch, actor: str) -> None:
    """Append one registry event per batch, those included that an earlier, killed run did not get to."""
    registry = Registry(settings.registry_url)
    recorded = {event.read(BatchIngested).sha256 for event in events_of(registry, scenario, INGESTED)}
    for batch in read_batches(branch):
        if batch.sha256 not in recorded:
            reason = f"{batch.source}: {counted(batch.rows, 'row')} accepted, {batch.rejected:,} rejected"
            reason += f", {batch.superseded:,} in the place of older versions" if batch.superseded else ""
            reason += f", {counted(batch.corrected, 'corrected label')}" if batch.corrected else ""
            reason += f", {counted(len(batch.warnings), 'warning')}" if batch.warnings else ""
            registry.append(scenario, batch, reason=reason, actor=actor)


def _record_refusals(settings: Settings, scenario: str, files: list[IncomingFile], done: Ingestion, actor: str) -> None:
    if not done.refusals:
        return
    digests = {file.path: file.digest for file in files}
    refused = tuple(
        FileRefusal(name=each.source, reason=each.reason, sha256=digests.get(each.path, "")) for each in done.refusals
    )
    reason = f"{counted(len(refused), 'incoming file')} refused: {', '.join(each.name for each in refused)}"
    Registry(settings.registry_url).append(scenario, FilesRefused(files=refused), reason=reason, actor=actor)


def _clear(state: ScenarioState, files: list[IncomingFile], done: Ingestion) -> None:
    """Move every file out of the incoming folder, a refused one beside its note."""
    reasons = {refusal.path: refusal.reason for refusal in done.refusals}
    for file in files:
        folder = state.refused if file.path in reasons else state.ingested
        folder.mkdir(parents=True, exist_ok=True)
        kept = _free_place(folder, file)
        if file.path in reasons and os.path.lexists(file.path):
            to_do = (
                f"To send the file again, fixed or as it is, move {as_text(kept.name)} from here to "
                f"{file.path.parent}, and leave this note: labelled answers that were refused are not sent again by "
                "themselves while it is here."
            )
            note = RefusalNote(reason=reasons[file.path], to_do=to_do, sha256=file.digest)
            write_document(_note_of(kept), note)
        with suppress(FileNotFoundError):  # somebody took it away meanwhile
            file.path.replace(kept)


def _free_place(folder: Path, file: IncomingFile) -> Path:
    """Choose where a file is kept: under its name, or a longer one where another file or its note is there already."""

    def is_taken(kept: Path) -> bool:
        return os.path.lexists(kept) or _note_of(kept).exists()

    whole = file.path.name
    end = re.sub(r"^\.", "_", whole[-LONGEST_NAME // 4 :])  # a name that begins with a dot would hide it
    kept = folder / (whole if len(os.fsencode(whole)) <= LONGEST_NAME else end)
    if file.digest:
        return kept.with_name(f"{file.digest[:8]}-{kept.name}") if is_taken(kept) else kept
    others = (kept.with_name(f"{number}-{kept.name}") for number in count(2))
    return next(place for place in chain([kept], others) if not is_taken(place))


def _note_of(kept: Path) -> Path:
    return kept.with_name(f"{kept.name}{NOTE}")


def refused_digests(state: ScenarioState) -> set[str]:
    """Return the sha256 of every refused file, those included that a person has moved away from their notes since."""
    notes = (read_document(path, RefusalNote) for path in state.refused.glob(f"*{NOTE}"))
    return {note.sha256 for note in notes if note.sha256}


def describe_refusals(done: Ingestion) -> str:
    """Name every file that was refused, with its reason; "" where none was."""
    if not done.refusals:
        return ""
    count, reasons = len(done.refusals), "\n".join(f"- {refusal.reason}" for refusal in done.refusals)
    return (
        f"{counted(count, 'incoming file')} {plural(count, 'was', 'were')} refused and set aside in {done.refused}, "
        f"each beside its reason:\n{reasons}"
    )


def check_refusals(done: Ingestion) -> None:
    """Raise BadInput naming every file that was refused, after the others were ingested."""
    if refusals := describe_refusals(done):
        raise BadInput(refusals)


def _same(file: IncomingFile, batches: list[BatchIngested]) -> BatchIngested | None:
    """Return the batch that holds exactly this file, if there is one."""
    return next((batch for batch in batches if batch.sha256 == file.digest), None)


def _duplicate(file: IncomingFile, known: list[BatchIngested]) -> Refusal:
    name, same = as_text(file.path.name), _same(file, known)
    content = f"what batch {same.batch} ({same.source}) brought" if same else "what is there"
    return Refusal(
        name,
        f"{name} holds exactly {content} already; nothing to do. To correct rows, "
        "send them in a file of their own (docs/ingest.md, 'Correct a label')",
        file.path,
    )


def inspect_file(path: Path) -> IncomingFile:
    """Read a file once. Whatever else has its name is not opened: a pipe would wait for its writer for ever."""
    name = as_text(path.name)
    try:
        if path.is_file():
            # its content may be older, and keep its own time: a copy, or a move, sets this one
            found = path.stat()
            arrived = datetime.fromtimestamp(found.st_ctime, UTC).isoformat(timespec="seconds")
            return IncomingFile(path, file_digest(path), found.st_size, arrived)
        if not os.path.lexists(path):
            problem = "was taken away before it could be read; send it again"
        elif path.is_dir():
            problem = "is a folder; put the files that are in it into the incoming folder one by one"
        elif path.is_symlink():
            problem = f"is a link to {as_text(os.readlink(path))}, where no file is; send the file itself"
        else:
            problem = "is a pipe, a socket or a device; send a file"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}; check that whoever runs the ingestion may read it"
    return IncomingFile(path, problem=f"{name} {problem}")
