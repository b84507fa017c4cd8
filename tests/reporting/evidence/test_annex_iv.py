"""The skeleton of Annex IV says nothing that no field says."""

import pytest

from releve.reporting.blocks import MISSING, TableBlock
from releve.reporting.evidence.annex_iv import ANNEX_IV, Statement, build_annex_iv, missing_points
from releve.reporting.evidence.documents import DOCUMENTS

STATEMENTS = [each for points in ANNEX_IV.values() for point in points for each in point.statements]
ABSENT = sum(len(point.absent) for points in ANNEX_IV.values() for point in points)


def document_with(path: str, value: object) -> object:
    """A document that holds one value at a path."""
    key, _, rest = path.partition(".")
    inner = document_with(rest, value) if rest else value
    return {key.removesuffix("[]"): [inner]} if key.endswith("[]") else {key: inner}


def rows_of(documents):
    page = build_annex_iv("shop:1", documents)
    return [
        row for part in page.sections for block in part.blocks if isinstance(block, TableBlock) for row in block.rows
    ]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda each: each.source)
def test_each_sentence_is_what_its_field_says_and_is_missing_without_it(statement):
    documents = {statement.document: document_with(statement.path, "a field's words")}

    assert statement.filled(documents) == statement.sentence.format("a field's words")
    assert statement.filled({}) is statement.filled({statement.document: {}}) is None
    assert statement.document in DOCUMENTS
    assert (statement.filled(documents), statement.source) in rows_of(documents)


@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_an_empty_field_says_nothing(nothing):
    assert Statement("It is {}.", "a.json", "b").filled({"a.json": {"b": nothing}}) is None


def test_without_any_document_everything_is_missing():
    rows = rows_of({})

    assert all(text.startswith(MISSING) for text, _ in rows)
    assert len(rows) == missing_points({}) == len(STATEMENTS) + ABSENT


def test_a_long_list_is_cut_and_says_so():
    said = Statement("It has {}.", "a.json", "names").filled(
        {"a.json": {"names": [f"c{place}" for place in range(70)]}}
    )

    assert said.endswith("c59 and 10 more.")


def test_every_part_of_annex_iv_is_there():
    assert [title[0] for title in ANNEX_IV] == [*"123456789"]
    assert [point.number for point in ANNEX_IV["1. A general description of the AI system"]] == [
        f"({letter})" for letter in "abcdefgh"
    ]
