"""Markdown for people in a terminal and in Prefect: only what would be markup is escaped."""

import pytest

from releve.reporting.blocks import ReportPage, ReportSection, TableBlock, TextBlock
from releve.reporting.markdown import render_markdown


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("[here](http://x)", "\\[here](http://x)"),
        ("[here][1] [1]: x", "\\[here]\\[1] \\[1]: x"),
        ("![a [b]](http://x)", "!\\[a \\[b]](http://x)"),
        ("_ _ _", "\\_ _ _"),
        ("-- -", "\\-- -"),
        ("+0.1 [+0.02, +0.18] (p 0.01)", "+0.1 [+0.02, +0.18] (p 0.01)"),
        ("R&D &lt; <b> x < 3", "R&D &amp;lt; &lt;b> x < 3"),
        ("a * b ` \\", "a \\* b \\` \\\\"),
        ("# head", "\\# head"),
        ("- x", "\\- x"),
        ("1. x", "1\\. x"),
        ("-0.5 #3 1.5", "-0.5 #3 1.5"),
        ("a\x1b[31m\x07 \u202eb", "a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER}b"),
    ],
)
def test_what_would_be_markup_is_escaped_and_nothing_else(text, written):
    assert f"\n{written}\n" in render_markdown(ReportPage("c", "s", (ReportSection("S", (TextBlock((text,)),)),)))


def test_a_cell_of_markdown_stays_one_cell():
    page = ReportPage("c", "s", (ReportSection("S", (TableBlock(("a", "b"), (("x | y", "two\nlines"),)),)),))

    assert "| x \\| y | two lines |" in render_markdown(page)
