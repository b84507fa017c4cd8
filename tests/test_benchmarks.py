"""Benchmarks are run by hand, and rarely: here they are seen to load."""

import subprocess
import sys

import pytest

from tests.factories import PROJECT

NAMES = sorted(path.stem for path in (PROJECT / "benchmarks").glob("[!_]*.py"))


@pytest.mark.slow
def test_every_benchmark_finds_what_it_imports():
    script = "".join(f"import benchmarks.{name}\n" for name in NAMES)

    run = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, timeout=300)

    assert NAMES
    assert run.returncode == 0, run.stderr
