import numpy as np
import pytest

from benchmarks.gate_aa import draw, noise, of_table, read_table, tried, write
from releve.domain.schema.target import REGRESSION
from tests.tables import make_params

PARAMS = make_params()


@pytest.mark.parametrize("phi", [0.0, 0.9])
def test_noise_has_deviation_one_and_is_autocorrelated_as_asked(phi):
    found = noise(np.random.default_rng(7), 50_000, phi)

    assert found.std() == pytest.approx(1.0, abs=0.05)
    assert np.corrcoef(found[1:], found[:-1])[0, 1] == pytest.approx(phi, abs=0.02)


def test_a_large_gain_is_seen_and_equals_are_not():
    equal, better = (tried("mae", PARAMS, 30, phi=0.0, rows=200, more_noise=more) for more in (0.0, 2.0))

    assert max(equal.better.value, equal.worse.value) <= 0.1
    assert better.better.value >= 0.9
    assert better.worse.value == 0
    assert better.gain > equal.gain


def test_the_table_and_the_plot_are_written(tmp_path):
    cells = [tried("mae", PARAMS, 5, phi=0.5, rows=90, more_noise=0.0)]

    write(cells, tmp_path / "found")
    draw(cells, tmp_path / "found.png")

    assert (tmp_path / "found.md").read_text().splitlines()[2].startswith("| mae | 0.5 | 0.0%")
    assert len((tmp_path / "found.csv").read_text().splitlines()) == 2
    assert (tmp_path / "found.png").stat().st_size > 1000


def test_answers_of_ones_own_are_made_equals(tmp_path):
    random = np.random.default_rng(7)
    truth = random.normal(size=200)
    columns = np.column_stack([truth, truth + random.normal(size=200), truth + 3 * random.normal(size=200)])
    path = tmp_path / "rows.csv"
    np.savetxt(path, columns, delimiter=",", header="truth,one,other", comments="")

    found = of_table(read_table(path), PARAMS, 40, REGRESSION)

    assert (found.rows, found.tries) == (200, 40)
    assert max(found.better.value, found.worse.value) <= 0.15
