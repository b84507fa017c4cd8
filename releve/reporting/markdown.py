"""A report page as Markdown. Charts are left out: the tables beside them have the same figures."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import quote

from releve.reporting.blocks import (
    CommandBlock,
    FactList,
    FoldedBlock,
    Journal,
    LinkList,
    ReportPage,
    TableBlock,
    TextBlock,
    TileRow,
    VerdictBlock,
)

SAFE = "/:?=&%#+,;@~"  # in an address
ESCAPES = (
    (re.compile(r"\\"), r"\\\\"),
    (re.compile(r"&(?=#?\w+;)"), "&amp;"),  # an entity
    (re.compile(r"<(?=[A-Za-z/!?])"), "&lt;"),  # a tag
    (re.compile(r"\[(?=[^\]]*\][(\[:])"), r"\\["),  # a link, and what it refers to
    (re.compile(r"[|`*]"), r"\\\g<0>"),
)


def render_markdown(page: ReportPage) -> str:
    """Write the whole page; text of users cannot bring markup of its own."""
    parts = [f"# {escape_markdown(page.title)}", escape_markdown(page.summary)]
    for section in page.sections:
        parts += [f"## {escape_markdown(section.title)}"] if section.title else []
        parts += render_blocks(section.blocks)
    return "\n\n".join(filter(None, parts)) + "\n"


def render_blocks(blocks: Iterable[object]) -> list[str]:
    """Write each block that has a text form."""
    return [WRITERS[type(block)](block) for block in blocks if type(block) in WRITERS]


def escape_markdown(text: str) -> str:
    """Escape only what would be markup: people read this in a terminal too."""
    for markup, escaped in ESCAPES:
        text = markup.sub(escaped, text)
    return " ".join(text.split())


def _verdict(block: VerdictBlock) -> str:
    action = [f"Next: {escape_markdown(block.action)}"] if block.action else []
    command = [_command(block)] if block.command else []
    return "\n\n".join([f"**{escape_markdown(block.word)}**: {escape_markdown(block.reason)}", *action, *command])


def _command(block: CommandBlock | VerdictBlock) -> str:
    return "\n".join(f"    {line}" for line in block.command.splitlines())


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(escape_markdown, line))} |" for line in lines)


def _text(block: TextBlock) -> str:
    lines = list(map(escape_markdown, block.lines))
    return "\n".join(f"- {line}" for line in lines) if block.points else "\n\n".join(lines)


def _links(block: LinkList) -> str:
    return "\n".join(f"- [{escape_markdown(text)}]({quote(address, safe=SAFE)})" for text, address in block.links)


def _journal(block: Journal) -> str:
    return "\n".join(
        f"- {escape_markdown(entry.at)} **{escape_markdown(entry.title)}**"
        + "".join(f"\n  - {escape_markdown(reason)}" for reason in entry.reasons)
        for entry in block.entries
    )


def _folded(block: FoldedBlock) -> str:
    return "\n\n".join([f"### {escape_markdown(block.title)}", *render_blocks(block.blocks)])


WRITERS: dict[type, Callable[[Any], str]] = {
    VerdictBlock: _verdict,
    CommandBlock: _command,
    FactList: lambda block: _table(("", ""), block.lines),
    TableBlock: lambda block: _table(block.heads, block.rows),
    TextBlock: _text,
    LinkList: _links,
    TileRow: lambda block: _table(("", "", ""), [(tile.name, tile.value, tile.note) for tile in block.tiles]),
    Journal: _journal,
    FoldedBlock: _folded,
}
