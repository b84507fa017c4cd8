"""Columns that give the target away, and honest ones that only look strong."""

import numpy as np
import pytest

from releve.domain.onboarding.leakage import FEWEST_OF_A_CLASS, MOST_ROWS
from tests.domain.onboarding.tables import ROWS, a_table, described, issue_texts, no_features

RANDOM = np.random.default_rng(3)


def amounts(rows: int = 400) -> dict[str, np.ndarray]:
    casual, registered = RANDOM.poisson(20, rows), RANDOM.poisson(80, rows)
    return {"casual": casual, "registered": registered, "total": casual + registered}


def test_columns_that_add_up_to_the_target_are_leaks() -> None:
    found = described(a_table(400, **amounts()), target="total")

    assert no_features(found) == ["casual", "registered"]
    assert issue_texts(found, "leak").startswith("total is casual + registered: together")
    assert "casual, registered add up to total" in found.seen["casual"]


def test_so_are_they_with_weights_and_a_constant() -> None:
    parts = amounts()
    parts["total"] = parts["casual"] * 2 - parts["registered"] * 0.5 + 7

    found = described(a_table(400, **parts), target="total", task="regression")

    assert no_features(found) == ["casual", "registered"]
    assert "2 x casual - 0.5 x registered" in issue_texts(found, "leak")


def test_columns_that_nearly_add_up_are_none() -> None:
    parts = amounts()
    parts["total"] = parts["casual"] + parts["registered"] + RANDOM.poisson(20, 400)

    assert no_features(described(a_table(400, **parts), target="total")) == []


def test_one_of_the_two_alone_is_none() -> None:
    frame = a_table(400, **amounts()).drop(columns="registered")

    assert no_features(described(frame, target="total")) == []


@pytest.mark.parametrize("transform", [lambda y: y * 1.8 + 32, np.log1p, lambda y: -(y**3)])
def test_the_target_in_another_unit_is_a_leak(transform) -> None:
    price = RANDOM.gamma(2.0, 50.0, 600).round(2)

    found = described(a_table(600, price=price, other=transform(price)), target="price")

    assert no_features(found) == ["other"]


def test_a_category_that_follows_from_the_outcome_is_a_leak() -> None:
    frame = a_table()
    frame["refund"] = np.where(frame["sold"] == "yes", "none", "full")

    found = described(frame)

    assert no_features(found) == ["refund"]
    assert found.seen["refund"] == "2 values seen; a leak: gives sold away"


def test_being_missing_can_be_the_leak() -> None:
    frame = a_table()
    frame["delivered_after"] = np.where(frame["sold"] == "yes", [f"{n / 7:.2f}" for n in range(len(frame))], "")

    assert no_features(described(frame)) == ["delivered_after"]


def test_a_strong_column_is_an_issue_and_kept() -> None:
    frame = a_table(1000)
    noise = np.random.default_rng(1).random(1000) < 0.03
    frame["hint"] = np.where((frame["sold"] == "yes") ^ noise, "a", "b")

    found = described(frame)

    assert no_features(found) == []
    assert issue_texts(found, "strong").startswith("hint predicts sold almost by itself: from it alone 98.")
    assert "Is it known before the outcome is?" in issue_texts(found, "strong")


def test_honest_columns_are_left_alone() -> None:
    found = described(a_table())

    assert no_features(found) == []
    assert issue_texts(found, "leak") == issue_texts(found, "strong") == ""


def test_a_category_of_names_does_not_pass_for_a_leak() -> None:
    frame = a_table(150)
    frame["city"] = [f"city {n % 75}" for n in range(150)]

    assert issue_texts(described(frame), "leak") == ""


def test_a_target_of_hardly_repeated_classes_has_no_leaks_to_look_for() -> None:
    found = described(a_table(tag=[f"t{n // 4}" for n in range(ROWS)]), target="tag", task="multiclass")

    assert issue_texts(found, "leak") == ""


def moods(rows: int = 600) -> np.ndarray:
    return np.random.default_rng(4).choice(["negative", "neutral", "positive"], rows)


def test_a_column_that_is_filled_for_one_of_three_classes_alone_is_a_leak() -> None:
    mood = moods()
    reasons = np.where(mood == "negative", np.random.default_rng(5).choice(["late", "lost", "rude"], 600), "")

    found = described(a_table(600, mood=mood, why=reasons), target="mood")

    assert no_features(found) == ["why"]
    assert issue_texts(found, "leak").startswith("why is filled only where mood = negative: 193 of the 193 rows")
    assert found.seen["why"].endswith("a leak: filled only where mood = negative")


