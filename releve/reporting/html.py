"""A report page as one HTML file that needs no network, and no script but to sort and filter a board.

The page forbids itself everything else by its content security policy, which names the script by its hash.
Templates escape all text; charts are SVG whose text is escaped too (`charts.svg`). A chart is drawn twice, for a wide
and for a narrow window, and the style sheet shows the one that fits.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from releve.core.formatting import printable
from releve.reporting.blocks import (
    MISSING,
    Block,
    Chart,
    HeatMapChart,
    ImageRow,
    IntervalChart,
    ReliabilityChart,
    ReportPage,
    TimelineChart,
)
from releve.reporting.charts.heat_map import draw_heat_map, heat_map_legend
from releve.reporting.charts.intervals import draw_images, draw_intervals, draw_reliability
from releve.reporting.charts.svg import Drawing
from releve.reporting.charts.timeline import draw_timeline, timeline_legend

if TYPE_CHECKING:
    from jinja2 import Environment

WIDE, NARROW = 1134, 358  # pixels of a chart on a page of 1400 and of 390
CHARACTER = 6.5  # pixels
SHORT = 16  # characters of a cell that stays on one line
FIGURE = re.compile(r"[-+]?[0-9][-+0-9.,e:\[\]% ]*")
BOARD_SCRIPT = "board.js"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
CHARTS: dict[type, Callable[[Any, float], Drawing]] = {
    TimelineChart: draw_timeline,
    HeatMapChart: draw_heat_map,
    IntervalChart: draw_intervals,
    ReliabilityChart: draw_reliability,
    ImageRow: draw_images,
}
LEGENDS: dict[type, Callable[[Any], list[tuple[Markup, str]]]] = {
    TimelineChart: timeline_legend,
    HeatMapChart: heat_map_legend,
}


def render_html(page: ReportPage) -> str:
    """Write the whole page; how much is MISSING stands below its title."""
    environment = _environment()
    script = _source(environment, BOARD_SCRIPT) if page.has_board else ""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"{POLICY}; script-src 'sha256-{digest}'" if script else POLICY
    return environment.get_template("page.html.jinja").render(page=page, script=Markup(script), policy=policy)


def render_svg(title: str, charts: Sequence[Chart]) -> str:
    """Write charts below each other as one SVG file, with their legends and style, for light and dark."""
    parts, height = [], 28.0
    for chart in charts:
        drawn, entries = CHARTS[type(chart)](chart, WIDE), []
        x, below = 0.0, height + 36
        for sample, name in _legend(chart):
            space = 40 + CHARACTER * len(name)
            x, below = (0.0, below + 18) if x + space > WIDE else (x, below)
            entries.append((x, below, sample, name))
            x += space
        parts.append((height + 12, chart.title, entries, below + 14, drawn))
        height = below + 14 + drawn.height + 16
    return _environment().get_template("charts.svg.jinja").render(title=title, parts=parts, width=WIDE, height=height)


def _source(environment: "Environment", name: str) -> str:
    """Read a file beside the templates as it is."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


@cache
def _environment() -> "Environment":
    return make_environment("releve.reporting")


def make_environment(*packages: str) -> "Environment":
    """Make what templates are written with: `render` for a block inside another one, `charts` and `legend`.

    `packages`: where templates lie, in a folder of that name; the first that has one counts.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    def render(block: Block) -> Markup:
        """Write a block by the macro that has its name; charts share one."""
        if isinstance(block, IntervalChart) and not block.bars:
            return Markup()
        name = "chart" if type(block) in CHARTS else type(block).__name__
        return Markup(getattr(environment.get_template("blocks.html.jinja").module, name)(block))

    def charts(chart: Chart) -> list[tuple[str, Drawing]]:
        draw = CHARTS[type(chart)]
        return [("wide", draw(chart, WIDE)), ("narrow", draw(chart, NARROW))]

    def marked(text: str) -> Markup:
        return escape(text).replace(MISSING, Markup('<span class="missing">{}</span>').format(MISSING))

    def cell_class(text: str) -> str:
        """Figures with their intervals, times and a few words stay on one line."""
        return "line" if len(text) <= SHORT or FIGURE.fullmatch(text) else ""

    def finalize(value: Any) -> Any:
        if isinstance(value, Markup):
            return Markup(printable(value))
        return printable(value) if isinstance(value, str) else value

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=finalize,
    )
    environment.filters |= {"marked": marked, "cell_class": cell_class}
    environment.globals |= {"render": render, "charts": charts, "legend": _legend}
    return environment


def _legend(chart: Chart) -> list[tuple[Markup, str]]:
    return LEGENDS[type(chart)](chart) if type(chart) in LEGENDS else []
