import math

import numpy as np
import pytest
from sklearn.metrics import log_loss as sklearn_log_loss

from releve.rules.scores import accuracy, correct, log_loss, majority_label, paired_gain, previous_labels


def flags(right, wrong):
    return np.array([True] * right + [False] * wrong)


def rowwise_bootstrap(champion, challenger, *, confidence, resamples, seed):
    """The textbook form: draw row numbers, score both models on the drawn rows."""
    random = np.random.default_rng(seed)
    gains = []
    for _ in range(resamples):
        rows = random.integers(0, len(champion), len(champion))
        gains.append(challenger[rows].mean() - champion[rows].mean())
    return np.quantile(gains, [(1 - confidence) / 2, (1 + confidence) / 2])


@pytest.mark.parametrize(("right", "gained"), [(0.7, 0.15), (0.9, 0.03), (0.5, 0.0)])
def test_the_interval_of_a_gain_is_that_of_a_rowwise_bootstrap(right, gained):
    random = np.random.default_rng(3)
    champion = random.random(300) < right
    challenger = np.where(random.random(300) < 0.8, champion, random.random(300) < right + gained)
    options = {"confidence": 0.95, "resamples": 20_000}

    gain = paired_gain(champion, challenger, seed=1, **options)
    low, high = rowwise_bootstrap(champion, challenger, seed=2, **options)

    assert gain.value == pytest.approx(challenger.mean() - champion.mean())
    assert gain.low == pytest.approx(low, abs=0.005)
    assert gain.high == pytest.approx(high, abs=0.005)


def test_a_gain_is_paired_so_errors_in_common_do_not_widen_it():
    champion = flags(150, 150)
    challenger = champion.copy()
    challenger[150:165] = True

    gain = paired_gain(champion, challenger, confidence=0.95, resamples=4000, seed=7)

    assert gain.low > 0
    assert gain.high - gain.low < 0.06  # two independent shares of 300 rows would be 0.16 wide


def test_two_equal_models_have_no_gain_at_all():
    gain = paired_gain(flags(70, 30), flags(70, 30), confidence=0.95, resamples=1000, seed=7)

    assert (gain.value, gain.low, gain.high) == (0.0, 0.0, 0.0)


def test_swapping_the_models_turns_the_sign():
    one, other = flags(60, 40), flags(80, 20)

    forth = paired_gain(one, other, confidence=0.95, resamples=4000, seed=7)
    back = paired_gain(other, one, confidence=0.95, resamples=4000, seed=7)

    assert forth.value == -back.value
    assert forth.low == pytest.approx(-back.high, abs=0.02)


def test_the_same_seed_gives_the_same_interval():
    first, second = (paired_gain(flags(60, 40), flags(40, 60), confidence=0.9, resamples=500, seed=7) for _ in range(2))

    assert first == second


def test_two_models_that_are_alike_are_told_apart_in_at_most_one_of_twenty_tries():
    random = np.random.default_rng(11)
    wins = 0
    for seed in range(300):
        champion, challenger = random.random((2, 200)) < 0.8
        wins += paired_gain(champion, challenger, confidence=0.95, resamples=400, seed=seed).low > 0

    assert wins / 300 <= 0.05


def test_wilsons_interval_has_the_value_of_his_formula():
    right, rows, z = 45, 50, 1.959963984540054
    share, width = right / rows, z**2 / rows
    centre = (share + width / 2) / (1 + width)
    half = z / (1 + width) * math.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))

    found = accuracy(flags(45, 5), confidence=0.95)

    assert (found.value, found.low, found.high) == pytest.approx((share, centre - half, centre + half))
    assert (found.low, found.high) == pytest.approx((0.7864, 0.9565), abs=5e-5)


@pytest.mark.parametrize(("right", "wrong"), [(20, 0), (0, 20), (1, 0), (0, 1)])
def test_the_interval_stays_inside_0_and_1_and_holds_its_value(right, wrong):
    found = accuracy(flags(right, wrong), confidence=0.95)

    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


def test_log_loss_agrees_with_scikit_learn():
    random = np.random.default_rng(5)
    probabilities = random.dirichlet([1, 1, 1], 50)
    labels = random.choice(["a", "b", "c"], 50).tolist()

    found = log_loss(probabilities, labels, ["a", "b", "c"])

    assert found == pytest.approx(sklearn_log_loss(labels, probabilities, labels=["a", "b", "c"]))


def test_log_loss_stays_finite_where_a_model_was_certain_and_wrong():
    found = log_loss(np.array([[1.0, 0.0]]), ["b"], ["a", "b"])

    assert found == pytest.approx(-math.log(1e-15))


def test_a_prediction_is_right_when_it_is_the_label():
    assert correct([1, "1", None, 2], [1, 1, 0, 3]).tolist() == [True, False, False, False]


def test_predictions_and_labels_have_to_be_of_one_length():
    with pytest.raises(ValueError, match="argument 2 is longer"):
        correct([1], [1, 2])


@pytest.mark.parametrize(("labels", "majority"), [([2, 1, 2], 2), ([1, 2, 2, 1], 1), ([], 1), ([3], 3)])
def test_the_majority_is_the_commonest_label_and_the_earlier_class_of_two(labels, majority):
    assert majority_label(labels, [1, 2, 3]) == majority


@pytest.mark.parametrize(("labels", "forecast"), [(["b", "c", "d"], ["a", "b", "c"]), (["b"], ["a"])])
def test_the_naive_forecast_repeats_the_label_before(labels, forecast):
    assert previous_labels("a", labels) == forecast
