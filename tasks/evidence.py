"""Packs of evidence: gather what is known of a model version, write it as a file, tell the registry its digest."""

import hashlib
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from releve.adapters.evidence.archive import pack_files
from releve.adapters.evidence.model_signature import NO_KEY, Signer
from releve.adapters.evidence.verify_pack import PackDoesNotHold, check_pack
from releve.adapters.files import file_digest, write_bytes
from releve.adapters.git_dvc.data_history import DataHistory, DataVersion
from releve.adapters.git_dvc.scenario_branch import git_texts
from releve.adapters.models.model_runtime import check_digest
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry, StaleEvents
from releve.core.errors import BadInput, Conflict, NotFound
from releve.core.names import ModelTag, check_scenario_name
from releve.core.settings import Settings
from releve.domain.evidence.pack import EvidencePacked, PackManifest, chain_to_pack
from releve.domain.registry.chain import PACKED, Event
from releve.reporting.evidence.contents import pack_contents
from releve.reporting.evidence.documents import ModelEvidence
from releve.reporting.model_card.record import ModelRecord
from tasks.reporting import model_card


class PackAltered(Conflict):
    """A pack is not what the registry knows."""

    code = "pack_altered"


@dataclass(frozen=True)
class WrittenPack:
    """A pack on disk, and the event that holds its digest."""

    path: Path
    sha256: str
    event: int
    missing: tuple[str, ...]


@dataclass(frozen=True)
class VerifiedPack:
    """A pack that is what the registry's event says."""

    model: str
    sha256: str
    event: int
    files: int
    head: int
    missing: tuple[str, ...]


def write_evidence(
    settings: Settings,
    model: str,
    out: Path,
    *,
    actor: str = "evidence",
    today: date | None = None,
) -> WrittenPack:
    """Write the pack of "<scenario>:<version>", and its digest into the scenario's chain of events.

    The same state gives the same bytes on the same day, and no second event. Raises NotFound for a model that nobody
    knows, ModelAltered where its files are not those that were judged, BadInput for a signing key that is none,
    Unavailable where it cannot be signed with.
    """
    if out.is_dir() or out.suffix != ".zip":
        raise BadInput(f"{out} is no name of a pack; expected a file that ends in .zip")
    evidence = gather(settings, model, today=today or datetime.now(UTC).date())
    files, missing = pack_contents(evidence)
    scenario, head = ModelTag.parse(model).scenario, evidence.head
    manifest = PackManifest(
        model=model,
        scenario=scenario,
        as_of=evidence.record.today.isoformat(),
        head=head.number,
        head_hash=head.hash,
        missing=missing,
        files={},
    )
    content = pack_files(files, manifest)
    digest = hashlib.sha256(content).hexdigest()
    write_bytes(out, content)
    packed = EvidencePacked(
        model=model, sha256=digest, bytes=len(content), head=head.number, head_hash=head.hash, missing=len(missing)
    )
    with closing(Registry(settings.registry_url)) as registry:
        event = _told_once(registry, scenario, packed, actor=actor)
    return WrittenPack(out, digest, event.number, missing)


def _told_once(registry: Registry, scenario: str, packed: EvidencePacked, *, actor: str) -> Event:
    """Return the event of this very pack, written now where there is none, whoever else packs the same meanwhile."""
    while True:
        told = registry.events(scenario, kinds=[PACKED], after=packed.head)
        if same := next((each for each in told if each.payload["sha256"] == packed.sha256), None):
            return same
        newest, reason = told[-1].number if told else packed.head, f"evidence of {packed.model} was packed"
        with suppress(StaleEvents):
            return registry.append_unless(scenario, packed, kinds=[PACKED], after=newest, reason=reason, actor=actor)


def verify_evidence(settings: Settings, pack: Path) -> VerifiedPack:
    """Check a pack against the registry: its digest, all that it holds, and that its chain is the registry's own.

    Raises NotFound where there is no such file, PackAltered, and ChainBroken where the registry's history was changed.
    """
    if not pack.is_file():
        raise NotFound(f"there is no file {pack}; `releve evidence MODEL --out pack.zip` writes a pack")
    digest = file_digest(pack)
    with closing(Registry(settings.registry_url)) as registry:
        told = [event for event in registry.events(kinds=[PACKED]) if event.payload["sha256"] == digest]
        if not told:
            raise PackAltered(
                f"no event of this registry has the digest of {pack.name}, {digest}: it was altered after it was "
                "written, or another registry knows it"
            )
        event, packed = told[0], told[0].read(EvidencePacked)
        try:
            manifest = check_pack(pack.read_bytes(), digest)
        except PackDoesNotHold as error:
            raise PackAltered(f"{pack.name} does not hold: {error}") from None
        registry.verify(event.scenario)
        head = next(iter(registry.events(event.scenario, after=packed.head - 1)), None)
        if head is None or (head.number, head.hash) != (packed.head, manifest["head_hash"]):
            raise PackAltered(f"the chain of {pack.name} is not the one of {event.scenario} in this registry")
    return VerifiedPack(
        packed.model, digest, event.number, len(manifest["files"]), packed.head, tuple(manifest["missing"])
    )


def gather(settings: Settings, model: str, *, today: date) -> ModelEvidence:
    """Read what registry, model store and git know of a model version."""
    scenario = check_scenario_name(ModelTag.parse(model).scenario)
    with closing(Registry(settings.registry_url)) as registry:
        chain = chain_to_pack(registry.events(scenario))
    record = model_card.gather(settings, model, today=today)
    if not chain:
        raise NotFound(f"the registry has no event of {scenario}, so that there is no chain to pack")
    try:
        folder = ModelStore(settings.home).folder(model)
        if record.challenger:
            check_digest(folder, tag=model, digest=record.challenger.model_digest)
        own = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "model.yaml")
        files = {path.name: file_digest(path) for path in own}
    except NotFound:
        folder, files = None, {}
    signature, reason = _signature(settings, model, record, folder)
    return ModelEvidence(
        record=record,
        chain=chain,
        versions=_versions(settings, scenario, record),
        model_files=files,
        texts=_texts(settings, scenario, record),
        signature=signature,
        no_signature=reason,
    )


def _signature(settings: Settings, model: str, record: ModelRecord, folder: Path | None) -> tuple[bytes | None, str]:
    """Sign the model's files; None, and why, where no key is given or the files left the store."""
    if not settings.signing_key:
        return None, NO_KEY
    if folder is None or not record.challenger:
        return None, "the model's files left the store: make rebuild puts them back"
    signer = Signer(settings.signing_key, settings.model_signing, settings.home)
    return signer.sign(model, folder, record.challenger.model_digest), ""


def _versions(settings: Settings, scenario: str, record: ModelRecord) -> list[DataVersion]:
    """List the versions of the rows, up to the one that it was made from."""
    if record.data is None:
        return []
    versions = DataHistory(settings.project, scenario).versions()
    places = [place for place, each in enumerate(versions) if each.revision == record.data.revision]
    return versions[: places[0] + 1] if places else [record.data]


def _texts(settings: Settings, scenario: str, record: ModelRecord) -> dict[str, str]:
    """Read the files of the model's own revision that a pack holds."""
    if not record.challenger:
        return {}
    names = {
        "params.yaml": "params.yaml",
        "scenario.yaml": f"scenarios/{scenario}/params.yaml",
        "requirements.lock": "requirements.lock",
    }
    texts = git_texts(settings.project, [f"{record.challenger.revision}:{path}" for path in names.values()])
    return {name: text for name, text in zip(names, texts, strict=True) if text is not None}
