"""Names inside Milvus. A collection carries its scenario and version, so that a person can read the list."""

import re

from releve.core.errors import BadInput
from releve.core.names import check_scenario_name

PREFIX = "releve_"  # a Milvus name starts with a letter or '_', a scenario name may start with a digit
CURRENT = "current"  # the alias of a scenario ends so, therefore no version may be called that
COLLECTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
VERSION = re.compile(r"[A-Za-z0-9_-]{1,128}")


def collection_name(scenario: str, version: str) -> str:
    """`releve_<scenario>_<version>` with '-' written '_'. Raises BadInput for a part that is not allowed.

    Not reversible ("a-b" and "a_b" meet): a collection's owner is the scenario written in its properties.
    """
    if not VERSION.fullmatch(version) or version == CURRENT:
        raise BadInput(
            f"the index version {version!r} is not allowed: use 1 to 128 letters, digits, '_' or '-', not {CURRENT!r}"
        )
    return _joined(scenario, version)


def alias_name(scenario: str) -> str:
    """`releve_<scenario>_current`: what outside tools search."""
    return _joined(scenario, CURRENT)


def check_collection_name(name: str) -> str:
    """Return `name` unchanged. Raises BadInput for a name that Milvus, or its folders, must not see."""
    if not isinstance(name, str) or not COLLECTION_NAME.fullmatch(name):
        raise BadInput(
            f"the collection name {name!r} is not allowed: use 1 to 255 letters, digits or '_', no digit first"
        )
    return name


def _joined(scenario: str, last: str) -> str:
    return f"{PREFIX}{check_scenario_name(scenario)}_{last}".replace("-", "_")
