"""Quality over time: what each window was worth, beside the expected performance, the naive answer and estimates."""

from collections.abc import Sequence
from itertools import groupby

from releve.core.formatting import format_score, to_the_minute, unit_of
from releve.domain.evaluation.intervals import Interval, format_score_interval
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
from releve.reporting.messages.monitoring import describe_estimate, describe_late_values
from releve.reporting.page.evidence import PageEvidence, marks_of, place, version_of

DRAWN = 400  # windows: with more, each would have less than two pixels
BESIDE = 0.25  # of a window, between a score and an estimate of it
LISTED = 200  # rows of a table
HEADS = ("window", "until (UTC)", "model", "answered", "labelled", "score", "naive", "expected")
INSIDE = "labels inside their interval"
ESTIMATE_HEADS = ("run (UTC)", "method", "rows", "estimated", "realised at that run", "state", "audit by labels")


def quality(evidence: PageEvidence) -> list[Block]:
    """Draw the windows, and list their figures."""
    windows = evidence.windows
    if not windows:
        return [TextBlock(("Nothing is known of the quality yet: no answers are in the ledger.",))]
    if any(window.score for window in windows) or any(run.estimate.score for run in evidence.runs):
        first: Block = quality_chart(evidence)
    else:
        first = TextBlock(("Nothing is known of the quality yet: no window has labels enough for a score.",))
    notes = []
    if unlabelled := sum(window.score is None for window in windows):
        notes.append(f"{unlabelled} of {len(windows)} windows have too few labels for a score yet.")
    if len(windows) > DRAWN:
        notes.append(f"Drawn are the newest {DRAWN} of {len(windows)} windows.")
    own, rows = windows[-1].own_metric, []
    has_intervals = any(window.coverage for window in windows)
    for number, window in reversed(list(enumerate(windows, start=1))[-LISTED:]):
        expected = evidence.expectations.get(window.model)
        score = format_score_interval(window.score) if window.score else "not known yet"
        naive = format_score(window.naive) if window.naive is not None else ""
        answers = (window.model, str(window.answered), str(window.labelled))
        beside = format_score(expected.score.value) if expected else ""
        also = (format_score(window.own_score) if window.own_score is not None else "",) if own else ()
        inside = (format_score_interval(window.coverage.held) if window.coverage else "",) if has_intervals else ()
        rows.append((str(number), to_the_minute(window.last_at), *answers, score, naive, beside, *also, *inside))
    title = f"The newest {LISTED} windows as a table" if len(windows) > LISTED else "As a table"
    heads = (*HEADS, *([own] if own else []), *([INSIDE] if has_intervals else []))
    table = FoldedBlock(title, (TableBlock(heads, tuple(rows)),))
    drawn: list[Block] = [first, *([coverage_chart(windows[-DRAWN:])] if has_intervals else [])]
    return [*drawn, *([TextBlock(tuple(notes))] if notes else []), table]


def quality_chart(evidence: PageEvidence) -> TimelineChart:
    """Draw realised scores, the naive baseline and estimates over what was expected of each model."""
    windows = evidence.windows[-DRAWN:]
    metric = windows[-1].metric
    naive = " or ".join(sorted({window.naive_name for window in windows if window.naive_name}))

    def point(x: float, score: Interval, note: str) -> ChartPoint:
        return ChartPoint(x, score.value, (score.low, score.high), f"{note} {format_score_interval(score)}")

    scored = [(number, window, window.score) for number, window in enumerate(windows) if window.score]
    guesses = tuple(ChartPoint(number, one.naive) for number, one in enumerate(windows) if one.naive is not None)
    estimated = tuple(
        point(at - BESIDE, score, f"{to_the_minute(run.at)} estimated")
        for run in evidence.runs
        if (score := run.estimate.score) and (at := place(run.until, windows)) > -0.5
    )
    realised = tuple(point(number, score, to_the_minute(window.last_at)) for number, window, score in scored)
    series = (
        ChartSeries(f"naive baseline: {naive}", SeriesStyle.LINE, guesses, colour=2),
        ChartSeries("estimated without labels", SeriesStyle.ESTIMATES, estimated, colour=1),
        ChartSeries(f"realised {metric}", SeriesStyle.SCORES, realised, colour=0),
    )
    bands = []
    for model, group in groupby(enumerate(windows), key=lambda each: each[1].model):
        numbers = [number for number, _ in group]
        if expected := evidence.expectations.get(model):
            note = f"{model}, expected performance {format_score_interval(expected.score)}"
            bands.append(ChartBand(numbers[0] - 0.5, numbers[-1] + 0.5, expected.score, note))
    marks = marks_of(evidence.events, windows)
    if len(windows) < len(evidence.windows):  # what happened before the first window is not at its edge then
        marks = tuple(mark for mark in marks if mark.x > -0.5)
    described = f"{len(windows)} windows, none with a score."
    if scored:
        _, newest, score = scored[-1]
        expected = evidence.expectations.get(newest.model)
        beside = f", {format_score(expected.score.value)} was expected" if expected else ""
        described = f"{len(scored)} of {len(windows)} windows have a score; "
        described += f"the newest is {format_score_interval(score)}{beside}."
    return TimelineChart(
        f"Realised {metric} per window, with its interval",
        described,
        tuple(window.last_at for window in windows),
        tuple(each for each in series if each.points),
        tuple(bands),
        marks,
    )


