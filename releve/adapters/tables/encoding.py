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

from releve.adapters.tables.chunks import UnreadableFile
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
READ_BYTES = 1 << 20  # at a time
EVIDENCE = 1 << 18  # bytes of lines that are not ASCII; detection gains nothing from more
MIN_COHERENCE = 0.1  # likeness 0-1 to a language that charset-normalizer must see
USUAL = "cp1252"  # the commonest of those that are no UTF-8
RIVAL = 0.5  # share of that likeness above which another encoding is a rival
MOST_NAMED = 3  # encodings in a message
SHOWN = 60  # characters of a line in a message


@dataclass(frozen=True)
class UndecodableByte:
    """The first byte that an encoding cannot decode."""

    line: int
    byte: int


@dataclass(frozen=True)
class BytePiece:
    """Bytes of a file: whole lines, or a part of a line that is read in pieces."""

    content: bytes
    line: int  # of the first byte, from 1
    before: int = 0  # bytes of that line before it


def open_bytes(path: Path) -> BinaryIO:
    """Open the bytes of a file, unpacked where its name ends in .gz."""
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def find_encoding(path: Path, *, configured: str = "", say: ConfigHint = params_hint) -> str:
    """Find the encoding that decodes all of `path`. `configured`: in params, or ""; `say`: where a person sets it.

    Raise BadInput naming the line that does not decode, or the encodings that are possible.
    """
    with open_bytes(path) as file:
        head = file.read(READ_BYTES)
    if configured:
        try:
            encoding = codecs.lookup(configured).name
        except LookupError:
            raise BadInput(
                f"{KEY} is {configured!r}, which is no encoding that Python knows; expected one like utf-8, cp1252, "
                "big5 or utf-16"
            ) from None
        why = f"as {KEY} says"
    elif encoding := next((encoding for mark, encoding in MARKS if head.startswith(mark)), ""):
        why = "as its byte order mark says"
    else:
        fault = first_fault(path, "utf-8")
        if fault is None and b"\0" not in head:
            return "utf-8"
        encoding, why = _detect(path, head, fault, say), "as it seemed to be"
    if fault := first_fault(path, encoding):
        raise BadInput(
            f"{path.name}: line {fault.line} holds the byte 0x{fault.byte:02X}, which is not {encoding}, {why}; fix "
            f"that line, or set the encoding of the whole file as {say(KEY, USUAL)}"
        )
    return encoding


def first_fault(path: Path, encoding: str) -> UndecodableByte | None:
    """Find where `encoding` fails to decode `path`, if it does. Reads all of the file, a piece at a time."""
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    with open_bytes(path) as file:
        for piece in iter(lambda: file.read(READ_BYTES), b""):
            try:
                line += _line_breaks(decoder.decode(piece))
            except UnicodeDecodeError as error:
                before = error.object[: error.start].decode(encoding, "ignore")
                return UndecodableByte(line + _line_breaks(before), error.object[error.start])
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            return UndecodableByte(line, error.object[error.start])
    return None


def _detect(path: Path, head: bytes, fault: UndecodableByte | None, say: ConfigHint) -> str:
    """Detect an encoding. Raise BadInput where none or more than one is likely. `fault`: of UTF-8."""
    from charset_normalizer import from_bytes

    pieces = [BytePiece(head, 1)] if b"\0" in head else list(_beyond_ascii(path))
    evidence = b"".join(piece.content for piece in pieces)
    matches = [match for match in from_bytes(evidence) if b"\0" in head or not match.encoding.startswith(WIDE)]
    best = max(matches, key=lambda match: match.coherence, default=None)
    if best is None or best.coherence < MIN_COHERENCE:
        likely = matches
    else:
        rivals = [match for match in matches if str(match) != str(best) and match.coherence > RIVAL * best.coherence]
        if not rivals:
            if len(evidence) >= EVIDENCE and b"\0" not in head:
                _check_twins(path, best, say)
            return str(best.encoding)
        likely = [best, *rivals]
    names = [match.encoding for match in likely[:MOST_NAMED]]
    why = f"line {fault.line} holds the byte 0x{fault.byte:02X}, which is not UTF-8" if fault else "it holds zero bytes"
    apart = (piece for piece in pieces if len({piece.content.decode(name, "replace") for name in names}) > 1)
    first = next(apart, pieces[0] if names else None)
    where = f", first in {_difference(first, names)}" if first else ""
    what = f"{path.name}: {why}, and its encoding is ambiguous"
    way_on = f"Set it as {say(KEY, USUAL)}, or save the file as UTF-8; {USUAL} is what Windows writes in western Europe"
    raise UnreadableFile(f"{what}{where}. {way_on}", without_cells=f"{what}. {way_on}")


def _check_twins(path: Path, best: Any, say: ConfigHint) -> None:
    """Raise BadInput where encodings that read the evidence alike read a later line differently."""

    def decoded(line: bytes, encoding: str) -> str | None:
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            return None

    twins = [name for name in best.could_be_from_charset if name != best.encoding]
    for piece in _beyond_ascii(path, most=None):
        texts = {name: decoded(piece.content, name) for name in (best.encoding, *twins)}
        twins = [name for name in twins if texts[name] is not None]  # what cannot read a line is not the encoding
        if other := next((name for name in twins if texts[name] != texts[best.encoding]), None):
            what = f"{path.name}: its encoding is ambiguous: {best.encoding} and {other} read it alike up to"
            way_on = f"Set it as {say(KEY, best.encoding)}, or save the file as UTF-8"
            raise UnreadableFile(
                f"{what} {_difference(piece, [best.encoding, other])}. {way_on}",
                without_cells=f"{what} line {piece.line}. {way_on}",
            )


def _beyond_ascii(path: Path, *, most: int | None = EVIDENCE) -> Iterator[BytePiece]:
    """Yield lines of the whole file that are not ASCII, up to `most` bytes of them; long lines in pieces."""
    size, number, before = 0, 1, 0
    with open_bytes(path) as file:
        for line in iter(lambda: file.readline(READ_BYTES), b""):
            if not line.isascii():
                size += len(line)
                yield BytePiece(line, number, before)
            if most is not None and size > most:
                return
            ends = max(line.rfind(b"\n"), line.rfind(b"\r")) + 1
            number += max(line.count(b"\n"), line.count(b"\r"))
            before = len(line) - ends if ends else before + len(line)


def _line_breaks(text: str) -> int:
    return max(text.count("\n"), text.count("\r"))  # Windows ends lines with both


def _difference(piece: BytePiece, encodings: list[str]) -> str:
    """Describe where encodings first read a piece differently, and how; of one alone, its first byte beyond ASCII."""
    line, decoders = piece.content, [codecs.getincrementaldecoder(name)("replace") for name in encodings]
    at = 0
    for place in range(len(line)):
        readings = {decoder.decode(line[place : place + 1]) for decoder in decoders}
        if len(readings) > 1 or (len(encodings) < 2 and line[place] > 127):
            at = place
            break
    texts = [line[:at].decode(name, "ignore") for name in encodings]
    begins = max(texts[0].rfind("\n"), texts[0].rfind("\r")) + 1
    byte = at + 1 - len(texts[0][:begins].encode(encodings[0])) if begins else at + 1 + piece.before
    shown = []
    for name, text in zip(encodings, texts, strict=True):
        around = line.decode(name, "replace")[max(0, len(text) - SHOWN // 2) : len(text) + SHOWN // 2]
        shown.append(f"{' '.join(around.split())!r} as {name}")
    number = piece.line + _line_breaks(texts[0])
    return f"line {number}, byte {byte} (0x{line[at]:02X}), which could be read {', '.join(shown)}"
