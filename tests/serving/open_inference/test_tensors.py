"""Tensors from JSON and from bytes, at the limits of every datatype."""

import math
import struct

import numpy as np
import pytest

from releve.core.errors import BadInput
from releve.serving.open_inference.tensors import (
    BOOL,
    BYTES,
    DATATYPES,
    NUMPY,
    Tensor,
    from_binary,
    from_json,
    to_binary,
)

INTEGERS = [datatype for datatype in NUMPY if "INT" in datatype]
FLOATS = ["FP16", "FP32", "FP64"]


def limits(datatype: str) -> tuple[int, int]:
    info = np.iinfo(NUMPY[datatype])
    return int(info.min), int(info.max)


def test_every_datatype_of_the_protocol_is_known():
    sizes = {datatype: dtype.itemsize for datatype, dtype in NUMPY.items()}

    assert sizes == {
        **{"BOOL": 1, "UINT8": 1, "UINT16": 2, "UINT32": 4, "UINT64": 8},
        **{"INT8": 1, "INT16": 2, "INT32": 4, "INT64": 8, "FP16": 2, "FP32": 4, "FP64": 8},
    }
    assert set(DATATYPES) == {*sizes, "BYTES"}


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ((2, 3), [1, 2, 3, 4, 5, 6]),
        ((2, 3), [[1, 2, 3], [4, 5, 6]]),
        ((6,), [1, 2, 3, 4, 5, 6]),
        ((1, 2, 3), [[[1, 2, 3], [4, 5, 6]]]),
        ((6, 1), [[1], [2], [3], [4], [5], [6]]),
    ],
)
def test_flat_and_nested_data_are_the_same_elements_in_row_major_order(shape: tuple[int, ...], data: list):
    assert from_json("x", "INT32", shape, data).values == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ((2, 3), [1, 2, 3, 4, 5]),
        ((2, 3), [1, 2, 3, 4, 5, 6, 7]),
        ((2, 3), [[1, 2], [3, 4], [5, 6]]),
        ((2, 3), [[1, 2, 3], [4, 5]]),
        ((2, 3), [[1, 2, 3], 4]),
        ((2, 3), [[1, 2, 3, 4, 5, 6]]),
        ((6,), [[1, 2, 3, 4, 5, 6]]),
        ((2, 2), [[[1], [2]], [[3], [4]]]),
        ((0,), [1]),
        ((1,), []),
        ((), [1, 2]),
        ((2**63, 2), [1]),
    ],
)
def test_data_of_another_shape_is_refused(shape: tuple[int, ...], data: list):
    with pytest.raises(BadInput, match="the input 'x'"):
        from_json("x", "INT32", shape, data)


def test_a_dimension_of_zero_takes_no_elements():
    assert from_json("x", "FP32", (0, 4), []).values == []
    assert list(from_binary("x", "FP32", (0, 4), b"").values) == []
    assert from_binary("x", BYTES, (0,), b"").values == []


@pytest.mark.parametrize("data", [None, 3, "text", {"0": 1}, True])
def test_data_that_is_no_array_is_refused(data: object):
    with pytest.raises(BadInput, match="expected an array"):
        from_json("x", "INT32", (1,), data)


@pytest.mark.parametrize("datatype", INTEGERS)
def test_integers_are_exact_up_to_their_limits_and_refused_beyond(datatype: str):
    low, high = limits(datatype)

    assert from_json("x", datatype, (2,), [low, high]).values == [low, high]
    for value in (low - 1, high + 1):
        with pytest.raises(BadInput, match=f"expected {datatype}"):
            from_json("x", datatype, (1,), [value])


@pytest.mark.parametrize("datatype", INTEGERS)
def test_integers_pass_through_bytes_unchanged(datatype: str):
    tensor = Tensor("x", datatype, (3,), [*limits(datatype), 1])

    assert from_binary("x", datatype, (3,), to_binary(tensor)) == tensor


def test_whole_numbers_that_no_float_holds_stay_exact():
    value = 2**53 + 1

    assert from_json("x", "INT64", (1,), [value]).values == [value]
    assert from_binary("x", "INT64", (1,), struct.pack("<q", value)).values == [value]


