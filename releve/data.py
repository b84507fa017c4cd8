"""A scenario's rows from Python, at any version, without a checkout: `docs/ingest.md` shows how."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.data_history import DataHistory, DataVersion
from releve.core.settings import Settings
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DataVersion", "list_versions", "read_schema", "read_version"]


def list_versions(scenario: str, *, project: Path | str | None = None) -> list[DataVersion]:
    """Every data version of a scenario, oldest first: batch, rows, content hash, commit, time.

    `project` is the git checkout; left out, RELEVE_PROJECT or the current folder.
    """
    return _history(scenario, project).versions()


def read_version(scenario: str, version: str | None = None, *, project: Path | str | None = None) -> "pd.DataFrame":
    """All rows up to a version, oldest first, with `_batch` and `_row`: where each row came from.

    `version` is a batch, a data version (or the beginning of either), or any git revision; left out, the newest.
    Comes from DVC's cache, or from the remote where the cache does not have it; every file is checked against its
    hash. Raises NotFound, BadInput, RemoteUnavailable.
    """
    history = _history(scenario, project)
    return history.read(history.find(version))


def read_schema(scenario: str, version: str | None = None, *, project: Path | str | None = None) -> Schema:
    """The feature schema as it was at a version."""
    history = _history(scenario, project)
    return history.schema(history.find(version))


def _history(scenario: str, project: Path | str | None) -> DataHistory:
    settings = Settings.from_environ(os.environ, cwd=Path.cwd())
    if project is not None:
        settings = replace(settings, project=Path(project).resolve())
    return DataHistory(settings.project, scenario, remote=read_committed(settings, scenario).params.data)
