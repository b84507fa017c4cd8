"""Batch scoring: every row of a table answered by the model that serves, or rejected with its reason."""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from releve.adapters.files import read_document, write_document
from releve.adapters.git_dvc.committed import Committed, read_committed
from releve.adapters.models.model_runtime import Model
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.hash_key import hidden_cells
from releve.adapters.registry.registry import Current, Registry
from releve.adapters.tables import chunks
from releve.core.errors import BadInput, Conflict, NotFound
from releve.core.settings import Settings
from releve.domain.features.history import Key, Series
from releve.domain.features.known import KnownTicks
from releve.domain.registry.chain import ARCHIVED, CHALLENGED, WITHDRAWN
from releve.domain.scoring.manifest import START_OVER, ScoringBegun, ScoringEnded, ScoringManifest, ScoringResumed
from releve.reporting.messages.gate import nothing_serves
from releve.reporting.messages.scoring import describe_changes, describe_unanswered
from releve.serving.scenarios.scenario import NoRelease
from tasks.places import ScenarioState
from tasks.scoring.answers import ROWS_PER_REQUEST, Scorer, known_by_now
from tasks.scoring.inputs import InputFile, find_inputs
from tasks.scoring.ledger import ScoringLedger
from tasks.scoring.output import KNOWN, MANIFEST, OutputPlace, ScoringOutput, form_of, open_output
from tasks.scoring.parts import ROWS_PER_PART, Progress, write_parts


@dataclass(frozen=True)
class ScoringResult:
    """An output that is complete."""

    folder: Path  # on this machine
    output: str  # as it was named: a folder, or a URL
    manifest: ScoringManifest
    resumed_rows: int  # that earlier runs had finished
    newer_model: str  # that serves by now; "" where the one that answered does


def score(
    settings: Settings,
    scenario: str,
    *,
    source: str,
    output: str,
    ledger: bool = False,
    again: bool = False,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    progress: Progress = lambda reached: None,
) -> ScoringResult:
    """Answer the rows of `source` into the folder or URL `output`, or go on where an earlier run was ended.

    `ledger`: the service's ledger gets the answers, too. `again`: start over, by what serves now.

    Raise NotFound, BadInput, Conflict, NoRelease, Unavailable, DiskFull, StorageRefused.
    """
    truth, state = read_committed(settings, scenario), ScenarioState(settings.home, scenario)
    inputs, form, place = find_inputs(source), form_of(output), OutputPlace.of(output, state=state.scoring)
    place.check_apart(source)
    registry = Registry(settings.registry_url)
    current = registry.current(scenario)
    if current is None and (again or not (place.folder / MANIFEST).exists()):
        raise NoRelease(nothing_serves(scenario, registry.events(scenario, kinds=(CHALLENGED, ARCHIVED, WITHDRAWN))))
    with open_output(place, again=again) as out:
        files = inputs.fetch(out.work / "input")
        wanted = _wanted(truth, scenario, _answering(current, out), files, at=clock(), form=form, ledger=ledger)
        before = _decide(out, wanted, again=again)
        if before is not None:
            out.check_parts()
            if before.ended is not None:
                out.complete()
                return ScoringResult(place.folder, output, before, before.rows, _newer(current, before))
        model, path = _load(settings, before.begun if before else wanted, is_begun=before is not None)
        begun = _begin(out, wanted, before, at=clock().isoformat())
        scorer = Scorer(
            model.tag,
            path,
            _contents(path) if truth.params.compute.address else {},
            truth.params.ingest,
            settings.home / (truth.params.ingest.images or state.images),
            ledger,
            _known(out, model, state, is_begun=before is not None),
        )
        with ExitStack() as stack:
            written = None
            if ledger:
                hidden = hidden_cells(settings, truth.params.ledger, model.schema)
                written = stack.enter_context(closing(ScoringLedger(state.ledger, begun, hidden, clock)))
            done = write_parts(
                out,
                begun,
                files,
                is_folder=inputs.is_folder,
                schema=model.schema,
                params=truth.params,
                scorer=scorer,
                ledger=written,
                progress=progress,
            )
        ended = ScoringEnded(at=clock().isoformat(), rows=done.rows, answered=done.answered, rejected=done.rejected)
        out.note(ended)
        out.complete()
    return ScoringResult(place.folder, output, replace(done, ended=ended), begun.rows, _newer(current, done))


