"""Quality over time: each window beside the expected performance, the naive answer and the estimates."""

from collections.abc import Sequence
from itertools import groupby

from releve.core.formatting import format_score, unit_of
from releve.domain.evaluation.intervals import Interval
from releve.domain.quality.realised import QualityState
from releve.domain.quality.windows import QualityWindow
from releve.domain.registry.release import ExpectedPerformance
from releve.reporting.blocks import (
    Block,
    ChartBand,
    ChartMark,
    ChartPoint,
    ChartSeries,
    FoldedBlock,
    SeriesStyle,
    TableBlock,
    TextBlock,
    TimelineChart,
)
from releve.reporting.page.evidence import PageEvidence
from releve.reporting.page.figures import told_look
from releve.reporting.page.history import Look, interval_of, marks_of, place, to_the_minute, told_score

DRAWN = 400  # windows: with more, each would have less than two pixels
BESIDE = 0.25  # of a window
LISTED = 200  # rows of a table
NO_ANSWERS = "Nothing is known of the quality yet: no answers are in the ledger."
NO_LABELS = "Nothing is known of the quality yet: no window has labels enough for a score."
STATES = {QualityState.AUDIT_FAILED: ": labels contradicted the estimates, and so concept drift is suspected"}
HEADS = ("window", "until (UTC)", "model", "answered", "labelled", "score", "naive", "expected")


def quality(evidence: PageEvidence) -> list[Block]:
    """The picture, and its figures as a table."""
    if not evidence.windows:
        return [TextBlock((NO_ANSWERS,))]
    blocks: list[Block] = [_picture(evidence)] if _any_score(evidence) else [TextBlock((NO_LABELS,))]
    said = [sentence for sentence in (_unlabelled(evidence.windows), _left_out(len(evidence.windows))) if sentence]
    return [*blocks, *([TextBlock(tuple(said))] if said else []), _table(evidence)]


def estimates(evidence: PageEvidence) -> list[Block]:
    """What was estimated while labels were late, and what became of it."""
    made = [look for look in evidence.looks if look.estimate]
    if not made:
        return [TextBlock(("No look has estimated the quality without labels yet.",))]
    rows = tuple(_estimate_row(look) for look in reversed(made[-LISTED:]))
    heads = ("look (UTC)", "method", "rows", "estimated", "realised at that look", "says", "held against labels")
    newest = made[-1]
    state = newest.estimate.get("state", "")
    meaning = STATES.get(state, "")
    said = (f"Newest, {told_look(newest, evidence)}: {state}{meaning}.", *newest.estimate.get("reasons", ()))
    return [
        TextBlock(said),
        FoldedBlock("All estimates beside realised quality, as a table", (TableBlock(heads, rows),)),
    ]


