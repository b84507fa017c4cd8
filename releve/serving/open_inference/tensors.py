"""Tensors as the protocol sends them: JSON arrays, or bytes behind the JSON (extension binary_tensor_data).

Elements are kept flat, in row-major order, as plain Python values: exact for every integer of 64 bits.
"""

import math
import struct
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from releve.core.errors import BadInput
from releve.domain.schema.cells import format_value

BYTES, BOOL = "BYTES", "BOOL"
INTEGERS = {"INT": "i", "UINT": "u"}
NUMPY = {BOOL: np.dtype("?")} | {f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)}
NUMPY |= {f"{kind}{bits}": np.dtype(f"<{INTEGERS[kind]}{bits // 8}") for kind in INTEGERS for bits in (8, 16, 32, 64)}
DATATYPES = (*NUMPY, BYTES)
MISSING = type(None)
LENGTH = struct.Struct("<I")  # before each element of BYTES
MAX_DIMENSIONS = 8  # of a shape: a table needs two


@dataclass(frozen=True)
class Elements:
    """What a JSON element of a datatype may be. Nothing is converted, so that nothing is lost unseen."""

    types: frozenset[type]  # null among them: a missing element of any datatype
    low: float | None = None  # exact for integers; None where elements have no order
    high: float | None = None

    def first_misfit(self, values: Sequence[Any], found: AbstractSet[type]) -> int | None:
        """Return the position of the first element that is none of these; `found` are the types of all elements."""
        if found <= self.types:
            present = [value for value in values if value is not None] if MISSING in found else values
            if self.low is None or not present or (self.low <= min(present) and max(present) <= self.high):
                return None
        return next(at for at, value in enumerate(values) if not self._fits(value))

    def _fits(self, value: Any) -> bool:
        if value is None or self.low is None:
            return type(value) in self.types
        return type(value) in self.types and self.low <= value <= self.high


def _elements(dtype: np.dtype[Any]) -> Elements:
    if dtype.kind == "b":
        return Elements(frozenset({bool, MISSING}))
    if dtype.kind == "f":
        most = float(np.finfo(dtype).max)
        return Elements(frozenset({int, float, MISSING}), -most, most)
    limits = np.iinfo(dtype)
    return Elements(frozenset({int, MISSING}), int(limits.min), int(limits.max))


ELEMENTS = {datatype: _elements(dtype) for datatype, dtype in NUMPY.items()} | {
    BYTES: Elements(frozenset({str, MISSING}))
}


@dataclass(frozen=True)
class Tensor:
    """A named array: `values` holds the elements of `shape` in row-major order; None is missing (JSON null)."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Sequence[Any]


def from_json(name: str, datatype: str, shape: tuple[int, ...], data: Any) -> Tensor:
    """Read elements that are flat or nested as `shape` says. Raise BadInput for any other."""
    if not isinstance(data, list):
        raise BadInput(f"the input '{name}' has data {format_value(data)}, expected an array")
    values, found = data, set(map(type, data))
    if list in found:
        values = [data]
        for size in shape:
            if not all(isinstance(each, list) and len(each) == size for each in values):
                raise BadInput(
                    f"the data of the input '{name}' is not nested as its shape {list(shape)} says; "
                    "send it so, or as one flat array in row-major order"
                )
            values = list(chain.from_iterable(values))
        found = set(map(type, values))
    _check_count(name, shape, len(values))
    position = ELEMENTS[datatype].first_misfit(values, found)
    if position is not None:
        kind = type(values[position]).__name__  # the cell itself may be personal, and no schema is known here
        raise BadInput(f"the input '{name}' holds a {kind} at position {position}, expected {datatype}")
    return Tensor(name, datatype, shape, values)


def from_binary(name: str, datatype: str, shape: tuple[int, ...], data: bytes) -> Tensor:
    """Read little-endian elements. Raise BadInput for bytes that are too few, too many, or no UTF-8."""
    if datatype == BYTES:
        texts = _texts(name, data)
        _check_count(name, shape, len(texts))
        return Tensor(name, datatype, shape, texts)
    dtype = NUMPY[datatype]
    expected = math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise BadInput(
            f"the input '{name}' has {len(data)} bytes, and {datatype} of shape {list(shape)} takes {expected}"
        )
    if datatype == BOOL and data.strip(b"\0\1"):
        raise BadInput(f"the input '{name}' holds a byte that is neither 0 nor 1, expected BOOL")
    return Tensor(name, datatype, shape, np.frombuffer(data, dtype).tolist())


def to_binary(tensor: Tensor) -> bytes:
    """Write what `from_binary` reads."""
    if tensor.datatype != BYTES:
        return np.array(tensor.values, NUMPY[tensor.datatype]).tobytes()
    encoded = [str(value).encode() for value in tensor.values]
    return b"".join(LENGTH.pack(len(each)) + each for each in encoded)


def _check_count(name: str, shape: tuple[int, ...], count: int) -> None:
    if count != math.prod(shape):
        raise BadInput(f"the input '{name}' has {count} elements, and its shape {list(shape)} takes {math.prod(shape)}")


def _texts(name: str, data: bytes) -> list[str]:
    texts, at = [], 0
    while at < len(data):
        start = at + LENGTH.size
        if start > len(data):
            raise BadInput(f"the input '{name}' ends within the 4 bytes that give an element's length, at byte {at}")
        end = start + LENGTH.unpack_from(data, at)[0]
        if end > len(data):
            raise BadInput(f"the input '{name}' has {len(data) - start} bytes left of an element of {end - start}")
        try:
            texts.append(data[start:end].decode())
        except UnicodeDecodeError as error:
            raise BadInput(f"element {len(texts)} of the input '{name}' is no UTF-8 text: {error}") from None
        at = end
    return texts
