import numpy as np
import pytest

from benchmarks.drift_pages import draw, missed, write
from benchmarks.drift_rivals import EVIDENTLY, EVIDENTLY_ANY
from benchmarks.drift_tries import ALARM, HELD, MOVING, SURE, Cell, Figure, Setup, in_order, measured, plan
from benchmarks.drift_worlds import MADE, MIXED, NORMAL, RESAMPLED, shuffled
from benchmarks.drift_worlds import draw as drawn
from tests.tables import make_params

RULE = make_params().monitor


def table(rows=1_000):
    random = np.random.default_rng(7)
    return {"size": random.normal(size=rows), "kind": random.choice(["a", "b"], rows).astype(object)}


@pytest.mark.parametrize("world", [*MADE, RESAMPLED, "mine"])
def test_a_try_has_as_many_columns_and_rows_as_asked(world):
    samples = drawn(world, {"mine": table()}, np.random.default_rng(7), columns=4, rows=200)

    assert [window.shape for window in samples.windows] == [(200, 4), (200, 4)]
    assert len(samples.reference) == (600 if world == "mine" else 5_000)
    assert [column.name for column in samples.schema.features] == sorted(
        samples.reference, key=samples.schema.names.index
    )


def test_resampled_windows_hold_nothing_but_rows_of_the_reference():
    samples = drawn(RESAMPLED, {}, np.random.default_rng(7), columns=4, rows=200)

    assert set(samples.windows[0]["x0"]) <= set(samples.reference["x0"])


def test_two_columns_are_moved_by_so_many_deviations():
    samples = drawn(NORMAL, {}, np.random.default_rng(7), columns=4, rows=10_000, shift=0.5)

    means = (samples.windows[0].mean() - samples.reference.mean()).to_numpy()
    assert means == pytest.approx([0.5, 0.5, 0, 0], abs=0.05)


def test_a_shift_needs_numbers_that_can_move():
    with pytest.raises(ValueError, match="0 columns can be shifted, expected 2"):
        drawn("made, few categories", {}, np.random.default_rng(7), columns=4, rows=200, shift=0.5)


def test_a_narrow_table_is_widened_by_copies_that_are_independent():
    wide = shuffled(table(), np.random.default_rng(7), 8, 200)

    numbers = np.array([cells for cells in wide.values() if cells.dtype == float])
    assert len(numbers) == 4
    assert np.abs(np.corrcoef(numbers) - np.eye(4)).max() < 0.15


@pytest.mark.slow
def test_tries_are_measured_written_and_drawn(tmp_path):
    cells = [Cell(NORMAL, 10, 200, 2), Cell(NORMAL, 16, 1_000, 1, shift=0.5)]

    null, power = measured(Setup(RULE, {}), cells, workers=1)
    write([*null, *power], list(in_order("mine", table(), RULE)), tmp_path / "figures")
    draw([*null, *power], tmp_path / "figures.png")

    verdicts = {figure.method: figure.verdicts for figure in null}
    assert verdicts | {ALARM: 4, SURE: 2, HELD: 4, EVIDENTLY: 2, EVIDENTLY_ANY: 2} == verdicts
    assert {figure.method: figure.alarms for figure in power}[ALARM] == 2
    assert f"| {ALARM} | 10 | " in (tmp_path / "figures.md").read_text()
    assert f"| mine | 200 | {MOVING} | 3 | " in (tmp_path / "figures.md").read_text()
    assert (tmp_path / "figures.csv").read_text().splitlines()[1].startswith('"made, normal",10,200,0.0,"alarm')
    assert (tmp_path / "figures.png").stat().st_size > 1000


@pytest.mark.parametrize(("alarms", "beyond"), [(5, False), (20, True)])
def test_a_figure_is_beyond_a_bar_when_its_whole_interval_is(alarms, beyond):
    assert bool(missed([Figure(Cell(MIXED, 10, 200, 100), ALARM, alarms, 100)])) is beyond


@pytest.mark.parametrize(("alarms", "beyond"), [(75, False), (60, True)])
def test_too_little_power_is_reported(alarms, beyond):
    assert bool(missed([Figure(Cell(MIXED, 16, 200, 100, 0.25), ALARM, alarms, 100)])) is beyond


def test_wide_and_long_tables_are_tried_less_often():
    tries = {(cell.columns, cell.rows): cell.tries for cell in plan([], 20) if not cell.shift}

    assert (tries[10, 200], tries[50, 200], tries[200, 200], tries[200, 10_000]) == (40, 20, 10, 5)
