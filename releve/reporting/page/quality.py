"""Quality over time: what each window was worth, beside the expected performance, the naive answer and estimates."""

from collections.abc import Sequence
from itertools import groupby

from releve.core.formatting import format_score, unit_of
from releve.domain.evaluation.intervals import Interval
from releve.domain.quality.realised import QualityState
from releve.domain.quality.windows import QualityWindow
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.reporting.blocks import (
    Block,
    ChartBand,
    ChartPoint,
    ChartSeries,
    FoldedBlock,
    SeriesStyle,
    TableBlock,
    TextBlock,
    TimelineChart,
)
from releve.reporting.messages import describe_estimate, format_score_interval
from releve.reporting.page.history import PageEvidence, marks_of, place, to_the_minute, version_of

DRAWN = 400  # windows: with more, each would have less than two pixels
BESIDE = 0.25  # of a window, between a score and an estimate of it
LISTED = 200  # rows of a table
HEADS = ("window", "until (UTC)", "model", "answered", "labelled", "score", "naive", "expected")
ESTIMATE_HEADS = ("run (UTC)", "method", "rows", "estimated", "realised at that run", "state", "audit by labels")


def quality(evidence: PageEvidence) -> list[Block]:
    """Draw the windows, and list their figures."""
    windows = evidence.windows
    if not windows:
        return [TextBlock(("Nothing is known of the quality yet: no answers are in the ledger.",))]
    if any(window.score for window in windows) or any(run.estimate.score for run in evidence.runs):
        first: Block = _chart(evidence)
    else:
        first = TextBlock(("Nothing is known of the quality yet: no window has labels enough for a score.",))
    unlabelled = sum(window.score is None for window in windows)
    notes = {
        f"{unlabelled} of {len(windows)} windows have too few labels for a score yet.": unlabelled > 0,
        f"Drawn are the newest {DRAWN} of {len(windows)} windows.": len(windows) > DRAWN,
    }
    shown = tuple(note for note, holds in notes.items() if holds)
    numbered = list(enumerate(windows, start=1))[-LISTED:]
    title = f"The newest {LISTED} windows as a table" if len(windows) > LISTED else "As a table"
    rows = tuple(_row(number, window, evidence) for number, window in reversed(numbered))
    return [first, *([TextBlock(shown)] if shown else []), FoldedBlock(title, (TableBlock(HEADS, rows),))]


def estimates(evidence: PageEvidence) -> list[Block]:
    """List what was estimated while labels were late, and how labels confirmed it."""
    runs = evidence.runs
    if not runs:
        return [TextBlock(("No monitoring run has estimated the quality without labels yet.",))]
    run, newest = runs[-1], runs[-1].estimate
    failed = newest.state == QualityState.AUDIT_FAILED
    meaning = ": labels contradicted the estimates, and so concept drift is suspected" if failed else ""
    lines = (f"Newest, {whose(run, evidence)}: {newest.state.value}{meaning}.", *describe_estimate(newest))
    return [TextBlock(lines), TableBlock(ESTIMATE_HEADS, tuple(map(_estimate, reversed(runs[-LISTED:]))))]


def label_delay(evidence: PageEvidence) -> list[Block]:
    """Draw how late the labels of each window came."""
    windows = evidence.windows[-DRAWN:]
    delays = {number: window.label_delay_days for number, window in enumerate(windows)}
    known = {number: days for number, days in delays.items() if days is not None}
    if not known:
        return [TextBlock(("How late labels come is not known yet: none came back.",))]
    late = sorted(known.values())
    unit, a_day = unit_of(late[-1])
    points = tuple(
        ChartPoint(
            number,
            days * a_day,
            note=f"{to_the_minute(windows[number].last_at)}: {days * a_day:.3g} {unit}, "
            f"{windows[number].labelled} of {windows[number].answered} labelled",
        )
        for number, days in known.items()
    )
    described = (
        f"The usual window waits {late[len(late) // 2] * a_day:.3g} {unit} for its labels, the slowest "
        f"{late[-1] * a_day:.3g}."
    )
    title = f"From the answer to its label, in {unit}, per window"
    series = (ChartSeries(unit, SeriesStyle.BARS, points, colour=4),)
    return [TextBlock((described,)), TimelineChart(title, described, _times(windows), series, from_zero=True)]


def whose(run: MonitoringRun, evidence: PageEvidence) -> str:
    """Write when a run was, and whose where it was not at the release that serves."""
    at = to_the_minute(run.at)
    if run in evidence.own_runs:
        return at
    since = "not monitored since" if evidence.release else "which serves no more"
    before = "before this release; " if evidence.release else ""
    return f"{at} (of {version_of(run.model)}, {before}{since})"


