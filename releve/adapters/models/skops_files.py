"""Fitted pipelines as skops files that have the same bytes whenever the same thing was fitted.

skops numbers objects by their address in memory and dates the parts of a file, so that no two runs write the same
bytes; DVC would take each for a new version, and a model's version would be one of chance.
"""

import io
import json
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

LEVEL = 1  # of the compression: trees shrink to a third, and more effort costs more than it saves


def dump_pipeline(pipeline: Any) -> bytes:
    """Write a fitted pipeline, or several in an ensemble, as a skops file."""
    import skops
    from skops.io._persist import get_state
    from skops.io._utils import SaveContext

    parts = _ArchiveParts()
    context = SaveContext(parts)  # skops' own `dumps` indents what nobody reads, which costs it most of its time
    state = {**get_state(pipeline, context), "protocol": context.protocol, "_skops_version": skops.__version__}
    schema, names = _renumbered(state)
    made = io.BytesIO()
    with ZipFile(made, "w") as file:
        for old, new in names.items():
            file.writestr(ZipInfo(new), parts.content[old], compress_type=ZIP_DEFLATED, compresslevel=LEVEL)
        file.writestr(ZipInfo("schema.json"), json.dumps(schema), compress_type=ZIP_DEFLATED, compresslevel=LEVEL)
    return made.getvalue()


class _ArchiveParts:
    """What skops writes into its archive."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    def namelist(self) -> Any:
        return self.content.keys()

    def writestr(self, name: str, content: Any) -> None:
        self.content[name] = bytes(content)


def _renumbered(schema: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Number objects and parts in the order in which they come; return the new name of each part as well."""
    numbers: dict[int, int] = {}
    names: dict[str, str] = {}

    def walk(node: Any) -> Any:
        if isinstance(node, list | tuple):
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
