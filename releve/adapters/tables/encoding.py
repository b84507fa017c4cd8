"""The encoding of a text file: its byte order mark, else UTF-8, else what charset-normalizer is sure of.

Sure means: no other encoding gives another text that looks like a language, too. Every byte is decoded strictly, so
that no cell holds a replacement character that nobody wrote. Measured in docs/decisions/0013-readers.md.
"""

import codecs
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from releve.adapters.tables.partings import BytePiece, lines_in, parting, readings
from releve.core.config_hint import ConfigHint, params_hint
from releve.core.errors import BadInput

KEY = "ingest.csv_encoding"
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WIDE = ("utf_16", "utf_32")  # in which every delimiter is written with zero bytes
PIECE = 1 << 20  # bytes read at a time
EVIDENCE = 1 << 18  # bytes of lines that are not ASCII; detection gains nothing from more
MIN_COHERENCE = 0.1  # likeness 0-1 to a language that charset-normalizer must see
USUAL = "cp1252"  # the commonest of those that are no UTF-8
RIVAL = 0.5  # share of that likeness above which another reading is a rival
SHOWN_READINGS = 3


@dataclass(frozen=True)
class UndecodableByte:
    """The first byte that an encoding cannot decode."""

    line: int
    byte: int


def open_bytes(path: Path) -> BinaryIO:
    """The bytes of a file, unpacked where its name ends in .gz."""
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def find_encoding(path: Path, *, said: str = "", say: ConfigHint = params_hint) -> str:
    """The encoding that decodes all of `path`. `said`: what params say it is, "" for nothing; `say`: where to.

    Raises BadInput naming the line that does not decode, or the readings that are possible.
    """
    with open_bytes(path) as file:
        head = file.read(PIECE)
    if said:
        return _checked(path, _known(said), why="as ingest.csv_encoding says", say=say)
    mark = next((encoding for mark, encoding in MARKS if head.startswith(mark)), "")
    if mark:
        return _checked(path, mark, why="as its byte order mark says", say=say)
    fault = first_fault(path, "utf-8")
    if fault is None and b"\0" not in head:
        return "utf-8"
    return _checked(path, _detected(path, head, fault, say), why="as it seemed to be", say=say)


def first_fault(path: Path, encoding: str) -> UndecodableByte | None:
    """Where `encoding` fails to decode `path`, if it does. Reads all of the file, a piece at a time."""
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    with open_bytes(path) as file:
        for piece in iter(lambda: file.read(PIECE), b""):
            try:
                line += lines_in(decoder.decode(piece))
            except UnicodeDecodeError as error:
                before = error.object[: error.start].decode(encoding, "ignore")
                return UndecodableByte(line + lines_in(before), error.object[error.start])
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            return UndecodableByte(line, error.object[error.start])
    return None


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise BadInput(
            f"ingest.csv_encoding is {encoding!r}, which is no encoding that Python knows; expected one like utf-8, "
            "cp1252, big5 or utf-16"
        ) from None


def _checked(path: Path, encoding: str, *, why: str, say: ConfigHint) -> str:
    if fault := first_fault(path, encoding):
        raise BadInput(
            f"{path.name}: line {fault.line} holds the byte 0x{fault.byte:02X}, which is not {encoding}, {why}; mend "
            f"that line, or say the encoding of the whole file as {say(KEY, USUAL)}"
        )
    return encoding


def _detected(path: Path, head: bytes, fault: UndecodableByte | None, say: ConfigHint) -> str:
    from charset_normalizer import from_bytes

    parts = [BytePiece(head, 1)] if b"\0" in head else list(_beyond_ascii(path))
    evidence = b"".join(part.content for part in parts)
    matches = [match for match in from_bytes(evidence) if b"\0" in head or not match.encoding.startswith(WIDE)]
    best = max(matches, key=lambda match: match.coherence, default=None)
    if best is None or best.coherence < MIN_COHERENCE:
        raise BadInput(_doubt(path, parts, [match.encoding for match in matches[:SHOWN_READINGS]], fault, say))
    rivals = [match for match in matches if str(match) != str(best) and match.coherence > RIVAL * best.coherence]
    if rivals:
        raise BadInput(_doubt(path, parts, [match.encoding for match in [best, *rivals][:SHOWN_READINGS]], fault, say))
    if len(evidence) >= EVIDENCE and b"\0" not in head:
        _check_twins(path, best, say)
    return str(best.encoding)


def _check_twins(path: Path, best: Any, say: ConfigHint) -> None:
    """Raises BadInput where encodings that read the evidence alike read a later line differently."""
    twins = [name for name in best.could_be_from_charset if name != best.encoding]
    for part in _beyond_ascii(path, most=None):
        texts = {name: _decoded(part.content, name) for name in (best.encoding, *twins)}
        twins = [name for name in twins if texts[name] is not None]  # what cannot read a line is not the encoding
        if other := next((name for name in twins if texts[name] != texts[best.encoding]), None):
            raise BadInput(
                f"{path.name}: its encoding is in doubt: {best.encoding} and {other} read it alike up to "
                f"{parting(part, [best.encoding, other])}. "
                f"Say which it is, as {say(KEY, best.encoding)}, or save it as UTF-8"
            )


def _decoded(line: bytes, encoding: str) -> str | None:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        return None


def _beyond_ascii(path: Path, *, most: int | None = EVIDENCE) -> Iterator[BytePiece]:
    """Lines of the whole file that tell encodings apart, up to `most` bytes of them; long lines in pieces."""
    size, number, before = 0, 1, 0
    with open_bytes(path) as file:
        for line in iter(lambda: file.readline(PIECE), b""):
            if not line.isascii():
                size += len(line)
                yield BytePiece(line, number, before)
            if most is not None and size > most:
                return
            ends = max(line.rfind(b"\n"), line.rfind(b"\r")) + 1
            number += max(line.count(b"\n"), line.count(b"\r"))
            before = len(line) - ends if ends else before + len(line)


def _doubt(
    path: Path, parts: list[BytePiece], encodings: list[str], fault: UndecodableByte | None, say: ConfigHint
) -> str:
    """parts: what the encodings were found from. encodings: that could be, the likeliest first; maybe none."""
    where = (
        f"line {fault.line} holds the byte 0x{fault.byte:02X}, which is not UTF-8" if fault else "it holds zero bytes"
    )
    parted = (parting(part, encodings) for part in parts if len(readings(part.content, encodings)) > 1)
    said = next(parted, "") or next((parting(part, encodings) for part in parts if encodings), "")
    return (
        f"{path.name}: {where}, and its encoding is in doubt{f', first in {said}' if said else ''}. Say which it is, "
        f"as {say(KEY, USUAL)}, or save it as UTF-8; {USUAL} is what Windows writes in western Europe"
    )
