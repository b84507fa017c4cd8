"""Try a model that somebody else fitted, and make it ready to be judged: nothing of a bad one gets any further."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from releve.adapters.brought.folder import TriedFile
from releve.adapters.brought.incoming_file import read_incoming
from releve.adapters.brought.sandbox import tried
from releve.adapters.brought.trial import TrialReport
from releve.adapters.files import read_yaml
from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.data_history import DataHistory
from releve.adapters.models.brought_pipeline import block_columns
from releve.core.errors import BadInput, NotFound
from releve.core.formatting import printable
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.brought.description import PREFIX, BroughtDescription
from releve.domain.brought.mapping import MappingFile, read_mapping
from releve.domain.gate.gate import Floor
from releve.domain.schema.schema import Schema
from releve.reporting.messages.gate import describe_sanity
from tasks.pipeline.rows import rows_at

if TYPE_CHECKING:
    import pandas as pd

TRIED_ROWS = 400  # labelled rows that a file is tried on, spread over all


def try_file(
    settings: Settings,
    scenario: str,
    path: Path,
    *,
    folder: Path,
    mapping: Path | None = None,
    learned: int | None = None,
) -> tuple[TriedFile, BroughtDescription]:
    """Try a file on rows of the scenario, and write what is to be versioned into `folder`.

    `learned`: how many of the oldest labelled rows it has learned, as far as somebody knows. Raises BadInput naming the
    file and what is wrong with it.
    """
    truth = read_committed(settings, scenario)
    schema, asked = truth.schema, _mapping(mapping)
    content = read_incoming(path)
    rows = _labelled_rows(settings, scenario, schema, truth.params)
    if learned is not None and not 0 <= learned < len(rows):
        raise BadInput(f"--learned is {learned}; expected a number from 0, and below the {len(rows)} labelled rows")
    spread = np.linspace(0, len(rows) - 1, min(TRIED_ROWS, len(rows))).astype(int)
    try:
        graph, report = tried(content, schema, asked, rows.iloc[spread].reset_index(drop=True))
        _check_floors(report, truth.params)
    except BadInput as problem:
        raise BadInput(f"{printable(path.name)}: {problem}") from None
    digest = hashlib.sha256(graph).hexdigest()
    known_by = hashlib.sha256(f"{digest} {report.digest} {learned}".encode()).hexdigest()
    description = BroughtDescription(
        name=f"{PREFIX}{known_by[:12]}",
        digest=digest,
        file=printable(path.name),
        file_digest=report.digest,
        bytes=report.bytes,
        producer=report.producer,
        opsets=report.opsets,
        inputs=report.inputs,
        output=report.output,
        means=report.means,
        classes=report.classes,
        columns=block_columns(schema),
        missing={name: float(value) for name, value in asked.missing.items()},
        learned=learned,
        known=len(rows),
    )
    return TriedFile.write(folder, graph, description), description


def _mapping(path: Path | None) -> MappingFile:
    if path is None:
        return MappingFile()
    if not path.is_file():
        raise NotFound(f"there is no mapping file {printable(str(path))}; give the path of a YAML file")
    return read_mapping(read_yaml(path), source=printable(path.name))


def _labelled_rows(settings: Settings, scenario: str, schema: Schema, params: Params) -> "pd.DataFrame":
    """Read all labelled rows of the scenario's newest data version. Raises BadInput where there is none."""
    history = DataHistory(settings.project, scenario, remote=params.data)
    newest = history.newest()
    if newest is None:
        raise BadInput(
            f"{scenario} has no labelled rows yet to try a model on; ingest some first: make ingest SCENARIO={scenario}"
        )
    return rows_at(history, newest, schema).rows


def _check_floors(report: TrialReport, params: Params) -> None:
    """Raise BadInput for a model that the gate would refuse whatever it answers, unless a person overrides that."""
    today = datetime.now(UTC).date()
    overridden = {each.floor for each in params.gate.overrides if each.until >= today}
    if not report.latency_ms <= params.gate.max_latency_ms and Floor.LATENCY not in overridden:
        raise BadInput(
            f"one row takes {report.latency_ms:.3g} ms of CPU time, and {params.gate.max_latency_ms:g} ms are allowed; "
            "export a smaller model, or allow more (params.yaml: gate.max_latency_ms)"
        )
    if report.sanity.broken and Floor.SANITY not in overridden:
        raise BadInput(f"{describe_sanity(report.sanity)}; train it with a regularisation, or without that column")
