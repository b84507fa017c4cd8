"""A backtest for people: what each policy would have been worth, and what follows from it."""

from collections.abc import Iterator

from releve.core.formatting import format_score, listed
from releve.domain.backtest.report import BacktestMoney, BacktestReport, BaselineResult, PolicyResult
from releve.domain.backtest.variants import CRON, NEVER, SHIPPED
from releve.domain.evaluation.baselines import describe_baseline
from releve.domain.evaluation.evaluation import Opponent
from releve.domain.evaluation.intervals import Interval, format_interval, format_score_interval
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
from releve.reporting.model_card.ensemble import describe_outcome

FAR = 2.0  # times the range of the policies' scores: a baseline beyond would flatten them, and is in the table alone
ALONE = "alone: "  # before the name of a member, refitted before every window


def backtest_page(report: BacktestReport) -> ReportPage:
    """Put the page of a backtest together."""
    blocks: tuple[Block, ...] = (
        TableBlock(heads(report), tuple(lines(report))),
        *([money_table(report.money)] if report.money else []),
        TextBlock((advice(report), price_curve(report))),
        TextBlock(tuple(searches(report)), points=True),
    )
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
    moves = [
        (each.name, *(", ".join(map(str, at)) or "never" for at in (each.refreshed_at, each.promoted_at)))
        for each in report.policies
        if not each.is_rival
    ]
    bars = tuple(
        IntervalBar(each.name, each.gain_over_cron)
        for each in report.policies
        if each.gain_over_cron and each.name != CRON.name
    )
    return [
        TextBlock((summary(report), advice(report), price_curve(report))),
        TableBlock(heads(report), tuple(lines(report))),
        *([IntervalChart("Gain of each policy over the cron job; positive is better", bars)] if bars else []),
        *([money_table(report.money)] if report.money else []),
        score_chart(report),
        *([FoldedBlock("Searches", (TextBlock(found, points=True),))] if (found := tuple(searches(report))) else []),
        FoldedBlock("Window by window as a table", (TableBlock(("window", "rows", *names), tuple(by_window)),)),
        FoldedBlock(
            "When each policy refreshed",
            (TableBlock(("policy", "refreshed after window", "released after window"), tuple(moves)),),
        ),
    ]


def score_chart(report: BacktestReport) -> TimelineChart:
    """Draw what ships, with its refusals and rollbacks, beside the cron job, never, and the best naive answer."""
    chosen = _drawn(report)
    first = chosen[0]
    assert isinstance(first, PolicyResult)

    def points(each: PolicyResult | BaselineResult) -> Iterator[ChartPoint]:
        """With intervals for the first alone, as more could not be told apart."""
        for number, score in enumerate(each.scores):
            if score is not None:
                yield ChartPoint(number, score, first.intervals[number] if each is first else None)

    series = tuple(
        ChartSeries(each.name, SeriesStyle.SCORES if each is first else SeriesStyle.LINE, tuple(points(each)), colour)
        for colour, each in enumerate(chosen)
    )
    places = {window.number: place for place, window in enumerate(report.windows)}
    refused = set(first.refreshed_at) - set(first.promoted_at)
    released = set() if len(first.promoted_at) > len(report.windows) / 2 else set(first.promoted_at)
    kinds = dict.fromkeys(released, MarkKind.RELEASE) | dict.fromkeys(refused, MarkKind.REFUSAL)
    kinds |= dict.fromkeys(first.rolled_back_at, MarkKind.ROLLBACK)
    marks = tuple(
        ChartMark(places[number] + 0.5, kind, f"{first.name}, after window {number}")
        for number, kind in sorted(kinds.items())
    )
    times = tuple(str(window.at or window.number) for window in report.windows)
    described = f"{len(times)} windows; lines: {', '.join(each.name for each in series)}. The table has all figures."
    better = "higher" if report.sign > 0 else "lower"
    title = f"The {report.metric} window by window ({better} is better)"
    return TimelineChart(title, described, times, series, marks=marks)


def heads(report: BacktestReport) -> tuple[str, ...]:
    """Name the columns of `lines`."""
    own = [report.own_metric] if report.own_metric else []
    return (
        "policy",
        report.metric,
        *own,
        "over cron job",
        "over never",
        "best member over it",
        "refreshes",
        "refused",
        "rolled back",
        "searches",
        "churn",
        "fit s",
    )


