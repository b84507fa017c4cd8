"""Made streams to backtest: rows in time order whose rule changes, or does not."""

from typing import Any

import numpy as np
import pandas as pd

from releve.core.errors import BadInput
from releve.core.params import Params
from releve.domain.backtest.jobs import Job, JobContext, JobResult
from releve.domain.backtest.walk_forward import WalkForward, walk_forward
from releve.domain.schema.schema import Schema
from tests.tables import make_params

ROWS, NOISE = 800, 0.1
SCHEMA = Schema.from_dict(
    {
        "target": {"name": "kind", "classes": ["no", "yes"]},
        "columns": {"length": {"type": "number"}, "width": {"type": "number"}},
    }
)


def stream(*, angle: Any, rows: int = ROWS, seed: int = 7, noise: float = NOISE) -> pd.DataFrame:
    """Two normal columns; the label follows from the side of a line whose angle is `angle(share of the rows before)`.

    A share `noise` of the labels is drawn by lot.
    """
    random = np.random.default_rng(seed)
    length, width = random.normal(size=(2, rows))
    turned = np.array([angle(place / rows) for place in range(rows)])
    right = np.cos(turned) * length + np.sin(turned) * width > 0
    lot = random.random(rows) < noise
    label = np.where(lot, random.random(rows) < 0.5, right)
    return pd.DataFrame({"length": length, "width": width, "kind": np.where(label, "yes", "no").astype(object)})


def still(share: float) -> float:
    return 0.0


def abrupt(share: float) -> float:
    return 0.0 if share < 0.5 else 2.0


def gradual(share: float) -> float:
    return 2.5 * share


def recurring(share: float) -> float:
    return 0.0 if int(share * 4) % 2 == 0 else 2.0


def stream_params(**sections: dict[str, Any]) -> Params:
    """Six windows of 100 rows after the first 200, one linear recipe, no search; `sections` replaces keys."""
    small: dict[str, dict[str, Any]] = {
        "backtest": {"windows": 6, "first_share": 0.25},
        "train": {"recipe": "linear"},
        "search": {"on": []},
    }
    return make_params(**{name: {**small.get(name, {}), **sections.get(name, {})} for name in {*small, *sections}})


def stream_course(rows: pd.DataFrame, **sections: dict[str, Any]) -> WalkForward:
    """The stream, ready to be backtested with few draws."""
    return walk_forward(rows, SCHEMA, stream_params(**sections), resamples=400)


class Here:
    """Does jobs in this process, and remembers which."""

    def __init__(self, context: JobContext):
        self._context, self.jobs = context, list[Job]()

    def __call__(self, jobs: list[Job]) -> list[JobResult]:
        self.jobs += jobs
        return [self._done(job) for job in jobs]

    def _done(self, job: Job) -> JobResult:
        try:
            return JobResult(job.run(self._context), 1.0)
        except BadInput as error:
            return JobResult(None, 1.0, str(error))
