"""What is known of a model that was brought: brought/<name>.json of the scenario's branch, and a part of model.json."""

from typing import Literal

from releve.core.documents import DocumentPart

PREFIX = "brought_"  # of the names of these members; then the beginning of their graph's digest
MOST_BROUGHT = 3  # newest ones that are members of the ensemble


class BroughtDescription(DocumentPart):
    """A file that passed its trial. It is fitted never: `learned` is what a person says of it."""

    format: Literal[1] = 1
    name: str  # PREFIX and 12 digits of graph, file and `learned`
    digest: str  # sha256 of the graph that answers: the file's, between inputs and outputs of our own
    file: str  # its name, as it was brought
    file_digest: str  # sha256 of the file
    bytes: int  # of the file
    producer: str  # that the file names; "" where it names none
    opsets: dict[str, int]  # by domain, "ai.onnx" is the main one
    inputs: dict[str, tuple[str, ...]]  # columns by the name of the input that takes them
    output: str  # that is read
    means: str  # what it is: see `Means`
    classes: tuple[int | str | float, ...]  # that it knows, in the target's order; none of a regression
    columns: dict[str, list[str]]  # of each block of the table when it was brought, in their order
    missing: dict[str, float]  # what takes the place of a missing cell, by column
    learned: int | None  # the oldest labelled rows that it may have learned; None where nobody said
    known: int  # labelled rows that there were when it was brought

    @property
    def earliest(self) -> int:
        """Return from which labelled row on its answers as a member are sure to be to rows that it had not learned."""
        return self.known if self.learned is None else self.learned
