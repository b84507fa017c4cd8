"""Tries of benchmarks.drift: a reference and two windows, and what each method says of them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.drift_rivals import rivals
from benchmarks.drift_worlds import MADE, MIXED, NORMAL, REFERENCE, RESAMPLED, Columns, draw, schema_of
from releve.adapters.compute import open_workers
from releve.core.params import Monitor
from releve.domain.drift.verdict import ALARMS, DriftState, compare
from releve.domain.evaluation.intervals import Interval, share

COLUMNS, ROWS = (10, 50, 200), (200, 1_000, 10_000)
POWER_COLUMNS, POWER_ROWS, SHIFTS = 16, (200, 1_000), (0.25, 0.5)
WIDE, LONG = {10: 1, 50: 2, 200: 4}, {200: 1, 1_000: 1, 10_000: 2}  # by how much tries are fewer: columns, rows
ALARM, SURE, HELD = "alarm, first verdict", "drift, second verdict", "broken data"
OLDEST = 3  # in order: the oldest third is the reference
FIXED, MOVING = "the oldest third", f"the newest {REFERENCE:,} rows before"
SEED = 7


@dataclass(frozen=True)
class Cell:
    """Tries that are alike."""

    world: str
    columns: int
    rows: int
    tries: int
    shift: float = 0.0


@dataclass(frozen=True)
class Figure:
    """How often one method raised an alarm."""

    cell: Cell
    method: str
    alarms: int
    verdicts: int

    @property
    def interval(self) -> Interval:
        """The share 0-1, with its 95% interval."""
        return share(self.alarms, self.verdicts, confidence=0.95)


@dataclass(frozen=True, eq=False)
class Setup:
    """What all tries share."""

    params: Monitor
    tables: Mapping[str, Columns]
    beside: bool = True  # whether Evidently's defaults and ADWIN are tried too


def plan(tables: Iterable[str], tries: int) -> Iterator[Cell]:
    """Which tables, how wide, how many rows, and how often."""
    names = [*tables]
    for world in (*names, *MADE, RESAMPLED):
        for columns in COLUMNS if world in (*names, MIXED, RESAMPLED) else COLUMNS[1:2]:
            for rows in ROWS:
                yield Cell(world, columns, rows, max(1, 2 * tries // (WIDE[columns] * LONG[rows])))
    for world in (*names, NORMAL, MIXED):
        for rows in POWER_ROWS:
            yield from (Cell(world, POWER_COLUMNS, rows, 2 * tries, shift) for shift in SHIFTS)


def measured(setup: Setup, cells: Sequence[Cell], *, workers: int) -> Iterator[list[Figure]]:
    """The figures of each cell, side by side over `workers` processes; 0: one per core."""
    items = [(cell, number) for cell in cells for number in range(cell.tries)]
    with open_workers(tried, setup, address="", workers=workers) as open_:
        outcomes = open_.run(items)
        for cell in cells:
            alarms: Counter[str] = Counter()
            verdicts: Counter[str] = Counter()
            for _ in range(cell.tries):
                outcome = next(outcomes)
                if outcome.problem:
                    raise RuntimeError(f"{cell}: {outcome.problem}")
                for method, answers in outcome.value.items():
                    alarms[method] += sum(answers)
                    verdicts[method] += len(answers)
            yield [Figure(cell, method, alarms[method], verdicts[method]) for method in verdicts]


def tried(setup: Setup, item: tuple[Cell, int]) -> dict[str, list[bool]]:
    """One try: the alarms of each method, in one verdict or two."""
    cell, number = item
    random = np.random.default_rng([SEED, number, *cell.world.encode(), cell.columns, cell.rows])
    samples = draw(cell.world, setup.tables, random, columns=cell.columns, rows=cell.rows, shift=cell.shift)
    state, states = DriftState.NO_DRIFT, []
    for window in samples.windows:
        state = compare(samples.reference, window, samples.schema, setup.params, before=state).verdict.state
        states.append(state)
    alarms = {
        ALARM: [state in ALARMS for state in states],  # memory makes drift of a suspicion, and no alarm of none
        SURE: [states[-1] == DriftState.DRIFT],
        HELD: [state == DriftState.BROKEN_DATA for state in states],
    }
    for rival in rivals() if setup.beside else ():
        raised = rival(samples.reference, samples.windows[0], samples.schema)
        alarms |= {method: [alarm] for method, alarm in raised.items()}
    return alarms


def in_order(name: str, table: Columns, params: Monitor) -> Iterator[dict[str, Any]]:
    """States of a table in its own order, window after window: no false alarms, as nobody knows the truth."""
    frame = pd.DataFrame(table)
    schema, third = schema_of(frame), len(frame) // OLDEST
    for rows in POWER_ROWS:
        for kind in (FIXED, MOVING):
            state, states = DriftState.NO_DRIFT, []
            for start in range(third, len(frame) - rows + 1, rows):
                reference = frame.iloc[:third] if kind == FIXED else frame.iloc[max(0, start - REFERENCE) : start]
                window = frame.iloc[start : start + rows].reset_index(drop=True)
                state = compare(reference.reset_index(drop=True), window, schema, params, before=state).verdict.state
                states.append(state)
            counted = Counter(states)
            yield {"table": name, "rows": rows, "reference": kind, "windows": len(states), **counted}
