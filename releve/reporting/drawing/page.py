"""A page as one HTML file: each block by its own drawer."""

from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from releve.reporting.drawing import heat, intervals, markup, timeline
from releve.reporting.drawing.blocks import (
    Facts,
    Figures,
    Folded,
    HeatMap,
    Intervals,
    Journal,
    Page,
    Reliability,
    Section,
    Table,
    Timeline,
    Words,
)
from releve.reporting.drawing.style import STYLE


def page(content: Page) -> str:
    """The whole page; needs no network and no script."""
    return document(content.title, content.summary, content.sections)


def document(title: str, summary: str, sections: Iterable[Section], *, warning: str = "") -> str:
    """`summary` and `warning`, which stands out, are below the title."""
    drawn = "\n".join(map(_section, sections))
    alarm = f' <span class="missing">{escape(warning)}</span>' if warning else ""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{STYLE}\n</style>\n</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>\n"
        f'<p class="summary">{markup.marked(summary)}{alarm}</p>\n{drawn}\n</main>\n</body>\n</html>\n'
    )


def _section(section: Section) -> str:
    head = f"<h2>{escape(section.title)}</h2>\n" if section.title else ""
    return f"<section>\n{head}" + "\n".join(map(_block, section.blocks)) + "\n</section>"


def _block(block: Any) -> str:
    return DRAWERS[type(block)](block)


def _folded(block: Folded) -> str:
    return markup.folded(block.title, "\n".join(map(_block, block.blocks)))


DRAWERS: dict[type, Callable[[Any], str]] = {
    Facts: markup.facts,
    Table: markup.table,
    Words: markup.words,
    Figures: markup.figures,
    Journal: markup.journal,
    Folded: _folded,
    Intervals: intervals.intervals,
    Reliability: intervals.reliability,
    Timeline: timeline.timeline,
    HeatMap: heat.heat_map,
}
