"""Names of scenarios and of models.

Scenario names become paths, branches, shell words and collection names, so they are checked first.
"""

import re
from dataclasses import dataclass

from releve.core.errors import BadInput
from releve.core.formatting import shortened

SCENARIO_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True)
class ModelTag:
    """The name of a model version: "<scenario>:<version>"."""

    scenario: str
    version: str

    @classmethod
    def parse(cls, text: str) -> "ModelTag":
        """Read a tag. The version is "" where `text` has none."""
        scenario, _, version = text.partition(":")
        return cls(scenario, version)

    def __str__(self) -> str:
        return f"{self.scenario}:{self.version}"


def check_scenario_name(name: str) -> str:
    """Return `name` unchanged. Raises BadInput when it is not allowed."""
    if not isinstance(name, str) or not SCENARIO_NAME.fullmatch(name):
        raise BadInput(
            f"the scenario name {shortened(repr(name))} is not allowed: "
            "use 1 to 63 lower-case letters, digits, '_' or '-', starting with a letter or a digit"
        )
    return name
