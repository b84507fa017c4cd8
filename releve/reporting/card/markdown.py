"""A model card as Markdown. Pictures are left out: the tables beside them say the same."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from releve.reporting.card.card import Card
from releve.reporting.drawing.blocks import Facts, Section, Table, Words


def markdown(card: Card) -> str:
    """The whole card; text of users cannot bring markup of its own."""
    head = f"# {_plain(card.title)}\n\n{_plain(card.summary)}\n"
    return "\n".join([head, *(_section(section) for section in card.sections)])


def _section(section: Section) -> str:
    blocks = [WRITERS[type(block)](block) for block in section.blocks if type(block) in WRITERS]
    return f"## {section.title}\n\n" + "\n\n".join(blocks) + "\n"


def _facts(block: Facts) -> str:
    return _rows(("", ""), block.lines)


def _table(block: Table) -> str:
    return _rows(block.heads, block.rows)


def _words(block: Words) -> str:
    return (
        "\n".join(f"- {_plain(line)}" for line in block.lines)
        if block.points
        else "\n\n".join(map(_plain, block.lines))
    )


ESCAPES = (
    (re.compile(r"\\"), r"\\\\"),
    (re.compile(r"&(?=#?\w+;)"), "&amp;"),  # an entity
    (re.compile(r"<(?=[A-Za-z/!?])"), "&lt;"),  # a tag
    (re.compile(r"\[(?=[^\]]*\][(\[:])"), r"\\["),  # a link, and what it refers to
    (re.compile(r"[|`*]"), r"\\\g<0>"),
)
WRITERS: dict[type, Callable[[Any], str]] = {Facts: _facts, Table: _table, Words: _words}


def _rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_plain, line))} |" for line in lines)


def _plain(text: str) -> str:
    """Only what would be markup is escaped: people read the card in a terminal too."""
    for markup, escaped in ESCAPES:
        text = markup.sub(escaped, text)
    return " ".join(text.split())
