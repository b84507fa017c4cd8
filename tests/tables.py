"""A shop's table to test with: two numbers, one category, and whether the thing was bought."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from releve.rules.params import Params, merge, parse
from releve.rules.schema import Schema

ROOT = Path(__file__).parent.parent
SHOP = "shop"
SHOP_TABLE: dict[str, Any] = {
    "target": {"name": "bought", "classes": ["no", "yes"]},
    "train": {"recipe": "linear"},
    "tune": {"trials": 0},
    "columns": {
        "kind": {"type": "category", "categories": ["apple", "bread", "cheese"], "nullable": True},
        "price": {"type": "number", "min": 0, "max": 100},
        "weight": {"type": "number", "nullable": True},
    },
}


def shop_schema(**columns: dict[str, Any]) -> Schema:
    """The shop's schema; `columns` replaces single keys of single columns."""
    known = SHOP_TABLE["columns"]
    return Schema.from_dict({**SHOP_TABLE, "columns": {name: known[name] | columns.get(name, {}) for name in known}})


def shop_row(**changes: Any) -> dict[str, Any]:
    """A row of features that the schema allows."""
    return {"kind": "bread", "price": 20.0, "weight": 1.5, **changes}


def shop_rows(rows: int = 90, *, seed: int = 7, price_shift: float = 0.0) -> pd.DataFrame:
    """Good rows with their labels, one in ten of them surprising; a tenth of weights and kinds is missing."""
    random = np.random.default_rng(seed)
    price = random.uniform(0, 100 - price_shift, rows).round(2) + price_shift
    weight = np.where(random.random(rows) < 0.1, np.nan, random.normal(2, 1, rows).round(3))
    kind = random.choice(np.array(["apple", "bread", "cheese", None], dtype=object), rows, p=[0.3, 0.3, 0.3, 0.1])
    bought = np.where((price < 50) ^ (random.random(rows) < 0.1), "yes", "no")
    return pd.DataFrame({"kind": kind, "price": price, "weight": weight, "bought": bought.astype(object)})


def base_params() -> dict[str, Any]:
    """params.yaml of this repository."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    return values


def make_params(**sections: dict[str, Any]) -> Params:
    """params.yaml of this repository with some keys replaced: make_params(gate={"margin": 0.1})."""
    return parse(merge(base_params(), sections), source="a test")