def coverage_chart(windows: Sequence[QualityWindow]) -> TimelineChart:
    """Draw which share of labels lay inside the intervals that were sent, beside the share that was promised."""
    known = [(number, window, window.coverage) for number, window in enumerate(windows) if window.coverage]
    points = tuple(
        ChartPoint(
            number,
            coverage.held.value,
            (coverage.held.low, coverage.held.high),
            f"{to_the_minute(window.last_at)} {format_score_interval(coverage.held)} of {coverage.rows} labels",
        )
        for number, window, coverage in known
    )
    promised = tuple(ChartPoint(number, coverage.promised) for number, _, coverage in known)
    described = "None of these windows was answered with intervals."
    if known:
        newest, short = known[-1][2], sum(coverage.held.high < coverage.promised for _, _, coverage in known)
        described = (
            f"{format_score_interval(newest.held)} of the labels of the newest window lay inside their intervals, "
            f"{format_score(newest.promised)} was promised; {short} of {len(known)} windows were clearly below."
        )
    series = (
        ChartSeries("promised", SeriesStyle.LINE, promised, colour=2),
        ChartSeries(INSIDE, SeriesStyle.SCORES, points, colour=0),
    )
    title = "Share of labels inside their interval, per window"
    return TimelineChart(title, described, tuple(window.last_at for window in windows), series)


def estimates(evidence: PageEvidence) -> list[Block]:
    """List what was estimated while labels were late, and how labels confirmed it."""
    if not evidence.runs:
        return [TextBlock(("No monitoring run has estimated the quality without labels yet.",))]
    run, newest = evidence.runs[-1], evidence.runs[-1].estimate
    failed = newest.state == QualityState.AUDIT_FAILED
    meaning = ": labels contradicted the estimates, and so concept drift is suspected" if failed else ""
    lines = (f"Newest, {whose(run, evidence)}: {newest.state.value}{meaning}.", *describe_estimate(newest))
    rows = []
    for run in reversed(evidence.runs[-LISTED:]):
        estimate, confirmed = run.estimate, "too few labels yet"
        if audit := estimate.audit:
            outcome = f"{'passed' if audit.passed else 'failed'}: {format_score(audit.expected)} expected"
            confirmed = f"{outcome}, {format_score(audit.realised)} realised on {audit.rows} rows"
        estimated = format_score_interval(estimate.score) if estimate.score else "none"
        realised = format_score_interval(run.quality.score) if run.quality.score else "not known yet"
        about = (to_the_minute(run.at), estimate.method, str(estimate.rows))
        rows.append((*about, estimated, realised, estimate.state.value, confirmed))
    return [TextBlock(lines), TableBlock(ESTIMATE_HEADS, tuple(rows))]


def label_delay(evidence: PageEvidence) -> list[Block]:
    """Draw how late the labels of each window came, and say where lags need them sooner."""
    told = [f"Too late for {describe_late_values(each)}." for run in evidence.own_runs[-1:] for each in run.late_values]
    return [*_label_delay(evidence), *(TextBlock((each,)) for each in told)]


def _label_delay(evidence: PageEvidence) -> list[Block]:
    windows = evidence.windows[-DRAWN:]
    known = {n: window.label_delay_days for n, window in enumerate(windows) if window.label_delay_days is not None}
    if not known:
        return [TextBlock(("How late labels come is not known yet: none came back.",))]
    late = sorted(known.values())
    unit, a_day = unit_of(late[-1])
    points = []
    for number, days in known.items():
        window = windows[number]
        labelled = f"{window.labelled} of {window.answered} labelled"
        note = f"{to_the_minute(window.last_at)}: {days * a_day:.3g} {unit}, {labelled}"
        points.append(ChartPoint(number, days * a_day, note=note))
    usual, slowest = (f"{days * a_day:.3g}" for days in (late[len(late) // 2], late[-1]))
    described = f"The usual window waits {usual} {unit} for its labels, the slowest {slowest}."
    title = f"From the answer to its label, in {unit}, per window"
    series = (ChartSeries(unit, SeriesStyle.BARS, tuple(points), colour=4),)
    times = tuple(window.last_at for window in windows)
    return [TextBlock((described,)), TimelineChart(title, described, times, series, from_zero=True)]


def whose(run: MonitoringRun, evidence: PageEvidence) -> str:
    """Write when a run was, and whose where it was not at the release that serves."""
    at = to_the_minute(run.at)
    if run in evidence.own_runs:
        return at
    serves = "before this release; not monitored since" if evidence.release else "which serves no more"
    return f"{at} (of {version_of(run.model)}, {serves})"
