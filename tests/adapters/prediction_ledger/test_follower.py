from pathlib import Path

import pytest

from releve.adapters.prediction_ledger import follower
from releve.adapters.prediction_ledger.follower import SegmentFollower

DAY = "20240131"


def segment(folder: Path, worker: str = "0000000a", *, day: str = DAY) -> Path:
    return folder / f"answers-{day}-{worker}.jsonl"


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def new_lines(followed: SegmentFollower) -> list[bytes]:
    return list(followed.new_lines(first_day=DAY))


def test_each_line_is_read_once_whichever_writer_wrote_it(tmp_path):
    followed = SegmentFollower(tmp_path, "answers")
    append(segment(tmp_path), "1\n2\n")
    append(segment(tmp_path, day="20240130"), "of the day before\n")
    append(tmp_path / f"labels-{DAY}-0000000a.jsonl", "of another kind\n")
    assert new_lines(followed) == [b"1\n", b"2\n"]

    append(segment(tmp_path), "3\n")
    append(segment(tmp_path, "0000000b"), "4\n")

    assert new_lines(followed) == [b"3\n", b"4\n"]
    assert new_lines(followed) == []


def test_a_line_that_is_still_being_written_is_read_once_it_is_whole(tmp_path):
    followed = SegmentFollower(tmp_path, "answers")
    append(segment(tmp_path), "1\nhal")
    assert new_lines(followed) == [b"1\n"]
    assert new_lines(followed) == []

    append(segment(tmp_path), "f\n")

    assert new_lines(followed) == [b"half\n"]


@pytest.mark.parametrize(
    ("most", "found"), [(6, [b"222\n"]), (8, [b"11\n", b"222\n"]), (100, [b"0\n", b"11\n", b"222\n"])]
)
def test_of_a_long_segment_the_newest_whole_lines_are_read(tmp_path, monkeypatch, most, found):
    monkeypatch.setattr(follower, "MOST_BYTES", most)
    append(segment(tmp_path), "0\n11\n222\n")

    assert new_lines(SegmentFollower(tmp_path, "answers")) == found


def test_a_ledger_that_was_archived_has_no_new_lines(tmp_path):
    followed = SegmentFollower(tmp_path / "ledger", "answers")

    assert new_lines(followed) == []
