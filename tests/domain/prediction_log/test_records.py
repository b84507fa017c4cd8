from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from releve.core.errors import BadInput
from releve.domain.prediction_log.records import (
    EXAMPLE_ID,
    AnswerLine,
    LabelLine,
    ShadowLine,
    answers_from,
    by_request,
    check_answer,
    check_label,
    check_worker,
    day_of,
    join_labels,
    newest_labels,
    parse_row_id,
    parse_since,
    request_id,
    row_ids,
    timestamp,
)

REQUEST = "20240131-9f2c01ab.1a40.5e77c0"
NOON = "2024-01-31T12:00:00.000000Z"


def make_answer(**changes):
    return AnswerLine.parse(answer_json(**changes))


def answer_json(**changes):
    record = {
        "id": REQUEST,
        "at": NOON,
        "scenario": "digits",
        "model": "digits:v1",
        "index": None,
        "arm": "champion",
        "rows": [{"x": 1}, {"x": 2}],
        "labels": ["a", "b"],
        "probabilities": [[0.9, 0.1], [0.2, 0.8]],
        "intervals": None,
        "latency_ms": 0.2,
    }
    return record | changes


def make_label(label, at=NOON, row_id=f"{REQUEST}.0", *, queued=False):
    return LabelLine(row_id, label, at, queued)


def test_an_id_taken_apart_and_put_together_is_the_same():
    parsed = parse_row_id(f"{REQUEST}.3")

    assert (parsed.day, parsed.worker, parsed.offset, parsed.position) == ("20240131", "9f2c01ab", 0x1A40, 3)
    assert parsed.request == REQUEST


def test_row_ids_are_grouped_by_their_request_and_what_is_none_is_left_out():
    other = REQUEST.replace("1a40", "1a41")

    grouped = by_request([f"{REQUEST}.1", f"{other}.0", "", "../x", REQUEST, f"{REQUEST}.0", f"{REQUEST}.1"])

    assert grouped == {REQUEST: [f"{REQUEST}.1", f"{REQUEST}.0", f"{REQUEST}.1"], other: [f"{other}.0"]}


def test_the_example_in_the_error_message_is_an_id():
    assert parse_row_id(EXAMPLE_ID).position == 0


def test_the_rows_of_a_request_are_numbered():
    request = request_id("20240131", "9f2c01ab", 0x1A40, "5e77c0")

    assert row_ids(request, 2) == [f"{REQUEST}.0", f"{REQUEST}.1"]


@pytest.mark.parametrize(
    "row_id",
    [
        "",
        REQUEST,
        f"{REQUEST}.",
        f"{REQUEST}.00",
        f"{REQUEST}.-1",
        f"{REQUEST}.1\n",
        f"{REQUEST}.1234567890",
        f"../{REQUEST}.0",
        "20240131-../../ab.0.5e77c0.0",
        "20240131-9F2C01AB.0.5e77c0.0",
        "20240131-9f2c01ab.1234567890abc.5e77c0.0",
        "٢٠٢٤٠١٣١-9f2c01ab.0.5e77c0.0",
        None,
        5,
    ],
)
def test_anything_else_is_refused_before_it_becomes_a_path(row_id):
    with pytest.raises(BadInput, match="not the id of an answered row"):
        parse_row_id(row_id)


@pytest.mark.parametrize("worker", ["", "9f2c01a", "9f2c01abc", "9F2C01AB", "../../ab"])
def test_a_worker_is_eight_hexadecimal_digits(worker):
    with pytest.raises(BadInput, match="8 hexadecimal"):
        check_worker(worker)


def test_times_are_utc_and_of_one_width():
    tokyo = timezone(timedelta(hours=9))

    assert timestamp(datetime(2024, 1, 31, 21, tzinfo=tokyo)) == NOON
    assert len(timestamp(datetime(2024, 1, 31, 12, 0, 0, 1, tzinfo=UTC))) == len(NOON)


def test_a_time_without_zone_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="time zone"):
        timestamp(datetime(2024, 1, 31))