def _times(windows: Sequence[QualityWindow]) -> tuple[str, ...]:
    return tuple(window.last_at for window in windows)


def _chart(evidence: PageEvidence) -> TimelineChart:
    windows = evidence.windows[-DRAWN:]
    metric = windows[-1].metric
    naive = " or ".join(sorted({window.naive_name for window in windows if window.naive_name}))
    scores = tuple(
        ChartPoint(
            number,
            score.value,
            score.low,
            score.high,
            f"{to_the_minute(window.last_at)} {format_score_interval(score)}",
        )
        for number, window in enumerate(windows)
        if (score := window.score)
    )
    guesses = tuple(ChartPoint(number, one.naive) for number, one in enumerate(windows) if one.naive is not None)
    series = (
        ChartSeries(f"naive baseline: {naive}", SeriesStyle.LINE, guesses, colour=2),
        ChartSeries("estimated without labels", SeriesStyle.ESTIMATES, _estimated(evidence.runs, windows), colour=1),
        ChartSeries(f"realised {metric}", SeriesStyle.SCORES, scores, colour=0),
    )
    marks = marks_of(evidence.events, windows)
    if len(windows) < len(evidence.windows):  # what happened before the first window is not at its edge then
        marks = tuple(mark for mark in marks if mark.x > -0.5)
    return TimelineChart(
        f"Realised {metric} per window, with its interval",
        _described(evidence, windows),
        _times(windows),
        tuple(each for each in series if each.points),
        _bands(evidence, windows),
        marks,
    )


def _estimated(runs: Sequence[MonitoringRun], windows: Sequence[QualityWindow]) -> tuple[ChartPoint, ...]:
    """Beside the window that a run saw last, so that both can be seen."""
    return tuple(
        ChartPoint(
            at - BESIDE,
            score.value,
            score.low,
            score.high,
            f"{to_the_minute(run.at)} estimated {format_score_interval(score)}",
        )
        for run in runs
        if (score := run.estimate.score) and (at := place(run.until, windows)) > -0.5
    )


def _point(x: float, score: Interval, note: str) -> ChartPoint:
    return ChartPoint(x, score.value, score.low, score.high, f"{note} {format_score_interval(score)}")


def _bands(evidence: PageEvidence, windows: Sequence[QualityWindow]) -> tuple[ChartBand, ...]:
    """One for each stretch of windows that one model answered."""
    bands = []
    for model, group in groupby(enumerate(windows), key=lambda each: each[1].model):
        numbers = [number for number, _ in group]
        if expected := evidence.expectations.get(model):
            score = expected.score
            note = f"{model}, expected performance {format_score_interval(score)}"
            bands.append(ChartBand(numbers[0] - 0.5, numbers[-1] + 0.5, score.value, score.low, score.high, note))
    return tuple(bands)


def _described(evidence: PageEvidence, windows: Sequence[QualityWindow]) -> str:
    scored = [(window, window.score) for window in windows if window.score]
    if not scored:
        return f"{len(windows)} windows, none with a score."
    newest, score = scored[-1]
    expected = evidence.expectations.get(newest.model)
    beside = f", {format_score(expected.score.value)} was expected" if expected else ""
    return (
        f"{len(scored)} of {len(windows)} windows have a score; the newest is {format_score_interval(score)}{beside}."
    )


def _row(number: int, window: QualityWindow, evidence: PageEvidence) -> tuple[str, ...]:
    expected = evidence.expectations.get(window.model)
    return (
        str(number),
        to_the_minute(window.last_at),
        window.model,
        str(window.answered),
        str(window.labelled),
        format_score_interval(window.score) if window.score else "not known yet",
        format_score(window.naive) if window.naive is not None else "",
        format_score(expected.score.value) if expected else "",
    )


def _estimate(run: MonitoringRun) -> tuple[str, ...]:
    audit = run.estimate.audit
    confirmed = "too few labels yet"
    if audit:
        confirmed = (
            f"{'passed' if audit.passed else 'failed'}: {format_score(audit.expected)} expected, "
            f"{format_score(audit.realised)} realised on {audit.rows} rows"
        )
    return (
        to_the_minute(run.at),
        run.estimate.method,
        str(run.estimate.rows),
        format_score_interval(run.estimate.score) if run.estimate.score else "none",
        format_score_interval(run.quality.score) if run.quality.score else "not known yet",
        run.estimate.state.value,
        confirmed,
    )
