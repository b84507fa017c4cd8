"""Putting the service together: from the environment to something that answers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from releve.adapters import files
from releve.adapters.models import bento_builds, model_runtime
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.adapters.registry.registry import Registry
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.names import check_scenario_name
from releve.core.settings import Settings
from releve.serving.endpoints import Endpoints
from releve.serving.releases import Follower, Pinned, Served, warm_up

DEFAULT_SCENARIO = "digits"
POLL_SECONDS = 0.5  # between two polls of the registry, for a release that has become current


@dataclass(frozen=True)
class Serving:
    """Everything that one worker process holds open."""

    endpoints: Endpoints
    releases: Follower | Pinned
    ledger: LedgerWriter
    index: VectorIndex | None = None

    def close(self) -> None:
        """Let go of it; every answer is on disk afterwards."""
        self.releases.stop()
        self.ledger.close()
        if self.index is not None:
            self.index.close()


def start(environ: Mapping[str, str], *, project: Path, bento: Any = None) -> Serving:
    """Serve the packed or pinned model when there is one, else what the registry says is current.

    `project` holds params.yaml and the scenarios where RELEVE_PROJECT does not say otherwise; `bento` is what
    BentoML serves from, None for a checkout. Raises ReleveError when the settings are wrong.
    """
    settings = Settings.from_environ(environ, cwd=project)
    packed = bento_builds.packed_model(bento)
    if packed is not None and not settings.model_pin:
        if not environ.get("RELEVE_HOME"):  # a Bento's own folder is no place for the ledger
            settings = replace(settings, home=packed.home)
        return _pinned(settings, packed.tag, packed.path)
    if settings.model_pin:
        return _pinned(settings, settings.model_pin, ModelStore(settings.home).get(settings.model_pin).path)
    return _following(settings, environ.get("RELEVE_SCENARIO") or DEFAULT_SCENARIO)


def _pinned(settings: Settings, tag: str, folder: Path) -> Serving:
    model = model_runtime.load(folder, tag=tag)
    warm_up(model)
    scenario = check_scenario_name(model.description.scenario)
    pinned = Pinned(scenario, Served(model, since=_now().isoformat()))
    limits = files.read_params(settings.project, scenario).service
    ledger = _ledger(settings, scenario)
    return Serving(Endpoints(releases=pinned, index=None, ledger=ledger, limits=limits), pinned, ledger)


def _following(settings: Settings, scenario: str) -> Serving:
    limits = files.read_params(settings.project, scenario).service
    index = VectorIndex(settings.milvus_uri, settings.milvus_token)
    follower = Follower(
        scenario,
        registry=Registry(settings.registry_url),
        models=ModelStore(settings.home),
        index=index,
        poll_seconds=POLL_SECONDS,
    )
    ledger = _ledger(settings, scenario)
    follower.start()
    return Serving(Endpoints(releases=follower, index=index, ledger=ledger, limits=limits), follower, ledger, index)


def _ledger(settings: Settings, scenario: str) -> LedgerWriter:
    return LedgerWriter(settings.home / "ledger" / scenario, scenario, clock=_now)


def _now() -> datetime:
    return datetime.now(UTC)
