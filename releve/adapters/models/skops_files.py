"""Fitted pipelines as skops files that have the same bytes whenever the same thing was fitted.

skops numbers objects by their address in memory and dates the parts of a file, so that no two runs write the same
bytes; DVC would take each for a new version, and a model's version would be one of chance.
"""

import io
import json
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

SCHEMA = "schema.json"  # of a skops file: what its parts are
LEVEL = 1  # of the compression: trees shrink to a third, and more effort costs more than it saves


def dump_pipeline(pipeline: Any) -> bytes:
    """Write a fitted pipeline, or several in an ensemble, as a skops file."""
    import skops.io

    given = ZipFile(io.BytesIO(skops.io.dumps(pipeline)))
    schema, names = _renumbered(json.loads(given.read(SCHEMA)))
    made = io.BytesIO()
    with ZipFile(made, "w") as file:
        for old, new in names.items():
            file.writestr(ZipInfo(new), given.read(old), compress_type=ZIP_DEFLATED, compresslevel=LEVEL)
        file.writestr(ZipInfo(SCHEMA), json.dumps(schema), compress_type=ZIP_DEFLATED, compresslevel=LEVEL)
    return made.getvalue()


def _renumbered(schema: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Number objects and parts in the order in which they come; return the new name of each part as well."""
    numbers: dict[int, int] = {}
    names: dict[str, str] = {}

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(each) for each in node]
        if not isinstance(node, dict):
            return node
        found = {key: walk(value) for key, value in node.items()}
        if isinstance(node.get("__id__"), int) and "__loader__" in node:
            found["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
            if isinstance(name := node.get("file"), str):
                found["file"] = names.setdefault(name, f"{len(names) + 1}.{name.rpartition('.')[2]}")
        return found

    return walk(schema), names