def lines(report: BacktestReport) -> list[tuple[str, ...]]:
    """Make a row of cells per policy, then the best member by itself and the naive answers."""

    def gain(interval: Interval | None) -> str:
        return "" if interval is None else format_interval(interval)

    rows: list[tuple[str, ...]] = []
    for each in report.policies:
        own = [] if each.own_score is None else [format_score(each.own_score)]
        counts = (
            len(each.refreshed_at),
            len(each.refreshed_at) - len(each.promoted_at),
            len(each.rolled_back_at),
            len(each.searches),
        )
        rows.append(
            (
                each.name,
                format_score_interval(each.score),
                *own,
                "" if each.name == CRON.name else gain(each.gain_over_cron),
                "" if each.name == NEVER else gain(each.gain_over_never),
                gain(each.regret),
                *(("",) * len(counts) if each.is_rival else map(str, counts)),
                "" if each.churn is None else f"{each.churn:.3f}",
                f"{each.fit_seconds:.1f}",
            )
        )
    members = [each for each in report.members if each.score is not None]
    ranked = sorted(members, key=lambda each: -report.sign * (each.score or 0.0))
    others = [(f"{ALONE}{each.name}", each.score) for each in ranked[:1]]
    others += [(f"naive: {describe_baseline(each.name)}", each.score) for each in report.baselines]
    for name, score in others:
        cells = (name, "not defined" if score is None else format_score(score))
        rows.append((*cells, *[""] * (len(heads(report)) - len(cells))))
    return rows


def money_table(money: BacktestMoney) -> TableBlock:
    """Write what policies cost, the cheapest first, then the best constant decision."""
    unit = f" ({money.unit})" if money.unit else ""
    rows = [
        (each.name, format_score_interval(each.cost), format_score(each.retraining), format_score(each.total))
        for each in sorted(money.policies, key=lambda each: each.total)
    ]
    constant = (str(Opponent.SAME_DECISION), format_score(money.constant), "", format_score(money.constant))
    return TableBlock(("policy", f"decisions, per row{unit}", "retraining, per row", "total"), (*rows, constant))


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
        f"{report.metric}, {better} is better; {delay}.{unscored}"
    )


def advice(report: BacktestReport) -> str:
    """Write the recommendation, with its uncertainty."""
    return f"Recommended: {report.recommended.policy} ({recommendation_reason(report)})."


def recommendation_reason(report: BacktestReport) -> str:
    """Write why the recommended policy was chosen."""
    recommended = report.recommended
    if not recommended.rival:
        return "nothing else that can be set was played"
    if report.money:
        unit = f" {report.money.unit}" if report.money.unit else ""
        saved = f"{format_interval(recommended.gain)}{unit} a row, retraining included"
        return f"beside {recommended.rival!r} it saves {saved}"
    price = f" at a price of {report.retraining_cost:g} a refresh" if report.retraining_cost else ""
    gain = f"beside {recommended.rival!r} it gains {format_interval(recommended.gain)}{price}"
    return gain if recommended.gain.low > 0 or report.retraining_cost else f"{gain}; nothing else is shown to be better"


def price_curve(report: BacktestReport) -> str:
    """Write which cadence costs least, from a price of 0 up."""
    if not report.prices:
        return ""
    first, *more = report.prices
    steps = [f"{first.policy}", *(f"from {format_score(each.price)} {each.policy}" for each in more)]
    if report.money:
        unit = report.money.unit or "the unit of costs"
        return f"Least total by the price of a refresh, in {unit}: {'; '.join(steps)}."
    return (
        f"Least total by the price of a refresh (trigger.retraining_cost, in {report.metric} per thousand answers): "
        f"{'; '.join(steps)}."
    )


def searches(report: BacktestReport) -> Iterator[str]:
    """Write each policy's searches. A backtest tries the defaults of the other recipes alone."""
    for each in report.policies:
        for search in each.searches:
            opened = f"{each.name}: a search after window {search.window} ({listed(search.causes)})"
            yield f"{opened}: {describe_outcome(search.outcome)}"


def _drawn(report: BacktestReport) -> list[PolicyResult | BaselineResult]:
    """What ships first, the cron job, never, and the best naive answer where it comes near."""
    by_name = {each.name: each for each in report.policies}
    names = SHIPPED if SHIPPED in by_name else report.policies[0].name, CRON.name, NEVER
    fixed = [by_name[name] for name in dict.fromkeys(names) if name in by_name]
    scores = [score for each in fixed for score in each.scores if score is not None]
    reach = FAR * (max(scores) - min(scores))
    naive = [(report.sign * each.score, each) for each in report.baselines if each.score is not None]
    best = [max(naive, key=lambda each: each[0])[1]] if naive else []
    near = [each for each in best if min(scores) - reach <= (each.score or 0.0) <= max(scores) + reach]
    return [*fixed, *near]
