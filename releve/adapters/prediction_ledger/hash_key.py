"""The key of the ledger's hashes: from the environment, or made once in the home, for its owner's eyes."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from releve.adapters.prediction_ledger.segments import refusal
from releve.core.params import LedgerRules
from releve.core.settings import Settings
from releve.domain.prediction_log.hidden import HiddenCells, hidden_columns
from releve.domain.schema.schema import Schema

KEY = "ledger-key"  # in RELEVE_HOME
KEY_BYTES = 32


def hidden_cells(settings: Settings, rules: LedgerRules, schema: Schema) -> HiddenCells:
    """Return what params.yaml hides of rows of this table.

    Raises BadInput as `hidden_columns` does; DiskFull, StorageRefused where a key cannot be written.
    """
    hashed, dropped = hidden_columns(rules, schema, source="params.yaml")
    return HiddenCells(read_key(settings, make=bool(hashed)), hashed, dropped)


def read_key(settings: Settings, *, make: bool) -> bytes:
    """Return RELEVE_LEDGER_KEY, or the home's key; b"" where there is none and none is to be made."""
    if settings.ledger_key:
        return settings.ledger_key.encode()
    path = settings.home / KEY
    try:
        if make and not path.exists():
            _make(path)
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise refusal(path, error) from None


def _make(path: Path) -> None:
    """Write a key whole, for one process of several that start at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_hex(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)
