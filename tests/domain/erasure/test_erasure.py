"""Which cells an erasure is about, and which models it leaves without their rows."""

import pytest

from releve.core.errors import BadInput
from releve.domain.erasure.erasure import ErasedIds, RowsErased, erased_rows, id_hash, made_before_erasure
from releve.domain.prediction_log.hidden import HiddenCells
from releve.domain.registry.chain import Event
from releve.domain.schema.schema import Schema
from tests.events import make_challenger
from tests.tables import SHOP_TABLE

KEY = b"a key"
ANSWER = "20240131-9f2c01ab.1a40.5e77c0.0"


def schema_with(**column: object) -> Schema:
    columns = {**SHOP_TABLE["columns"], "customer": {"feature": False, **column}}
    return Schema.from_dict({**SHOP_TABLE, "columns": columns, "id": "customer"})


@pytest.mark.parametrize("cell", ["17", " 17 ", 17, 17.0])
@pytest.mark.parametrize("kind", ["category", "number"])
def test_an_id_is_found_in_whatever_form_its_cell_came(kind, cell):
    wanted = ErasedIds(schema_with(type=kind), ["17"], key=KEY)

    assert wanted.find(cell) == "17"


@pytest.mark.parametrize("cell", ["171", "1", "", None, float("nan"), 17.5])
def test_another_cell_is_not_taken_for_it(cell):
    wanted = ErasedIds(schema_with(type="category"), ["17"], key=KEY)

    assert wanted.find(cell) is None


def test_a_cell_that_the_ledger_hides_is_found_by_its_hash():
    schema = schema_with(type="category")
    hidden = HiddenCells(KEY, {"customer": schema.column("customer")}, frozenset())
    [row] = hidden.hide([{"customer": "Zoë"}])
    wanted = ErasedIds(schema, ["Zoë"], key=KEY)

    assert wanted.find_in(row, hashed=True) == "Zoë"
    assert wanted.find_in(row) is None


def test_an_answer_needs_no_id_column_and_a_row_does():
    schema = Schema.from_dict(SHOP_TABLE)

    assert ErasedIds(schema, [ANSWER, ANSWER], key=KEY).answers == {ANSWER}
    with pytest.raises(BadInput, match="no id column, so that no row is called '17': set `id`"):
        ErasedIds(schema, ["17"], key=KEY)
    with pytest.raises(BadInput, match=r"the id 'caf\\udce9' is no UTF-8"):
        ErasedIds(schema_with(type="category"), ["caf\udce9"], key=KEY)
    with pytest.raises(BadInput, match="an id is empty"):
        ErasedIds(schema_with(type="category"), [" "], key=KEY)


@pytest.mark.parametrize(("text", "expected"), [(b'a,"17",b', True), (b"row 17", True), (b"171 2017-05-31", False)])
def test_a_file_of_no_known_form_holds_an_id_as_a_word_of_its_own(text, expected):
    assert ErasedIds(schema_with(type="category"), ["17"], key=KEY).in_text(text) is expected


def test_the_registry_gets_a_hash_that_only_the_key_can_make():
    assert id_hash(KEY, "17") != id_hash(b"another key", "17")
    assert len(id_hash(KEY, "17")) == 64


def test_models_of_before_an_erasure_are_told_from_later_ones():
    erased = RowsErased(ids=("ab",), is_finished=False, rows={"00000001-abc": (3, 7)})
    nothing = erased.model_copy(update={"rows": {}, "is_finished": True})
    payloads = [make_challenger("shop:a"), erased, make_challenger("shop:b"), nothing]
    events = [
        Event(
            "shop", number, "2026-05-31T12:00:00+00:00", each.kind, "a test", "", each.model_dump(mode="json"), "", ""
        )
        for number, each in enumerate(payloads, start=1)
    ]

    assert made_before_erasure(events) == {"shop:a"}
    assert erased_rows([events[1]]) == {("00000001-abc", 3), ("00000001-abc", 7)}
