"""Pages as HTML, and charts as files of their own."""

import base64
import hashlib
import re
from html import unescape
from html.parser import HTMLParser
from typing import get_args
from xml.etree import ElementTree

import pytest

from releve.domain.evaluation.intervals import Interval
from releve.reporting import blocks
from releve.reporting.blocks import (
    Block,
    BoardBlock,
    BoardCell,
    BoardHead,
    BoardRow,
    ChartPoint,
    ChartSeries,
    CommandBlock,
    FactList,
    FoldedBlock,
    ImageRow,
    IntervalBar,
    IntervalChart,
    Journal,
    JournalEntry,
    LinkList,
    PixelImage,
    ReliabilityChart,
    ReportPage,
    ReportSection,
    SeriesStyle,
    TableBlock,
    TextBlock,
    Tile,
    TileRow,
    TimelineChart,
    ToDo,
    ToDoItem,
    ToDoList,
    Tone,
    VerdictBlock,
)
from releve.reporting.html import render_html, render_svg
from releve.reporting.markdown import render_markdown

NASTY = '<script>alert("x")</script>'
TIMELINE = TimelineChart(NASTY, NASTY, ("1", "2"), (ChartSeries(NASTY, SeriesStyle.LINE, (ChartPoint(0, 1.0),)),))
EXAMPLES: list[Block] = [
    VerdictBlock(NASTY, Tone.BAD, NASTY, NASTY, NASTY),
    FactList(((NASTY, NASTY),)),
    TableBlock((NASTY,), ((NASTY,),), frozenset({0})),
    TextBlock((NASTY,)),
    CommandBlock(NASTY),
    LinkList(((NASTY, 'https://example.org/"x"'),)),
    TileRow((Tile(NASTY, NASTY, NASTY),)),
    IntervalChart(NASTY, (IntervalBar(NASTY, Interval(0.0, -1.0, 1.0)),)),
    ReliabilityChart(((0.5, 0.4, 10),)),
    TIMELINE,
    blocks.HeatMapChart(NASTY, NASTY, ("1",), (("drift", NASTY),), (blocks.HeatRow(NASTY, (None,)),)),
    ImageRow(NASTY, (PixelImage(NASTY, ((0.0, 1.0), (0.5, 0.2))),)),
    Journal((JournalEntry(NASTY, NASTY, (NASTY,)),)),
    ToDoList((ToDoItem(NASTY, (ToDo(NASTY, NASTY, NASTY, NASTY, NASTY, Tone.BAD),), 'page"x".html'),)),
    BoardBlock(
        NASTY,
        (BoardHead(NASTY, descending=True),),
        (BoardRow((BoardCell(NASTY, NASTY, NASTY, 'page"x".html', Tone.BAD),), frozenset({NASTY})),),
        (NASTY,),
    ),
    FoldedBlock(NASTY, (TextBlock((NASTY,)),)),
]


def page_of(*content):
    return ReportPage(NASTY, NASTY, (ReportSection(NASTY, content),))


def tags(text):
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append(tag)
    parser.feed(text)
    return found


def test_every_block_has_an_example_here():
    assert {type(example) for example in EXAMPLES} == set(get_args(Block))


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: type(block).__name__)
def test_every_block_can_be_written_and_text_is_never_markup(block):
    html, markdown = render_html(page_of(block)), render_markdown(page_of(block))

    assert tags(html).count("script") == isinstance(block, BoardBlock)  # its own
    assert "alert" in html
    code = (f"    {NASTY}", f"`{NASTY}`")  # a command, which is shown as it is
    assert "<script" not in markdown.replace(code[0], "").replace(code[1], "")


