"""Tensors of this suite: elements flat in row-major order, JSON and binary form, comparison."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SIZES = {
    **{"BOOL": 1, "UINT8": 1, "UINT16": 2, "UINT32": 4, "UINT64": 8, "INT8": 1, "INT16": 2, "INT32": 4, "INT64": 8},
    **{"FP16": 2, "FP32": 4, "FP64": 8},
}
LETTERS = dict(zip(SIZES, "?BHIQbhiqefd", strict=True))  # of the module struct
DATATYPES = (*SIZES, "BYTES")
RELATIVE, ABSOLUTE = 1e-4, 1e-5  # of two floats that are the same answer: servers compute in float32


@dataclass(frozen=True)
class InferenceTensor:
    """A tensor of a request or a response."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: tuple[Any, ...]


def flatten(data: Any) -> list[Any]:
    """Return the elements of nested arrays, row by row."""
    return [leaf for each in data for leaf in flatten(each)] if isinstance(data, list) else [data]


def nest(values: Sequence[Any], shape: Sequence[int]) -> Any:
    """Arrange elements as nested arrays of that shape."""
    if not shape:
        return values[0]
    step = len(values) // shape[0] if shape[0] else 0
    return [nest(values[at * step : (at + 1) * step], shape[1:]) for at in range(shape[0])]


def encode(datatype: str, values: Sequence[Any]) -> bytes:
    """Write elements as the binary extension does."""
    if datatype == "BYTES":
        texts = [str(value).encode() for value in values]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return struct.pack(f"<{len(values)}{LETTERS[datatype]}", *values)


def decode(datatype: str, data: bytes) -> list[Any]:
    """Read what `encode` writes. Raise ValueError for bytes that do not add up."""
    if datatype != "BYTES":
        size = SIZES[datatype]
        if len(data) % size:
            raise ValueError(f"{len(data)} bytes are no whole number of {datatype} elements")
        return list(struct.unpack(f"<{len(data) // size}{LETTERS[datatype]}", data))
    texts, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at) if at + 4 <= len(data) else (2**32,)
        if at + 4 + size > len(data):
            raise ValueError(f"an element of BYTES ends beyond the {len(data)} bytes")
        texts.append(data[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return texts


def fits(datatype: str, value: Any) -> bool:
    """Whether a JSON element can stand for the datatype."""
    match datatype:
        case "BYTES":
            return isinstance(value, str)
        case "BOOL":
            return isinstance(value, bool)
        case "FP16" | "FP32" | "FP64":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            return isinstance(value, int) and not isinstance(value, bool)


def same(first: Sequence[Any], second: Sequence[Any]) -> bool:
    """Whether two answers are the same: floats to what float32 holds, everything else exactly."""
    return len(first) == len(second) and all(_same(*pair) for pair in zip(first, second, strict=True))


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, float) or isinstance(second, float):
        return math.isclose(first, second, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return bool(first == second)