@pytest.mark.parametrize("since", ["2024-01-31T12:00:00Z", "2024-01-31T12:00", "2024-01-31T13:00:00+01:00", NOON])
def test_a_start_may_be_written_in_any_iso_form(since):
    assert parse_since(since) == NOON


def test_a_date_starts_at_midnight_utc():
    assert parse_since("2024-01-31") == "2024-01-31T00:00:00.000000Z"


@pytest.mark.parametrize("since", ["yesterday", "", "2024-13-01", 5])
def test_a_start_that_is_no_time_is_refused(since):
    with pytest.raises(BadInput, match="since"):
        parse_since(since)


def test_the_day_of_a_time_names_its_segment():
    assert day_of(NOON) == "20240131"


@pytest.mark.parametrize(
    ("rows", "labels", "probabilities", "intervals", "message"),
    [
        ([], [], None, None, "at least one row"),
        ([{}], [], None, None, "1 rows, 0 labels, no probabilities, no intervals"),
        ([{}], ["a", "b"], None, None, "2 labels"),
        ([{}], ["a"], [], None, "1 labels, 0 probabilities"),
        ([{}], [1.5], None, [[1, 2], [1, 2]], "no probabilities, 2 intervals"),
    ],
)
def test_an_answer_without_one_label_per_row_is_refused(rows, labels, probabilities, intervals, message):
    with pytest.raises(BadInput, match=message):
        check_answer(rows, labels, probabilities, intervals)


@pytest.mark.parametrize("label", ["", "cat", 0, -1, 2.5, True])
def test_a_label_is_a_text_or_a_number(label):
    assert check_label(label) == label


def test_a_label_from_numpy_becomes_plain():
    assert type(check_label(np.int64(3))) is int


@pytest.mark.parametrize("label", [None, [], {}, float("nan"), float("inf"), float("-inf"), np.float64("nan")])
def test_any_other_label_is_refused(label):
    with pytest.raises(BadInput, match="label"):
        check_label(label)


def test_a_whole_record_is_told_from_a_broken_one():
    assert AnswerLine.parse(answer_json(more=1)).model == "digits:v1"
    assert LabelLine.parse({"id": "a", "label": 1, "at": NOON, "more": 1}) == LabelLine("a", 1, NOON)


@pytest.mark.parametrize(
    "record",
    [
        None,
        5,
        [],
        {},
        answer_json(labels=["a"]),
        answer_json(rows=1),
        answer_json(at=1),
        answer_json(probabilities=[[1.0]]),
        answer_json(probabilities="no"),
        answer_json(probabilities=[]),
        answer_json(intervals=[[1.0, 2.0]]),
        answer_json(intervals=1),
        {name: value for name, value in answer_json().items() if name != "intervals"},
    ],
)
def test_a_broken_answer_is_noticed(record):
    assert AnswerLine.parse(record) is None


def test_what_a_challenger_answered_aside_is_told_from_a_broken_line():
    line = {
        "id": REQUEST,
        "of": REQUEST,
        "at": NOON,
        "scenario": "digits",
        "model": "digits:v2",
        "index": None,
        "labels": ["a", "b"],
        "probabilities": [[0.9, 0.1], [0.2, 0.8]],
        "intervals": None,
        "latency_ms": 0.2,
        "error": "",
    }

    assert ShadowLine.parse(line).labels == ["a", "b"]
    assert ShadowLine.parse({**line, "labels": [], "probabilities": None, "error": "too late"}).error == "too late"
    for broken in ({"labels": ["a"]}, {"labels": None}, {"at": 1}, {"probabilities": 1}):
        assert ShadowLine.parse({**line, **broken}) is None
    assert ShadowLine.parse({"id": REQUEST}) is None


@pytest.mark.parametrize("record", [None, "x", {}, {"id": "a", "label": 1}, {"id": "a", "label": 1, "at": None}])
def test_a_broken_label_is_noticed(record):
    assert LabelLine.parse(record) is None


def test_an_id_finds_its_row_in_its_answer():
    row = make_answer().row(f"{REQUEST}.1")

    assert (row.features, row.predicted, row.probabilities) == ({"x": 2}, "b", [0.2, 0.8])


