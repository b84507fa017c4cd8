"""Where encodings read the same bytes differently: the line, the byte, and how each of them reads it."""

import codecs
from dataclasses import dataclass

SHOWN = 60  # characters of a line in a message


@dataclass(frozen=True)
class BytePiece:
    """Bytes of a file: whole lines, or a part of a line that is read in pieces."""

    content: bytes
    line: int  # of the first byte, from 1
    before: int = 0  # bytes of that line before it


def lines_in(text: str) -> int:
    """Line breaks in a piece of a file."""
    return max(text.count("\n"), text.count("\r"))  # Windows ends lines with both


def readings(line: bytes, encodings: list[str]) -> set[str]:
    """What the encodings make of a line, a replacement character for each byte that is none in one of them."""
    return {line.decode(name, "replace") for name in encodings}


def parting(part: BytePiece, encodings: list[str]) -> str:
    """Where encodings first read it differently, and how each does; of one alone, its first byte beyond ASCII."""
    line = part.content
    at = _first_parting(line, encodings)
    texts = [line[:at].decode(name, "ignore") for name in encodings]
    number = part.line + lines_in(texts[0])
    begins = max(texts[0].rfind("\n"), texts[0].rfind("\r")) + 1
    byte = at + 1 - len(texts[0][:begins].encode(encodings[0])) if begins else at + 1 + part.before
    shown = [
        f"{_around(line.decode(name, 'replace'), len(text))!r} as {name}"
        for name, text in zip(encodings, texts, strict=True)
    ]
    return f"line {number}, byte {byte} (0x{line[at]:02X}), which could be read {', '.join(shown)}"


def _first_parting(line: bytes, encodings: list[str]) -> int:
    """The place of the first byte that not all of them read alike."""
    decoders = [codecs.getincrementaldecoder(name)("replace") for name in encodings]
    alone = len(encodings) < 2
    for at in range(len(line)):
        found = {decoder.decode(line[at : at + 1]) for decoder in decoders}
        if (alone and line[at] > 127) or len(found) > 1:
            return at
    return 0


def _around(text: str, place: int) -> str:
    return " ".join(text[max(0, place - SHOWN // 2) : place + SHOWN // 2].split())
