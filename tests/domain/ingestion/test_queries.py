from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from releve.core.errors import BadInput
from releve.domain.ingestion.queries import as_json


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (2**53 + 1, 2**53 + 1),
        (2**63 - 1, 2**63 - 1),
        (True, True),
        (Decimal("7"), 7),
        (Decimal("7.00"), 7.0),
        (Decimal(2**53), 2**53),
        (Decimal(f"{2**53 + 1}.00"), 2**53 + 1),
        (Decimal("99999999999999999999999999999999999999"), 10**38 - 1),
        (Decimal("1e38"), 1e38),
        (Decimal("1e400"), "1.000000E+400"),
        (Decimal("NaN"), None),
        (Decimal("-Infinity"), "-Infinity"),
        (float("nan"), None),
        (float("inf"), "Infinity"),
        (0.1, 0.1),
        (date(2024, 2, 29), "2024-02-29"),
        (datetime(2024, 2, 29, 12), "2024-02-29T12:00:00"),
        (datetime(2024, 2, 29, 12, tzinfo=timezone(timedelta(hours=5))), "2024-02-29T07:00:00+00:00"),
        (datetime(2024, 2, 29, 12, tzinfo=UTC), "2024-02-29T12:00:00+00:00"),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))), "0001-01-01T00:00:00+05:00"),
        (time(12, 30), "12:30:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (None, None),
        ("", ""),
    ],
)
def test_a_value_becomes_a_cell_without_loss(value, cell):
    found = as_json(value, "x")

    assert found == cell
    assert type(found) is type(cell)


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("tags", ["a"], r"the column tags holds a list \(\['a'\]\), .*: array_to_string\(tags, ','\) AS tags"),
        ("Tags", {"a": 1}, r"the column Tags holds an object .*: \"Tags\" ->> 'key' AS key, or \"Tags\"::text"),
        ("photo", b"\x00" * 99, r"the column photo holds bytes \(b'.{58}\.\.\.\), .*: encode\(photo, 'hex'\)"),
        ("wait", timedelta(hours=2), r"holds an interval \(2:00:00\), .*: extract\(epoch FROM wait\) AS wait"),
        ("odd", 1j, r"the column odd holds a complex \(1j\), .*: odd::text AS odd"),
    ],
)
def test_what_is_no_cell_is_told_with_its_column_and_a_cast(column, value, told):
    with pytest.raises(BadInput, match=told):
        as_json(value, column)
