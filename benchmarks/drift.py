"""How often is drift called where there is none, and is a known shift seen? Beside Evidently's defaults and ADWIN.

    python -m benchmarks.drift --quick                        # minutes; writes docs/figures/drift.csv, .md and .png
    python -m benchmarks.drift --table elec2=elec2.csv        # real tables of your own, beside digits and made ones
    python -m benchmarks.drift --workers 1 --tries 200        # closer figures, one process; fewer tries on wide tables

A try is a reference and two windows after it, of one population (benchmarks/drift_worlds.py). An alarm is a first
verdict of "drift suspected" or "drift"; both windows count. Drift is the second verdict, which knows the first one.
With a shift, two of 16 columns of both windows are moved.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.drift_pages import describe, draw, missed, write
from benchmarks.drift_tries import Setup, in_order, measured, plan
from benchmarks.drift_worlds import Columns
from releve.adapters.files import read_params

QUICK_TRIES, TRIES = 4, 20


def main() -> None:
    """Write the table and the plot, and print which figures are beyond the bars."""
    arguments = _arguments()
    tables = read_tables(arguments.table, arguments.leave_out)
    setup = Setup(read_params(Path.cwd()).monitor, tables, beside=not arguments.alone)
    cells = list(plan(setup.tables, arguments.tries or (QUICK_TRIES if arguments.quick else TRIES)))
    started, figures = time.monotonic(), []
    for measurement in measured(setup, cells, workers=arguments.workers):
        figures += measurement
        print(f"{time.monotonic() - started:.0f} s", *map(describe, measurement), sep="\n  ", flush=True)
    order = [row for name, table in setup.tables.items() for row in in_order(name, table, setup.params)]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write(figures, order, arguments.out)
    draw(figures, arguments.out.with_suffix(".png"))
    print("shown to be beyond the bars:", *(missed(figures) or ["none"]), sep="\n  ")


def read_tables(named: Sequence[str], left_out: Sequence[str]) -> dict[str, Columns]:
    """digits, and NAME=FILE of CSV files: numbers, and categories of whatever else repeats itself."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    tables: dict[str, Columns] = {"digits": {f"pixel_{at}": digits.data[:, at] for at in range(digits.data.shape[1])}}
    for each in named:
        name, _, path = each.partition("=")
        frame = pd.read_csv(path).drop(columns=list(left_out), errors="ignore")
        tables[name] = {str(column): _cells(frame[column]) for column in frame if _is_used(frame[column], name)}
    return tables


def _is_used(cells: "pd.Series[Any]", name: str) -> bool:
    used = pd.api.types.is_numeric_dtype(cells) or cells.nunique() <= len(cells) / 2
    if not used:
        print(f"{name}: {cells.name} is left out: nearly every row has a value of its own")
    return used


def _cells(cells: "pd.Series[Any]") -> Any:
    return cells.to_numpy(float if pd.api.types.is_numeric_dtype(cells) else object)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_TRIES} tries instead of {TRIES}")
    parser.add_argument("--tries", type=int, default=0, help="of 50 columns; twice as many of 10 and 16, half of 200")
    parser.add_argument("--alone", action="store_true", help="without Evidently and ADWIN, which take most of the time")
    parser.add_argument("--workers", type=int, default=0, help="processes; 0: one per core")
    parser.add_argument("--out", type=Path, default=Path("docs/figures/drift"), help="without its ending")
    parser.add_argument("--table", nargs="+", default=[], metavar="NAME=FILE", help="CSV files, in time order")
    parser.add_argument("--leave-out", nargs="+", default=[], metavar="COLUMN", help="of any table, such as ids")
    return parser.parse_args()


if __name__ == "__main__":
    main()
