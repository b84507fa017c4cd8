"""A shop's table whose target is a number: what a customer spent."""

import numpy as np
import pandas as pd

from releve.domain.schema.schema import Schema
from tests.tables import SHOP_TABLE, shop_rows


def priced_schema() -> Schema:
    """The shop's columns; the target is a regression."""
    return Schema.from_dict({**SHOP_TABLE, "target": {"name": "spent", "task": "regression", "min": 0}})


def priced_rows(rows: int = 90, *, seed: int = 7) -> pd.DataFrame:
    """Half the price, and one more or less."""
    frame = shop_rows(rows, seed=seed).drop(columns="bought")
    noise = np.random.default_rng(seed + 1000).normal(0, 1, rows)
    return frame.assign(spent=np.maximum(0, frame["price"] / 2 + noise).round(2))
