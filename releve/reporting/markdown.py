"""A report page as Markdown. Charts are left out: the tables beside them have the same figures."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

import yaml

from releve.core.formatting import printable
from releve.reporting.blocks import (
    Block,
    BoardBlock,
    BoardCell,
    CommandBlock,
    FactList,
    FoldedBlock,
    Journal,
    LinkList,
    ReportPage,
    TableBlock,
    TextBlock,
    TileRow,
    ToDo,
    ToDoList,
    VerdictBlock,
)

SAFE = "/:?=&%#+,;@~"  # in an address
ESCAPES = (
    (re.compile(r"\\"), r"\\\\"),
    (re.compile(r"&(?=#?\w+;)"), "&amp;"),  # an entity
    (re.compile(r"<(?=[A-Za-z/!?])"), "&lt;"),  # a tag
    (re.compile(r"[|`*]"), r"\\\g<0>"),
)


LINK = re.compile(r"\][(\[:]")  # the middle of a link or an image, or of what one refers to
BEGINNINGS = re.compile(r"^(?:#{1,6}(?= |$)|[-+](?= |$)|>|(?:[-_] ?){3,}|={2,}|~{3,})")
NUMBERED = re.compile(r"^(\d{1,9})([.)])(?= |$)")


def render_markdown(page: ReportPage) -> str:
    """Write the whole page; text of users cannot bring markup of its own."""
    front = yaml.safe_dump(dict(page.front_matter), sort_keys=False, allow_unicode=True) if page.front_matter else ""
    parts = [f"---\n{front}---"] if front else []
    parts += [f"# {escape_markdown(page.title)}", _line(page.summary)]
    for section in page.sections:
        parts += [f"## {escape_markdown(section.title)}"] if section.title else []
        parts += map(render_block, section.blocks)
    return "\n\n".join(filter(None, parts)) + "\n"


def render_block(block: Block) -> str:
    """Write a block; "" for a chart."""
    match block:
        case VerdictBlock():
            action = f"Next: {escape_markdown(block.action)}" if block.action else ""
            verdict = f"**{escape_markdown(block.word)}**: {escape_markdown(block.reason)}"
            return "\n\n".join(filter(None, [verdict, action, _code(block.command)]))
        case CommandBlock():
            return _code(block.command)
        case FactList():
            return _table(("", ""), block.lines)
        case TableBlock():
            return _table(block.heads, block.rows)
        case TileRow():
            return _table(("", "", ""), [(tile.name, tile.value, tile.note) for tile in block.tiles])
        case TextBlock():
            lines = map(_line, block.lines)
            return "\n".join(f"- {line}" for line in lines) if block.points else "\n\n".join(lines)
        case LinkList():
            links = [(escape_markdown(text), quote(address, safe=SAFE)) for text, address in block.links]
            return "\n".join(f"- [{text}]({address})" for text, address in links)
        case Journal():
            entries = []
            for entry in block.entries:
                entries += [f"- {escape_markdown(entry.at)} **{escape_markdown(entry.title)}**"]
                entries += [f"  - {_line(reason)}" for reason in entry.reasons]
            return "\n".join(entries)
        case ToDoList():
            return "\n\n".join(
                "\n".join([f"**{escape_markdown(item.name)}**", "", *map(_to_do, item.todos)]) for item in block.items
            )
        case BoardBlock():
            return _table([head.name for head in block.heads], [map(_cell, row.cells) for row in block.rows])
        case FoldedBlock():
            parts = [f"### {escape_markdown(block.title)}", *map(render_block, block.blocks)]
            return "\n\n".join(filter(None, parts))
        case _:
            return ""


def _to_do(todo: ToDo) -> str:
    since = f", {escape_markdown(todo.since)}" if todo.since else ""
    fence = "`" * (1 + max(map(len, re.findall("`+", todo.command)), default=0))
    command = f" {fence}{printable(' '.join(todo.command.split()))}{fence}" if todo.command else ""
    what = f"- **{escape_markdown(todo.word)}**{since}: {escape_markdown(todo.sentence)}."
    return f"{what} {escape_markdown(todo.advice)}{command}"


def _cell(cell: BoardCell) -> str:
    return f"{cell.text} ({cell.note})" if cell.text and cell.note else cell.text or cell.note


def escape_markdown(text: str) -> str:
    """Escape only what would be markup: people read this in a terminal too."""
    for markup, escaped in ESCAPES:
        text = markup.sub(escaped, text)
    if LINK.search(text):  # all of them: brackets may stand in one another
        text = text.replace("[", r"\[")
    return printable(" ".join(text.split()))


def _line(text: str) -> str:
    """Escape the text of a whole line, which might begin a heading, a list, a quotation or a rule."""
    text = BEGINNINGS.sub(r"\\\g<0>", escape_markdown(text))
    return NUMBERED.sub(r"\g<1>\\\g<2>", text)


def _code(command: str) -> str:
    return "\n".join(f"    {line}" for line in command.splitlines())


def _table(heads: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(escape_markdown, line))} |" for line in lines)
