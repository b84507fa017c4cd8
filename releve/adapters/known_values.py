"""The file of what was ingested of the columns whose lags are features: `ingest` writes it, the service follows it."""

from pathlib import Path

from releve.adapters.files import read_document, write_bytes
from releve.domain.features.known import KnownValues

REMEDY = "the next `make ingest` writes it anew"


def known_values_folder(home: Path, scenario: str) -> Path:
    """Where the scenario's file lies."""
    return home / "history" / scenario


def known_values_path(home: Path, scenario: str) -> Path:
    """Return the file's path; there is none where the scenario has no lags."""
    return known_values_folder(home, scenario) / "known.json"


def read_known_values(path: Path) -> KnownValues:
    """Read the file. Raises BadInput where it is damaged, OSError."""
    return read_document(path, KnownValues, remedy=REMEDY)


def write_known_values(path: Path, known: KnownValues) -> None:
    """Write the file beside, then put it in its place."""
    write_bytes(path, known.model_dump_json().encode() + b"\n")
