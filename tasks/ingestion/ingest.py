"""Incoming files become versioned batches; rows that do not fit go to quarantine, each with its reason.

Rows in = rows accepted + rows rejected, for every file. A file that cannot be used as a whole is set aside
beside its reason, and so is what is no file at all; the others are ingested all the same.
"""

import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import chain, count
from pathlib import Path

from releve.adapters.files import write_bytes
from releve.adapters.git_dvc.committed import Committed, read_committed
from releve.adapters.git_dvc.data_versions import DataVersions
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.registry.registry import Registry
from releve.adapters.scenario_lock import scenario_lock
from releve.core.errors import BadInput
from releve.core.formatting import counted
from releve.core.settings import Settings
from releve.domain.ingestion.batch_checks import joined
from releve.domain.registry.chain import INGESTED
from releve.domain.registry.release import SEED_VERSION
from tasks.history import events_of
from tasks.ingestion.batches import IngestedBatch, OpenBatches, as_text, read_batches
from tasks.ingestion.incoming import IncomingFile, inspect_file
from tasks.ingestion.intake import take_in
from tasks.ingestion.pull import pull
from tasks.places import ScenarioState
from tasks.progress import reading

NOTE = ".reason.txt"  # ends the name of the note beside a refused file
LONGEST_NAME = 180  # bytes of a name that is kept whole; file systems end at 255, and a note's name is longer


@dataclass(frozen=True)
class Refusal:
    """A file that was not ingested, and what to do."""

    source: str  # the file's name, as it can be shown
    reason: str
    path: Path  # where it waited


@dataclass(frozen=True)
class Ingestion:
    """What one run did with the incoming folder."""

    batches: tuple[IngestedBatch, ...]
    duplicates: tuple[Refusal, ...]
    refusals: tuple[Refusal, ...]
    refused: Path | None = None  # the folder of the files that were refused

    def __bool__(self) -> bool:
        """Whether there was any file."""
        return bool(self.batches or self.duplicates or self.refusals)


def ingest(settings: Settings, scenario: str, *, actor: str = "ingest") -> Ingestion:
    """Ingest every file of the scenario's incoming folder, in the order of their names.

    "Newest" means ingested last from then on; within a file, the scenario's `time` orders the rows where it has one.

    Raises NotFound for an unknown scenario, BadInput, ScenarioBusy, PipelineFailed when the remote is away (nothing has
    moved then: the same command resumes).
    """
    truth = read_committed(settings, scenario)
    state = ScenarioState(settings.home, scenario)
    state.incoming.mkdir(parents=True, exist_ok=True)
    with scenario_lock(settings.home, scenario, holder="ingest", wait_seconds=truth.params.runs.wait_seconds) as lock:
        pull(truth.params.source, state, environ=os.environ)
        there = [inspect_file(path) for path in sorted(state.incoming.iterdir()) if not path.name.startswith(".")]
        waiting = [file for file in there if not file.problem]
        branch = ScenarioBranch(settings.project, scenario, revision=truth.revision)
        known = read_batches(branch)
        if any(_same(file, known) is None for file in waiting):
            found = _version(settings, branch, waiting, truth, lock.fd)
        else:
            found = Ingestion((), tuple(_duplicate(file, known) for file in waiting), (), state.refused)
        unread = tuple(Refusal(as_text(file.path.name), file.problem, file.path) for file in there if file.problem)
        found = replace(found, refusals=(*unread, *found.refusals))
        _record(settings, scenario, branch, actor)
        _clear(state, there, found)
    return found


def _version(
    settings: Settings, branch: ScenarioBranch, waiting: list[IncomingFile], truth: Committed, lock_fd: int
) -> Ingestion:
    """A batch for each file that can be used; all of them appear on the branch together, or none does."""
    state = ScenarioState(settings.home, branch.scenario)
    batches: list[IngestedBatch] = []
    duplicates: list[Refusal] = []
    refusals: list[Refusal] = []
    with branch.worktree(state.worktrees) as tree:
        data = DataVersions(
            tree.path, project=settings.project, home=settings.home, lock_fd=lock_fd, remote=truth.params.data
        )
        there = OpenBatches(tree, data)
        seed = there.seed() if not there.known and _learned_from_seed(settings, branch.scenario) else []
        for file in [*map(inspect_file, seed), *waiting]:
            if _same(file, there.known):
                duplicates.append(_duplicate(file, there.known))
                continue
            try:
                batches.append(_add(there, file, truth, state))
            except BadInput as error:
                refusals.append(Refusal(as_text(file.path.name), as_text(str(error)), file.path))
        there.publish(branch)
    return Ingestion(tuple(batches), tuple(duplicates), tuple(refusals), state.refused)


