"""A scenario's dvc.yaml: the bundled scenario's pipeline under another name, without the stage that makes its rows.

DVC has no includes, so each scenario holds a copy, which `releve scenario --refresh` writes anew.
"""

import io
from functools import cache
from typing import Any

from releve.core.errors import BadInput

SEED_STAGE = "seed"
WIDE = 10_000  # characters; shorter, and YAML breaks lines


def pipeline_text(template: str, *, scenario: str) -> str:
    """`template`, the dvc.yaml of any scenario, for `scenario`. Raises BadInput when it names no scenario."""
    pipeline = _yaml().load(template)
    named = [each for each in pipeline.get("vars") or [] if isinstance(each, dict) and "scenario" in each]
    if len(named) != 1:
        raise BadInput("the dvc.yaml to copy has no line '- scenario: <name>' below 'vars'; restore it from git")
    named[0]["scenario"] = scenario
    pipeline["stages"].pop(SEED_STAGE, None)
    text = io.StringIO()
    _yaml().dump(pipeline, text)
    return text.getvalue()


@cache
def _yaml() -> Any:
    """A reader and writer that keeps comments, and the layout of the file as it is."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = WIDE
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
