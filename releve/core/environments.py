"""Environments such as staging and prod: a file each of what differs between them, chosen by RELEVE_ENV."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from releve.core.errors import BadInput
from releve.core.formatting import shortened

FOLDER = "environments"
CHOSEN = "RELEVE_ENV"
NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
LINE = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")
HOME = "RELEVE_HOME"
ADDRESSES = ("RELEVE_REGISTRY_URL", "RELEVE_MILVUS_URI")
VARIABLES = (
    *(HOME, *ADDRESSES),
    *("RELEVE_PREFECT_PORT", "RELEVE_SERVICE_PORT", "RELEVE_MILVUS_PORT", "RELEVE_GUIDE_PORT"),
    *("RELEVE_SERVICE_WORKERS", "RELEVE_SERVICE_MEMORY", "RELEVE_SCENARIO", "RELEVE_TOKEN_RATE"),
    *("RELEVE_WAIT_SECONDS", "RELEVE_EVIDENTLY_PAGES", "RELEVE_MODEL_SIGNING", "RELEVE_APPROVAL"),
)  # that a file may set
SECRETS = (
    *("MILVUS_TOKEN", "RELEVE_TOKEN_READ", "RELEVE_TOKEN_LABEL", "RELEVE_TOKEN_EXPLAIN", "RELEVE_TOKEN_OPERATE"),
    *("RELEVE_APPROVER_TOKEN", "RELEVE_LEDGER_KEY", "RELEVE_SIGNING_KEY"),
)


def with_environment(environ: Mapping[str, str], *, project: Path) -> Mapping[str, str]:
    """Add what the file of the chosen environment sets and `environ` does not; an empty variable counts as not set.

    RELEVE_ENV itself is gone: who inherits the rest needs no file. Raises BadInput for a name without a file, and for a
    file that is none.
    """
    name = environ.get(CHOSEN, "")
    if not name:
        return environ
    found = read_environment(project, name)
    set_here = {key: value for key, value in environ.items() if key != CHOSEN and (value or key not in found)}
    return found | set_here


def read_environment(project: Path, name: str) -> dict[str, str]:
    """Read environments/<name>.env. Raises BadInput."""
    if not NAME.fullmatch(name):
        raise BadInput(
            f"the environment name {shortened(repr(name))} is not allowed: use 1 to 31 lower-case letters, digits or "
            "'-', starting with a letter"
        )
    path, source = project / FOLDER / f"{name}.env", f"{FOLDER}/{name}.env"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        known = ", ".join(sorted(each.stem for each in path.parent.glob("*.env"))) or "none"
        raise BadInput(
            f"there is no environment {name!r}: {source} is missing in {project}. There are {known}"
        ) from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{source} is not UTF-8 text (byte {error.start + 1}); save it as UTF-8") from None
    values = dict[str, str]()
    for number, line in enumerate(text.splitlines(), start=1):
        if (content := line.strip()) and not content.startswith("#"):
            key, value = _parse(content, where=f"line {number} of {source}")
            if key in values:
                raise BadInput(f"line {number} of {source} sets {key} again; leave one of both")
            values[key] = value
    if home := values.get(HOME):
        values[HOME] = str(project / home)
    return values


def _parse(content: str, *, where: str) -> tuple[str, str]:
    """Read NAME=value. What cannot be read is not shown: it may be a secret."""
    match = LINE.fullmatch(content)
    if match is None:
        raise BadInput(f"{where} cannot be read; expected NAME=value, or # and a comment")
    key, value = match[1], match[2].strip()
    if key in SECRETS:
        raise BadInput(f"{where} sets {key}, which is a secret: give it in the environment of the process alone")
    if key not in VARIABLES:
        close = get_close_matches(key, VARIABLES, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise BadInput(f"{where} sets {key}, which no environment sets; {hint}Allowed are {', '.join(VARIABLES)}")
    if value[:1] in ("'", '"', "~") or "$" in value or "\0" in value:
        raise BadInput(f"{where}: the value of {key} is taken as it stands; write it without quotes, $ and ~")
    if key in ADDRESSES and _holds_password(value):
        raise BadInput(
            f"{where}: {key} holds a password, which is a secret: leave it out (PostgreSQL finds it in ~/.pgpass), or "
            f"give {key} in the environment of the process alone"
        )
    return key, value


def _holds_password(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return bool(parts.password) or "password=" in parts.query
    except ValueError:  # as of a bracket that is not closed
        return "@" in address
