"""The backtest of a scenario's history under several policies: its table, its pictures and what it recommends."""

from collections.abc import Mapping, Sequence
from typing import Any

from releve.core.formatting import format_score
from releve.reporting.backtest_text import HEADS, lines
from releve.reporting.blocks import (
    Block,
    ChartPoint,
    ChartSeries,
    FoldedBlock,
    IntervalBar,
    IntervalChart,
    SeriesStyle,
    TableBlock,
    TextBlock,
    TimelineChart,
)
from releve.reporting.page.evidence import PageEvidence
from releve.reporting.page.history import interval_of

STATIC = "static"
DRAWN = 3  # policies that are drawn window by window: more lines cannot be told apart


def backtest(evidence: PageEvidence) -> list[Block]:
    """What other policies would have been worth."""
    found = evidence.backtest
    if not found:
        return [
            TextBlock(
                (
                    "It is not known yet what other policies would have been worth: "
                    f"`make backtest SCENARIO={evidence.scenario}` tries them on the scenario's own history.",
                )
            )
        ]
    return [
        _recommended(found.get("recommended") or {}),
        TableBlock(HEADS, tuple(lines(found))),
        _gains(found),
        *_by_window(found),
    ]


def _recommended(said: Mapping[str, Any]) -> TextBlock:
    if not said.get("policy"):
        return TextBlock(("The backtest recommends no policy.",))
    because = f": {said['reason']}" if said.get("reason") else ""
    return TextBlock((f"Recommended: {said['policy']}{because}.",))


def _gains(found: Mapping[str, Any]) -> IntervalChart:
    known = [(said["name"], interval_of(said.get("gain_over_static"))) for said in found.get("policies", ())]
    bars = tuple(IntervalBar(name, gain.value, gain.low, gain.high) for name, gain in known if gain and name != STATIC)
    return IntervalChart("Gain of each policy over the model that is never retrained; positive is better", bars)


def _by_window(found: Mapping[str, Any]) -> list[Block]:
    """The recommended policy and the best ones beside static and the best baseline, window by window."""
    windows = found.get("windows", ())
    chosen = _chosen(found)
    if not windows or not chosen:
        return []
    series = tuple(_series(said, colour) for colour, said in enumerate(chosen))
    times = tuple(str(window.get("at") or window.get("number", "")) for window in windows)
    described = f"{len(windows)} windows; lines: {', '.join(each.name for each in series)}. The table has all figures."
    picture = TimelineChart(f"{found.get('metric', 'score')} window by window", described, times, series)
    return [picture, FoldedBlock("Window by window as a table", (_scores(windows, chosen),))]


def _chosen(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Best first; the recommended policy and static in any case, and the best naive baseline."""
    sign = found.get("sign", 1)
    wanted = ((found.get("recommended") or {}).get("policy"), STATIC)
    ranked = sorted(_known(found.get("policies", ())), key=lambda said: -sign * _worth(said))
    fixed = [said for said in ranked if said["name"] in wanted]
    best = [said for said in ranked if said["name"] not in wanted][: max(0, DRAWN - len(fixed))]
    naive = sorted(_known(found.get("baselines", ())), key=lambda said: -sign * _worth(said))[:1]
    return [*fixed, *best, *naive]


def _known(said: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that have a score: a metric is not defined on every table."""
    return [each for each in said if each.get("score") is not None]


def _worth(said: Mapping[str, Any]) -> float:
    score = said["score"]
    return float(score["value"] if isinstance(score, Mapping) else score)


def _series(said: Mapping[str, Any], colour: int) -> ChartSeries:
    points = (ChartPoint(number, score) for number, score in enumerate(said.get("scores", ())) if score is not None)
    return ChartSeries(said["name"], SeriesStyle.LINE, tuple(points), colour)


def _scores(windows: Sequence[Mapping[str, Any]], chosen: Sequence[Mapping[str, Any]]) -> TableBlock:
    columns = [
        [str(window.get("number", "")) for window in windows],
        [str(window.get("rows", "")) for window in windows],
    ]
    columns += [["" if score is None else format_score(score) for score in said.get("scores", ())] for said in chosen]
    heads = ("window", "rows", *(said["name"] for said in chosen))
    return TableBlock(heads, tuple(zip(*columns, strict=False)))
