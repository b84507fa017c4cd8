"""Payloads of registry events in which only what a test is about has to be named."""

from typing import Any

from releve.domain.arms.arms import ArmMode, ArmsStarted
from releve.domain.evaluation.evaluation import Sanity
from releve.domain.evaluation.intervals import Interval
from releve.domain.registry.events import BatchIngested, Challenger
from releve.domain.registry.release import ExpectedPerformance, Release
from tests.evaluations import make_evaluation


def make_any_release(model: str = "digits:v1", **changes: Any) -> Release:
    """A release of a model that no store has to hold."""
    scenario, _, version = model.partition(":")
    values = {
        "scenario": scenario,
        "model": model,
        "model_digest": "ab" * 32,
        "index": f"releve_{scenario}_{version}",
        "index_rows": 900,
        "data_version": "cd" * 16,
        "revision": "ef" * 20,
        "rows": 900,
        "expected": ExpectedPerformance("accuracy", Interval(0.951, 0.92, 0.97), 300),
    }
    return Release(**{**values, **changes})


def make_arms_started(champion: str = "digits:v1", challenger: str = "digits:v2", **changes: Any) -> ArmsStarted:
    """A shadow."""
    values = {"mode": ArmMode.SHADOW, "challenger": make_any_release(challenger), "champion": champion, "share": 0.0}
    return ArmsStarted(**{**values, **changes})


def make_challenger(model: str = "digits:v1", **changes: Any) -> Challenger:
    """An accepted challenger with a score of 0.951."""
    values = {
        "model": model,
        "model_digest": "ab" * 32,
        "revision": "ef" * 20,
        "data_version": "cd" * 16,
        "rows": 900,
        "learned": changes.get("rows", 900),
        "champion": "",
        "search": "",
        "evaluation": make_evaluation(0.951),
        "promote": True,
        "reasons": ("a gain of +0.1 [+0.02, +0.18]",),
        "latency_ms": 0.02,
        "sanity": Sanity(rows=200, tried=4),
        "cpu_seconds": 12.5,
    }
    return Challenger(**{**values, **changes})


def make_ingested(source: str = "march.csv", **changes: Any) -> BatchIngested:
    """A file of 100 rows, none of them rejected."""
    values = {"batch": "0001.parquet", "rows": 100, "rejected": 0, "source": source, "sha256": "0" * 64}
    return BatchIngested(**{**values, **changes})
