"""No transformer divides by noise: what is asked later moves an answer by what was learned, whatever was constant."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from releve.domain.training.transformers import FARTHEST, BoundedScaler, KnownTfidf, TextFolder

ULP = float(np.spacing(np.float32(1.0)))  # the step of a float32 beside 1


def scaled(known, asked):
    return BoundedScaler().fit(np.array(known, float)[:, None]).transform(np.array(asked, float)[:, None])[:, 0]


def test_within_the_training_range_it_standardises_as_scikit_learn_does():
    known = np.array([1.0, 2.0, 3.0, 6.0])

    np.testing.assert_allclose(scaled(known, known), (known - 3) / known.std())


@pytest.mark.parametrize(("asked", "kept"), [(9.0, 9.0), (11.0, 11.0), (11.1, 11.0), (1e30, 11.0), (-4.1, -4.0)])
def test_a_number_is_kept_within_one_range_of_what_was_seen(asked, kept):
    known = np.array([1.0, 2.0, 3.0, 6.0])

    assert scaled(known, [asked])[0] == pytest.approx((kept - 3) / known.std())


@pytest.mark.parametrize("known", [[5.0, 5.0, 5.0], [0.0, 0.0, 0.0], [1.0, 1.0 + ULP, 1.0], [1e8, 1e8 + 8, 1e8]])
def test_a_column_that_varies_by_rounding_alone_is_zero_whatever_is_asked(known):
    assert scaled(known, [*known, 7.0, -1e9]).tolist() == [0.0] * (len(known) + 2)


def test_a_tiny_spread_that_is_no_rounding_counts_and_what_lies_far_outside_stays_near():
    known = [0.0, 1e-17, 2e-17]

    assert np.abs(scaled(known, known)).max() == pytest.approx(1.22, abs=0.01)
    assert scaled(known, [1.0])[0] < 4


def test_the_largest_numbers_do_not_overflow_a_float32():
    largest = float(np.finfo(np.float32).max)

    found = BoundedScaler().fit(np.array([[-largest], [largest], [0.0]]))

    assert found.high_[0] - found.low_[0] == 2 * FARTHEST < largest
    assert np.isfinite(found.transform(np.array([[largest]]))).all()


def test_directions_without_a_singular_value_are_nothing_to_training_rows_and_to_new_ones():
    few = np.repeat(np.eye(12)[:3], 10, axis=0)
    folder = TextFolder(8, random_state=7)

    known, new = folder.fit_transform(csr_matrix(few)), folder.transform(csr_matrix(np.ones((1, 12)) / 12**0.5))

    assert (np.abs(known).max(axis=0) > 1e-6).sum() == 3
    assert (new[:, 3:] == 0).all()
    assert np.abs(new).max() < 3


def test_all_directions_share_one_scale():
    random = np.random.default_rng(7)
    known = TextFolder(4, random_state=7).fit_transform(csr_matrix(random.random((50, 20)) * 10.0 ** -np.arange(20)))

    deviations = known.std(axis=0)

    assert deviations.max() == pytest.approx(1.0)
    assert deviations.min() < 0.1


def test_texts_that_are_all_alike_or_all_empty_are_folded_without_amplifying_anything():
    for alike in (np.tile(np.eye(9)[:1], (5, 1)), np.zeros((5, 9))):
        folder = TextFolder(4, random_state=7)
        with np.errstate(divide="ignore", invalid="ignore"):
            folder.fit_transform(csr_matrix(alike))

        assert np.abs(folder.transform(csr_matrix(np.eye(9)))).max() <= 1.0 + 1e-9


def test_an_n_gram_that_nobody_knows_weighs_nothing():
    weights = KnownTfidf().fit(csr_matrix([[1.0, 0.0, 2.0], [1.0, 0.0, 0.0]]))

    before, after = (weights.transform(csr_matrix([row])).toarray()[0] for row in ([1.0, 0.0, 1.0], [1.0, 5.0, 1.0]))

    assert before.tolist() == after.tolist()