def label_delay(evidence: PageEvidence) -> list[Block]:
    """How late the labels of each window came."""
    windows = evidence.windows[-DRAWN:]
    known = [(number, window) for number, window in enumerate(windows) if window.label_delay_days is not None]
    if not known:
        return [TextBlock(("How late labels come is not known yet: none came back.",))]
    late = sorted(window.label_delay_days or 0.0 for _, window in known)
    usual, longest = late[len(late) // 2], late[-1]
    unit, a_day = unit_of(longest)
    points = tuple(
        ChartPoint(number, delay, note=f"{to_the_minute(window.last_at)}: {delay:.3g} {unit}, {_labelled(window)}")
        for number, window in known
        for delay in ((window.label_delay_days or 0.0) * a_day,)
    )
    described = f"The usual window waits {usual * a_day:.3g} {unit} for its labels, the slowest {longest * a_day:.3g}."
    title = f"From the answer to its label, in {unit}, per window"
    series = (ChartSeries(unit, SeriesStyle.BARS, points, colour=4),)
    return [TextBlock((described,)), TimelineChart(title, described, _times(windows), series, from_zero=True)]


def _labelled(window: QualityWindow) -> str:
    return f"{window.labelled} of {window.answered} labelled"


def _any_score(evidence: PageEvidence) -> bool:
    return any(window.score for window in evidence.windows) or any(_estimated(look) for look in evidence.looks)


def _picture(evidence: PageEvidence) -> TimelineChart:
    windows = evidence.windows[-DRAWN:]
    metric = windows[-1].metric
    naive = " or ".join(sorted({window.naive_name for window in windows if window.naive_name}))
    series = (
        ChartSeries(f"naive: {naive}", SeriesStyle.LINE, _naive(windows), colour=2),
        ChartSeries("estimated without labels", SeriesStyle.ESTIMATES, _estimates(evidence.looks, windows), colour=1),
        ChartSeries(f"realised {metric}", SeriesStyle.SCORES, _scores(windows), colour=0),
    )
    return TimelineChart(
        f"{metric} per window, with its interval",
        _described(evidence, windows),
        _times(windows),
        tuple(each for each in series if each.points),
        _bands(windows, evidence.expectations),
        _marks(evidence, windows),
    )


def _marks(evidence: PageEvidence, windows: Sequence[QualityWindow]) -> tuple[ChartMark, ...]:
    """What happened before the first window is told at the left edge, unless windows are left out there."""
    marks = marks_of(evidence.events, windows)
    return marks if len(windows) == len(evidence.windows) else tuple(mark for mark in marks if mark.x > -0.5)


def _times(windows: Sequence[QualityWindow]) -> tuple[str, ...]:
    return tuple(window.last_at for window in windows)


def _scores(windows: Sequence[QualityWindow]) -> tuple[ChartPoint, ...]:
    return tuple(
        ChartPoint(number, found.value, found.low, found.high, f"{to_the_minute(window.last_at)} {told_score(found)}")
        for number, window in enumerate(windows)
        if (found := window.score)
    )


def _naive(windows: Sequence[QualityWindow]) -> tuple[ChartPoint, ...]:
    return tuple(ChartPoint(number, one.naive) for number, one in enumerate(windows) if one.naive is not None)


def _estimates(looks: Sequence[Look], windows: Sequence[QualityWindow]) -> tuple[ChartPoint, ...]:
    """Beside the window that a look saw last, so that both can be seen."""
    return tuple(
        ChartPoint(
            at - BESIDE,
            found.value,
            found.low,
            found.high,
            f"{to_the_minute(look.at)} estimated {told_score(found)}",
        )
        for look in looks
        if (found := _estimated(look)) and (at := place(look.until, windows)) > -0.5
    )


def _estimated(look: Look) -> Interval | None:
    return interval_of(look.estimate.get("score"))


def _bands(windows: Sequence[QualityWindow], expectations: dict[str, ExpectedPerformance]) -> tuple[ChartBand, ...]:
    """One per stretch of windows that one model answered."""
    runs = [(model, list(run)) for model, run in groupby(enumerate(windows), key=lambda each: each[1].model)]
    known = [(model, run) for model, run in runs if model in expectations]
    return tuple(_band(run[0][0], run[-1][0], model, expectations[model]) for model, run in known)


def _band(first: int, last: int, model: str, expected: ExpectedPerformance) -> ChartBand:
    note = f"{model}, expected performance {told_score(expected.score)}"
    return ChartBand(first - 0.5, last + 0.5, expected.score.value, expected.score.low, expected.score.high, note)


def _described(evidence: PageEvidence, windows: Sequence[QualityWindow]) -> str:
    scored = [window for window in windows if window.score]
    if not scored or scored[-1].score is None:
        return f"{len(windows)} windows, none with a score."
    newest = scored[-1]
    expected = evidence.expectations.get(newest.model)
    beside = f", {format_score(expected.score.value)} was expected" if expected else ""
    return (
        f"{len(scored)} of {len(windows)} windows have a score; the newest is {told_score(scored[-1].score)}{beside}."
    )


def _unlabelled(windows: Sequence[QualityWindow]) -> str:
    without = sum(window.score is None for window in windows)
    return f"{without} of {len(windows)} windows have too few labels for a score yet." if without else ""


def _left_out(windows: int) -> str:
    return f"Drawn are the newest {DRAWN} of {windows} windows." if windows > DRAWN else ""


def _table(evidence: PageEvidence) -> FoldedBlock:
    numbered = list(enumerate(evidence.windows, start=1))[-LISTED:]
    title = f"The newest {LISTED} windows as a table" if len(evidence.windows) > LISTED else "As a table"
    rows = tuple(_row(number, window, evidence.expectations) for number, window in reversed(numbered))
    return FoldedBlock(title, (TableBlock(HEADS, rows),))


def _row(number: int, window: QualityWindow, expectations: dict[str, ExpectedPerformance]) -> tuple[str, ...]:
    expected = expectations.get(window.model)
    return (
        str(number),
        to_the_minute(window.last_at),
        window.model,
        str(window.answered),
        str(window.labelled),
        told_score(window.score) if window.score else "not known yet",
        format_score(window.naive) if window.naive is not None else "",
        format_score(expected.score.value) if expected else "",
    )


def _estimate_row(look: Look) -> tuple[str, ...]:
    found, realised = _estimated(look), interval_of(look.quality.get("score"))
    return (
        to_the_minute(look.at),
        str(look.estimate.get("method", "")),
        str(look.estimate.get("rows", "")),
        told_score(found) if found else "none",
        told_score(realised) if realised else "not known yet",
        str(look.estimate.get("state", "")),
        _audit(look),
    )


def _audit(look: Look) -> str:
    said = look.estimate.get("audit")
    if not said:
        return "too few labels yet"
    verdict = "passed" if said.get("passed") else "failed"
    expected, realised = format_score(said["expected"]), format_score(said["realised"])
    return f"{verdict}: {expected} expected, {realised} realised on {said['rows']} rows"
