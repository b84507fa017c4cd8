"""The leaderboard: a line per scenario, and by how much each challenger beats whom."""

from dataclasses import dataclass

from releve.core.formatting import format_score
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.intervals import format_interval
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
    evaluation: Evaluation

    @property
    def line(self) -> tuple[str, ...]:
        """A cell per head."""
        found = self.evaluation
        interval = f"{format_score(found.score.low)} to {format_score(found.score.high)}"
        rows = (str(found.rows), str(found.holdout_rows))
        return self.scenario, *rows, found.metric, format_score(found.score.value), interval, self.best_baseline

    @property
    def best_baseline(self) -> str:
        """Its name and its score; "" where there is none to beat."""
        naive = {name: other.score for name, other in self.evaluation.baselines_to_beat}
        if not naive:
            return ""
        best = max(naive, key=lambda name: self.evaluation.sign * naive[name])
        return f"{best} {format_score(naive[best])}"


def build(results: tuple[Result, ...]) -> ReportPage:
    """The page over all scenarios; says nothing of when it was made, so that the same results make the same page."""
    if not results:
        return ReportPage("Leaderboard", "No scenario has a result yet.", ())
    summary = "The newest challenger of each scenario, on its own holdout."
    board = ReportSection("All scenarios", (TableBlock(HEADS, tuple(result.line for result in results)),))
    return ReportPage("Leaderboard", summary, (board, *map(_section, results)))


def _section(result: Result) -> ReportSection:
    found = result.evaluation
    rows = tuple(
        (
            name,
            format_score(other.score),
            format_interval(other.gain),
            "" if other.must_beat else "for comparison only",
        )
        for name, other in found.against.items()
    )
    first = [] if found.champion else [TextBlock(("There was no champion to compare with.",))]
    heads = ("compared with", found.metric, "gain over it", "")
    bars = tuple(IntervalBar(name, one.gain.value, one.gain.low, one.gain.high) for name, one in found.against.items())
    picture = IntervalChart(f"Gain in {found.metric} over each; positive is better", bars)
    blocks: list[Block] = [*first, TableBlock(heads, rows), picture]
    return ReportSection(f"{result.scenario}: {found.metric} {format_score(found.score.value)}", tuple(blocks))
