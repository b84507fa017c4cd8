"""Write down what code and settings each step has, so that DVC runs a stage again when one of them has changed.

`python -m tasks.pipeline.code FOLDER STEP...` writes FOLDER/STEP.json for each step: every file of this project
that `tasks.pipeline.STEP` imports, however far away, with its SHA-256. A stage depends on its own manifest, and no list
of files has to be kept by hand. In the folder of a scenario the manifest also has a digest of what the step reads of
the scenario's params.yaml, so that a setting of another step runs nothing again. The stage `code` of a dvc.yaml calls
this at every `dvc repro`.
"""

import ast
import json
import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from releve.adapters.files import read_params, read_schema, read_yaml, write_json
from releve.core.errors import run_command
from releve.domain.schema.schema import TABLE_KEYS

PACKAGES = ("releve", "tasks")
BLOCKS = ("body", "orelse", "handlers", "finalbody")  # where a statement holds others


def write_manifests(project: Path, folder: Path, steps: list[str]) -> None:
    """Write `folder`/<step>.json for each of `steps`. Raises FileNotFoundError for a step that does not exist."""
    digest = cache(lambda path: sha256((project / path).read_bytes()).hexdigest())
    for step in steps:
        digests = {path: digest(path) for path in sorted(imported_files(project, f"tasks.pipeline.{step}"))}
        write_json(folder / f"{step}.json", digests | _settings_digest(project, project / folder, step))


def _settings_digest(project: Path, folder: Path, step: str) -> dict[str, str]:
    """Digest the table's description and the settings that the stage names in its `params`; {} outside a scenario."""
    scenario = folder.parent.parent
    if scenario == project or not (scenario / "params.yaml").is_file():
        return {}
    own, stages = read_yaml(scenario / "params.yaml"), read_yaml(scenario / "dvc.yaml")
    read = {key: own.get(key) for key in TABLE_KEYS}
    for name in stages["stages"].get(step, {}).get("params", ()):
        section, _, key = name.partition(".")
        settings = own.get(section) or {}
        read[name] = settings.get(key) if key else settings
    text = json.dumps(read, sort_keys=True, default=str)  # YAML has dates
    return {(scenario / "params.yaml").relative_to(project).as_posix(): sha256(text.encode()).hexdigest()}


def imported_files(project: Path, module: str) -> set[str]:
    """Files of the project's own packages that running `module` may import, itself included.

    Imports inside functions count, those for type checkers alone do not. The templates beside a file are its code too.
    """
    if _file_of(project, module) is None:
        raise FileNotFoundError(f"{module} is no module of {project}")
    seen, waiting = set(), [*_with_packages(module)]
    while waiting:
        path = _file_of(project, waiting.pop())
        if path and path not in seen:
            seen.add(path)
            waiting += _imports(project, path)
    templates = {each for path in seen for each in (project / path).parent.glob("templates/*")}
    return seen | {path.relative_to(project).as_posix() for path in templates}


@cache
def _file_of(project: Path, module: str) -> str | None:
    """The file of a module or package of ours; None for another's, and for a name that is no module."""
    if not module.startswith(PACKAGES):
        return None
    base = module.replace(".", "/")
    return next((path for path in (f"{base}.py", f"{base}/__init__.py") if os.path.isfile(f"{project}/{path}")), None)


@cache
def _imports(project: Path, path: str) -> frozenset[str]:
    text = (project / path).read_text(encoding="utf-8")
    lines = [number for number, line in enumerate(text.split("\n"), 1) if "import" in line]

    def imported(statements: Iterable[Any]) -> Iterator[str]:
        for node in statements:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
            elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                yield from imported(node.orelse)
            elif any(node.lineno <= line <= node.end_lineno for line in lines):  # most of a tree has no such line
                yield from (name for block in BLOCKS for name in imported(getattr(node, block, ())))
                yield from (name for case in getattr(node, "cases", ()) for name in imported(case.body))

    names = imported(ast.parse(text).body)
    return frozenset(each for name in names if name.startswith(PACKAGES) for each in _with_packages(name))


def _with_packages(name: str) -> Iterator[str]:
    """A module, and the packages that it lies in: importing it runs their __init__ too."""
    parts = name.split(".")
    return (".".join(parts[: count + 1]) for count in range(len(parts)))


def main(project: Path, folder: Path, steps: list[str]) -> None:
    """Write the manifests. In the folder of a scenario its params.yaml is checked first, as every later step does."""
    scenario = folder.parent.parent
    if scenario.parent.name == "scenarios":
        read_params(project, scenario.name)
        read_schema(project, scenario.name)
    write_manifests(project, folder, steps)


if __name__ == "__main__":
    sys.exit(run_command(lambda: main(Path.cwd(), Path(sys.argv[1]), sys.argv[2:])))
