"""A backtest for people: what each policy would have been worth, and what follows from it."""

from collections.abc import Iterator

from releve.core.formatting import format_score
from releve.domain.backtest.report import BacktestReport, BaselineResult, PolicyResult
from releve.domain.evaluation.baselines import describe_baseline
from releve.domain.evaluation.intervals import format_interval, format_score_interval
from releve.domain.trigger.policies import STATIC
from releve.reporting.blocks import (
    Block,
    ChartMark,
    ChartPoint,
    ChartSeries,
    CommandBlock,
    FoldedBlock,
    IntervalBar,
    IntervalChart,
    MarkKind,
    ReportPage,
    ReportSection,
    SeriesStyle,
    TableBlock,
    TextBlock,
    TimelineChart,
)

HEADS = ("policy", "score", "over static", "retrainings", "promotions", "CPU s", "regret")
FAR = 2.0  # times the range of the policies' scores: a baseline beyond would flatten them, and is in the table alone
DRAWN = 3  # policies that are drawn window by window: more lines cannot be told apart


def backtest_page(report: BacktestReport) -> ReportPage:
    """Put the page of a backtest together."""
    blocks = (TableBlock(HEADS, tuple(lines(report))), TextBlock((advice(report),)))
    return ReportPage(f"Backtest of {report.scenario}", summary(report), (ReportSection("", blocks),))


def backtest_blocks(report: BacktestReport | None, scenario: str) -> list[Block]:
    """Write what other policies would have been worth, or how to learn it."""
    if not report:
        unknown = "It is not known yet what other policies would have been worth; this tries them on the own history:"
        return [TextBlock((unknown,)), CommandBlock(f"make backtest SCENARIO={scenario}")]
    chosen = _drawn(report)
    names = [each.name for each in chosen]
    by_window = []
    for place, window in enumerate(report.windows):
        scores = ("" if (score := each.scores[place]) is None else format_score(score) for each in chosen)
        by_window.append((str(window.number), str(window.rows), *scores))
    heads = ("policy", "retrained after window", "promoted after window")
    retrained = []
    for each in report.policies:
        made, released = (", ".join(map(str, windows)) or "never" for windows in (each.retrained_at, each.promoted_at))
        retrained.append((each.name, made, released))
    bars = tuple(IntervalBar(each.name, each.gain_over_static) for each in report.policies if each.name != STATIC)
    return [
        TextBlock((summary(report), advice(report))),
        TableBlock(HEADS, tuple(lines(report))),
        IntervalChart("Gain of each policy over the model that is never retrained; positive is better", bars),
        score_chart(report),
        FoldedBlock("Window by window as a table", (TableBlock(("window", "rows", *names), tuple(by_window)),)),
        FoldedBlock("When each policy retrained", (TableBlock(heads, tuple(retrained)),)),
    ]


def score_chart(report: BacktestReport) -> TimelineChart:
    """Draw the recommended policy, with its retrainings, beside static, the best others and the best baseline."""
    chosen = _drawn(report)
    recommended = report.policy(report.recommended.policy)

    def points(each: PolicyResult | BaselineResult) -> Iterator[ChartPoint]:
        """With intervals for the recommended policy alone, as more could not be told apart."""
        for number, score in enumerate(each.scores):
            if score is not None:
                yield ChartPoint(number, score, recommended.intervals[number] if each is recommended else None)

    styles = {recommended.name: SeriesStyle.SCORES}
    series = tuple(
        ChartSeries(each.name, styles.get(each.name, SeriesStyle.LINE), tuple(points(each)), colour)
        for colour, each in enumerate(chosen)
    )
    places = {window.number: place for place, window in enumerate(report.windows)}
    marks = tuple(
        ChartMark(
            places[number] + 0.5,
            MarkKind.RELEASE if number in recommended.promoted_at else MarkKind.REFUSAL,
            f"{recommended.name}, after window {number}",
        )
        for number in recommended.retrained_at
    )
    times = tuple(str(window.at or window.number) for window in report.windows)
    described = f"{len(times)} windows; lines: {', '.join(each.name for each in series)}. The table has all figures."
    better = "higher" if report.sign > 0 else "lower"
    title = f"The {report.metric} window by window ({better} is better)"
    return TimelineChart(title, described, times, series, marks=marks)


def lines(report: BacktestReport) -> list[tuple[str, ...]]:
    """Make a row of cells per policy, the best score first, then the naive baselines."""
    rows: list[tuple[str, ...]] = [
        (
            each.name,
            format_score_interval(each.score),
            format_interval(each.gain_over_static),
            str(len(each.retrained_at)),
            str(len(each.promoted_at)),
            f"{each.cpu_seconds:.1f}",
            format_interval(each.regret),
        )
        for each in sorted(report.policies, key=lambda each: each.regret.value)
    ]
    for naive in report.baselines:
        score = "not defined" if naive.score is None else format_score(naive.score)
        rows.append((f"naive: {describe_baseline(naive.name)}", score, *[""] * (len(HEADS) - 2)))
    return rows


def summary(report: BacktestReport) -> str:
    """Write what was played."""
    windows = report.windows
    better = "higher" if report.sign > 0 else "lower"
    late = report.label_delay_windows
    delay = f"labels {late} windows late" if late else "labels known at the end of their window"
    blank = sum(score is None for score in report.policies[0].scores)
    unscored = f" In {blank} windows {report.metric} is not defined: they are in no score." if blank else ""
    return (
        f"{len(windows)} windows of about {windows[0].rows} rows after the first {windows[0].first_row}; "
        f"{report.metric}, {better} is better; recipe {report.recipe.recipe}; {delay}.{unscored}"
    )


def advice(report: BacktestReport) -> str:
    """Write the recommendation, with its uncertainty."""
    return (
        f"Recommended: {report.recommended.policy} ({recommendation_reason(report)}). What skips the gate is compared, "
        "never recommended."
    )


def recommendation_reason(report: BacktestReport) -> str:
    """Write why the recommended policy was chosen."""
    chosen, gain = report.policy(report.recommended.policy), format_interval(report.recommended.gain)
    if not report.recommended.rival:
        return "no other policy was played with the gate"
    rival = report.policy(report.recommended.rival)
    if len(rival.retrained_at) <= len(chosen.retrained_at) or chosen.regret.value <= rival.regret.value:
        best = "the best score, and none that retrains less often is level with it"
        return f"{best}; it leads {rival.name!r} by {gain}"
    return (
        f"not distinguishable from {rival.name!r}, the best, which gains {gain} over it with "
        f"{len(rival.retrained_at)} retrainings; it takes {len(chosen.retrained_at)}, so the cheaper one"
    )


def _drawn(report: BacktestReport) -> list[PolicyResult | BaselineResult]:
    """The recommended policy and static, the best others, and the best baseline where it comes near."""

    ranked = sorted(report.policies, key=lambda each: -report.sign * each.score.value)
    fixed = [each for each in ranked if each.name in (report.recommended.policy, STATIC)]
    others = [each for each in ranked if each not in fixed][: max(0, DRAWN - len(fixed))]
    scores = [score for each in (*fixed, *others) for score in each.scores if score is not None]
    reach = FAR * (max(scores) - min(scores))
    naive = [(report.sign * each.score, each) for each in report.baselines if each.score is not None]
    best = [max(naive, key=lambda each: each[0])[1]] if naive else []
    near = [each for each in best if min(scores) - reach <= (each.score or 0.0) <= max(scores) + reach]
    return [*fixed, *others, *near]
