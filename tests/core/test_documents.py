import re

import pytest

from releve.core.documents import DocumentPart, parse_document
from releve.core.errors import BadInput


class Inner(DocumentPart):
    trials: tuple[int, ...] = ()


class Document(DocumentPart):
    name: str
    inner: Inner = Inner()


WHOLE = b'{"name": "a", "inner": {"trials": [1]}}'


def test_a_whole_document_is_read():
    assert parse_document(WHOLE, Document, source="it") == Document(name="a", inner=Inner(trials=(1,)))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (WHOLE[:10], "recipe.json is damaged: it is not whole, or no JSON; make it so"),
        (b"\xff" + WHOLE, "recipe.json is damaged: it is not UTF-8 text; make it so"),
        (b"[]", "recipe.json is not as this version of Relève writes it: it is no object; make it so"),
        (WHOLE.replace(b"name", b"nam"), "its 'name' is missing; make it so"),
        (WHOLE.replace(b'"a",', b'"a", "zzz": 1,'), "its 'zzz' is not a known key; make it so"),
        (WHOLE.replace(b'"trials": [1]', b""), "its 'inner.trials' is missing; make it so"),
        (WHOLE.replace(b"[1]", b"7"), "its 'inner.trials' is no list; make it so"),
    ],
)
def test_a_damaged_document_is_one_sentence_that_names_it_and_what_to_do(text, problem):
    with pytest.raises(BadInput, match=re.escape(problem)):
        parse_document(text, Document, source="recipe.json", remedy="make it so")
