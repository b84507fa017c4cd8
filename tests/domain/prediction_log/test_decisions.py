from releve.domain.prediction_log.decisions import ChangedAnswer, DecisionBlock, DecisionCounts, as_asked
from releve.domain.prediction_log.records import AnswerLine
from tests.tables import shop_schema

NOON = "2024-01-31T12:00:00.000000Z"


def line(*rows, hashed=()) -> AnswerLine:
    labels = ["yes"] * len(rows)
    return AnswerLine("r", NOON, "shop", "shop:one", None, "champion", list(rows), labels, None, None, None, hashed)


def test_a_column_that_is_newer_than_the_answer_is_null_and_one_that_the_model_does_not_know_is_left_out():
    asked = as_asked(
        line({"price": 1.0, "customer": "c-1"}, {"price": 2.0, "kind": "bread", "weight": 3}), shop_schema()
    )

    assert asked == [
        {"kind": None, "weight": None, "price": 1.0},
        {"kind": "bread", "weight": 3, "price": 2.0},
    ]


def test_a_column_that_is_kept_as_a_hash_is_not_taken_for_null():
    asked = as_asked(line({"price": 1.0, "kind": "5f0c", "weight": 3}, hashed=["kind"]), shop_schema())

    assert asked == [{"weight": 3, "price": 1.0}]


def test_counts_are_the_sum_of_blocks():
    counts = DecisionCounts()

    def change(old, new):
        return ChangedAnswer("r.0", NOON, "shop:one", old, new)

    counts.add(DecisionBlock(3, [change("no", "yes")]))
    counts.add(
        DecisionBlock(2, [change("no", "yes"), change("yes", "no")], refused=1, reason="row 0: price is missing")
    )

    assert (counts.answers, counts.changed, counts.refused) == (5, 3, 1)
    assert counts.pairs == {("no", "yes"): 2, ("yes", "no"): 1}


def test_numbers_are_counted_by_how_far_they_move():
    counts = DecisionCounts()

    counts.add(
        DecisionBlock(2, [ChangedAnswer("r.0", NOON, "m:1", 2.0, 3.5), ChangedAnswer("r.1", NOON, "m:1", 1.0, 0.5)])
    )

    assert (counts.moved, counts.pairs) == (2.0, {})
