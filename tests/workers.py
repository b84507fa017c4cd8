"""Workers that compute in this process, for tests of what is computed: a process would cost two seconds each."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from releve.adapters.compute import Function, Outcome, Workers


@dataclass(frozen=True)
class Here:
    function: Function
    shared: Any

    def run(self, items: Sequence[Any]) -> Iterator[Outcome]:
        for item in items:
            yield Outcome(self.function(self.shared, item))


@contextmanager
def open_here(function: Function, shared: Any, *, address: str, workers: int) -> Iterator[Workers]:
    yield Here(function, shared)


@contextmanager
def computing_here(module: str) -> Iterator[None]:
    """What this module computes with workers is computed in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{module}.open_workers", open_here)
        yield
