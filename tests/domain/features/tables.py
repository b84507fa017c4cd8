"""A table in time order with features that nobody sends, and rows of it."""

import numpy as np
import pandas as pd

from releve.domain.schema.schema import BATCH, Schema

RIDES = "rides"
RIDES_TABLE = {
    "target": {"name": "rented", "task": "regression", "min": 0},
    "time": "at",
    "columns": {
        "at": {"type": "date"},
        "warmth": {"type": "number", "nullable": True},
        "sky": {"type": "category", "categories": ["clear", "rain"], "nullable": True},
        "sold": {"type": "number", "feature": False},
    },
    "features": {"lags": {"rented": [24, 48], "warmth": 1, "sky": [2], "sold": [24]}, "calendar": "hour"},
}


PANEL = "panel"
PANEL_FEATURES = {"lags": {"rented": [24, 48], "warmth": 1, "sky": [2]}, "by": "shop", "calendar": "hour"}
PANEL_TABLE = {
    **RIDES_TABLE,
    "columns": {**RIDES_TABLE["columns"], "shop": {"type": "category", "feature": False}},
    "features": PANEL_FEATURES,
}


def panel_schema(**changes):
    return Schema.from_dict({**PANEL_TABLE, **changes}, source="panel.yaml")


def panel(rows=200, *, shops=("north", "south", "east"), **made):
    """Make rows of several shops at the same hours, in time order; of some it is not known of which shop they are."""
    each = [rides(rows, seed=seed, **made).assign(shop=shop) for seed, shop in enumerate(shops, start=7)]
    frame = pd.concat(each).sort_values([BATCH, "at"], kind="stable", ignore_index=True)
    frame.loc[::50, "shop"] = ""
    return frame


def rides_schema(**changes):
    return Schema.from_dict({**RIDES_TABLE, **changes}, source="rides.yaml")


def rides(rows=200, *, seed=7, gaps=0.1, missing=0.1, batches=5, first="2024-02-20"):
    """Make hourly rows with gaps and missing cells, in batches of unequal size."""
    random = np.random.default_rng(seed)
    hours = np.flatnonzero(random.random(rows) >= gaps)
    kept = len(hours)
    frame = pd.DataFrame(
        {
            "at": (np.datetime64(first, "us") + hours.astype("timedelta64[h]")),
            "warmth": np.where(random.random(kept) < missing, np.nan, random.normal(size=kept).round(3)),
            "sky": np.where(random.random(kept) < missing, "", random.choice(["clear", "rain"], size=kept)).astype(
                object
            ),
            "sold": random.integers(0, 100, size=kept).astype(float),
            "rented": random.integers(0, 100, size=kept).astype(float),
        }
    )
    cuts = np.sort(random.integers(0, kept, size=batches - 1))
    frame[BATCH] = [f"{number:04d}" for number in np.searchsorted(cuts, np.arange(kept), side="right")]
    return frame
