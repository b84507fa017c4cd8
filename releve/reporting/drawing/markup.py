"""Words, lists and tables as HTML: everything is escaped, nothing is loaded from elsewhere."""

import re
from html import escape

from releve.reporting.drawing.blocks import MISSING, Entry, Facts, Figure, Figures, Journal, Table, Words

FIGURE = re.compile(r"[-+]?[0-9][-+0-9.,e:\[\] ]*")


def marked(text: str) -> str:
    """Escaped text; MISSING stands out."""
    return escape(text).replace(MISSING, f'<span class="missing">{MISSING}</span>')


def facts(block: Facts) -> str:
    rows = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{marked(value)}</td></tr>' for name, value in block.lines
    )
    return f'<table class="facts">\n{rows}\n</table>'


def table(block: Table) -> str:
    heads = "".join(f'<th scope="col">{marked(head)}</th>' for head in block.heads)
    rows = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in block.rows)
    return scrolled(f"<table>\n<tr>{heads}</tr>\n{rows}\n</table>", "a table")


def _cell(text: str) -> str:
    """A figure, with its interval too, and a time stay on one line."""
    return f'<td class="figure">{marked(text)}</td>' if FIGURE.fullmatch(text) else f"<td>{marked(text)}</td>"


def words(block: Words) -> str:
    if block.points:
        return "<ul>\n" + "\n".join(f"<li>{marked(line)}</li>" for line in block.lines) + "\n</ul>"
    return "\n".join(f"<p>{marked(line)}</p>" for line in block.lines)


def figures(block: Figures) -> str:
    return '<dl class="figures">\n' + "\n".join(map(_figure, block.figures)) + "\n</dl>"


def _figure(figure: Figure) -> str:
    note = f"<dd>{escape(figure.note)}</dd>" if figure.note else ""
    return f'<div><dt>{escape(figure.name)}</dt><dd class="value">{escape(figure.value)}</dd>{note}</div>'


def journal(block: Journal) -> str:
    """A list, newest first; the older part is folded."""
    shown, older = block.entries[: block.open], block.entries[block.open :]
    rest = folded(f"{len(older)} older", _entries(older)) if older else ""
    return _entries(shown) + rest


def _entries(entries: tuple[Entry, ...]) -> str:
    return '<ol class="journal">\n' + "\n".join(map(_entry, entries)) + "\n</ol>"


def _entry(entry: Entry) -> str:
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in entry.reasons)
    said = f"<ul>{reasons}</ul>" if reasons else ""
    return f'<li class="{entry.tone}"><p><span>{escape(entry.at)}</span> <b>{escape(entry.title)}</b></p>{said}</li>'


def folded(title: str, inside: str) -> str:
    """Shown when somebody asks for it, and in print."""
    return f"<details>\n<summary>{escape(title)}</summary>\n{inside}\n</details>"


def scrolled(inside: str, name: str) -> str:
    """Scrolls sideways where it is wider than the page, by keyboard too."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(name)}">\n{inside}\n</div>'
