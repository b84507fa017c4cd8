"""What holds for every test.

Tables here are small: a second thread of scikit-learn's has nothing to compute and spins, which on a busy machine costs
several times the processor time of the sum itself. So tests, and the processes they start, compute in one thread;
tests of how many threads compute say otherwise (`many_threads`).
"""

import os

import pytest

THREADS = "OMP_NUM_THREADS"  # read once, when scikit-learn is loaded: so it is set before any test module is
os.environ[THREADS] = "1"


@pytest.fixture
def many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes started from now on may compute in more than one thread."""
    monkeypatch.setenv(THREADS, "2")