@pytest.mark.parametrize("datatype", FLOATS)
def test_numbers_of_floats_end_at_the_largest_that_the_datatype_holds(datatype: str):
    most = float(np.finfo(NUMPY[datatype]).max)

    assert from_json("x", datatype, (3,), [most, -most, 1]).values == [most, -most, 1]
    with pytest.raises(BadInput, match=f"expected {datatype}"):
        from_json("x", datatype, (1,), [most * 2 if datatype != "FP64" else math.inf])


@pytest.mark.parametrize("datatype", FLOATS)
def test_bytes_of_floats_may_hold_nan_and_infinity(datatype: str):
    data = np.array([math.nan, math.inf, 0.5], NUMPY[datatype]).tobytes()

    values = from_binary("x", datatype, (3,), data).values

    assert math.isnan(values[0]) and list(values[1:]) == [math.inf, 0.5]


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        ("INT32", 1.0),
        ("INT32", True),
        ("INT32", "1"),
        ("UINT8", -1),
        ("FP32", "1.5"),
        ("FP32", False),
        (BOOL, 1),
        (BOOL, "true"),
        (BYTES, 1),
        (BYTES, False),
        (BYTES, {}),
    ],
)
def test_an_element_of_another_datatype_is_refused_with_its_position(datatype: str, value: object):
    fine = {"FP32": 1.5, "FP64": 1.5, BOOL: True, BYTES: "a"}.get(datatype, 1)

    with pytest.raises(BadInput, match=f"at position 1, expected {datatype}"):
        from_json("x", datatype, (2,), [fine, value])


@pytest.mark.parametrize("datatype", DATATYPES)
def test_null_is_a_missing_element_of_any_datatype(datatype: str):
    assert from_json("x", datatype, (1,), [None]).values == [None]


def test_truth_values_are_one_byte_each():
    tensor = Tensor("x", BOOL, (3,), [True, False, True])

    assert to_binary(tensor) == b"\1\0\1"
    assert from_binary("x", BOOL, (3,), b"\1\0\1") == tensor
    with pytest.raises(BadInput, match="neither 0 nor 1"):
        from_binary("x", BOOL, (3,), b"\1\0\2")


def test_texts_stand_behind_their_length_in_bytes():
    tensor = Tensor("x", BYTES, (3,), ["a", "", "日本"])

    data = b"\1\0\0\0a\0\0\0\0\6\0\0\0\xe6\x97\xa5\xe6\x9c\xac"

    assert to_binary(tensor) == data
    assert from_binary("x", BYTES, (3,), data) == tensor


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\1\0\0", "ends within the 4 bytes"),
        (b"\1\0\0\0", "0 bytes left of an element of 1"),
        (b"\5\0\0\0abcd", "4 bytes left of an element of 5"),
        (b"\xff\xff\xff\xffabcd", "4 bytes left of an element of 4294967295"),
        (b"\1\0\0\0a\1\0", "ends within the 4 bytes"),
        (b"\1\0\0\0a\0\0\0\0", "has 2 elements, and its shape .* takes 1"),
        (b"", "has 0 elements"),
        (b"\1\0\0\0\xff", "no UTF-8"),
        (b"\3\0\0\0\xed\xa0\x80", "no UTF-8"),  # a lone surrogate
    ],
)
def test_bytes_of_texts_that_do_not_add_up_are_refused(data: bytes, reason: str):
    with pytest.raises(BadInput, match=reason):
        from_binary("x", BYTES, (1,), data)


@pytest.mark.parametrize("datatype", list(NUMPY))
@pytest.mark.parametrize("change", [-1, 1])
def test_a_byte_too_few_or_too_many_is_refused(datatype: str, change: int):
    size = 4 * NUMPY[datatype].itemsize

    assert len(from_binary("x", datatype, (2, 2), bytes(size)).values) == 4
    with pytest.raises(BadInput, match=rf"has {size + change} bytes, and {datatype} of shape \[2, 2\] takes {size}"):
        from_binary("x", datatype, (2, 2), bytes(size + change))
