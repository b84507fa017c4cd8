"""Model cards of this project's model versions: gather what is known, write it down."""

import hashlib
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from releve.adapters.files import write_bytes
from releve.adapters.git_dvc.data_history import DataHistory, DataVersion
from releve.adapters.git_dvc.scenario_branch import git_texts
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.core.errors import NotFound
from releve.core.names import ModelTag, check_scenario_name
from releve.core.params import merge
from releve.core.settings import Settings
from releve.core.yaml_text import load_mapping
from releve.domain.registry.chain import APPROVALS, CHALLENGED, MODEL_CHANGES, MONITORED, NOTED, REBUILT
from releve.domain.registry.events import Challenger, ModelRebuilt, NoteWritten, release_of
from releve.domain.registry.lifecycle import model_version_statuses
from releve.domain.registry.release import SEED_VERSION
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.reporting.blocks import ReportPage
from releve.reporting.html import render_html
from releve.reporting.markdown import render_markdown
from releve.reporting.model_card.card import build_model_card
from releve.reporting.model_card.record import ModelRecord
from tasks.places import ScenarioState

FORMS = {".md": render_markdown, ".html": render_html}  # of a card, by the end of its file's name


def card_of(settings: Settings, model: str, *, today: date | None = None) -> ReportPage:
    """Build the card of "<scenario>:<version>" as of today. Raises NotFound for a model that nobody knows."""
    return build_model_card(gather(settings, model, today=today or datetime.now(UTC).date()))


def card_path(settings: Settings, model: str, ending: str) -> Path:
    """Name the file of a card: <home>/cards/<scenario>/<version> and the ending of its form."""
    tag = ModelTag.parse(model)
    return ScenarioState(settings.home, tag.scenario).cards / f"{tag.version}{ending}"


def write_card(settings: Settings, model: str, card: ReportPage | None = None) -> list[Path]:
    """Write the card, built here unless it is given, as Markdown and as a page; returns the files, the page last."""
    card = card or card_of(settings, model)
    paths = [card_path(settings, model, ending) for ending in FORMS]
    for path in paths:
        write_bytes(path, FORMS[path.suffix](card).encode())
    return paths


def gather(settings: Settings, model: str, *, today: date) -> ModelRecord:
    """Read what registry, model store and git know of a model version."""
    scenario = check_scenario_name(ModelTag.parse(model).scenario)
    with closing(Registry(settings.registry_url)) as registry:
        events = registry.events(scenario, kinds=(*MODEL_CHANGES, REBUILT, NOTED))
        judgements = [each for each in events if each.kind == CHALLENGED and each.payload["model"] == model]
        judgement = judgements[-1] if judgements else None
        runs = registry.newest(scenario, kinds=[MONITORED])
        run = next((each for each in runs if not (judgement and each.number > judgement.number)), None)
    try:
        description = ModelStore(settings.home).describe(model)
    except NotFound:
        description = None
    if judgement is None and not description:
        raise NotFound(f"there is no model {model}; `releve models {scenario}` lists those that were judged")
    status = model_version_statuses(events).get(model)
    released = [each for each in events if (release := release_of(each)) and release.model == model]
    asked = [each for each in events if each.kind in APPROVALS and each.payload["subject"]["model"] == model]
    rebuilt = [each for each in events if each.kind == REBUILT and each.read(ModelRebuilt).model == model]
    record = ModelRecord(
        model=model,
        today=today,
        state=status.state if status else "",
        judgement=judgement,
        description=description,
        monitoring=run.read(MonitoringRun) if run else None,
        notes=[each for each in events if each.kind == NOTED and each.read(NoteWritten).model == model],
        history=sorted((*judgements, *asked, *released, *rebuilt), key=lambda event: event.number),
    )
    if not record.challenger:
        return record
    return _with_revision(settings, scenario, record, record.challenger)


def _with_revision(settings: Settings, scenario: str, record: ModelRecord, challenger: Challenger) -> ModelRecord:
    """Add what the commit of the judgement holds."""
    names = ("params.yaml", f"scenarios/{scenario}/params.yaml", "requirements.lock")
    base, own, lock = git_texts(settings.project, [f"{challenger.revision}:{name}" for name in names])
    lineage = {
        "git revision": challenger.revision,
        "model digest": challenger.model_digest,
        "data version": challenger.data_version,
        "params digest": _digest(base + own) if base and own else "",
        "requirements.lock digest": _digest(lock) if lock else "",
    }
    texts = {}
    if base and own:
        sources = [f"{name} at {challenger.revision[:12]}" for name in names]
        values = (load_mapping(text, source=source) for text, source in zip((base, own), sources, strict=False))
        texts = merge(*values).get("card", {})
    return replace(record, texts=texts, lineage=lineage, data=_data(settings, scenario, challenger))


def _data(settings: Settings, scenario: str, challenger: Challenger) -> DataVersion | None:
    """The rows that it was made from; None for those of the pipeline itself, and where this clone lacks the branch."""
    if challenger.data_version == SEED_VERSION:
        return None
    return DataHistory(settings.project, scenario).behind(challenger.revision)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
