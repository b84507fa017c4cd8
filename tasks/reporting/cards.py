"""Model cards of this project's model versions: gather what is known, write it down."""

import hashlib
import json
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from releve.adapters.files import write_bytes
from releve.adapters.git_dvc.data_history import DataHistory
from releve.adapters.git_dvc.scenario_branch import git_texts
from releve.adapters.models.model_runtime import DESCRIPTION
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.core.errors import NotFound
from releve.core.names import check_scenario_name
from releve.core.params import merge
from releve.core.settings import Settings
from releve.domain.registry.chain import CHALLENGED, MONITORED, Event
from releve.domain.registry.events import Challenger, release_of
from releve.domain.registry.lifecycle import model_version_statuses
from releve.domain.registry.release import SEED_VERSION
from releve.reporting.blocks import ReportPage
from releve.reporting.card import model_card
from releve.reporting.card.card import Evidence
from releve.reporting.html import render_html
from releve.reporting.markdown import render_markdown

FORMS = {".md": render_markdown, ".html": render_html}  # of a card, by the end of its file's name


def card_of(settings: Settings, model: str, *, today: date | None = None) -> ReportPage:
    """The card of "<scenario>:<version>", as things stand today. Raises NotFound for a model nobody knows."""
    return model_card.build(gather(settings, model, today=today or datetime.now(UTC).date()))


def card_path(settings: Settings, model: str, ending: str) -> Path:
    """Where a card lies: <home>/cards/<scenario>/<version> and the ending of its form."""
    scenario, _, version = model.partition(":")
    return settings.home / "cards" / scenario / f"{version}{ending}"


def write_card(settings: Settings, model: str) -> list[Path]:
    """Write it in every form; the files."""
    card = card_of(settings, model)
    paths = [card_path(settings, model, ending) for ending in FORMS]
    for path in paths:
        write_bytes(path, FORMS[path.suffix](card).encode())
    return paths


def gather(settings: Settings, model: str, *, today: date) -> Evidence:
    """Everything that registry, model store and git know of a model version."""
    scenario = check_scenario_name(model.partition(":")[0])
    with closing(Registry(settings.registry_url)) as registry:
        events = registry.events(scenario)
    judged = next((event for event in reversed(events) if _is_judgement(event, model)), None)
    description = _description(settings, model)
    if judged is None and not description:
        raise NotFound(f"there is no model {model}; `releve models {scenario}` lists those that were judged")
    challenge = judged.payload if judged else {}
    life = model_version_statuses(events).get(model)
    return Evidence(
        model=model,
        today=today,
        state=life.state if life else "",
        challenge=challenge,
        judged={"at": judged.at, "actor": judged.actor, "reason": judged.reason} if judged else {},
        description=description,
        drift=_last_look(events, before=judged),
        life=[(event.at, event.kind, event.actor, event.reason) for event in events if _tells_of(event, model)],
        **_made_of(settings, scenario, challenge),
    )


def _made_of(settings: Settings, scenario: str, challenge: dict[str, Any]) -> dict[str, Any]:
    """What the commit of the judgement holds."""
    revision = challenge.get("revision", "")
    names = ("params.yaml", f"scenarios/{scenario}/params.yaml", "requirements.lock")
    texts = git_texts(settings.project, [f"{revision}:{name}" for name in names]) if revision else [None] * len(names)
    base, own, lock = texts
    lineage = {
        "git revision": revision,
        "model digest": challenge.get("model_digest", ""),
        "data version": challenge.get("data_version", ""),
        "params digest": _digest(base + own) if base and own else "",
        "requirements.lock digest": _digest(lock) if lock else "",
    }
    params = merge(yaml.safe_load(base), yaml.safe_load(own)) if base and own else {}
    return {"params": params, "lineage": lineage, "data": _data(settings, scenario, challenge)}


def _data(settings: Settings, scenario: str, challenge: dict[str, Any]) -> dict[str, Any]:
    """Of the commit that brought the newest batch: the model's own was made later."""
    version = challenge.get("data_version", SEED_VERSION)
    try:
        return {} if version == SEED_VERSION else asdict(DataHistory(settings.project, scenario).find(version))
    except NotFound:  # rows that come out of the pipeline itself have no batches; a clone may lack the branch
        return _batches(settings, scenario, challenge.get("revision", ""))


def _batches(settings: Settings, scenario: str, revision: str) -> dict[str, Any]:
    """What the model's own commit lists, where the branch that the batches came by is gone: not when they came."""
    try:
        return asdict(DataHistory(settings.project, scenario).find(revision)) | {"at": ""} if revision else {}
    except NotFound:
        return {}


def _description(settings: Settings, model: str) -> dict[str, Any]:
    try:
        path = ModelStore(settings.home).get(model).path
    except NotFound:
        return {}
    return dict(json.loads((path / DESCRIPTION).read_text(encoding="utf-8")))


def _is_judgement(event: Event, model: str) -> bool:
    return event.kind == CHALLENGED and event.read(Challenger).model == model


def _tells_of(event: Event, model: str) -> bool:
    release = release_of(event)
    return _is_judgement(event, model) or (release is not None and release.model == model)


def _last_look(events: list[Event], *, before: Event | None) -> dict[str, Any]:
    looks = [event for event in events if event.kind == MONITORED and (before is None or event.number < before.number)]
    return dict(looks[-1].payload) if looks else {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