def _newer(current: Current | None, manifest: ScoringManifest) -> str:
    """Name the model that serves by now; "" where it is the one that answered."""
    return current.release.model if current and current.release.model != manifest.begun.model else ""


def check_answered(done: ScoringResult) -> None:
    """Raise BadInput where not a single row was answered."""
    if not done.manifest.answered:
        raise BadInput(describe_unanswered(done.manifest, done.output))


@dataclass(frozen=True)
class _Answering:
    """Who answers."""

    model: str
    model_digest: str
    index: str | None


def _answering(current: Current | None, out: ScoringOutput) -> _Answering:
    """Choose what serves; where nothing does, what the output was begun by."""
    if current is not None:
        release = current.release
        return _Answering(release.model, release.model_digest, release.index_name)
    assert out.manifest is not None, "checked before"
    begun = out.manifest.begun
    return _Answering(begun.model, begun.model_digest, begun.index)


def _wanted(
    truth: Committed,
    scenario: str,
    by: _Answering,
    files: Sequence[InputFile],
    *,
    at: datetime,
    **asked: object,
) -> ScoringBegun:
    """Describe the output that the command asks for."""
    cut = (chunks.CELLS_PER_CHUNK, chunks.MOST_ROWS_PER_CHUNK, chunks.CHARACTERS_PER_CHUNK)
    decides = [truth.params.ingest.model_dump(mode="json"), cut, ROWS_PER_PART, ROWS_PER_REQUEST]
    described = {
        "output": secrets.token_hex(4),
        "at": at.isoformat(),
        "scenario": scenario,
        "commit": truth.revision,
        "settings": sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest(),
        "inputs": tuple(each.described for each in files),
    }
    return ScoringBegun.model_validate({**vars(by), **described, **asked})


def _decide(out: ScoringOutput, wanted: ScoringBegun, *, again: bool) -> ScoringManifest | None:
    """Say what is gone on with; None where the output is begun. Raise Conflict where that takes `--again`."""
    before = out.manifest
    if again or before is None:
        return None
    changes = before.changes(wanted)
    is_other = wanted.model != before.begun.model
    if before.is_nothing_lost and (changes or is_other):
        return None
    if changes:
        raise Conflict(describe_changes(out.place.name, changes))
    if before.ended and is_other and out.is_shown():  # else its end is sent first
        raise Conflict(
            f"{out.place.name} is complete, answered by {before.begun.model}, and {wanted.model} serves by now; "
            f"{START_OVER}"
        )
    return before


def _begin(out: ScoringOutput, wanted: ScoringBegun, before: ScoringManifest | None, *, at: str) -> ScoringManifest:
    """Write that the output is begun, or gone on with, and claim its place."""
    if before is None:
        out.clear()
        out.note(wanted)
        begun = ScoringManifest(wanted)
    else:
        out.note(ScoringResumed(at=at))
        begun = replace(before, resumed=before.resumed + 1)
    out.manifest = begun
    out.claim()
    return begun


def _load(settings: Settings, begun: ScoringBegun, *, is_begun: bool) -> tuple[Model, Path]:
    """Load the model that answers, and say where it lies. Raise NotFound, ModelAltered."""
    store = ModelStore(settings.home)
    try:
        return store.load(begun.model, digest=begun.model_digest), store.folder(begun.model)
    except NotFound as error:
        hint = f". This output was begun by that model; {START_OVER}" if is_begun else ""
        raise NotFound(f"{error}{hint}") from None


def _known(out: ScoringOutput, model: Model, state: ScenarioState, *, is_begun: bool) -> dict[Key, Series]:
    """Return what is known of columns whose lags are features, as it was when the output was begun."""
    path = out.folder / KNOWN
    if not is_begun or not path.is_file():
        known = known_by_now(model, state)
        if known is None:
            return {}
        write_document(path, KnownTicks.of(known))
    return read_document(path, KnownTicks, remedy=START_OVER).series(model.schema)


def _contents(folder: Path) -> Mapping[str, bytes]:
    """Read a model's files, but for the rows that it keeps, for workers on other machines."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".parquet")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