@pytest.mark.parametrize("row_id", [f"{REQUEST}.2", "20240131-9f2c01ab.1a40.000000.0"])
def test_an_id_of_another_answer_finds_nothing(row_id):
    assert make_answer().row(row_id) is None


def test_answers_are_one_entry_per_row_in_time_order():
    late = make_answer(
        id="late", at="2024-02-01T00:00:00.000000Z", rows=[{"x": 3, "y": 4}], labels=["c"], probabilities=None
    )

    answers = answers_from([late, make_answer()])

    assert answers.ids == [f"{REQUEST}.0", f"{REQUEST}.1", "late.0"]
    assert answers.predicted == ["a", "b", "c"]
    assert answers.features["x"].tolist() == [1, 2, 3]
    assert answers.features["y"].isna().tolist() == [True, True, False]


def test_no_answers_are_an_empty_table():
    answers = answers_from([])

    assert len(answers) == 0
    assert answers.features.empty


def test_the_newest_label_of_a_row_wins_whatever_the_order():
    old, new = make_label("old"), make_label("new", at="2024-02-01T00:00:00.000000Z")

    assert newest_labels([old, new]) == newest_labels([new, old]) == {f"{REQUEST}.0": ("new", new.at)}


def test_of_two_labels_of_one_moment_the_later_record_wins():
    assert newest_labels([make_label("first"), make_label("second")])[f"{REQUEST}.0"][0] == "second"


def test_a_row_that_was_only_labelled_because_it_was_asked_for_is_no_sample_of_the_answers():
    later = "2024-02-01T00:00:00.000000Z"
    asked, other = make_label("a", queued=True), make_label("b", row_id=f"{REQUEST}.1")
    again = make_label("c", at=later, row_id=f"{REQUEST}.1", queued=True)

    assert newest_labels([asked, other, again], with_queued=False) == {f"{REQUEST}.1": ("c", later)}
    assert set(newest_labels([asked, other, again])) == {f"{REQUEST}.0", f"{REQUEST}.1"}


def test_joining_keeps_the_labelled_rows_and_leaves_foreign_labels_out():
    answers = answers_from([make_answer()])

    joined = join_labels(answers, {f"{REQUEST}.1": ("true", NOON), "other.0": ("x", NOON)})

    assert joined.answers.ids == [f"{REQUEST}.1"]
    assert (joined.labels, joined.labelled_at) == (["true"], [NOON])
    assert joined.answers.features.to_dict("list") == {"x": [2]}
    assert len(answers) == 2


def test_a_feature_may_be_called_like_a_column_of_the_ledger():
    answers = answers_from([make_answer(rows=[{"id": 1, "label": "leak"}], labels=["a"], probabilities=None)])

    joined = join_labels(answers, {f"{REQUEST}.0": ("true", NOON)})

    assert joined.labels == ["true"]
    assert joined.answers.features["label"].tolist() == ["leak"]


def test_the_interval_of_every_row_comes_along():
    numbers = make_answer(labels=[1.5, -2.0], probabilities=None, intervals=[[1, 2], [-3.5, 0]])
    without = make_answer(id="late", at="2024-02-02T00:00:00.000000Z")

    answers = answers_from([without, numbers])

    assert answers.intervals == [[1, 2], [-3.5, 0], None, None]
    assert answers.take([3, 1]).intervals == [None, [-3.5, 0]]
    assert numbers.row(f"{REQUEST}.1").interval == [-3.5, 0]
    assert make_answer().row(f"{REQUEST}.0").interval is None


def test_the_probabilities_of_every_row_come_along():
    classes = make_answer(probabilities=[[0.1, 0.9], [0.6, 0.4]])
    numbers = make_answer(id="late", at="2024-02-02T00:00:00.000000Z", labels=[1.5, -2.0], probabilities=None)

    answers = answers_from([classes, numbers])

    assert answers.probabilities == [[0.1, 0.9], [0.6, 0.4], None, None]
    assert answers.predicted[2:] == [1.5, -2.0]
    assert answers.take([3, 0]).probabilities == [None, [0.1, 0.9]]
