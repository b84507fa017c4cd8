"""The demo on one self-contained page: pictures, decisions, history."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from releve.adapters.files import write_bytes
from releve.domain.registry.chain import RELEASED
from releve.reporting.blocks import (
    Block,
    ChartMark,
    ChartPoint,
    ChartSeries,
    ImageRow,
    LinkList,
    MarkKind,
    PixelImage,
    ReportPage,
    ReportSection,
    SeriesStyle,
    TableBlock,
    TextBlock,
    Tile,
    TileRow,
    TimelineChart,
)
from releve.reporting.html import render_html, render_svg

INK = 16  # of a pixel that is wholly black


def write_report(folder: Path, story: Any, *, events: Sequence[Any]) -> Path:
    """Write report.html and loop.svg into `folder`; return the path of the page."""
    page = demo_page(story, events)
    picture = render_svg("A model that stays fresh, and one that does not", [loop_chart(story)])
    write_bytes(folder / "loop.svg", picture.encode())
    write_bytes(folder / "report.html", render_html(page).encode())
    return folder / "report.html"


def demo_page(story: Any, events: Sequence[Any]) -> ReportPage:
    """Put together what the demo saw."""
    back, forth = story.rollbacks
    rollback = (
        f"Rolled back to {back} and forward again to {forth}: model and index together, after each of them answered "
        "its golden rows."
    )
    accuracies = (
        Tile("the first model, never refitted", f"{story.comparison.never:.3f}"),
        Tile(f"the cron job: boosting, refitted {len(story.turns) - 1} times", f"{story.comparison.cron:.3f}"),
        Tile(f"this loop, {story.refreshes} refreshes", f"{story.accuracy:.3f}"),
        Tile("the loop's recipe, refitted after every window", f"{story.comparison.every:.3f}"),
    )
    heads = ("window", "rows", "accuracy", "drift", "decision", "champion afterwards")
    released = frozenset(place for place, turn in enumerate(story.turns) if "released" in turn.decision)
    windows = TableBlock(heads, tuple(turn.cells for turn in story.turns), released)
    # the first sentence of a reason is shown, the rest is folded
    reasons = (event.reason.replace("; ", "\n", 1) for event in events)
    rows = [
        (str(event.number), event.at[11:19], event.kind.replace("_", " "), reason)
        for event, reason in zip(events, reasons, strict=True)
    ]
    moved = frozenset(place for place, event in enumerate(events) if event.kind == RELEASED)
    history = TableBlock(("event", "at (UTC)", "what", "why"), tuple(rows), moved)
    reports = LinkList(tuple((path.parent.name, path.as_uri()) for path in story.reports))
    summary = (
        "Thirteen people wrote these digits, one after the other. A model that has seen the first of them gets worse "
        f"on the others. The loop watched, refreshed {story.refreshes} times, {story.searches} of them with a search "
        f"that drift opened, and released {len(story.champions) - 1} new champions, in {story.seconds:.0f} seconds."
    )
    return ReportPage(
        f"Relève: the changing of the guard, {len(story.turns)} windows",
        summary,
        (
            ReportSection("", (TileRow(accuracies), loop_chart(story))),
            ReportSection("Window by window", (windows,)),
            ReportSection("Search: the labelled digits nearest to the newest one", (_digits(story),)),
            ReportSection("Rollback", (TextBlock((rollback,)),)),
            ReportSection("What served when, and why", (history,)),
            *([ReportSection("Drift reports", (reports,))] if story.reports else []),
        ),
    )


def loop_chart(story: Any) -> TimelineChart:
    """Draw the accuracy per window of the loop, beside never and the cron job, with what it decided."""
    policies = {
        "never refitted": (story.comparison.by_window["never"], 2),
        "the cron job": (story.comparison.by_window["cron"], 0),
        "this loop": ([turn.accuracy for turn in story.turns], 1),
    }
    series = [
        ChartSeries(
            name,
            SeriesStyle.SCORES if name == "this loop" else SeriesStyle.LINE,
            tuple(ChartPoint(place, float(accuracy)) for place, accuracy in enumerate(accuracies)),
            colour,
        )
        for name, (accuracies, colour) in policies.items()
    ]
    marks = [
        ChartMark(
            place + 0.5, MarkKind.RELEASE if "released" in turn.decision else MarkKind.REFUSAL, f"window {turn.number}"
        )
        for place, turn in enumerate(story.turns)
        if turn.decision != "wait"
    ]
    described = "The first model gets worse; the loop keeps up, mostly above the cron job."
    windows = tuple(str(turn.number) for turn in story.turns)
    title = "Accuracy per window of about 90 digits, in the order they were written"
    return TimelineChart(title, described, windows, tuple(series), marks=tuple(marks))


def _digits(story: Any) -> Block:
    shown = [("asked", story.query)]
    shown += [(f"{label} ({distance:.1f})", pixels) for label, distance, pixels in story.neighbours]
    images = (
        PixelImage(title, tuple(map(tuple, (np.asarray(pixels, dtype=float) / INK).reshape(8, 8).tolist())))
        for title, pixels in shown
    )
    return ImageRow("The digit that was asked, and its nearest labelled digits with their distances", tuple(images))
