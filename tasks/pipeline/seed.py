"""The first rows of the bundled scenario: scikit-learn's digits, the oldest 3 of 20 windows, a file per window."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from releve.adapters.files import write_parquet
from tasks.pipeline.stage import Stage, run

if TYPE_CHECKING:
    import pandas as pd

WINDOWS = 20
SEED_WINDOWS = 3


def windows() -> "Iterator[pd.DataFrame]":
    """All rows in their natural order as 20 frames of about 90 rows: 64 pixels and the digit."""
    import numpy as np
    import pandas as pd
    from sklearn.datasets import load_digits

    pixels, digits = load_digits(return_X_y=True)
    names = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
    table = pd.DataFrame(pixels, columns=names).assign(digit=digits.astype("int64"))
    edges = np.linspace(0, len(table), WINDOWS + 1).astype(int)
    for start, end in pairwise(edges):
        yield table.iloc[start:end].reset_index(drop=True)


def seed(stage: Stage) -> None:
    """Write scenarios/<scenario>/seed/0001.parquet and on."""
    for number, window in zip(range(1, SEED_WINDOWS + 1), windows(), strict=False):
        write_parquet(stage.files.folder / "seed" / f"{number:04d}.parquet", window)


if __name__ == "__main__":
    run(seed)
