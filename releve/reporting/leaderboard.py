"""The leaderboard: a line per scenario, and by how much each challenger beats whom."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from releve.core.formatting import format_score
from releve.domain.evaluation.evaluation import CHAMPION, Headline, headline, score_of
from releve.domain.evaluation.intervals import Interval, format_interval
from releve.reporting.blocks import Block, IntervalBar, IntervalChart, ReportPage, ReportSection, TableBlock, TextBlock

HEADS = (
    "scenario",
    "labelled rows",
    "holdout rows",
    "metric",
    "score",
    "interval",
    "best baseline that it had to beat",
)


@dataclass(frozen=True)
class Result:
    """What evaluation.json says of a scenario's newest challenger."""

    scenario: str
    evaluation: Mapping[str, Any]

    @property
    def known(self) -> Headline:
        return headline(self.evaluation)

    @property
    def line(self) -> tuple[str, ...]:
        """A cell per head."""
        known = self.known
        interval = f"{format_score(known.score.low)} to {format_score(known.score.high)}"
        rows = (str(self.evaluation["rows"]), str(known.rows))
        return self.scenario, *rows, known.metric, format_score(known.score.value), interval, self.best_baseline

    @property
    def best_baseline(self) -> str:
        """Its name and its score; "" where there is none to beat."""
        naive = {name: score_of(other) for name, other in self.others if self._is_to_beat(name, other)}
        best = max(naive, key=lambda name: self.evaluation.get("sign", 1) * naive[name], default="")
        return f"{best} {format_score(naive[best])}" if best else ""

    @property
    def others(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Whom it was compared with, by name."""
        yield from self.evaluation["against"].items()

    @staticmethod
    def _is_to_beat(name: str, other: Mapping[str, Any]) -> bool:
        return name != CHAMPION and bool(other.get("must_beat", True))


def build(results: tuple[Result, ...]) -> ReportPage:
    """The page over all scenarios; says nothing of when it was made, so that the same results make the same page."""
    if not results:
        return ReportPage("Leaderboard", "No scenario has a result yet.", ())
    summary = "The newest challenger of each scenario, on its own holdout."
    board = ReportSection("All scenarios", (TableBlock(HEADS, tuple(result.line for result in results)),))
    return ReportPage("Leaderboard", summary, (board, *map(_section, results)))


def _section(result: Result) -> ReportSection:
    known = result.known
    rows = tuple(
        (
            name,
            format_score(score_of(other)),
            format_interval(gain) if (gain := _gain(other)) else "",
            "" if name == CHAMPION or result._is_to_beat(name, other) else "for comparison only",
        )
        for name, other in result.others
    )
    first = [] if CHAMPION in dict(result.others) else [TextBlock(("There was no champion to compare with.",))]
    heads = ("compared with", known.metric, "gain over it", "")
    blocks: list[Block] = [*first, TableBlock(heads, rows), _picture(result)]
    return ReportSection(f"{result.scenario}: {known.metric} {format_score(known.score.value)}", tuple(blocks))


def _picture(result: Result) -> IntervalChart:
    known = [(name, _gain(other)) for name, other in result.others]
    bars = tuple(IntervalBar(name, gain.value, gain.low, gain.high) for name, gain in known if gain)
    return IntervalChart(f"Gain in {result.known.metric} over each; positive is better", bars)


def _gain(other: Mapping[str, Any]) -> Interval | None:
    said = other.get("gain")
    return Interval(said["value"], said["low"], said["high"]) if said else None
