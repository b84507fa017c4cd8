"""Requests that are right, and ways to break one: by its bytes, its values, and what its headers say of it."""

import gzip
import json
import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

JSON = "application/json"
LENGTH = "inference-header-content-length"
TOKENS = [
    b"null",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"9" * 400,
    b"-1",
    b'"',
    b"{}",
    b"[" * 2000,
    b"\\ud800",
    b"\xff",
    b"\0",
]
VALUES: list[Any] = [
    *(None, True, 0, -1, 1.5, 2**63, 2**64, -(2**70), 1e39, 1e300, 10**400, float("nan"), float("inf")),
    *("", " ", "x", "1", "é😀\0", "\ud800", "x" * 5_000, "2024-02-30", "9999-12-31T23:59:59+14:00", "0001-01-01"),
    *([], {}, [[]], [None], {"": ""}, [1, [2, [3]]], {"id": None}, ["x"] * 60),
]
MEDIA_TYPES = ["", "text/plain", "text/csv", "application/octet-stream", f"{JSON}; charset=latin-1", JSON]
ENCODINGS = ["gzip", "deflate", "br", "gzip, gzip"]
LENGTHS = ["0", "1", "17", "100000", "-1", "many", "9" * 30, "٣"]


@dataclass(frozen=True)
class Sent:
    """A request with a body; `protocol` says in which shape its errors come."""

    protocol: str
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def named(self, **headers: str) -> "Sent":
        return replace(self, headers=self.headers | {name.replace("_", "-"): value for name, value in headers.items()})


def broken(sent: Sent, chance: random.Random) -> Sent:
    """Break a request in up to three ways."""
    for _ in range(chance.randint(1, 3)):
        sent = chance.choices(WAYS, weights=[4, 8, 1])[0](sent, chance)
    return sent


def _bytes(sent: Sent, chance: random.Random) -> Sent:
    body = sent.body
    at = chance.randrange(chance.choice([0, min(_json_size(sent), len(body))]), len(body) + 1)
    end = at + chance.randint(1, 30)
    made = [
        body[:at],
        body[at:],
        body[:at] + body[end:],
        body[:at] + chance.randbytes(end - at) + body[end:],
        body[:at] + chance.choice(TOKENS) + body[at:],
        body[:end] + body[at:],
    ]
    return replace(sent, body=chance.choice(made))


def _value(sent: Sent, chance: random.Random) -> Sent:
    """Change one place of a body that is JSON, at whatever depth; another body loses or gains bytes."""
    size = _json_size(sent)
    try:
        values = json.loads(sent.body[:size])
    except (ValueError, RecursionError):
        return _bytes(sent, chance)
    places = list(_places(values))
    if not places:
        return _bytes(sent, chance)
    holder, key = chance.choice(places)
    match chance.randrange(5):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder += [deepcopy(holder[key])] * chance.choice([1, 60])
        case 1:
            holder[f"{key}x"] = holder.pop(key)
        case 2 if isinstance(holder, list):
            holder[key] = [holder[key]]
        case _:
            holder[key] = deepcopy(chance.choice(VALUES))
    head = json.dumps(values).encode()
    changed = replace(sent, body=head + sent.body[size:])
    return changed if LENGTH not in sent.headers else changed.named(**{LENGTH: str(len(head))})


def _json_size(sent: Sent) -> int:
    """Where the JSON ends, and binary tensors begin."""
    length = sent.headers.get(LENGTH, "")
    return int(length) if length.isascii() and length.isdigit() else len(sent.body)


def _places(values: Any) -> Any:
    keys = values if isinstance(values, dict) else range(len(values)) if isinstance(values, list) else ()
    for key in keys:
        yield values, key
        yield from _places(values[key])


def _headers(sent: Sent, chance: random.Random) -> Sent:
    match chance.randrange(4):
        case 0:
            return sent.named(content_type=chance.choice(MEDIA_TYPES))
        case 1:
            return sent.named(content_encoding=chance.choice(ENCODINGS))
        case 2:
            packed = gzip.compress(sent.body, mtime=0)
            return replace(sent, body=packed[: chance.randint(1, len(packed))]).named(content_encoding="gzip")
        case _:
            return sent.named(**{LENGTH: chance.choice(LENGTHS)})


WAYS: list[Callable[[Sent, random.Random], Sent]] = [_bytes, _value, _headers]