def _add(there: OpenBatches, file: IncomingFile, truth: Committed, state: ScenarioState) -> IngestedBatch:
    """A file becomes a batch, and its rejected rows go to quarantine. Raises BadInput when it cannot be used."""
    earlier = joined(there.profiles.values())
    with reading(as_text(file.path.name), file.size) as progress:
        taken = take_in(
            file.path, truth.schema, params=truth.params, room=there.room, earlier=earlier, progress=progress
        )
    if inspect_file(file.path).digest != file.digest:
        taken.rows.discard()
        taken.quarantine.discard()
        raise BadInput(
            f"{as_text(file.path.name)} changed while it was read; write a file under a name that begins with a dot, "
            "and rename it once it is whole"
        )
    batch = IngestedBatch(
        there.next_name(file.digest),
        taken.accepted,
        taken.quarantine.rows,
        as_text(file.path.name),
        file.digest,
        taken.read_as,
        "\n".join(taken.warnings),
    )
    taken.quarantine.keep(state.quarantine / f"{batch.batch}.parquet")
    return there.add(batch, taken.rows, taken.profile)


def _learned_from_seed(settings: Settings, scenario: str) -> bool:
    """Whether the champion's rows came out of the pipeline itself; then they are the first batches."""
    current = Registry(settings.registry_url).current(scenario)
    return current is not None and current.release.data_version == SEED_VERSION


def _record(settings: Settings, scenario: str, branch: ScenarioBranch, actor: str) -> None:
    """One registry event per batch; a run that was killed before this is made up for by the next."""
    registry = Registry(settings.registry_url)
    told = {event.payload["sha256"] for event in events_of(registry, scenario, INGESTED)}
    for batch in read_batches(branch):
        if batch.sha256 not in told:
            reason = f"{batch.source}: {counted(batch.rows, 'row')} accepted, {batch.rejected:,} rejected"
            reason += f", {counted(len(batch.warnings.splitlines()), 'warning')}" if batch.warnings else ""
            registry.append(scenario, INGESTED, reason=reason, actor=actor, payload=asdict(batch))


def _clear(state: ScenarioState, waiting: list[IncomingFile], found: Ingestion) -> None:
    reasons = {refusal.path: refusal.reason for refusal in found.refusals}
    for file in waiting:
        folder = state.refused if file.path in reasons else state.ingested
        folder.mkdir(parents=True, exist_ok=True)
        kept = _free_place(folder, file)
        if file.path in reasons and os.path.lexists(file.path):
            write_bytes(_note_of(kept), _note(reasons[file.path], file, kept).encode())
        with suppress(FileNotFoundError):  # somebody took it away meanwhile
            file.path.replace(kept)


def _free_place(folder: Path, file: IncomingFile) -> Path:
    """Where a file is kept under its name, or, when another one or its note is there already, under a longer one."""
    whole = file.path.name
    end = re.sub(r"^\.", "_", whole[-LONGEST_NAME // 4 :])  # a name that begins with a dot would hide it
    kept = folder / (whole if len(os.fsencode(whole)) <= LONGEST_NAME else end)
    if file.digest:
        return kept.with_name(f"{file.digest[:8]}-{kept.name}") if _is_taken(kept) else kept
    others = (kept.with_name(f"{number}-{kept.name}") for number in count(2))
    return next(place for place in chain([kept], others) if not _is_taken(place))


def _is_taken(kept: Path) -> bool:
    return os.path.lexists(kept) or _note_of(kept).exists()


def _note_of(kept: Path) -> Path:
    return kept.with_name(f"{kept.name}{NOTE}")


def _note(reason: str, file: IncomingFile, kept: Path) -> str:
    return (
        f"{reason}\n\nTo send the file again, mended or reconsidered, move {as_text(kept.name)} from here to "
        f"{file.path.parent}, and leave this note: labelled answers that were refused are not sent again by themselves "
        f"while it is here.\n" + (f"sha256 {file.digest}\n" if file.digest else "")
    )


def refused_digests(state: ScenarioState) -> set[str]:
    """sha256 of every file that was refused, those included that a person has moved away from their notes since."""
    notes = (path.read_text(errors="replace") for path in state.refused.glob(f"*{NOTE}"))
    return {digest for note in notes for digest in re.findall(r"^sha256 ([0-9a-f]{64})$", note, re.MULTILINE)}


def check_refusals(found: Ingestion) -> None:
    """Raises BadInput naming every file that was refused, after the others were ingested."""
    if found.refusals:
        told = "\n".join(f"- {refusal.reason}" for refusal in found.refusals)
        raise BadInput(
            f"{len(found.refusals)} of the incoming files were refused and set aside in {found.refused}, each "
            f"beside its reason:\n{told}"
        )


def _same(file: IncomingFile, batches: list[IngestedBatch]) -> IngestedBatch | None:
    """The batch that holds exactly this file, if there is one."""
    return next((batch for batch in batches if batch.sha256 == file.digest), None)


def _duplicate(file: IncomingFile, known: list[IngestedBatch]) -> Refusal:
    name, same = as_text(file.path.name), _same(file, known)
    came = f"what batch {same.batch} ({same.source}) brought" if same else "what is there"
    return Refusal(name, f"{name} holds exactly {came} already; nothing to do", file.path)
