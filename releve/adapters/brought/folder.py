"""The folder `brought` of a scenario: <name>.onnx, a graph with our inputs and output, and <name>.json, what it is."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from releve.adapters.files import read_document, write_bytes, write_document
from releve.adapters.models.brought_pipeline import BroughtPipeline
from releve.core.errors import BadInput
from releve.domain.brought.description import BroughtDescription

GRAPH, DESCRIPTION = ".onnx", ".json"  # ends of the names
ENDINGS = (GRAPH, DESCRIPTION)


@dataclass(frozen=True)
class BroughtFile:
    """A model that was brought."""

    description: BroughtDescription
    pipeline: BroughtPipeline


@dataclass(frozen=True)
class TriedFile:
    """A model that passed its trial: its two files, which are not yet versioned."""

    name: str
    files: tuple[Path, Path]

    @classmethod
    def write(cls, folder: Path, graph: bytes, description: BroughtDescription) -> "TriedFile":
        """Write both files into a folder."""
        files = (folder / f"{description.name}{GRAPH}", folder / f"{description.name}{DESCRIPTION}")
        write_bytes(files[0], graph)
        write_document(files[1], description)
        return cls(description.name, files)


def read_brought(folder: Path, name: str) -> BroughtFile:
    """Read a model that was brought. Raise BadInput where its files are not those that were tried."""
    graph, about = (folder / f"{name}{ending}" for ending in ENDINGS)
    if not graph.is_file() or not about.is_file():
        raise BadInput(f"the brought model {name} is not in {folder.name}/; bring its file again: releve bring")
    remedy = "bring the model again: releve bring"
    description = read_document(about, BroughtDescription, remedy=remedy)
    content = graph.read_bytes()
    if hashlib.sha256(content).hexdigest() != description.digest:
        raise BadInput(f"{graph.name} is not the graph that was tried: its digest is another one; {remedy}")
    return BroughtFile(description, BroughtPipeline(content, description.columns, description.classes))
