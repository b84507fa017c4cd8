"""A backtest for people: what each policy would have been worth, and what follows from it."""

from collections.abc import Mapping, Sequence
from typing import Any

from releve.core.formatting import format_score
from releve.domain.evaluation.baselines import describe_baseline
from releve.domain.evaluation.intervals import Interval, format_interval
from releve.domain.trigger.policies import EVERY, SCHEDULE
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

BY_WINDOW = (EVERY, SCHEDULE)  # what these ask for is a window of new rows, whatever it holds
HEADS = ("policy", "score", "over static", "retrainings", "promotions", "CPU s", "regret")
STATIC = "static"
FAR = 2.0  # times the range of the policies' scores: a baseline beyond would flatten them, and is in the table alone
DRAWN = 3  # policies that are drawn window by window: more lines cannot be told apart


def backtest_page(found: Mapping[str, Any]) -> ReportPage:
    """Put the page of backtest.json together."""
    blocks = (TableBlock(HEADS, tuple(lines(found))), TextBlock((advice(found),)))
    return ReportPage(f"Backtest of {found['scenario']}", summary(found), (ReportSection("", blocks),))


def backtest_blocks(found: Mapping[str, Any] | None, scenario: str) -> list[Block]:
    """Write what other policies would have been worth, or how to learn it."""
    if not found:
        unknown = "It is not known yet what other policies would have been worth; this tries them on the own history:"
        return [TextBlock((unknown,)), CommandBlock(f"make backtest SCENARIO={scenario}")]
    gains = [(each["name"], Interval(**each["gain_over_static"])) for each in found["policies"]]
    bars = tuple(IntervalBar(name, gain.value, gain.low, gain.high) for name, gain in gains if name != STATIC)
    return [
        TextBlock((summary(found), advice(found))),
        TableBlock(HEADS, tuple(lines(found))),
        IntervalChart("Gain of each policy over the model that is never retrained; positive is better", bars),
        score_chart(found),
        FoldedBlock("Window by window as a table", (_windows(found),)),
        FoldedBlock("When each policy retrained", (_retrainings(found),)),
    ]


def score_chart(found: Mapping[str, Any]) -> TimelineChart:
    """Draw the recommended policy, with its retrainings, beside static, the best others and the best baseline."""
    chosen = _drawn(found)
    recommended = next(each for each in found["policies"] if each["name"] == found["recommended"]["policy"])
    series = tuple(
        ChartSeries(
            each["name"],
            SeriesStyle.SCORES if each is recommended else SeriesStyle.LINE,
            tuple(
                ChartPoint(number, score, *(each["intervals"][number] if each is recommended else ()))
                for number, score in enumerate(each["scores"])
                if score is not None
            ),
            colour,
        )
        for colour, each in enumerate(chosen)
    )
    places = {window["number"]: place for place, window in enumerate(found["windows"])}
    marks = tuple(
        ChartMark(
            places[number] + 0.5,
            MarkKind.RELEASE if number in recommended["promoted_at"] else MarkKind.REFUSAL,
            f"{recommended['name']}, after window {number}",
        )
        for number in recommended["retrained_at"]
    )
    times = tuple(str(window["at"] or window["number"]) for window in found["windows"])
    described = f"{len(times)} windows; lines: {', '.join(each.name for each in series)}. The table has all figures."
    better = "higher" if found["sign"] > 0 else "lower"
    title = f"The {found['metric']} window by window ({better} is better)"
    return TimelineChart(title, described, times, series, marks=marks)


def lines(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Make a row of cells per policy, the best score first, then the naive baselines."""
    rows: list[tuple[str, ...]] = [
        (
            each["name"],
            f"{format_score(each['score']['value'])} "
            f"[{format_score(each['score']['low'])}, {format_score(each['score']['high'])}]",
            format_interval(Interval(**each["gain_over_static"])),
            str(each["retrainings"]),
            str(each["promotions"]),
            f"{each['cpu_seconds']:.1f}",
            format_interval(Interval(**each["regret"])),
        )
        for each in sorted(found["policies"], key=lambda each: float(each["regret"]["value"]))
    ]
    empty = [""] * (len(HEADS) - 2)
    for each in found["baselines"]:
        score = "not defined" if each["score"] is None else format_score(each["score"])
        rows.append((f"naive: {describe_baseline(each['name'])}", score, *empty))
    return rows


def summary(found: Mapping[str, Any]) -> str:
    """Write what was played."""
    windows = found["windows"]
    better = "higher" if found["sign"] > 0 else "lower"
    late = found["label_delay_windows"]
    delay = f"labels {late} windows late" if late else "labels known at the end of their window"
    blank = sum(score is None for score in found["policies"][0]["scores"])
    unscored = f" In {blank} windows {found['metric']} is not defined: they are in no score." if blank else ""
    return (
        f"{len(windows)} windows of about {windows[0]['rows']} rows after the first {windows[0]['first_row']}; "
        f"{found['metric']}, {better} is better; recipe {found['recipe']['recipe']}; {delay}.{unscored}"
    )


def advice(found: Mapping[str, Any]) -> str:
    """Write the recommendation, with its uncertainty."""
    chosen = found["recommended"]
    return f"Recommended: {chosen['policy']} ({chosen['reason']}). What skips the gate is compared, never recommended."


def recommended_settings(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of params.yaml that make production do what was recommended.

    In the backtest every monitoring run had a new window. In production one may have a single new label, so that a
    policy by the window waits for as many new rows as the smallest window had.
    """
    name = found["recommended"]["policy"]
    settings: dict[str, Any] = next(each["settings"] for each in found["policies"] if each["name"] == name)
    if settings["trigger.policy"] not in BY_WINDOW:
        return settings
    return settings | {"trigger.min_new_rows": min(window["rows"] for window in found["windows"])}


def _drawn(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The recommended policy and static, the best others, and the best baseline where it comes near."""

    def worth(each: Mapping[str, Any]) -> float:
        score = each["score"]
        return float(-found["sign"] * (score["value"] if isinstance(score, Mapping) else score))

    ranked = sorted(found["policies"], key=worth)
    fixed = [each for each in ranked if each["name"] in (found["recommended"]["policy"], STATIC)]
    others = [each for each in ranked if each not in fixed][: max(0, DRAWN - len(fixed))]
    drawn = [*fixed, *others]
    naive = sorted((each for each in found["baselines"] if each["score"] is not None), key=worth)[:1]
    scores = [score for each in drawn for score in each["scores"] if score is not None]
    low, high = min(scores), max(scores)
    reach = FAR * (high - low)
    return [*drawn, *(each for each in naive if low - reach <= each["score"] <= high + reach)]


def _windows(found: Mapping[str, Any]) -> TableBlock:
    chosen = _drawn(found)
    scores = [["" if score is None else format_score(score) for score in each["scores"]] for each in chosen]
    columns = [[str(window[key]) for window in found["windows"]] for key in ("number", "rows")] + scores
    return TableBlock(("window", "rows", *(each["name"] for each in chosen)), tuple(zip(*columns, strict=True)))


def _retrainings(found: Mapping[str, Any]) -> TableBlock:
    def windows(numbers: Sequence[int]) -> str:
        return ", ".join(map(str, numbers)) or "never"

    rows = tuple(
        (each["name"], windows(each["retrained_at"]), windows(each["promoted_at"])) for each in found["policies"]
    )
    return TableBlock(("policy", "retrained after window", "promoted after window"), rows)
