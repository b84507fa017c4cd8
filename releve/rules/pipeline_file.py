"""A scenario's dvc.yaml: the bundled scenario's pipeline under another name, without the stage that makes its rows.

DVC has no includes, and a stage must name every file that it depends on, so each scenario holds a copy; a test keeps
all copies equal, and `python -m tasks.scaffold --refresh` writes them anew.
"""

import re

from releve.errors import BadInput

SEED_STAGE = re.compile(r"\n  seed:\n.*?\n\n(?=  \w+:\n)", re.DOTALL)
SCENARIO_VAR = re.compile(r"^(  - scenario: ).*$", re.MULTILINE)


def pipeline_text(template: str, *, scenario: str) -> str:
    """`template`, the dvc.yaml of any scenario, for `scenario`. Raises BadInput when it names no scenario."""
    named, found = SCENARIO_VAR.subn(rf"\g<1>{scenario}", template)
    if found != 1:
        raise BadInput("the dvc.yaml to copy has no line '- scenario: <name>' below 'vars'; restore it from git")
    return SEED_STAGE.sub("\n", named)
