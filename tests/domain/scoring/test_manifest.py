"""What a manifest says is done, and what a new command may not change."""

import pytest

from releve.core.errors import BadInput
from releve.domain.scoring.manifest import (
    Changed,
    Form,
    PartScored,
    ScoredInput,
    ScoringBegun,
    ScoringEnded,
    ScoringManifest,
    ScoringResumed,
    ledger_writer,
    part_name,
    read_manifest,
)

BEGUN = ScoringBegun(
    output="0a1b2c3d",
    at="2026-01-05T09:00:00+00:00",
    scenario="churn",
    model="churn:1",
    model_digest="d" * 64,
    index=None,
    commit="c" * 40,
    settings="s" * 64,
    inputs=(ScoredInput(name="a.csv", sha256="1" * 64, bytes=10),),
    form=Form.PARQUET,
    ledger=False,
)


def part(number: int, **changes: object) -> PartScored:
    values = {"source": "a.csv", "pieces": 2, "rows": 10, "answered": 9, "rejected": 1, "requests": 3}
    return PartScored.model_validate({"name": part_name(number, Form.CSV), **values, "most_rejected": "", **changes})


def lines(*documents: object) -> list[bytes]:
    return [document.model_dump_json().encode() for document in documents]  # type: ignore[attr-defined]


def test_without_a_line_nothing_was_begun() -> None:
    assert read_manifest([], source="m") is None


def test_what_was_written_is_counted() -> None:
    ended = ScoringEnded(at="2026-01-05T10:00:00+00:00", rows=20, answered=18, rejected=2)
    resumed = ScoringResumed(at="2026-01-05T09:30:00+00:00")

    found = read_manifest(lines(BEGUN, part(0), resumed, part(1, source="b.csv"), ended), source="m")

    assert found == ScoringManifest(BEGUN, 1, (part(0), part(1, source="b.csv")), ended)
    assert (found.rows, found.answered, found.rejected, found.requests) == (20, 18, 2, 6)
    assert (found.pieces_of("a.csv"), found.pieces_of("b.csv"), found.pieces_of("c.csv")) == (2, 2, 0)


@pytest.mark.parametrize("damaged", [[b"{"], [b'"begun"'], lines(part(0)), [*lines(BEGUN), b'{"kind": "part"}']])
def test_a_damaged_manifest_is_named_with_what_to_do(damaged: list[bytes]) -> None:
    with pytest.raises(BadInput, match=r"^out/_manifest.jsonl .*; give --again to start over, or name another folder$"):
        read_manifest(damaged, source="out/_manifest.jsonl")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"output": "ffffffff", "at": "later", "commit": "e" * 40, "model": "churn:2", "index": "other"}, []),
        ({"scenario": "other"}, [Changed.SCENARIO]),
        ({"inputs": ()}, [Changed.INPUTS]),
        ({"settings": "t" * 64, "ledger": True}, [Changed.SETTINGS, Changed.LEDGER]),
        ({"form": Form.CSV}, [Changed.FORM]),
    ],
)
def test_only_what_decides_the_output_may_not_change(changes: dict[str, object], expected: list[Changed]) -> None:
    assert ScoringManifest(BEGUN).changes(BEGUN.model_copy(update=changes)) == expected


@pytest.mark.parametrize(
    ("manifest", "is_nothing_lost"),
    [
        (ScoringManifest(BEGUN), True),
        (ScoringManifest(BEGUN, 1), True),
        (ScoringManifest(BEGUN, 0, (part(0),)), False),
        (ScoringManifest(BEGUN.model_copy(update={"ledger": True})), False),
    ],
)
def test_an_output_without_a_part_or_the_ledger_can_begin_anew(
    manifest: ScoringManifest, is_nothing_lost: bool
) -> None:
    assert manifest.is_nothing_lost is is_nothing_lost


def test_names_of_parts_are_in_the_order_of_their_rows() -> None:
    names = [part_name(number, Form.PARQUET) for number in (0, 9, 10, 999, 1000, 99_999, 100_000)]

    assert names == sorted(names)


def test_two_outputs_of_one_place_share_no_name_of_a_part() -> None:
    names = [part_name(0, Form.CSV), part_name(0, Form.CSV, output="0a1b2c3d")]

    assert names == ["part-000000.csv", "part-000000-0a1b2c3d.csv"]


def test_each_run_of_an_output_has_a_writer_of_its_own() -> None:
    writers = [ledger_writer(output, run) for output in ("0a1b2c3d", "0a1b2c3e") for run in range(3)]

    assert len({*writers}) == 6
    assert all(len(writer) == 8 for writer in writers)
