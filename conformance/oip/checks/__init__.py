"""Every check, in the order in which they are asked: reading first, faults last."""

from conformance.oip.checks import (  # noqa: F401  # importing registers the checks  # isort: skip
    health,
    metadata,
    inference,
    outputs,
    tensors,
    binary,
    repository,
    faults,
)
