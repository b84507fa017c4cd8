"""Tables that benchmarks play: real ones from a folder or a file, the bundled scenario, and made streams.

`spoil` corrupts the labels of some rows, `shuffle` takes the order of the rows away.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from releve.adapters.files import read_params, read_schema
from releve.core.errors import BadInput
from releve.core.params import Params
from releve.domain.ingestion.cell_formats import CellFormats, read_cells
from releve.domain.onboarding.params_file import SettingOverride, with_overrides
from releve.domain.onboarding.table import NewTable, Roles, describe
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.schema.validation import check_frame
from tasks.pipeline.seed import windows
from tests.streams import NOISE, SCHEMA, abrupt, gradual, recurring, still, stream

PROJECT = Path(__file__).parent.parent
FIRST_SHARE = 0.15  # of the rows, that the first model learns from
TIMES = 10  # that a corrupted value is multiplied by
MADE_ROWS = 4000
BUNDLED, MADE = "digits", "made"
FORMS = f"NAME=FILE:TARGET[:TIME], {BUNDLED}, {MADE} (all streams)"


@dataclass(frozen=True)
class RealTable:
    """Where a table lies, below a folder or by itself, and what is known of its columns."""

    path: str
    target: str
    time: str | None = None
    leave_out: tuple[str, ...] = ()  # columns that give the target away, or number the rows


REAL = {
    "keystroke": RealTable("keystroke/keystroke.csv", "class"),
    "ozone": RealTable("ozone/ozone.csv", "class"),
    "sms_spam": RealTable("sms_spam/sms_spam.csv", "label"),
    "weather": RealTable("weather/weather.csv", "target"),
    "bike_hourly": RealTable("bike_hourly/bike_hourly.csv", "cnt", "dteday", ("casual", "registered", "instant")),
    "elec2": RealTable("elec2/elec2.csv", "class"),
}
STREAMS: dict[str, tuple[Any, float]] = {  # angle, noise
    "abrupt": (abrupt, NOISE),
    "gradual": (gradual, NOISE),
    "recurring": (recurring, NOISE),
    "still": (still, NOISE),
    "clean": (still, 0.0),
    "noisy": (still, 0.6),
    "bursts": (still, NOISE),
}
BURSTS = (0.3, 0.6, 0.85)  # shares of the rows at which labels become noise
BURST_SHARE = 0.04  # of the rows, that a burst lasts


@dataclass(frozen=True)
class Table:
    """Rows in time order with their schema. `learned` is the target as it is learned from; `rows` hold the truth."""

    name: str
    rows: pd.DataFrame
    schema: Schema
    params: Params
    learned: pd.Series

    @property
    def is_regression(self) -> bool:
        return self.schema.target.task == REGRESSION


def tables(
    names: Sequence[str],
    *,
    folder: Path | None = None,
    settings: tuple[SettingOverride, ...] = (),
    leave_out: Sequence[str] = (),
    as_scenario: bool = False,
) -> Iterator[Table]:
    """Read or make each table: of STREAMS, of REAL, NAME=FILE:TARGET[:TIME], `made` for all streams, or `digits`.

    `folder`: where the REAL ones lie; `leave_out`: columns of files; `as_scenario`: with the settings that the bundled
    scenario comes with, and not the defaults of a new table. Raises BadInput naming the tables that are known.
    """
    for name in names:
        if name == MADE:
            yield from tables([*STREAMS], settings=settings)
        elif name in STREAMS:
            yield _make(name, made(name), SCHEMA, settings)
        elif name == BUNDLED:
            frame = pd.concat(list(windows()), ignore_index=True)
            schema = read_schema(PROJECT, BUNDLED)
            yield _make(name, frame, schema, settings, BUNDLED if as_scenario else None)
        elif "=" in name:
            short, _, rest = name.partition("=")
            path, target, time = [*rest.split(":"), "", ""][:3]
            yield _read(short, RealTable(path, target, time or None, tuple(leave_out)), Path(), settings)
        elif name in REAL and folder:
            yield _read(name, REAL[name], folder, settings)
        else:
            known = ", ".join([BUNDLED, *REAL, *STREAMS])
            raise BadInput(
                f"no table is called {name!r}, or --tables names no folder with it; known are {known}, and "
                "NAME=FILE:TARGET[:TIME]"
            )


def made(name: str, *, rows: int = MADE_ROWS, seed: int = 7) -> pd.DataFrame:
    """Make a stream by its name; in `bursts`, labels are drawn by lot for a while, three times."""
    angle, noise = STREAMS[name]
    frame = stream(angle=angle, rows=rows, noise=noise, seed=seed)
    if name == "bursts":
        random = np.random.default_rng(seed)
        share = np.arange(rows) / rows
        inside = np.any([(share >= start) & (share < start + BURST_SHARE) for start in BURSTS], axis=0)
        frame.loc[inside, "kind"] = random.choice(["no", "yes"], size=int(inside.sum()))
    return frame


def window_edges(rows: int, windows: int) -> list[int]:
    """Return where each window begins after the first rows, and where the last one ends (windows + 1)."""
    first = int(rows * FIRST_SHARE)
    return [first + (rows - first) * number // windows for number in range(windows + 1)]


def spoil(table: Table, start: int, end: int) -> Table:
    """Corrupt what is learned from rows [start, end): every label becomes the next class, every value ten times it."""
    learned = table.learned.copy()
    inside = learned.iloc[start:end]
    if table.is_regression:
        learned = learned.astype(np.float64)
        learned.iloc[start:end] = inside * TIMES
    else:
        classes = list(table.schema.target.classes)
        turned = {label: classes[(place + 1) % len(classes)] for place, label in enumerate(classes)}
        learned.iloc[start:end] = inside.map(turned)
    return replace(table, learned=learned)


def shuffle(table: Table, seed: int) -> Table:
    """Put the rows in an order drawn by lot: nothing that happens in time is left."""
    order = np.random.default_rng(seed).permutation(len(table.rows))
    rows = table.rows.iloc[order].reset_index(drop=True)
    if table.schema.time:
        rows[table.schema.time] = table.rows[table.schema.time].to_numpy()
    return replace(table, rows=rows, learned=rows[table.schema.target.name])


def _make(
    name: str, rows: pd.DataFrame, schema: Schema, settings: tuple[SettingOverride, ...], scenario: str | None = None
) -> Table:
    params = with_overrides(read_params(PROJECT, scenario), settings, source="params.yaml with what you set")
    return Table(name, rows, schema, params, rows[schema.target.name])


def _read(name: str, real: RealTable, folder: Path, settings: tuple[SettingOverride, ...]) -> Table:
    base, path = read_params(PROJECT), folder / real.path
    frame = pd.read_csv(path, dtype=str, keep_default_na=False).drop(columns=list(real.leave_out), errors="ignore")
    table = NewTable(path.name, "", frame, True, True, ())
    draft = describe(table, Roles(real.target, real.time, settings=settings), base=base)
    schema = Schema.from_dict(draft.table)
    reading = CellFormats.of(with_overrides(base, draft.overrides, source=path.name).ingest)
    rows = check_frame(schema, read_cells(frame, schema, reading, is_text=True).frame).accepted
    ordered = rows.sort_values(schema.time, kind="stable", ignore_index=True) if schema.time else rows
    return _make(name, ordered, schema, settings)
