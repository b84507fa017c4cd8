"""Scenario names. They become paths, branches, shell words and collection names, so they are checked first."""

import re

from releve.core.errors import BadInput
from releve.core.formatting import shortened

SCENARIO_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def check_scenario_name(name: str) -> str:
    """Return `name` unchanged. Raises BadInput when it is not allowed."""
    if not isinstance(name, str) or not SCENARIO_NAME.fullmatch(name):
        raise BadInput(
            f"the scenario name {shortened(repr(name))} is not allowed: "
            "use 1 to 63 lower-case letters, digits, '_' or '-', starting with a letter or a digit"
        )
    return name
