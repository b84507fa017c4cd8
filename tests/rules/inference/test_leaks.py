"""Columns that give the target away, and honest ones that only look strong."""

import numpy as np
import pytest

from tests.rules.inference.tables import ROWS, a_table, described, no_features, told

RANDOM = np.random.default_rng(3)


def amounts(rows: int = 400) -> dict[str, np.ndarray]:
    casual, registered = RANDOM.poisson(20, rows), RANDOM.poisson(80, rows)
    return {"casual": casual, "registered": registered, "total": casual + registered}


def test_columns_that_add_up_to_the_target_are_leaks() -> None:
    found = described(a_table(400, **amounts()), target="total")

    assert no_features(found) == ["casual", "registered"]
    assert told(found, "leak").startswith("total is casual + registered: together")
    assert "casual, registered add up to total" in found.seen["casual"]


def test_so_are_they_with_weights_and_a_constant() -> None:
    parts = amounts()
    parts["total"] = parts["casual"] * 2 - parts["registered"] * 0.5 + 7

    found = described(a_table(400, **parts), target="total", task="regression")

    assert no_features(found) == ["casual", "registered"]
    assert "2 x casual - 0.5 x registered" in told(found, "leak")


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


def test_a_strong_column_is_told_and_kept() -> None:
    frame = a_table(1000)
    noise = np.random.default_rng(1).random(1000) < 0.03
    frame["hint"] = np.where((frame["sold"] == "yes") ^ noise, "a", "b")

    found = described(frame)

    assert no_features(found) == []
    assert "hint alone takes away" in told(found, "strong")


def test_honest_columns_are_left_alone() -> None:
    found = described(a_table())

    assert no_features(found) == []
    assert told(found, "leak") == told(found, "strong") == ""


def test_a_category_of_names_does_not_pass_for_a_leak() -> None:
    frame = a_table(150)
    frame["city"] = [f"city {n % 75}" for n in range(150)]

    assert told(described(frame), "leak") == ""


def test_a_target_of_hardly_repeated_classes_has_no_leaks_to_look_for() -> None:
    found = described(a_table(tag=[f"t{n // 4}" for n in range(ROWS)]), target="tag", task="multiclass")

    assert told(found, "leak") == ""