def test_a_column_that_is_missing_for_one_class_alone_is_a_leak() -> None:
    mood = moods()
    stars = np.where(mood == "negative", "", np.random.default_rng(5).integers(1, 6, 600).astype(str))

    assert no_features(described(a_table(600, mood=mood, stars=stars), target="mood")) == ["stars"]


@pytest.mark.parametrize(("kept", "is_left_out"), [(0.9, True), (0.6, True), (0.3, False)])
def test_a_date_that_is_written_after_the_outcome_is_a_leak_where_it_covers_the_class(
    kept: float, is_left_out: bool
) -> None:
    frame = a_table(1000)
    is_there = (frame["sold"] == "yes") & (np.random.default_rng(6).random(1000) < kept)
    frame["ended"] = np.where(is_there, [f"2024-{1 + n % 12:02d}-{1 + n % 28:02d}" for n in range(1000)], "")

    found = described(frame)

    assert no_features(found) == ["ended"] * is_left_out
    assert ("ended is filled only where sold = yes" in issue_texts(found, "strong")) is not is_left_out


@pytest.mark.parametrize("rows", [MOST_ROWS - 1, MOST_ROWS + 1, 2 * MOST_ROWS])
def test_rows_where_a_leak_is_filled_are_counted_in_the_whole_sample(rows: int) -> None:
    frame = a_table(rows)
    sold = frame["sold"] == "yes"
    frame["ended"] = np.where(sold, "2024-03-05", "")

    count = f"{int(sold.sum()):,}"
    assert f"{count} of the {count} rows where it is filled" in issue_texts(described(frame), "leak")


@pytest.mark.parametrize("filled", [FEWEST_OF_A_CLASS - 1, FEWEST_OF_A_CLASS + 10])
def test_a_few_filled_cells_prove_nothing(filled: int) -> None:
    frame = a_table(1000)
    frame["note"] = ""
    frame.loc[frame.index[frame["sold"] == "yes"][:filled], "note"] = "x"
    frame["other"] = np.where(np.random.default_rng(1).random(1000) < 0.5, "x", "")

    assert ("note" in issue_texts(described(frame), "strong")) is (filled > FEWEST_OF_A_CLASS)
    assert "other" not in issue_texts(described(frame), "strong")


def test_a_column_that_tells_one_of_three_classes_by_its_values_is_asked_about() -> None:
    mood = moods()
    size = np.where(mood == "negative", 10.0, 20.0) + np.random.default_rng(5).normal(0, 1, 600)

    found = described(a_table(600, mood=mood, size=size.round(3)), target="mood")

    assert no_features(found) == []
    assert issue_texts(found, "strong").startswith("size alone tells mood = negative from all other rows")


def test_the_target_plus_noise_is_a_leak() -> None:
    frame = a_table()
    frame["risk"] = ((frame["sold"] == "yes") + np.random.default_rng(8).normal(0, 0.05, ROWS)).round(3).astype(str)

    assert no_features(described(frame)) == ["risk"]


def test_a_leak_shows_through_a_class_in_two_spellings() -> None:
    frame = a_table(400)
    frame["refund"] = np.where(frame["sold"] == "yes", "none", "full")
    frame["sold"] = [label.upper() if n % 2 else label for n, label in enumerate(frame["sold"])]
    frame["refund"] = [cell.title() if n % 3 else f" {cell}" for n, cell in enumerate(frame["refund"])]

    assert no_features(described(frame)) == ["refund"]


def test_an_id_whose_letters_name_the_class_is_a_leak() -> None:
    frame = a_table(400)
    frame["order"] = [f"{label[0]}-{n // 2:05d}" for n, label in enumerate(frame["sold"])]

    assert no_features(described(frame)) == ["order"]


@pytest.mark.parametrize(
    ("name", "noise", "is_asked"),
    [("duration", 1.0, True), ("call_duration", 1.0, True), ("age", 1.0, False), ("duration", 20.0, False)],
)
def test_what_is_commonly_known_afterwards_is_asked_about_where_it_predicts(
    name: str, noise: float, is_asked: bool
) -> None:
    frame = a_table(1000)
    signal = (frame["sold"] == "yes") + np.random.default_rng(9).normal(0, noise, 1000)
    frame[name] = signal.round(3).astype(str)

    found = described(frame)

    assert no_features(found) == []
    assert (f"{name} predicts sold well by itself (AUC 0." in issue_texts(found, "strong")) is is_asked
