"""Putting the service together: from the environment to scenarios that answer."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from releve.adapters import files
from releve.adapters.models import bento_builds, model_runtime
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.hash_key import hidden_cells
from releve.adapters.registry.registry import Registry
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.names import check_scenario_name
from releve.core.settings import Settings
from releve.serving.edge.metrics import Metrics
from releve.serving.scenarios.loading import warm_up
from releve.serving.scenarios.scenarios import Scenarios
from releve.serving.served import Served

POLL_SECONDS = 0.5  # between two polls of the registry, for a release that has become current


def start(environ: Mapping[str, str], *, project: Path, bento: Any = None, metrics: Metrics | None = None) -> Scenarios:
    """Serve the packed or pinned model when there is one, else what the registry says is current.

    `project` holds params.yaml and the scenarios where RELEVE_PROJECT does not say otherwise; `bento` is what
    BentoML serves from, None for a checkout. Raises ReleveError when the settings are wrong.
    """
    settings = Settings.from_environ(environ, cwd=project)
    packed = bento_builds.packed_model(bento)
    if packed is not None and not settings.model_pin:
        if not environ.get("RELEVE_HOME"):  # a Bento's own folder is no place for the ledger
            settings = replace(settings, home=packed.home)
        return _pinned(settings, packed.tag, packed.path, metrics)
    if settings.model_pin:
        return _pinned(settings, settings.model_pin, ModelStore(settings.home).folder(settings.model_pin), metrics)
    return _following(settings, metrics)


def _pinned(settings: Settings, tag: str, folder: Path, metrics: Metrics | None) -> Scenarios:
    model = model_runtime.load(folder, tag=tag)
    warm_up(model)
    name = check_scenario_name(model.description.scenario)
    scenarios = Scenarios(settings, registry=None, index=None, poll_seconds=POLL_SECONDS, metrics=metrics)
    params = files.read_params(settings.project, name)
    scenarios.pin(name, Served(model, params.service, since=datetime.now(UTC).isoformat()))
    scenarios.get(name).ledger.hidden = hidden_cells(settings, params.ledger, model.schema)
    scenarios.start()
    return scenarios


def _following(settings: Settings, metrics: Metrics | None) -> Scenarios:
    for name in settings.service_scenarios:  # named by a person, who is told at once what is wrong with them
        files.read_params(settings.project, name)
    scenarios = Scenarios(
        settings,
        registry=Registry(settings.registry_url),
        index=VectorIndex(settings.milvus_uri, settings.milvus_token),
        only=settings.service_scenarios,
        poll_seconds=POLL_SECONDS,
        metrics=metrics,
    )
    scenarios.start()
    return scenarios
