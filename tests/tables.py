"""A shop's table to test with: two numbers, one category, and whether the thing was bought."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from releve.core.params import Params, merge, parse
from releve.domain.schema.examples import EXAMPLE_IMAGES
from releve.domain.schema.schema import Schema

ROOT = Path(__file__).parent.parent
SHOP = "shop"
SHOP_TABLE: dict[str, Any] = {
    "target": {"name": "bought", "classes": ["no", "yes"]},
    "train": {"recipe": "linear"},
    "search": {"trials": 0},
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


DARK, BRIGHT = EXAMPLE_IMAGES
RENTALS = "rentals"
RENTALS_TABLE: dict[str, Any] = {
    "target": {"name": "rented", "task": "regression", "min": 0},
    "time": "day",
    "id": "station",
    "columns": {
        "note": {"type": "text", "max_length": 40, "nullable": True},
        "season": {"type": "category", "categories": ["cold", "warm"]},
        "day": {"type": "date", "min": "2020-01-01"},
        "temperature": {"type": "number", "nullable": True},
        "sky": {"type": "image", "size": [2, 1]},
        "casual": {"type": "number", "feature": False},  # a part of what is predicted
        "station": {"type": "category", "feature": False},
    },
}


def rentals_schema(**columns: dict[str, Any]) -> Schema:
    """A regression over every type of column; `columns` replaces single keys of single columns."""
    known = RENTALS_TABLE["columns"]
    return Schema.from_dict({**RENTALS_TABLE, "columns": {name: known[name] | columns.get(name, {}) for name in known}})


def rentals_row(**changes: Any) -> dict[str, Any]:
    """A row of features that the schema allows, as `predict` receives it."""
    return {
        "temperature": 20.5,
        "day": "2024-07-06T08:30:00",
        "season": "warm",
        "note": "sunny",
        "sky": BRIGHT,
        **changes,
    }


def rentals_rows(rows: int = 120, *, seed: int = 7) -> pd.DataFrame:
    """Good rows in time order, an hour apart; what is rented follows from the warmth, the hour and the weather."""
    random = np.random.default_rng(seed)
    day = pd.date_range("2024-01-01", periods=rows, freq="h")
    temperature = random.normal(15, 8, rows).round(2)
    note = random.choice(np.array(["sunny", "a little rain", "storm and hail", None], dtype=object), rows)
    rented = 3 * np.clip(temperature, 0, None) + 2 * day.hour + 20 * (note == "sunny") + random.uniform(0, 5, rows)
    return pd.DataFrame(
        {
            "station": random.choice(["north", "south"], rows),
            "temperature": np.where(random.random(rows) < 0.1, np.nan, temperature),
            "day": day,
            "season": np.where(temperature < 15, "cold", "warm").astype(object),
            "note": note,
            "sky": np.where(np.arange(rows) % 3, BRIGHT, DARK).astype(object),
            "casual": (rented * 0.3).round(),
            "rented": rented.round(1),
        }
    )


MESSAGES = "messages"
MESSAGES_TABLE: dict[str, Any] = {
    "target": {"name": "kind", "classes": ["ham", "spam"], "positive": "spam"},
    "columns": {
        "message": {"type": "text", "max_length": 160},
        "sent": {"type": "date", "nullable": True},
    },
}
HAM = ("see you at home tonight", "are we still on for lunch", "i will call you later", "happy birthday my friend")
SPAM = ("win a free prize now", "claim your cash prize", "free entry text win", "urgent you have won cash")


def messages_schema() -> Schema:
    """Two classes of texts, and when each was sent."""
    return Schema.from_dict(MESSAGES_TABLE)


def messages_rows(rows: int = 80, *, seed: int = 7) -> pd.DataFrame:
    """Good rows; a third of them spam."""
    random = np.random.default_rng(seed)
    spam = random.random(rows) < 0.35
    return pd.DataFrame(
        {
            "message": [str(random.choice(SPAM if each else HAM)) + f" {random.integers(100)}" for each in spam],
            "sent": pd.date_range("2024-01-01", periods=rows, freq="7h").where(random.random(rows) < 0.9),
            "kind": np.where(spam, "spam", "ham").astype(object),
        }
    )
