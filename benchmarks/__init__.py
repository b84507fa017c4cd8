"""Measurements, run from the root: `python -m benchmarks.<name>`."""