def test_a_page_allows_itself_no_script_but_the_one_that_sorts_a_board():
    board = BoardBlock("t", (BoardHead("h"),), (BoardRow((BoardCell("a"),)),))
    policies = [re.search(r'Policy" content="([^"]*)"', render_html(page_of(block)))[1] for block in (board, TIMELINE)]
    script = re.search("<script>(.*)</script>", render_html(page_of(board)), re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

    assert all(unescape(policy).startswith("default-src 'none'; style-src 'unsafe-inline';") for policy in policies)
    assert f"script-src 'sha256-{digest}'" in unescape(policies[0])
    assert "script-src" not in policies[1]


def test_a_board_can_be_read_without_its_script():
    cells = (BoardCell("shop", address="shop.html"), BoardCell("0.9", "expected", 0.9), BoardCell("no key"))
    html = render_html(
        page_of(BoardBlock("t", tuple(map(BoardHead, "abc")), (BoardRow(cells, frozenset({"x"})),), ("x",)))
    )

    assert '<div class="controls" hidden>' in html
    assert '<td><a href="shop.html">shop</a></td>' in html
    assert '<td data-key="0.9">0.9<small>expected</small></td>' in html
    assert "<td>no key</td>" in html


def test_things_to_do_beyond_the_open_ones_are_folded():
    items = tuple(ToDoItem(str(number), (ToDo("w", "", "s", "a"),)) for number in range(5))

    assert "<summary>2 more</summary>" in render_html(page_of(ToDoList(items, open=3)))
    assert "<summary>" not in render_html(page_of(ToDoList(items, open=5)))


def test_a_command_with_backticks_stays_code_in_markdown():
    todo = ToDo("w", "", "s", "a", "make `x`\n# y")

    assert "``make `x` # y``" in render_markdown(page_of(ToDoList((ToDoItem("n", (todo,)),))))


def test_what_is_missing_is_counted_and_stands_out():
    page = ReportPage("t", "s", (ReportSection("", (FactList((("a", blocks.MISSING),)), TextBlock(("MISSING: b",)))),))

    assert page.missing == 2
    assert "2 things are MISSING." in render_html(page)
    assert render_html(page).count('class="missing">MISSING</span>') == 2


def test_figures_times_and_a_few_words_stay_on_one_line_and_sentences_do_not():
    cells = ("0.912 [0.887, 0.931]", "2026-01-05 09:00", "a word", "a sentence that may be broken")
    html = render_html(page_of(TableBlock(("h",), tuple((cell,) for cell in cells))))

    assert html.count('<td class="line">') == 3


def test_entries_beyond_the_open_ones_are_folded():
    entries = tuple(JournalEntry(str(number), "wait", ()) for number in range(5))

    html = render_html(page_of(Journal(entries, open=3)))

    assert "<summary>2 older</summary>" in html
    assert "<summary>" not in render_html(page_of(Journal(entries, open=5)))


def test_a_chart_is_drawn_for_a_wide_and_for_a_narrow_window():
    html = render_html(page_of(TIMELINE))

    assert html.count('<div class="chart wide">') == html.count('<div class="chart narrow">') == 1


def test_charts_are_one_svg_file_that_needs_nothing_else():
    text = render_svg(NASTY, [TIMELINE, TIMELINE])

    svg = ElementTree.fromstring(text)
    drawn = [group for group in svg if group.tag.endswith("}g")]
    assert svg.find("{http://www.w3.org/2000/svg}title").text == NASTY
    assert len(drawn) == 2
    assert "prefers-color-scheme: dark" in text
    assert "href" not in text


@pytest.mark.parametrize("intervals", [(), (Interval(0.0, 0.0, 0.0),), (Interval(-5.0, -9.0, -1.0),)])
def test_intervals_without_a_width_or_on_one_side_can_be_drawn(intervals):
    html = render_html(page_of(IntervalChart("gain", tuple(IntervalBar("a", each) for each in intervals))))

    assert ("<svg" in html) is bool(intervals)
    assert "nan" not in html


def test_a_cell_shows_its_first_line_and_folds_the_rest():
    html = render_html(page_of(TableBlock(("why",), (("no drift\nquality: <unknown>",),))))

    assert "<details><summary>no drift</summary>quality: &lt;unknown&gt;</details>" in html


def test_text_of_users_steers_neither_a_terminal_nor_the_direction_of_what_follows():
    page = render_html(ReportPage("a\x1b[31m", "s", (ReportSection("S", (TextBlock(("<b>\u202eb",)),)),)))

    assert "a\N{REPLACEMENT CHARACTER}[31m" in page
    assert "&lt;b&gt;\N{REPLACEMENT CHARACTER}b" in page
    assert "unicode-bidi: isolate" in page
